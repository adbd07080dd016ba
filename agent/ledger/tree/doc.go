// Package tree keeps the tree of the evidence log in few bytes: of each leaf the store has the
// hash beside what was logged; of what lies above, one row for each 4096 leaves, and so on by 64;
// what is not full yet is in memory alone (Edge) and is made again from the leaves when the
// store is opened.
//
// Levels count from 0, the leaves; level l has one hash for each 64^l leaves, which is the root of
// their full tree. A tile is 64 hashes of one level that lie side by side. Tiles of level 0 are the
// leaves' own hashes, those of other levels rows of the table tile.
//
// Source: evidence.md § 1.
package tree

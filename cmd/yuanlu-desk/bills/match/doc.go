// Package match holds the statement entries of bills against what terminals reported of a
// day: which refund is which row, what the row says of it, what is missing on either side.
// It is pure: the same digests and bills in the same order are the same results. A refund
// and a row belong together by a number that both state, never by their amount alone.
// Amounts are in fen. Nothing here is safe for concurrent use. Source: bills.md § 6.
package match

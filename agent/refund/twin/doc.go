// Package twin holds no code: its tests are a second, deliberately simple
// implementation of verdicts.md (no indexes, everything read again for
// every verdict, identifiers in clear), written from the page and not from the
// judge, and the comparison of the two on seeded random journals.
//
// A disagreement means that one of them misreads the page. It is cut down to
// the fewest records that still show it and kept in testdata as a scenario.
package twin

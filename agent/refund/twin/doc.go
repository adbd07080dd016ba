// Package twin holds no code: its tests compare the judge with a second, independent
// implementation of verdicts.md (firmware-sim/judge, written from the page and not from
// agent/refund), on the labelled scenarios and on seeded random journals.
//
// A disagreement means that one of them misreads the page. It is cut down to
// the fewest records that still show it and kept in testdata as a scenario.
package twin

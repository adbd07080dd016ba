// Package judge works out the verdicts that verdicts.md demands. It is written from that page
// alone and shares no code with the agent's judge, so it is both: the truth of the simulated
// terminals, and what agent/refund/twin compares the agent's judge with.
//
// A [Book] is fed the records of a journal in their order, with identifiers in clear. After
// each one its verdicts are those that the page demands for the journal so far. The code
// follows the page and keeps as little as it can: an index of the numbers that are compared
// (index.go), and which refunds and voids a record may change (Book.Add), which it then judges
// as if for the first time.
package judge

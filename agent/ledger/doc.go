// Package ledger is the durable truth of a terminal.
package ledger

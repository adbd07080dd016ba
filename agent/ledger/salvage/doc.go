// Package salvage reads what is left of a damaged store: every row that can be found in any
// version of any page of the database file and its WAL, without SQLite, and decides which of
// them count. It changes nothing; the ledger builds a new store of what is found
// (agent/ledger, Salvage).
package salvage

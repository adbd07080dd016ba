// Package follow decides what becomes of a case after its refund went wrong: which record undid
// the refund, whether the payer was paid after it, whether its batch was settled, whether the
// payer came back, and how many refunds each cashier makes. It is pure: the ledger finds the
// records, and asks. Source: casework.md § 12.
package follow

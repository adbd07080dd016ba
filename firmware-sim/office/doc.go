// Package office is the people of a shop who work cases at a yuanlu-desk, as they do with its page: an owner who checks and
// decides as supervisor, a manager, a cashier (casework.md § 2). Their day is data: who sends which command, and what the
// desk must answer, refusals too. All goes through the desk's HTTP API, with login, CSRF token and Idempotency-Key
// (casework.md § 13). At the end the journals of the cases and the money of the statistics are compared with the script.
package office

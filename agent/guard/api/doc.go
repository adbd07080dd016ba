// Package api is the guard's local API, for tills whose terminal cannot ask by its own wire:
// HTTP/1.1 on a unix socket and, where the configuration names a loopback address, there with
// a token. OpenAPI returns its description.
//
// Programs that ask are not trusted to behave: requests are bounded in size and time,
// connections and asks in number, and nothing of the agent waits for one of them. Clear
// numbers of an ask are in memory while it is judged and nowhere else.
//
// Source: guard.md § 5.
package api

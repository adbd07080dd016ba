// Package api is the desk's HTTP interface: JSON by question, and a stream of what
// changes (server-sent events). It only reads.
//
//	GET /v1/status                    how the desk is
//	GET /v1/cases                     terminal, state, severity, decision, recipient, merchant_id, since, until, before, limit
//	GET /v1/cases/{id}                with its history; terminal if several have it
//	GET /v1/events                    after, terminal, kind, type, case_id, limit
//	GET /v1/terminals[/{terminal}]    after, limit
//	GET /v1/gaps                      terminal, all, after, limit
//	GET /v1/quarantine                terminal, before, limit
//	GET /v1/stream                    after or Last-Event-ID; kinds
//
// A page names the query of the next one in "next", null where it was the last. The
// stream sends "case", "event", "terminal" and "gap"; ids are the store's numbers,
// so a client that comes again with Last-Event-ID misses nothing.
//
// Bound to the loopback no key is asked for, but the Host must be this machine's
// (a web page elsewhere cannot get it by a name of its own that points here); bound
// elsewhere every request needs "Authorization: Bearer TOKEN".
package api

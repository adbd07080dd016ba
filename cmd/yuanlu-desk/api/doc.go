// Package api is the desk's HTTP interface: JSON by question, and a stream of what
// changes (server-sent events). What people may change needs a token.
//
//	GET /v1/status                    how the desk is
//	GET /v1/cases                     terminal, state, severity, decision, recipient, merchant_id, since, until, before, limit
//	GET /v1/cases/{id}                with its history; terminal if several have it
//	GET /v1/events                    after, terminal, stream, kind, type, case_id, order (n or sequence), limit
//	GET /v1/terminals[/{terminal}]    after, presence, limit
//	GET /v1/gaps                      terminal, all, after, limit
//	GET /v1/quarantine[/{n}]          terminal, code, before, limit; of one its payload in base64
//	GET /v1/actions                   what was done by hand: terminal, before, limit
//	GET /v1/stream                    after or Last-Event-ID; kinds (with a session: {"case","version"} of what the person sees)
//
//	POST /v1/gaps/close               {"terminal","stream","to","who","why","force"}
//	POST /v1/quarantine/{n}/release   {"who","why"}; looked at again, and stored if it fits now
//	POST /v1/quarantine/{n}/discard   {"who","why"}
//
//	POST /v1/login, /v1/logout, /v1/password; GET /v1/me          sessions of people (casework.md § 13)
//	GET /v1/oidc/login, /v1/oidc/back; GET, POST /v1/oidc/people  logging in by a provider, and who is who there
//	POST /v1/work/{do}, /v1/work/file, /v1/work/bills            commands
//	GET /v1/work/cases/{no}[/journal | /files/{seq}]             a case
//	GET /v1/work/lists/{name}, /find, /stats, /reads, /people    questions
//
//	GET /v1/openapi.json              this, for machines
//	GET /healthz                      200 or 503; without a token
//	GET /metrics                      for Prometheus
//
// A page names the query of the next one in "next", null where it was the last. The
// stream sends "case", "event", "terminal" and "gap"; ids are the store's numbers,
// so a client that comes again with Last-Event-ID misses nothing.
//
// Bound to the loopback no key is asked for, but the Host must be this machine's
// (a web page elsewhere cannot get it by a name of its own that points here); bound
// elsewhere every request but /healthz needs "Authorization: Bearer TOKEN".
package api

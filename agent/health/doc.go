// Package health finds out what is wrong with a terminal, and what to do about it.
//
// A Snapshot is everything about the agent at one moment. Problems is a pure function of
// it and of the configuration. An Examination goes through the list of checks: in the
// daemon for `dn/cmd/selftest` and the control socket, or in the verb doctor while no
// daemon runs. Each check stands in one file, with its codes, its texts in both languages
// and its remedies, in both:
//
//	daemon.go config.go store.go disk.go links.go guard.go clock.go broker.go backoffice.go certificate.go rest.go
//
// The package opens no file, asks no clock and starts nothing: what a check needs and a
// Snapshot does not show is measured by the caller (Measured).
//
// Source: cli.md, doctor; topics.md, health.
package health

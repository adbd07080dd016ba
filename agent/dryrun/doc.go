// Package dryrun judges records without a terminal: in a temporary store of which nothing
// stays, for `check` and `replay`.
//
// Source: cli.md, check; cli.md, replay.
package dryrun

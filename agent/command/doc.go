// Package command owns what the back office (dn/cmd) and the technician (control socket)
// may order of a running agent, and does it: reopen a link, record its raw bytes, change
// the log's level, read log and configuration, take a support bundle, restart.
//
// agent/report checks a command that came over MQTT, keeps that it was taken (Taken) and
// answers it; Funcs.Do is what it calls. The control socket calls the same functions
// (Set.Verbs), so that a command does the same wherever it comes from.
//
// Source: topics.md, dn/cmd; cli.md.
package command

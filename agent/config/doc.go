// Package config owns the configuration file: its names, defaults and ranges,
// and the text about a wrong one.
//
// A file is read in three steps: the text becomes a list of entries, each with
// the line and column of its name and of its value; every entry is looked up in
// the one table of settings and stored; what concerns several settings at once
// is checked at the end. No step stops at the first mistake: Errors holds all of
// them, in the order of the file.
//
// Source: cli.md, Configuration.
package config

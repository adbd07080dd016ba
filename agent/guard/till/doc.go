// Package till is the guard as a till sees it: what stands in a guard.answer and a
// guard.state, in both languages, for the firmware of a link and for the local API alike, and
// a Link, which has the guard answer one link's firmware.
//
// Source: guard.md § 4.
package till

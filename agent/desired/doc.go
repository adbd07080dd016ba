// Package desired owns the configuration that came from the back office: which
// version is in force, which is on trial, which was refused and why.
//
// It stands beside the technician's file and never touches it. One small file,
// config/desired.json in store.dir, holds everything, and is replaced as a whole:
// written beside, synced, renamed, the folder synced. Whatever moment the power goes,
// what is read afterwards is the State before or the State after.
//
// The rules, all of them pure functions of a State:
//
//   - Decide: only a version greater than any seen acts, and only if the version it
//     expects is the one in force. A version that was refused is spent. One that
//     expects another version, or is more than MostJump ahead, is answered and not
//     spent: no single message uses up the numbers.
//   - A version that is taken is on trial until the back office can reach the terminal
//     again (Confirmed). The trial's time is running time, charged in advance in small steps
//     (Charged): a terminal that is switched off and on, or a program that ends again
//     and again, uses it up all the same. Then the version before returns (Returned).
//   - All of it stands on the technician's file as it was: when that file's text
//     changes, it counts, and nothing from afar does until the next version
//     (FileChanged). Reverted does the same on the technician's word.
//
// Source: topics.md, dn/config; topics.md, up/config.
package desired

// Package desired owns which configuration is in force: the terminal's own file, or a
// version that came from the back office; which version is on probation, which was
// refused and why.
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
//   - A version that is taken is on probation until the back office can reach the terminal
//     again (Confirmed). The probation's time is running time, charged in advance in small
//     steps (Charged): a terminal that is switched off and on, or a program that ends again
//     and again, uses it up all the same. Then the version before returns (Returned).
//   - All of it stands on the technician's file as it was: when that file's text
//     changes, it counts, and no version of the back office does until the next one comes
//     (FileChanged). Reverted does the same when the technician asks for it.
//
// Machine applies them, from one run of the agent to the next: it reads and writes the
// State, publishes, and reports when another run is needed. It takes the time from its caller.
//
// Source: topics.md, dn/config; topics.md, up/config.
package desired

// Package houserules holds no code: its tests read the whole tree and hold it to
// the project's rules (import directions, sizes, documentation, state).
package houserules

// Package wire is what the simulated payment firmware sends, byte by byte.
//
// It holds the simulator's own encoders for the three wires of wires.md (mispos, cup8583, smart), the
// lines they are written to (a pseudo terminal, any tty) and the faults a real line has. It shares no code with
// the agent's decoders on purpose: a codec tested only against itself proves nothing. Nothing here decodes, save
// the few frames that a smart terminal has to understand (confirms).
//
// The way of one message:
//
//	Record ──Encoder──► Frames ──Faulty──► Line (pty, tty) ──► the agent
//
// All randomness comes from a *rand.Rand that the caller seeds, so the same seed makes the same bytes.
package wire

// Package drivertest holds what tests of byte ports need: the suite that every
// port of this project passes (Run), a Recorder that notes what goes through a
// port, a Playback that plays a note back and insists on it, and a Faulty port
// that misbehaves by a seed.
//
// The rules of a port, which Run checks one by one:
//
//   - Read returns at least one byte or an error, never (0, nil).
//   - A read deadline that passes is os.ErrDeadlineExceeded and loses no byte,
//     whenever it passes; one set from another goroutine ends a Read under way.
//   - Bytes that arrive between Open and the first Read are kept.
//   - Write takes all bytes or returns how many with an error, and never waits for
//     ever on a device that takes nothing.
//   - Close wakes and waits for calls under way; after it nothing is written
//     anywhere, least of all to a file that got the old descriptor's number.
//   - A device that vanishes ends Reads and Writes at once with the port's error
//     for that; when it comes back, it opens again.
//   - While a port is open a second Open is refused.
//   - When all is closed, no goroutine and no descriptor is left.
//
// The package knows no port and imports none; a port's own test hands Run a
// Harness. It stands outside _test files because several packages share it.
package drivertest

// Package serialport opens a serial line and reads and writes its bytes with
// deadlines (drivers/drivertest holds the rules every port keeps).
//
// The line is driven by go.bug.st/serial v1.8.0, which has sharp edges. This is
// how each is kept away from the rest of the program:
//
//	edge of the library                         what is done here
//	Write after Close goes to whatever file     every call runs under a shared lock and
//	has that descriptor number by then          the closed flag; Close waits for all of them
//	Write blocks for as long as the line does   the library's descriptor is made non-blocking;
//	                                            waiting is done by Go's poller, with a deadline
//	Read returns (0, nil) when time is up       os.ErrDeadlineExceeded
//	Close closes the descriptor before it       callers are woken and joined first
//	wakes its readers
//	select panics at descriptor 1024            such a descriptor is refused at Open
//	descriptors survive exec                    close-on-exec is set
//	TIOCEXCL does not stop root                 flock on the device node, taken first
//	a setting the driver refuses is success     settings are read back and compared
//	the port list opens every port it finds     never called; List reads sysfs
//
// A second descriptor of the same device, opened before the library's and closed
// after it, carries the lock, the settings read back and the readiness. The
// library reopens the device through it (/proc/self/fd), so a node replaced
// between the two cannot be opened by mistake. Neither open nor close flushes
// input: the library sets the line with TCSETS, which keeps what has arrived.
//
// A port whose device hangs up, whose node disappears or now names another device
// answers ErrGone at once; it is then closed and opened again by its owner.
//
// Limits: on a pty whose user was killed, the kernel may keep the exclusive mark
// until the other end closes; a port that is marked so answers ErrBusy.
package serialport

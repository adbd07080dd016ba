// Command yuanlu (原路) is everything on the terminal: the daemon that watches
// refunds, and the verbs of the technician.
//
// main builds a program value; tests build the same value. A daemon with a USB port
// starts a second instance of itself that has the USB library (usbport.OpenIsolated). One file holds one
// verb. Only this package knows all rooms: it hands the agent the functions that
// open ports and dial the broker.
//
// Source: cli.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"yuanlu/drivers/usbport"
)

func main() {
	if usbport.IsChild() { // the USB half of a daemon
		os.Exit(runUSBChild())
	}
	// SIGPIPE on standard output ends the process as for any filter; signals of
	// the daemon are handed to it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	p := &program{
		args:    os.Args[1:],
		stdin:   os.Stdin,
		stdout:  os.Stdout,
		stderr:  os.Stderr,
		env:     os.Getenv,
		now:     time.Now,
		signals: signals,
		whole:   true,
	}
	os.Exit(p.run(context.Background()))
}

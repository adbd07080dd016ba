// Package agent owns the goroutines of the daemon: who starts, who stops, in what
// order. How the agent is comes from agent/health, of a snapshot made here.
//
//	workers (one per link) ─► ledger ─► reporter ─► broker
//	                             ▲
//	  held verdicts, retention,  ┘          control, health, watchdog
//
// Start: control and reporter (they report what is wrong even while the store
// cannot be opened), then the store, tried again for as long as it takes, then the
// timers and the links. READY means that detection and store run; neither broker
// nor device is a condition of starting.
//
// Stop, within StopWithin: the links close their ports and store what they have
// read; the reporter publishes offline; the store closes; the errors are
// joined. A goroutine that does not end in time is named.
//
// Nothing here stops because of something outside: the only errors of Run are
// another daemon on the same store, and a stop that went wrong.
package agent

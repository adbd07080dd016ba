// Package broker is the desk's side of a connection to the MQTT broker (protocol/mqtt):
// what is received waits in lanes until it is stored.
//
// There is a lane for each terminal: each has room of its own and they are taken from in
// turn, so that the flood of one terminal is in the way of none of the others. The first few
// messages of a lane with QoS 1 are acknowledged (PUBACK) when they are stored; until then
// the broker keeps them. Those behind them, and those that find no room, are acknowledged at
// once: the broker's window (mosquitto: 20 messages) is one for all terminals and must stay
// open. That is safe because a PUBACK means only that the message was taken from the broker:
// a terminal keeps its event, and sends it again, until dn/ack covers it, which only a commit
// brings about.
package broker

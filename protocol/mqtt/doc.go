// Package mqtt owns the connection to the broker. It is the only room that
// knows paho.mqtt.golang, and it uses that library so that it cannot lie, hang
// or be made to panic (topics.md rule 3):
//
//   - A Conn is one connection: a new client each, clean session, protocol 4,
//     no reconnecting, no retry, no store. With the library's own reconnecting
//     a QoS 1 publish that never got its PUBACK is reported as done.
//   - The network connection is dialled here (own CA, no proxy from the
//     environment, certificates read again each time) and guarded: every packet
//     of the broker is checked whole before the library sees a byte of it.
//     A SUBACK with too many codes, which panics v1.5.1, a PUBACK that is not waited
//     for, a packet over 256 KiB or a write without progress never get through.
//   - Every wait has a time limit, and an answer counts only while its
//     connection is the current one.
//
// Do not reuse a Conn, and never let the library reconnect.
package mqtt

// Package broker owns the desk's connection to the MQTT broker, and is its only
// room that knows paho.mqtt.golang.
//
// A Conn is one connection and is never used again: the library's own reconnecting
// and storing are off. A message with QoS 1 is acknowledged (PUBACK) by whoever
// took it, after it is stored; until then the broker keeps it, and its own window
// (mosquitto: 20 messages) bounds what waits here. Every packet of the broker is
// checked before the library sees it (guard).
package broker

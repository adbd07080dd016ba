// Package demo shows the whole product on one machine: simulated terminals on pseudo terminals, one agent each, an
// MQTT broker inside, and a small back office that subscribes, acknowledges and prints cases as they arrive (or a
// yuanlu-desk as a process of its own that does, and reports what it has accepted). At the end it sets the cases against
// the truth of the terminals (cli.md § firmware-sim).
//
// The demo passes only if every wrong refund arrived as a case, no right one did, and each one that the wire
// does not let anyone decide got the recipient that the truth names. With a yuanlu-desk the people of firmware-sim/office
// then work some of the cases, and their journals and money must be as scripted. It also searches all MQTT traffic and every file of the agents for the
// clear identifiers that the terminals used: one found fails it.
package demo

// Package e2e holds no code: its tests run the program that main builds, as a
// process, against the simulated firmware on a pseudo terminal and against a real
// mosquitto, and do to it what happens to a terminal: no broker, kill -9, a full
// disk, a cable pulled out. Whatever happens, the firmware's own journal, the
// store and what the back office received must tell the same story.
//
// What each test leaves behind (store, log, all MQTT traffic) is searched for
// every clear card number and openid the simulator used, as text and as BCD.
//
// A seeded tenth of the long tests runs by default, all of them with
// YUANLU_SOAK=1.
package e2e

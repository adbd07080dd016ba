package mqtt_test

import (
	"testing"

	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
)

// BenchmarkSend is 1 KiB with 14 in flight to mosquitto on loopback.
func BenchmarkSend(b *testing.B) {
	broker := brokertest.Start(b, brokertest.Options{Config: []string{"log_type none"}})
	c, err := mqtt.Dial(b.Context(), mqtt.Options{URL: broker.URL(), ClientID: "t1"})
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 1024)
	var flight []<-chan error
	wait := func() {
		if err := <-flight[0]; err != nil {
			b.Fatal(err)
		}
		flight = flight[1:]
	}
	for b.Loop() {
		if len(flight) == 14 {
			wait()
		}
		r, err := send(b.Context(), c, "a/b", 1, false, payload)
		if err != nil {
			b.Fatal(err)
		}
		flight = append(flight, r)
	}
	for len(flight) > 0 {
		wait()
	}
	_ = c.Close(b.Context())
}

package e2e

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// residentCap is what the daemon may hold resident, in KiB, whatever a broker does.
// The unit file ends it at 96 MiB.
const residentCap = 48 << 10

// publish writes a PUBLISH with QoS 0 or, with an id, QoS 1.
func publish(topic string, size int, id uint16, retained bool) []byte {
	first := byte(0x30)
	body := append([]byte{byte(len(topic) >> 8), byte(len(topic))}, topic...)
	if id != 0 {
		first |= 2
		body = append(body, byte(id>>8), byte(id))
	}
	if retained {
		first |= 1
	}
	body = append(body, bytes.Repeat([]byte("x"), size)...)
	out := []byte{first}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			out = append(out, b|0x80)
			continue
		}
		return append(append(out, b), body...)
	}
}

// flood sends packets until the time is over or the daemon hangs up; it counts them.
func flood(c *brokertest.FakeConn, d time.Duration, sent *atomic.Int64, packets ...[]byte) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for _, p := range packets {
			if c.Raw(p) != nil {
				return
			}
			sent.Add(1)
		}
	}
}

// attack is a broker's behaviour: what it answers to a kind of packet, once a
// connection. want is how many packets it must have got rid of, 0: any.
type attack struct {
	name string
	on   brokertest.Kind
	do   func(c *brokertest.FakeConn, p *brokertest.Packet, sent *atomic.Int64)
	want int64
}

const (
	deaf     = "yuanlu/v1/t-e2e/dn/"
	floodFor = 1500 * time.Millisecond
)

func raw(b ...byte) func(*brokertest.FakeConn, *brokertest.Packet, *atomic.Int64) {
	return func(c *brokertest.FakeConn, _ *brokertest.Packet, sent *atomic.Int64) {
		if c.Raw(b) == nil {
			sent.Add(1)
		}
	}
}

// floods answers as it should and then sends packets.
func floods(packets ...[]byte) func(*brokertest.FakeConn, *brokertest.Packet, *atomic.Int64) {
	return func(c *brokertest.FakeConn, p *brokertest.Packet, sent *atomic.Int64) {
		if c.Default(p) == nil {
			flood(c, floodFor, sent, packets...)
		}
	}
}

func attacks() []attack {
	var pubacks []byte
	for id := range 200 {
		pubacks = append(pubacks, 0x40, 2, byte(id), 7)
	}
	connack := []byte{0x20, 2, 0, 0}
	return []attack{
		{"never says CONNACK", brokertest.Connect, func(*brokertest.FakeConn, *brokertest.Packet, *atomic.Int64) {}, 0},
		{"kicks at once", brokertest.Connect, func(c *brokertest.FakeConn, _ *brokertest.Packet, _ *atomic.Int64) { c.Close() }, 0},
		{"speaks HTTP", brokertest.Connect, raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...), 1},
		{"SUBACK with two codes", brokertest.Subscribe, func(c *brokertest.FakeConn, p *brokertest.Packet, sent *atomic.Int64) {
			raw(0x90, 4, byte(p.ID>>8), byte(p.ID), 0, 0)(c, p, sent)
		}, 1},
		{"announces 256 MiB", brokertest.Subscribe, raw(0x30, 0xff, 0xff, 0xff, 0x7f), 1},
		{"a length without end", brokertest.Subscribe, raw(0x30, 0xff, 0xff, 0xff, 0xff, 0xff), 1},
		{"a topic of no UTF-8", brokertest.Subscribe, raw(0x30, 4, 0, 1, 0xff, 'x'), 1},
		{"an alias instead of a topic", brokertest.Subscribe, raw(0x30, 6, 0, 0, 3, 0x23, 0, 1), 1}, // MQTT 5
		{"one byte, then silence", brokertest.Subscribe, raw(0x30), 1},
		{"acknowledges what nobody sent", brokertest.Subscribe, floods(pubacks), 10},
		{"floods with 256 KiB", brokertest.Subscribe, floods(publish(deaf+"cmd/ping", 255<<10, 0, false), publish(deaf+"ack", 255<<10, 1, false)), 100},
		{"retained bombs", brokertest.Subscribe, floods(publish(deaf+"config", 255<<10, 0, true), publish(deaf+"cmd/restart", 255<<10, 0, true)), 100},
		{"floods with small ones", brokertest.Subscribe, floods(publish(deaf+"cmd/restart", 20, 0, false), publish(deaf+"ack", 20, 1, false),
			publish(deaf+"x", 0, 0, true), publish(deaf+"config", 20, 0, true)), 1000},
		{"floods before CONNACK", brokertest.Connect, func(c *brokertest.FakeConn, _ *brokertest.Packet, sent *atomic.Int64) {
			flood(c, floodFor, sent, publish(deaf+"ack", 255<<10, 0, false))
		}, 0},
		{"says CONNACK without end", brokertest.Connect, func(c *brokertest.FakeConn, _ *brokertest.Packet, sent *atomic.Int64) {
			flood(c, floodFor, sent, connack)
		}, 0},
	}
}

// Whatever a broker does, the daemon goes on reading its link and storing, does not
// grow beyond its cap, and stops in its time when asked to. Afterwards everything is
// published to a broker that is right.
func TestE2EHostileBroker(t *testing.T) {
	fw := newFirmware(t, "e-sign", 31)
	store, most := t.TempDir(), int64(0)
	for _, a := range attacks() {
		t.Run(a.name, func(t *testing.T) {
			var sent, connections, over atomic.Int64
			f := &brokertest.Fake{}
			f.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
				if p.Kind == brokertest.Connect {
					connections.Add(1)
				}
				if p.Kind != a.on {
					return false
				}
				a.do(c, p, &sent)
				over.Add(1)
				return true
			}
			st := newStation(t, settings{port: fw.link, broker: f.Listen(t), store: store})
			st.startOnline()
			fw.day(3, time.Millisecond)
			eventually(t, 20*time.Second, "the attack", func() bool { return over.Load() > 0 && sent.Load() >= a.want })
			eventually(t, 20*time.Second, "what was said under attack in the store", func() bool { return whole(t, st.store, fw.entries) })
			p := look(t, st.cmd.Process.Pid)
			most = max(most, p.hwm)
			if p.hwm > residentCap {
				t.Errorf("%d KiB resident, want at most %d", p.hwm, residentCap)
			}
			t.Logf("%d connections, %d packets of the attack, at most %d KiB resident", connections.Load(), sent.Load(), p.hwm)
			begin := time.Now()
			st.stop()
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("the stop took %v", took)
			}
		})
	}
	if t.Failed() {
		return
	}
	broker := brokertest.Start(t, brokertest.Options{})
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), store: store})
	d := newDesk(t, broker.URL(), st.id)
	st.startOnline()
	fw.day(30, time.Millisecond)
	finish(t, fw, st, d)
	t.Logf("at most %d KiB resident under attack", most)
}

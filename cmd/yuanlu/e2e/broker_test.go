package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// finish waits until the store holds what the firmware did and the desk every case
// of the store, stops the agent, and searches everything for clear identities.
func finish(t *testing.T, fw *firmware, st *station, d *desk) {
	t.Helper()
	if !waitFor(30*time.Second, func() bool { return whole(t, st.store, fw.entries) }) {
		report(t, st.store, fw.entries)
		t.Fatal("what was done is not all in the store")
	}
	// Verdicts without an original wait for their grace of one second.
	pace(1500 * time.Millisecond)
	eventually(t, 110*time.Second, "all cases at the desk", func() bool {
		told := d.snapshot()
		for id := range storedCases(t, st.store) {
			if _, ok := told[id]; !ok {
				return false
			}
		}
		return true
	})
	eventually(t, 60*time.Second, "everything acknowledged", func() bool { return outbox(t, st).Waiting == 0 })
	st.stop()
	d.check()
	if n := len(d.snapshot()); n < 3 {
		t.Errorf("only %d cases: too few to show anything", n)
	}
	searchForSecrets(t, fw.term.Secrets(), []string{st.store}, map[string][]byte{"log": []byte(st.log.String()), "MQTT traffic": d.bytes()})
}

type outboxStat struct{ LastSeq, SentSeq, AckedSeq, Waiting int64 }

func outbox(t *testing.T, st *station) outboxStat {
	t.Helper()
	out := st.out("outbox", "--json", "stat")
	var s struct {
		LastSeq  int64 `json:"last_seq"`
		SentSeq  int64 `json:"sent_seq"`
		AckedSeq int64 `json:"acked_seq"`
		Waiting  int64 `json:"waiting"`
	}
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("outbox stat: %v: %s", err, out)
	}
	return outboxStat(s)
}

// day plays n customers, pausing between them.
func (f *firmware) day(n int, between time.Duration) {
	for range n {
		f.say(f.next())
		pace(between)
	}
}

func TestE2EBrokerAbsentAtStart(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	broker.Stop()
	fw := newFirmware(t, "e-sign", 21)
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	st.startOnline()
	fw.day(120, time.Millisecond)
	eventually(t, 20*time.Second, "the day in the store", func() bool { return whole(t, st.store, fw.entries) })
	if s := outbox(t, st); s.Waiting == 0 || s.SentSeq != 0 {
		t.Errorf("without a broker: %+v", s)
	}
	broker.Run()
	finish(t, fw, st, newDesk(t, broker.URL(), st.id))
}

func TestE2EBrokerRestartedUnderLoad(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "traditional", 22)
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	d := newDesk(t, broker.URL(), st.id)
	st.startOnline()
	for n := range 5 {
		fw.day(40, 5*time.Millisecond)
		if n%2 == 0 {
			broker.Kill()
		} else {
			broker.Stop()
		}
		fw.day(20, 5*time.Millisecond)
		broker.Run()
	}
	finish(t, fw, st, d)
}

// A broker that takes a case and drops the connection without a PUBACK has not got
// it: nothing may be called sent.
func TestE2ENoPubackIsNoSuccess(t *testing.T) {
	greedy := &brokertest.Fake{}
	taken := make(chan struct{}, 1000)
	greedy.Handler = func(c *brokertest.FakeConn, p *brokertest.Packet) bool {
		if p.Kind != brokertest.Publish || !strings.HasSuffix(p.Topic, "/up/case") {
			return false
		}
		select {
		case taken <- struct{}{}:
		default:
		}
		c.Close()
		return true
	}
	url := greedy.Listen(t)
	fw := newFirmware(t, "e-sign", 23)
	st := newStation(t, settings{port: fw.link, broker: url, ack: "broker"})
	st.startOnline()
	fw.day(80, time.Millisecond)
	for range 3 {
		select {
		case <-taken:
		case <-time.After(60 * time.Second):
			t.Fatal("no case was tried")
		}
	}
	if s := outbox(t, st); s.SentSeq != 0 || s.Waiting == 0 || s.AckedSeq != 0 {
		t.Errorf("no PUBACK ever came, but the outbox says %+v", s)
	}
	st.stop()
	// The same store against a real broker: everything is still there to be published.
	broker := brokertest.Start(t, brokertest.Options{})
	again := newStation(t, settings{port: fw.link, broker: broker.URL(), store: st.store})
	d := newDesk(t, broker.URL(), again.id)
	again.startOnline()
	finish(t, fw, again, d)
}

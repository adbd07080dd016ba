package fleet

import (
	"bytes"
	"context"
	"time"

	"yuanlu/protocol/mqtt"
)

// retained is one message of presence.
type retained struct {
	name string // behind up/
	body any
}

// state is the payload of up/state; the will has no times.
func (t *terminal) state(state, reason string, now time.Time) object {
	s := object{"v": 1, "state": state, "session": t.session, "reason": reason}
	if !now.IsZero() {
		s["since"], s["ts"] = stamp(t.since), stamp(now)
	}
	return s
}

// birth is all that a terminal publishes when it has connected.
func (t *terminal) birth(now time.Time) []retained {
	info := object{"v": 1, "ts": stamp(now), "session": t.session, "started": stamp(t.f.began), "program": "yuanlu", "version": "fleet", "os": "linux", "arch": "arm64",
		"platform": "firmware-sim fleet", "merchant_id": t.merchant, "stream": t.stream, "config": object{"version": 0, "digest": "7351e4b0b60aa0b9"},
		"schemas": []string{"urn:yuanlu:schema:state.v1", "urn:yuanlu:schema:info.v1", "urn:yuanlu:schema:health.v1", "urn:yuanlu:schema:link-state.v1",
			"urn:yuanlu:schema:case-event.v1", "urn:yuanlu:schema:case-summary.v1", "urn:yuanlu:schema:event.v1", "urn:yuanlu:schema:config.v1"},
		"commands": []string{}, "links": []object{{"name": "pos", "wire": "mispos", "port": "/dev/ttyS1"}}, "clock": object{"synced": true, "source": "kernel"}, "signed": false}
	config := object{"v": 1, "ts": stamp(now), "version": 0, "origin": "file", "digest": "7351e4b0b60aa0b9", "status": "applied"}
	return []retained{{"state", t.state("online", t.reason, now)}, {"info", info}, {"config", config}, t.link(now), t.health(now)}
}

func (t *terminal) link(now time.Time) retained {
	state, verdict, reason := "online", "good", ""
	if t.unplugged {
		state, verdict, reason = "absent", "no_port", "no such device"
	}
	return retained{"link/pos/state", object{"v": 1, "name": "pos", "state": state, "since": stamp(t.since), "reason": reason, "wire": "mispos", "port": "/dev/ttyS1",
		"frames_good": 60 * t.rounds, "frames_bad": 0, "session": t.session, "verdict": verdict, "verdict_since": stamp(t.since),
		"text": object{"en": "good, last sale at " + stamp(now), "zh": "正常，最近一笔消费 " + stamp(now)}, "guard": "off"}}
}

func (t *terminal) health(now time.Time) retained {
	return retained{"health", object{"v": 1, "ts": stamp(now), "session": t.session, "interval_s": max(1, int(t.f.o.Health/time.Second)), "uptime_s": int64(now.Sub(t.f.began) / time.Second), "verdict": "ok",
		"problems": []object{{"code": "commands_unsigned", "since": stamp(t.f.began), "text": "commands are taken without a signature"}},
		"clock":    object{"synced": true, "source": "kernel"}, "mqtt": object{"connected": true, "since": stamp(t.since), "reconnects": t.count.Connects, "refused": 0},
		"outbox": object{"waiting": len(t.cases) + len(t.events), "bytes": 3000 * len(t.cases), "limit_bytes": 16 << 20, "oldest_s": 0, "last_seq": t.seq, "sent_seq": t.seq,
			"acked_seq": t.acked, "unsequenced": 0, "quarantined": 0, "dropped": 0},
		"links":   object{"pos": object{"state": "online", "frames_good": 60 * t.rounds, "frames_bad": 0, "reopens": 0, "stalls": 0, "stalled_s": 0}},
		"records": 60 * t.rounds, "refunds": 2 * t.seq, "cases": t.opened, "memory_bytes": 22 << 20, "disk_free_bytes": 1 << 30, "goroutines": 33}}
}

// summary is up/case-summary; ok is false where it is the one published last.
func (t *terminal) summary(now time.Time) (r retained, ok bool) {
	open := map[string]int{"critical": 0, "high": 0, "medium": 0}
	for _, one := range t.open {
		if one.state != "" {
			open[one.state]++
		}
	}
	var oldest any
	if len(t.cases) > 0 {
		oldest = stamp(t.cases[0].at)
	}
	body := object{"v": 1, "stream": t.stream, "last_seq": t.seq, "acked_seq": t.acked, "open": open, "oldest_unacked": oldest}
	if len(t.before) > 0 {
		body["before"] = t.before
	}
	plain := encode(body)
	if bytes.Equal(plain, t.summed) {
		return r, false
	}
	t.summed = plain
	body["ts"] = stamp(now)
	return retained{"case-summary", body}, true
}

// retain publishes messages of presence together and waits until the broker has them.
func (t *terminal) retain(ctx context.Context, list ...retained) error {
	results := make(chan error, len(list))
	out := make([]mqtt.Outgoing, len(list))
	for i, r := range list {
		out[i] = mqtt.Outgoing{Topic: t.topic("up/" + r.name), QoS: 1, Retain: true, Payload: encode(r.body), Result: results}
	}
	if err := t.conn.Send(ctx, out...); err != nil {
		return err
	}
	for range list {
		t.count.Up++
		select {
		case err := <-results:
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

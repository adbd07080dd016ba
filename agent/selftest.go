package agent

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"yuanlu/agent/command"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/machine"
)

// How long the slow steps of a selftest may take.
const (
	probeTime = 5 * time.Second // of one durable write
	echoTime  = 5 * time.Second // of the round trip to the broker
)

// mostLines bounds the lines of a selftest.
const mostLines = 64

// selftest checks what a technician would check, step by step.
func (a *Agent) selftest(ctx context.Context, args json.RawMessage, progress func(any)) (any, error) {
	var q struct {
		Lang string `json:"lang"`
	}
	if err := command.Arguments(args, &q); err != nil {
		return nil, err
	}
	select { // one at a time: it reads the whole store
	case a.testing <- struct{}{}:
		defer func() { <-a.testing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	lines := a.Examine(ctx, q.Lang == "zh", func(p health.Progress) { progress(p) })
	answer := struct {
		Verdict string           `json:"verdict"`
		Lines   []health.Checkup `json:"lines"`
		LeftOut int              `json:"left_out"`
	}{health.Worst(lines), lines, 0}
	for {
		if n := len(answer.Lines); n > mostLines {
			answer.LeftOut, answer.Lines = n-mostLines, answer.Lines[:mostLines]
		}
		raw, err := json.Marshal(answer)
		if err != nil || len(raw) <= command.MostData {
			return answer, err
		}
		answer.Lines = answer.Lines[:len(answer.Lines)-1]
		answer.LeftOut++
	}
}

// echo is the part of a selftest that asks the broker and looks for the back office.
func (a *Agent) echo(ctx context.Context, args json.RawMessage, send func(any) error) error {
	var q struct {
		Lang string `json:"lang"`
	}
	if err := command.Arguments(args, &q); err != nil {
		return err
	}
	s := a.Glance(ctx)
	return send(map[string][]health.Checkup{"lines": a.examine(ctx, &s, q.Lang == "zh", nil, "broker", health.StepEcho)})
}

// Examine looks at everything and returns a line for each, in English or Chinese; after
// each step it calls progress, unless that is nil. It takes at most 20 seconds.
func (a *Agent) Examine(ctx context.Context, chinese bool, progress func(health.Progress)) []health.Checkup {
	s := a.Snapshot(ctx)
	return a.examine(ctx, &s, chinese, progress)
}

func (a *Agent) examine(ctx context.Context, s *health.Snapshot, chinese bool, progress func(health.Progress), steps ...string) []health.Checkup {
	e := health.Examination{Config: a.o.Config, Chinese: chinese, Brief: true, Snapshot: s, Measure: a.measure}
	return e.Run(ctx, progress, steps...)
}

// measure looks at what a snapshot does not show (health.Examination.Measure).
func (a *Agent) measure(ctx context.Context, step string, s *health.Snapshot, m *health.Measured) {
	switch step {
	case "daemon":
		m.Obstacles = machine.Obstacles(a.o.Config, uint32(os.Geteuid()))
	case "config":
		m.Exposed = machine.Exposed(a.o.Config)
		m.OnDisk, m.OnDiskErr = a.o.Configuration.OnDisk()
	case "store":
		if db := a.Store(); db != nil {
			m.Store = tryStore(ctx, db)
		}
	case health.StepEcho:
		if s.MQTT != nil && s.MQTT.Connected {
			ctx, cancel := context.WithTimeout(ctx, health.EchoWithin)
			defer cancel()
			took, err := a.reporter.AskBackOffice(ctx)
			m.Answer = &health.Answer{Took: took, Err: err}
		}
	case "broker":
		if s.MQTT != nil && s.MQTT.Connected {
			ctx, cancel := context.WithTimeout(ctx, echoTime)
			defer cancel()
			m.EchoTook, m.EchoErr = a.reporter.Echo(ctx)
		}
	}
}

// tryStore writes to a store and looks at its pages.
func tryStore(ctx context.Context, db *ledger.DB) *health.OpenStore {
	var o health.OpenStore
	probe, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	if o.Took, o.WriteErr = db.Probe(probe); o.WriteErr != nil {
		return &o
	}
	look, cancelLook := context.WithTimeout(ctx, health.CheckWithin)
	defer cancelLook()
	o.Facts, o.ReadErr = db.Facts(look)
	return &o
}

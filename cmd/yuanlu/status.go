package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"yuanlu/agent"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/cmd/yuanlu/screen"
)

func statusVerb() *verb {
	return &verb{name: "status", usage: "[--watch] [--config F]",
		en: "one screen: links, broker, outbox, cases, problems and remedies", zh: "一屏概览：链路、服务器、队列、案件、问题及处理办法", run: (*program).status}
}

func (p *program) status(ctx context.Context, args []string) error {
	v := statusVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	watch := f.Bool("watch", false, p.lang.T("go on and show changes, until ctrl-c", "持续显示，按 ctrl-c 结束"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	if *watch {
		return p.watchStatus(ctx, *path)
	}
	return p.showStatus(ctx, *path, p.people)
}

// showStatus prints the status once.
func (p *program) showStatus(ctx context.Context, path string, people func(*time.Location) *screen.Screen) error {
	c, _, err := p.configInForce(path)
	if err != nil {
		return err
	}
	s, running, err := p.snapshot(ctx, c.Config)
	if err != nil {
		return err
	}
	held, err := openHolds(ctx, c.Config)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Running bool   `json:"running"`
			Origin  string `json:"config_origin"`
			Version int64  `json:"config_version"`
			health.Snapshot
			Holds []till.HoldLine `json:"holds,omitempty"`
		}{running, c.Origin(), c.Version, s, held})
	}
	view := people(c.Time.Location())
	if err := view.Status(&screen.State{Snapshot: s, Running: running, Origin: c.Describe()}); err != nil || len(held) == 0 {
		return err
	}
	return view.HeldNow(held)
}

// openHolds returns the refunds that are held now, none where the daemon cannot answer that.
func openHolds(ctx context.Context, c *config.Config) (lines []till.HoldLine, err error) {
	err = control.Call(ctx, c.Control.Socket, "hold-list", map[string]bool{}, control.Each(func(l till.HoldLine) error {
		lines = append(lines, l)
		return nil
	}))
	var refused *control.Error
	if errors.Is(err, control.ErrNotRunning) || errors.As(err, &refused) {
		err = nil
	}
	return lines, err
}

// watchEvery is how often status --watch looks.
const watchEvery = time.Second

// watchStatus prints the status again and again: on a terminal in place, at once when its
// size changes, else one after the other.
func (p *program) watchStatus(ctx context.Context, path string) error {
	people := p.people
	if screen.IsTerminal(p.stdout) && !p.json {
		live := screen.NewLive(p.stdout)
		defer live.Close()
		people = func(zone *time.Location) *screen.Screen {
			s := p.people(zone)
			s.W = live
			return s
		}
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	for tick := time.NewTicker(watchEvery); ; {
		if err := p.showStatus(ctx, path, people); err != nil {
			if ctx.Err() != nil {
				return nil // how watching ends
			}
			return err
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return nil
		case <-tick.C:
		case <-resized:
		}
	}
}

// snapshot asks the daemon; while it is not running, the store.
func (p *program) snapshot(ctx context.Context, c *config.Config) (s health.Snapshot, running bool, err error) {
	err = control.Call(ctx, c.Control.Socket, "status", nil, func(raw json.RawMessage) error {
		running = true
		return json.Unmarshal(raw, &s)
	})
	if !errors.Is(err, control.ErrNotRunning) {
		return s, running, err
	}
	now := p.now()
	s = health.Snapshot{Terminal: c.Terminal.ID, Merchant: c.Terminal.MerchantID, Config: c.Digest(), At: now, Verdict: "stopped", DiskFree: -1}
	for _, l := range c.Links {
		s.Links = append(s.Links, health.Link{LinkHealth: ingest.LinkHealth{Name: l.Name, Wire: l.Wire, Port: l.Port, State: "unknown", Verdict: "unknown"}, Guard: l.Guard})
	}
	s.Damage = ledger.FoundDamage(c.Store.Dir)
	s.Problems = health.DamageProblems(s.Damage)
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if errors.Is(err, ledger.ErrNotFound) {
		s.StoreError = p.lang.T("there is no store yet", "尚无数据库")
		return s, false, nil
	}
	if err != nil {
		return s, false, err
	}
	s.Outbox, s.Counts, err = agent.Look(ctx, db, now.In(c.Time.Location()))
	return s, false, errors.Join(err, db.Close())
}

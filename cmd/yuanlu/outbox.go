package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"yuanlu/agent/bundle"
	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
)

func outboxVerb() *verb {
	return &verb{name: "outbox", usage: "stat | list [-n N] | requeue ENTRY",
		en: "what waits for the back office, since when", zh: "等待上报的内容及时间", run: (*program).outbox}
}

func (p *program) outbox(ctx context.Context, args []string) error {
	v := outboxVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	most := f.Int("n", 100, p.lang.T("at most `N`", "最多 `N` 条"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	switch {
	case rest[0] == "stat" && len(rest) == 1:
		return p.outboxStat(ctx, *path)
	case rest[0] == "list" && len(rest) == 1:
		if *most < 1 {
			return p.wrongUsage(v, "%s", p.lang.T("-n wants a number from 1 on", "-n 需要 1 以上的数字"))
		}
		return p.outboxList(ctx, *path, *most)
	case rest[0] == "requeue" && len(rest) == 2:
		entry, err := strconv.ParseInt(rest[1], 10, 64)
		if err != nil {
			return p.wrongUsage(v, "%s", p.lang.T("ENTRY is a number from outbox list", "ENTRY 是 outbox list 中的编号"))
		}
		return p.outboxRequeue(ctx, *path, entry)
	}
	return p.wrongUsage(v, "%s", p.lang.T("want stat, list, or requeue and an entry", "需要 stat、list，或 requeue 加编号"))
}

func (p *program) outboxStat(ctx context.Context, path string) error {
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	s, _, err := p.snapshot(ctx, c)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(s.Outbox)
	}
	return p.people(c.Time.Location()).Outbox(&s.Outbox)
}

// outboxList asks the daemon, which knows how often each entry was sent; while it is not
// running, the store.
func (p *program) outboxList(ctx context.Context, path string, most int) error {
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	var all []ledger.OutboxRow
	err = control.Call(ctx, c.Control.Socket, "outbox-list", map[string]int{"limit": most}, control.Each(func(row ledger.OutboxRow) error {
		all = append(all, row)
		return nil
	}))
	if err != nil { // also a daemon that does not know the verb, or has no store open
		all = nil
		err = p.withStore(ctx, path, func(_ *config.Config, db *ledger.DB) (err error) {
			all, err = db.OutboxList(ctx, most)
			return err
		})
	}
	if err != nil {
		return err
	}
	for i := range all { // the back office's own words
		all[i].Message = string(bundle.Mask([]byte(all[i].Message)))
	}
	if !p.json {
		return p.people(c.Time.Location()).Entries(all)
	}
	for _, one := range all {
		if err := p.printJSON(one); err != nil {
			return err
		}
	}
	return nil
}

// outboxRequeue puts a quarantined entry back: through the daemon, else in the
// store itself.
func (p *program) outboxRequeue(ctx context.Context, path string, entry int64) error {
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	err = control.Call(ctx, c.Control.Socket, "requeue", map[string]int64{"entry": entry}, nil)
	if errors.Is(err, control.ErrNotRunning) {
		err = requeueInStore(ctx, c, entry, p.now)
	}
	var refused *control.Error
	if errors.Is(err, ledger.ErrNotFound) || errors.As(err, &refused) && refused.Code == "not_found" {
		return p.notFound(outboxVerb(), catalogue.Textf("no entry %d in quarantine", "隔离区没有编号 %d", entry))
	}
	if err != nil || p.json {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.T("entry %d is queued again\n", "编号 %d 已重新排队\n"), entry)
	return err
}

func requeueInStore(ctx context.Context, c *config.Config, entry int64, now func() time.Time) (err error) {
	if db, err := ledger.OpenReadOnly(ctx, c.Store.Dir); err != nil { // makes no store where there is none
		return err
	} else if err := db.Close(); err != nil {
		return err
	}
	db, err := ledger.Open(ctx, ledger.Options{Dir: c.Store.Dir, Mount: c.Store.Mount, Terminal: c.Terminal.ID, Judge: newJudge(settingsOf(c)),
		Retention: c.Store.Retention, OutboxMaxBytes: c.Delivery.MaxBytes, Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Requeue(ctx, entry)
}

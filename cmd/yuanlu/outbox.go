package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

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
		return p.withStore(ctx, *path, func(c *config.Config, db *ledger.DB) error { return p.outboxList(ctx, c, db, *most) })
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
	_, err = fmt.Fprintln(p.stdout, p.people(c.Time.Location()).Outbox(&s.Outbox))
	return err
}

func (p *program) outboxList(ctx context.Context, c *config.Config, db *ledger.DB, most int) error {
	all, err := db.OutboxList(ctx, most)
	if err != nil {
		return err
	}
	t, zone := p.lang.T, c.Time.Location()
	rows := [][]string{{t("entry", "编号"), t("state", "状态"), t("sequence", "序号"), t("type", "类型"), t("about", "关于"), t("since", "时间"), t("attempt", "次数"), t("reason", "原因")}}
	for _, one := range all {
		n := one.Notice
		if p.json {
			if err := p.printJSON(one); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{strconv.FormatInt(n.Entry, 10), one.State, strconv.FormatInt(n.Sequence, 10), n.Type, n.Subject,
			n.Time.In(zone).Format("2006-01-02 15:04:05"), strconv.Itoa(n.Attempt), one.Message})
	}
	if p.json {
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.stdout, t("the outbox is empty", "待发队列为空"))
		return err
	}
	p.people(c.Time.Location()).Table(rows)
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
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu outbox: no entry %d in quarantine\n", "yuanlu outbox：隔离区没有编号 %d\n"), entry)
		return errPrinted(exitNotFound)
	}
	return err
}

func requeueInStore(ctx context.Context, c *config.Config, entry int64, now func() time.Time) (err error) {
	if db, err := ledger.OpenReadOnly(ctx, c.Store.Dir); err != nil { // makes no store where there is none
		return err
	} else if err := db.Close(); err != nil {
		return err
	}
	db, err := ledger.Open(ctx, ledger.Options{Dir: c.Store.Dir, Mount: c.Store.Mount, Judge: newJudge(settingsOf(c)),
		Retention: c.Store.Retention, OutboxMaxBytes: c.Delivery.MaxBytes, Now: now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.Requeue(ctx, entry)
}

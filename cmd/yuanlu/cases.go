package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
)

func casesVerb() *verb {
	return &verb{name: "cases", usage: "list [--open] [--severity S] [-n N] | show ID",
		en: "cases, both sides side by side", zh: "案件，双方逐项对照", run: (*program).cases}
}

func (p *program) cases(ctx context.Context, args []string) error {
	v := casesVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	var filter ledger.CaseFilter
	f.BoolVar(&filter.OpenOnly, "open", false, p.lang.T("only those not cleared", "仅未结案件"))
	f.IntVar(&filter.Limit, "n", 100, p.lang.T("at most `N`", "最多 `N` 条"))
	severity := f.String("severity", "", p.lang.T("at least this `severity`", "最低`级别`"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	if filter.Limit < 1 {
		return p.wrongUsage(v, "%s", p.lang.T("-n wants a number from 1", "-n 需要不小于 1 的数字"))
	}
	if *severity != "" {
		if filter.Severity = severityOf(*severity); filter.Severity.String() != *severity {
			return p.wrongUsage(v, "%s", p.lang.T("--severity wants info, low, medium, high or critical", "--severity 需要 info、low、medium、high 或 critical"))
		}
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		return p.withStore(ctx, *path, func(c *config.Config, db *ledger.DB) error { return p.casesList(ctx, c, db, filter) })
	case rest[0] == "show" && len(rest) == 2:
		return p.withStore(ctx, *path, func(c *config.Config, db *ledger.DB) error { return p.casesShow(ctx, c, db, rest[1]) })
	}
	return p.wrongUsage(v, "%s", p.lang.T("want list, or show and the id of a case", "需要 list，或 show 加案件号"))
}

// withStore opens the store of the configuration for reading, whether the daemon
// runs or not.
func (p *program) withStore(ctx context.Context, path string, do func(*config.Config, *ledger.DB) error) (err error) {
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	if err := mayLook(c.Store.Dir); err != nil {
		return err
	}
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(c, db)
}

// mayLook reports whether this user may read a store: who may not sees no store there, or
// an old one without its WAL, which are no answers.
func mayLook(dir string) error {
	for path, how := range map[string]uint32{dir: unix.R_OK | unix.X_OK, filepath.Join(dir, "yuanlu.db"): unix.R_OK | unix.W_OK} {
		if err := unix.Access(path, how); errors.Is(err, fs.ErrPermission) {
			return &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
	return nil
}

func (p *program) casesList(ctx context.Context, c *config.Config, db *ledger.DB, filter ledger.CaseFilter) error {
	all, err := db.Cases(ctx, filter)
	if err != nil {
		return err
	}
	if p.json {
		for i := range all {
			if err := p.printJSON(&ledger.CaseDetail{CaseRow: all[i]}); err != nil {
				return err
			}
		}
		return nil
	}
	return p.people(c.Time.Location()).Cases(all)
}

func (p *program) casesShow(ctx context.Context, c *config.Config, db *ledger.DB, id string) error {
	one, err := db.Case(ctx, strings.ToUpper(id))
	var several *ledger.SeveralError
	switch {
	case errors.As(err, &several):
		return p.notFound(casesVerb(), catalogue.Textf("several cases begin with %s: %s", "有多个案件以 %s 开头：%s", id, strings.Join(several.IDs, " ")))
	case errors.Is(err, ledger.ErrNotFound):
		return p.notFound(casesVerb(), catalogue.Textf("no case begins with %s; yuanlu cases list shows all", "没有以 %s 开头的案件；yuanlu cases list 列出全部", id))
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(&one)
	}
	p.people(c.Time.Location()).Case(&one)
	return nil
}

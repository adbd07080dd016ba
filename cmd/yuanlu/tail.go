package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/logbook"
)

func tailVerb() *verb {
	return &verb{name: "tail", usage: "[-f] [-n N] [-p level] [--link L] [--cases] [--config F]",
		en: "the log, readable: from the daemon, else from the log file", zh: "查看日志：来自守护进程，否则来自日志文件", run: (*program).tail}
}

func (p *program) tail(ctx context.Context, args []string) error {
	v := tailVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	var q logbook.Query
	f.BoolVar(&q.Follow, "f", false, p.lang.T("go on as lines are said", "持续输出"))
	f.IntVar(&q.Lines, "n", 50, p.lang.T("`lines` of the past", "历史`行数`"))
	level := f.String("p", "debug", p.lang.T("least `level`: debug, info, warn, error", "最低`级别`：debug, info, warn, error"))
	f.StringVar(&q.Link, "link", "", p.lang.T("only this `link`", "仅此`链路`"))
	f.BoolVar(&q.Cases, "cases", false, p.lang.T("only cases", "仅案件"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	var known bool
	if q.Level, known = logbook.ParseLevel(*level); !known || q.Lines < 0 {
		return p.wrongUsage(v, "%s", p.lang.T("-p wants debug, info, warn or error; -n a number", "-p 需要 debug、info、warn 或 error；-n 需要数字"))
	}
	c, err := p.readConfig(*path)
	if err != nil {
		return err
	}
	err = (&tailing{p, c, q}).run(ctx)
	if q.Follow && errors.Is(err, context.Canceled) {
		return nil // how following ends
	}
	return err
}

// tailing prints lines of the log.
type tailing struct {
	*program
	config *config.Config
	query  logbook.Query
}

// run takes the lines from the daemon, else from the files. While following it waits for a
// daemon that is not running, and goes on with the next one.
func (t *tailing) run(ctx context.Context) error {
	fromFile := false
	for {
		err := control.Call(ctx, t.config.Control.Socket, "tail", t.query, control.Each(t.show))
		stopped := errors.Is(err, control.ErrNotRunning)
		if !stopped && (err != nil && !errors.Is(err, control.ErrProtocol) || !t.query.Follow) {
			return err
		}
		if stopped && !fromFile {
			fromFile = true
			if err := t.files(); err != nil {
				return err
			}
		}
		if !t.query.Follow {
			return nil
		}
		t.query.Lines = 0
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// files shows the last lines of the log files.
func (t *tailing) files() error {
	path, keep := t.config.Log.Path(), t.config.Log.Keep
	if len(t.query.Files(path, keep)) == 0 {
		fmt.Fprintln(t.stderr, t.lang.T("yuanlu tail: the daemon is not running and there is no log file", "yuanlu tail：守护进程未运行，且没有日志文件"))
		return errPrinted(exitNotFound)
	}
	last, err := t.query.FromFiles(path, keep)
	if err != nil {
		return err
	}
	for _, l := range last {
		if err := t.show(l); err != nil {
			return err
		}
	}
	return nil
}

func (t *tailing) show(l logbook.Line) error {
	if t.json {
		return t.printJSON(l)
	}
	return t.people(t.config.Time.Location()).Line(l)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/logbook"
)

func tailVerb() *verb {
	return &verb{name: "tail", usage: "[-f] [-n N] [-p level] [--link L] [--cases] [--raw] [--config F]",
		en: "what happens, in sentences: from the daemon, else from the log file", zh: "查看日志：来自守护进程，否则来自日志文件", run: (*program).tail}
}

func (p *program) tail(ctx context.Context, args []string) error {
	v := tailVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	var q logbook.Query
	f.BoolVar(&q.Follow, "f", false, p.lang.T("go on as lines are logged", "持续输出"))
	f.IntVar(&q.Lines, "n", 50, p.lang.T("`lines` of the past", "历史`行数`"))
	level := f.String("p", "debug", p.lang.T("least `level`: debug, info, warn, error", "最低`级别`：debug, info, warn, error"))
	f.StringVar(&q.Link, "link", "", p.lang.T("only this `link`", "仅此`链路`"))
	f.BoolVar(&q.Cases, "cases", false, p.lang.T("only cases", "仅案件"))
	raw := f.Bool("raw", false, p.lang.T("lines as they stand in the log: key=value", "按日志原样输出：key=value"))
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
	if q.Link != "" && !slices.ContainsFunc(c.Links, func(l config.Link) bool { return l.Name == q.Link }) {
		return p.notFound(v, catalogue.Textf("no link %s in the configuration", "配置中没有链路 %s", q.Link))
	}
	err = (&tailing{program: p, config: c, query: q, raw: *raw, began: p.now(), shown: map[string]bool{}}).run(ctx)
	if q.Follow && errors.Is(err, context.Canceled) {
		return nil // how following ends
	}
	return err
}

// mostAgain is how many lines are asked for when tail goes on with a daemon that was
// started meanwhile; what was shown already is left out.
const mostAgain = 2000

// tailing prints lines of the log.
type tailing struct {
	*program
	config *config.Config
	query  logbook.Query
	raw    bool
	began  time.Time
	last   time.Time       // of the newest line shown
	shown  map[string]bool // lines of that moment
	files  string          // what the log files were when they were last read
}

// run takes the lines from the daemon, else from the files. While following it waits for a
// daemon that is not running, reads meanwhile what the files get, and goes on with the next
// daemon behind the last line that was shown.
func (t *tailing) run(ctx context.Context) error {
	for again := false; ; again = true {
		err := control.Call(ctx, t.config.Control.Socket, "tail", t.query, control.Each(t.show))
		stopped := errors.Is(err, control.ErrNotRunning)
		if !stopped && (err != nil && !errors.Is(err, control.ErrProtocol) && !errors.Is(err, control.ErrStopping) || !t.query.Follow) {
			return err
		}
		if stopped {
			if err := t.fromFiles(again); err != nil {
				return err
			}
		}
		if !t.query.Follow {
			return nil
		}
		if t.last.IsZero() {
			t.last = t.began
		}
		t.query.Lines, t.query.After = mostAgain, t.last.Truncate(time.Millisecond).Add(-1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// fromFiles shows the last lines of the log files; again: where one has changed since.
func (t *tailing) fromFiles(again bool) error {
	path, keep := t.config.Log.Path(), t.config.Log.Keep
	files := t.query.Files(path, keep)
	if len(files) == 0 && !again {
		return t.notFound(tailVerb(), catalogue.Both("the daemon is not running and there is no log file", "守护进程未运行，且没有日志文件"))
	}
	now := ""
	for _, name := range files { // a file that was rotated has another name, and the same inode
		if info, err := os.Stat(name); err == nil {
			now += fmt.Sprint(name, info.Size(), info.ModTime().UnixNano())
		}
	}
	if again && now == t.files {
		return nil
	}
	t.files = now
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

// show prints a line that was not shown before.
func (t *tailing) show(l logbook.Line) error {
	at := l.Time.Truncate(time.Millisecond) // as it stands in the file
	key := l.Code + " " + l.Fields
	switch {
	case at.After(t.last.Truncate(time.Millisecond)):
		clear(t.shown)
		t.last = l.Time
	case t.shown[key] && at.Equal(t.last.Truncate(time.Millisecond)):
		return nil
	}
	t.shown[key] = true
	switch people := t.people(t.config.Time.Location()); {
	case t.json:
		return t.printJSON(l)
	case t.raw:
		return people.Raw(l)
	default:
		return people.Line(l, t.now())
	}
}

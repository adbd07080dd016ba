package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/logbook"
	"yuanlu/agent/spelling"
)

func ctlVerb() *verb {
	return &verb{name: "ctl", usage: "log-level LEVEL [--for 10m] | link-reopen LINK [--config F]",
		en: "ask the running daemon: log level for a time, reopen a port", zh: "操作运行中的守护进程：临时日志级别、重开端口", run: (*program).ctl}
}

// ctl asks the daemon for what the back office may ask it for too; both end in the
// same commands of the agent.
func (p *program) ctl(ctx context.Context, args []string) error {
	v := ctlVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	long := f.Duration("for", 10*time.Minute, p.lang.T("how `long` the level lasts, up to 4h", "持续`时间`，最大 4h"))
	rest, err := p.parse(v, f, args, 2, 2)
	if err != nil {
		return err
	}
	var ask map[string]any
	switch rest[0] {
	case "log-level":
		if _, known := logbook.ParseLevel(rest[1]); !known || *long < time.Second || *long > 4*time.Hour {
			return p.wrongUsage(v, "%s", p.lang.T("LEVEL is debug, info, warn or error; --for wants 1s to 4h", "LEVEL 为 debug、info、warn 或 error；--for 需要 1s 至 4h"))
		}
		ask = map[string]any{"level": rest[1], "for_s": int64(*long / time.Second)}
	case "link-reopen":
		ask = map[string]any{"link": rest[1]}
	default:
		hint := ""
		if near := spelling.Nearest(rest[0], []string{"log-level", "link-reopen"}); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return p.wrongUsage(v, "unknown %q%s", rest[0], hint)
	}
	c, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	return p.ctlAsk(ctx, c.Config, rest[0], ask)
}

func (p *program) ctlAsk(ctx context.Context, c *config.Config, verb string, ask any) error {
	err := control.Call(ctx, c.Control.Socket, verb, ask, func(raw json.RawMessage) error { return p.showAnswer(raw, c.Time.Location()) })
	var refused *control.Error
	switch {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintf(p.stderr, "yuanlu ctl: %v\n", err)
		return errSaid(exitNotFound)
	case errors.As(err, &refused) && !errors.Is(err, control.ErrBusy):
		fmt.Fprintf(p.stderr, "yuanlu ctl: %s\n", refused.Message)
		code, known := map[string]int{"not_found": exitNotFound, "bad_request": exitUsage, "unavailable": exitDevice}[refused.Code]
		if !known {
			code = exitInternal
		}
		return errSaid(code)
	}
	return err
}

// showAnswer prints what the daemon did.
func (p *program) showAnswer(raw json.RawMessage, zone *time.Location) error {
	if p.json {
		return p.printJSON(raw)
	}
	var done struct {
		Level, Configured, Link, State string
		Until                          time.Time
	}
	if err := json.Unmarshal(raw, &done); err != nil {
		return err
	}
	text := ""
	switch t := p.lang.T; {
	case done.Link != "":
		text = fmt.Sprintf(t("link %s, which was %s, is being opened again", "链路 %s（原状态 %s）正在重新打开"), done.Link, done.State)
	case done.Until.IsZero():
		text = fmt.Sprintf(t("level %s, as configured", "级别 %s，与配置相同"), done.Level)
	default:
		text = fmt.Sprintf(t("level %s until %s, then %s again", "级别 %s，至 %s，之后恢复为 %s"), done.Level, p.people(zone).Clock(done.Until), done.Configured)
	}
	_, err := fmt.Fprintln(p.stdout, text)
	return err
}

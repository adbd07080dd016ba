package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/logbook"
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
		return p.wrongWord(v, rest[0], "log-level", "link-reopen")
	}
	c, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	return p.order(ctx, c.Config, v, exitDevice, rest[0], ask, func(raw json.RawMessage) error {
		if p.json {
			return p.printJSON(raw)
		}
		return control.Each(p.people(c.Time.Location()).Done)(raw)
	})
}

// order has the daemon do something for a verb, and prints why it did not. unavailable is
// the exit code of what cannot be done now.
func (p *program) order(ctx context.Context, c *config.Config, v *verb, unavailable int, what string, args any, each func(json.RawMessage) error) error {
	err := control.Call(ctx, c.Control.Socket, what, args, each)
	var refused *control.Error
	switch {
	case errors.Is(err, control.ErrNotRunning):
		hint := catalogue.Text{}
		if v.name == "capture" {
			hint = catalogue.Both("; it is the one that reads the port: systemctl start yuanlu", "；端口由守护进程读取：systemctl start yuanlu")
		}
		return p.notFound(v, catalogue.Textf("%v%s", "%v%s", err, hint))
	case errors.As(err, &refused) && !errors.Is(err, control.ErrBusy) && !errors.Is(err, control.ErrStopping):
		p.complain(v.name, catalogue.Translated(refused.Message))
		code, known := map[string]int{"not_found": exitNotFound, "bad_request": exitUsage, "unavailable": unavailable, "busy": exitDevice}[refused.Code]
		if !known {
			code = exitInternal
		}
		return errPrinted(code)
	}
	return err
}

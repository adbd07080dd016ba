package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/spelling"
)

func captureVerb() *verb {
	return &verb{name: "capture", usage: "start LINK [--max-mib N] [--for 1h] | stop [LINK] | info [--config F]",
		en: "raw traffic of a link into a file for support, sanitised", zh: "将链路原始数据脱敏后存入文件，供技术支持使用", run: (*program).capture}
}

func (p *program) capture(ctx context.Context, args []string) error {
	v := captureVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	mib := f.Int64("max-mib", capture.DefaultBytes>>20, p.lang.T("greatest size of the file in MiB, up to 256", "文件大小上限（MiB），最大 256"))
	long := f.Duration("for", capture.DefaultFor, p.lang.T("greatest `duration`, up to 24h", "最长`时间`，最大 24h"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	c, err := p.readConfig(*path)
	if err != nil {
		return err
	}
	link := ""
	if len(rest) == 2 {
		link = rest[1]
	}
	switch rest[0] {
	case "start":
		if link == "" {
			return p.wrongUsage(v, "%s", p.lang.T("which LINK?", "缺少链路名"))
		}
		if *mib < 1 || *mib > capture.MaxBytes>>20 || *long < time.Second || *long > capture.MaxFor {
			return p.wrongUsage(v, "%s", p.lang.T("--max-mib wants 1 to 256, --for 1s to 24h", "--max-mib 需要 1 至 256，--for 需要 1s 至 24h"))
		}
		return p.captureAsk(ctx, c, "capture.start", command.CaptureArgs{Link: link, MaxBytes: *mib << 20, For: *long})
	case "stop":
		return p.captureAsk(ctx, c, "capture.stop", command.CaptureArgs{Link: link})
	case "info":
		if link != "" {
			return p.wrongUsage(v, p.lang.T("unexpected %q", "多余的参数 %q"), link)
		}
		return p.captureInfo(ctx, c)
	}
	hint := ""
	if near := spelling.Nearest(rest[0], []string{"start", "stop", "info"}); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return p.wrongUsage(v, "unknown %q%s", rest[0], hint)
}

// captureAsk has the daemon do something about captures and shows them.
func (p *program) captureAsk(ctx context.Context, c *config.Config, verb string, args any) error {
	err := control.Call(ctx, c.Control.Socket, verb, args, p.showCapture(c))
	var refused *control.Error
	switch {
	case errors.Is(err, control.ErrNotRunning):
		fmt.Fprintf(p.stderr, "yuanlu capture: %v; %s\n", err, p.lang.T("it is the one that reads the port: systemctl start yuanlu", "端口由守护进程读取：systemctl start yuanlu"))
		return errSaid(exitNotFound)
	case errors.As(err, &refused) && !errors.Is(err, control.ErrBusy):
		fmt.Fprintf(p.stderr, "yuanlu capture: %s\n", refused.Message)
		code, known := map[string]int{"not_found": exitNotFound, "bad_request": exitUsage, "unavailable": exitStore, "busy": exitDevice}[refused.Code]
		if !known {
			code = exitInternal
		}
		return errSaid(code)
	}
	return err
}

// captureInfo lists the captures: as the daemon knows them, else as the folder has
// them.
func (p *program) captureInfo(ctx context.Context, c *config.Config) error {
	err := control.Call(ctx, c.Control.Socket, "capture.info", nil, p.showCapture(c))
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	all, err := capture.List(capture.Dir(c.Store.Dir))
	if err != nil {
		return err
	}
	for _, i := range all {
		raw, err := json.Marshal(i)
		if err != nil {
			return err
		}
		if err := p.showCapture(c)(raw); err != nil {
			return err
		}
	}
	return nil
}

// showCapture prints one capture as it comes from the daemon.
func (p *program) showCapture(c *config.Config) func(json.RawMessage) error {
	return func(raw json.RawMessage) error {
		var i capture.Info
		if err := json.Unmarshal(raw, &i); err != nil {
			return err
		}
		if p.json {
			return p.printJSON(i)
		}
		return p.people(c.Time.Location()).Capture(&i)
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
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
	show := control.Each(func(i capture.Info) error { return p.showCapture(c, i) })
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
		return p.order(ctx, c, v, exitStore, "capture.start", command.CaptureArgs{Link: link, MaxBytes: *mib << 20, For: *long}, show)
	case "stop":
		return p.order(ctx, c, v, exitStore, "capture.stop", command.CaptureArgs{Link: link}, show)
	case "info":
		if link != "" {
			return p.wrongUsage(v, p.lang.T("unexpected %q", "多余的参数 %q"), link)
		}
		return p.captureInfo(ctx, c, show)
	}
	return p.wrongWord(v, rest[0], "start", "stop", "info")
}

// captureInfo lists the captures: as the daemon knows them, else as the folder has
// them.
func (p *program) captureInfo(ctx context.Context, c *config.Config, show func(json.RawMessage) error) error {
	err := control.Call(ctx, c.Control.Socket, "capture.info", nil, show)
	if !errors.Is(err, control.ErrNotRunning) {
		return err
	}
	all, err := capture.List(capture.Dir(c.Store.Dir))
	if err != nil {
		return err
	}
	for _, i := range all {
		if err := p.showCapture(c, i); err != nil {
			return err
		}
	}
	return nil
}

func (p *program) showCapture(c *config.Config, i capture.Info) error {
	if p.json {
		return p.printJSON(i)
	}
	return p.people(c.Time.Location()).Capture(&i)
}

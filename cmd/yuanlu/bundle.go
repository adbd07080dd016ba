package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"yuanlu/agent"
	"yuanlu/agent/bundle"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
)

func bundleVerb() *verb {
	return &verb{name: "support-bundle", usage: "[--out FILE] [--captures] [--config F]",
		en: "one archive for the support desk, sanitised", zh: "生成一个脱敏的技术支持归档", run: (*program).supportBundle}
}

func (p *program) supportBundle(ctx context.Context, args []string) error {
	v := bundleVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	out := f.String("out", "", p.lang.T("`file` to write; empty: yuanlu-support-TERMINAL-TIME.tar.gz here", "输出`文件`；留空则写入当前目录"))
	captures := f.Bool("captures", false, p.lang.T("the sanitised captures too", "包含脱敏的抓包"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	order := bundle.Order{Captures: *captures, File: *out, Program: "yuanlu " + buildInfo().Version, Now: p.now()}
	var err error
	// A mistake in the configuration is what a bundle is often made for.
	if order.InForce, _, order.Broken = p.configInForce(*path); order.InForce.Config == nil {
		order.InForce.Config = &config.Config{Terminal: config.Terminal{ID: "unknown"}}
	}
	if order.File == "" {
		order.File = bundle.File(".", order.InForce.Terminal.ID, p.now())
	}
	order.Source = p.askingSource(order.InForce.Config, *path)
	if !p.json && screen.IsTerminal(p.stderr) {
		order.Progress = func(step, steps int, what string) { fmt.Fprintf(p.stderr, "%d/%d %s\n", step, steps, what) }
	}
	r, err := bundle.Make(ctx, order)
	if errors.Is(err, os.ErrExist) {
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu support-bundle: %s is there already\n", "yuanlu support-bundle：%s 已存在\n"), order.File)
		return errPrinted(exitUsage)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(r)
	}
	for _, name := range r.Failed {
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu support-bundle: %s could not be made; the manifest says why\n", "yuanlu support-bundle：%s 未能生成；原因见清单\n"), name)
	}
	_, err = fmt.Fprintf(p.stdout, "%s  %s  sha256 %s\n", r.File, health.SizeText(r.Bytes), r.SHA256)
	return err
}

// askingSource asks the daemon; where it is not running, store and files are read.
func (p *program) askingSource(c *config.Config, path string) bundle.Source {
	s := bundleSource(c)
	s.Status = func(ctx context.Context) (any, error) {
		s, running, err := p.snapshot(ctx, c)
		return struct {
			Running bool `json:"running"`
			health.Snapshot
		}{running, s}, err
	}
	s.Doctor = func(ctx context.Context) []health.Checkup { return p.examine(ctx, path) }
	s.Log = func(ctx context.Context) (lines []logbook.Line, err error) {
		err = control.Call(ctx, c.Control.Socket, "tail", logbook.Query{Lines: bundle.MostLines, Level: -8}, control.Each(func(l logbook.Line) error {
			lines = append(lines, l)
			return nil
		}))
		if errors.Is(err, control.ErrNotRunning) {
			err = nil
		}
		return lines, err
	}
	return s
}

// ownSource is the daemon itself.
func ownSource(a *agent.Agent, c *config.Config, book *logbook.Book) bundle.Source {
	s := bundleSource(c)
	s.Status = func(ctx context.Context) (any, error) { return a.Snapshot(ctx), nil }
	s.Doctor = func(ctx context.Context) []health.Checkup { return a.Examine(ctx, false, nil) }
	s.Log = func(context.Context) ([]logbook.Line, error) { return book.Last(bundle.MostLines, nil), nil }
	return s
}

// bundleSource is what both know: this program, and the ports.
func bundleSource(c *config.Config) bundle.Source {
	return bundle.Source{
		Version: func(context.Context) (any, error) {
			b := buildInfo()
			b.Schemas = schemaIDs()
			return b, nil
		},
		Links: func(context.Context) (any, error) {
			all, err := ports.List(c)
			if len(all) > 0 {
				err = nil
			}
			return all, err
		},
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"yuanlu/agent"
	"yuanlu/agent/bundle"
	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
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
		p.complain(v.name, catalogue.Textf("%s is there already", "%s 已存在", order.File))
		return errPrinted(exitUsage)
	}
	if errors.Is(err, os.ErrNotExist) {
		return p.notFound(v, catalogue.Textf("there is no folder %s", "没有文件夹 %s", filepath.Dir(order.File)))
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(r)
	}
	if order.Broken != nil {
		p.complain(v.name, catalogue.Textf("without a configuration there is no status, log, case, outbox or store in it: %v", "没有可用的配置，归档中缺少状态、日志、案件、待发队列和数据库：%v", order.Broken))
	}
	for _, one := range r.Missing {
		p.complain(v.name, catalogue.Textf("%s is missing or not whole: %v", "%s 缺失或不完整：%v", one.Name, errors.New(one.Error)))
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
	s.Shapes = func(ctx context.Context) (any, error) {
		all := []ingest.Shape{}
		err := control.Call(ctx, c.Control.Socket, "shapes", nil, control.Each(func(one ingest.Shape) error {
			all = append(all, one)
			return nil
		}))
		return all, err
	}
	s.Cases = func(w io.Writer, all []ledger.CaseDetail) error { return writeCases(w, p.lang, c, all) }
	return s
}

// writeCases writes the list of cases, then each of them as cases show prints it.
func writeCases(w io.Writer, lang screen.Language, c *config.Config, all []ledger.CaseDetail) error {
	s := &screen.Screen{W: w, Lang: lang, Zone: c.Time.Location()}
	rows := make([]ledger.CaseRow, len(all))
	for i := range all {
		rows[i] = all[i].CaseRow
	}
	if err := s.Cases(rows); err != nil {
		return err
	}
	for i := range all {
		if _, err := fmt.Fprintf(w, "\n%s\n", strings.Repeat("-", 80)); err != nil {
			return err
		}
		s.Case(&all[i])
	}
	return nil
}

// ownSource is the daemon itself.
func ownSource(a *agent.Agent, c *config.Config, book *logbook.Book) bundle.Source {
	s := bundleSource(c)
	s.Status = func(ctx context.Context) (any, error) { return a.Snapshot(ctx), nil }
	s.Doctor = func(ctx context.Context) []health.Checkup { return a.Examine(ctx, false, nil) }
	s.Log = func(context.Context) ([]logbook.Line, error) { return book.Last(bundle.MostLines, nil), nil }
	s.Shapes = func(context.Context) (any, error) { return a.Shapes(), nil }
	s.Cases = func(w io.Writer, all []ledger.CaseDetail) error { return writeCases(w, screen.English, c, all) }
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
		Ports: func() any { return ports.Lines(c) },
		Links: func(context.Context) (any, error) {
			all, err := ports.List(c)
			if len(all) > 0 {
				err = nil
			}
			return all, err
		},
	}
}

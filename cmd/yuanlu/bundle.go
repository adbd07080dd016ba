package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"yuanlu/agent/bundle"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/logbook"
)

const (
	// bundleLines is how many lines of the daemon's memory go into a bundle.
	bundleLines = 500
	// keptBundles is how many bundles made by command stay on the terminal.
	keptBundles = 4
)

func bundleVerb() *verb {
	return &verb{name: "support-bundle", usage: "[--out FILE] [--captures] [--config F]",
		en: "one archive for the support desk, sanitised", zh: "生成一个脱敏的技术支持归档", run: (*program).supportBundle}
}

// bundleSource is where a bundle learns how the daemon is: from itself, or by asking.
type bundleSource struct {
	status func(context.Context) (any, error)
	doctor func(context.Context) []health.Checkup
	log    func(context.Context) ([]logbook.Line, error) // that the daemon remembers
}

// bundleOrder is one bundle to make.
type bundleOrder struct {
	f        desired.InForce
	broken   error // why there is no configuration: then the bundle has what goes without
	captures bool
	file     string
	source   bundleSource
	low      func() bool // as bundle.Options.Low
	progress func(step, steps int, what string)
}

func (p *program) supportBundle(ctx context.Context, args []string) error {
	v := bundleVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	out := f.String("out", "", p.lang.t("`file` to write; empty: yuanlu-support-TERMINAL-TIME.tar.gz here", "输出`文件`；留空则写入当前目录"))
	captures := f.Bool("captures", false, p.lang.t("the sanitised captures too", "包含脱敏的抓包"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	order := bundleOrder{captures: *captures, file: *out}
	var err error
	// A mistake in the configuration is what a bundle is often made for.
	if order.f, _, order.broken = p.configInForce(*path); order.f.Config == nil {
		order.f.Config = &config.Config{Terminal: config.Terminal{ID: "unknown"}}
	}
	if order.file == "" {
		order.file = bundleFile(".", order.f.Config, p.now())
	}
	order.source = p.askingSource(order.f.Config, *path)
	if !p.json && isTerminal(p.stderr) {
		order.progress = func(step, steps int, what string) { fmt.Fprintf(p.stderr, "%d/%d %s\n", step, steps, what) }
	}
	r, err := p.makeBundle(ctx, order)
	if errors.Is(err, os.ErrExist) {
		fmt.Fprintf(p.stderr, p.lang.t("yuanlu support-bundle: %s is there already\n", "yuanlu support-bundle：%s 已存在\n"), order.file)
		return errSaid(exitUsage)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(r)
	}
	for _, name := range r.Failed {
		fmt.Fprintf(p.stderr, p.lang.t("yuanlu support-bundle: %s could not be made; the manifest says why\n", "yuanlu support-bundle：%s 未能生成；原因见清单\n"), name)
	}
	_, err = fmt.Fprintf(p.stdout, "%s  %s  sha256 %s\n", r.File, health.SizeText(r.Bytes), r.SHA256)
	return err
}

// askingSource asks the daemon; where it is not running, store and files tell.
func (p *program) askingSource(c *config.Config, path string) bundleSource {
	return bundleSource{
		status: func(ctx context.Context) (any, error) {
			s, running, err := p.snapshot(ctx, c)
			return struct {
				Running bool `json:"running"`
				health.Snapshot
			}{running, s}, err
		},
		doctor: func(ctx context.Context) []health.Checkup { return p.examine(ctx, path) },
		log: func(ctx context.Context) (lines []logbook.Line, err error) {
			err = control.Call(ctx, c.Control.Socket, "tail", logbook.Query{Lines: bundleLines, Level: -8}, func(raw json.RawMessage) error {
				var l logbook.Line
				if err := json.Unmarshal(raw, &l); err != nil {
					return err
				}
				lines = append(lines, l)
				return nil
			})
			if errors.Is(err, control.ErrNotRunning) {
				err = nil
			}
			return lines, err
		},
	}
}

// makeBundle writes the archive: the verb and the command support-bundle both do.
func (p *program) makeBundle(ctx context.Context, o bundleOrder) (bundle.Result, error) {
	b := buildInfo()
	return bundle.Write(ctx, bundle.Options{
		File: o.file, Folder: "yuanlu-support-" + o.f.Terminal.ID, Program: "yuanlu " + b.Version, Now: p.now(),
		Parts: p.bundleParts(o), Low: o.low, Progress: o.progress,
	})
}

// bundleFile names a bundle by terminal and time, with a number where another one of
// the same second has the name.
func bundleFile(dir string, c *config.Config, now time.Time) string {
	name := filepath.Join(dir, "yuanlu-support-"+c.Terminal.ID+"-"+now.UTC().Format("20060102T150405"))
	file := name + ".tar.gz"
	for n := 2; n < 1000; n++ {
		if _, err := os.Lstat(file); err != nil {
			break
		}
		file = fmt.Sprintf("%s-%d.tar.gz", name, n)
	}
	return file
}

// bundleDir is where bundles made by command go.
func bundleDir(store string) string { return filepath.Join(store, "bundles") }

// pruneBundles makes room for one more, and removes what a power cut left half made.
func pruneBundles(dir string) error {
	all, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var whole []string
	for _, one := range all {
		switch name := one.Name(); {
		case !strings.HasPrefix(name, "yuanlu-support-"):
		case strings.HasSuffix(name, ".part"):
			err = errors.Join(err, os.Remove(filepath.Join(dir, name)))
		case strings.HasSuffix(name, ".tar.gz"):
			whole = append(whole, name)
		}
	}
	stamp := func(name string) string { return name[max(0, len(name)-len("20060102T150405.tar.gz")):] }
	sort.Slice(whole, func(i, j int) bool { return stamp(whole[i]) < stamp(whole[j]) })
	for len(whole) >= keptBundles {
		err = errors.Join(err, os.Remove(filepath.Join(dir, whole[0])))
		whole = whole[1:]
	}
	return err
}

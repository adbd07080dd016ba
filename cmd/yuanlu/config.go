package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/desired"
	"yuanlu/agent/ingest"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
)

// defaultConfig is where the configuration is unless --config or YUANLU_CONFIG
// names another.
const defaultConfig = "/etc/yuanlu/yuanlu.toml"

// configFlag adds --config.
func (p *program) configFlag(f *flag.FlagSet) *string {
	path := p.env("YUANLU_CONFIG")
	if path == "" {
		path = defaultConfig
	}
	return f.String("config", path, p.lang.T("configuration `file`", "配置`文件`"))
}

// readConfig reads the configuration and the files that it names as part of it.
func (p *program) readConfig(path string) (*config.Config, error) {
	c, err := config.Read(path, configOptions())
	if err != nil {
		return nil, err
	}
	if errs := checkProfiles(c); len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

func configVerb() *verb {
	return &verb{name: "config", usage: "init|check|show|schema [WIRE]|revert [--config F]",
		en: "print an example; check, show or explain the configuration; go back to the terminal's own", zh: "输出示例；检查、显示或说明配置；恢复本机配置", run: (*program).config}
}

func (p *program) config(ctx context.Context, args []string) error {
	v := configVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	file := *path
	if len(rest) == 2 {
		file = rest[1]
	}
	switch rest[0] {
	case "init":
		return p.configInit()
	case "check":
		return p.configCheck(file)
	case "show":
		return p.configShow(file)
	case "revert":
		if len(rest) == 2 {
			return p.wrongUsage(v, p.lang.T("unexpected %q", "多余的参数 %q"), rest[1])
		}
		return p.configRevert(ctx, file)
	case "schema":
		if len(rest) == 2 {
			return p.profileSchema(v, rest[1])
		}
		return p.configSchema()
	}
	return p.wrongWord(v, rest[0], "init", "check", "show", "schema", "revert")
}

// profileSchema prints every member of a wire's profile with its default, its meaning and
// an example: the embedded profile, which is itself a file that changes nothing.
func (p *program) profileSchema(v *verb, wire string) error {
	text, err := ingest.DefaultProfileText(wire)
	if err != nil {
		return p.wrongUsage(v, "%v%s", err, didYouMean(wire, wireNames()))
	}
	if p.json {
		return p.printJSON(map[string]string{"wire": wire, "profile": text})
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func (p *program) configCheck(file string) error {
	c, err := p.readConfig(file)
	var problems config.Errors
	if p.json && errors.As(err, &problems) {
		if err := p.printJSON(map[string]any{"ok": false, "errors": problems}); err != nil {
			return err
		}
		return errPrinted(exitConfig)
	}
	if err != nil {
		return err
	}
	warnings := []string{}
	for _, l := range ports.WithoutUSB(c) {
		warnings = append(warnings, noUSBText(p.lang, l))
	}
	warnings = append(warnings, p.guardWarnings(c)...)
	if p.json {
		return p.printJSON(map[string]any{"ok": true, "file": file, "digest": c.Digest(), "warnings": warnings})
	}
	for _, one := range warnings {
		fmt.Fprintf(p.stderr, "yuanlu config: %s\n", one)
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.T("%s: all right, digest %s\n", "%s：正确，摘要 %s\n"), file, c.Digest())
	return err
}

func (p *program) configShow(file string) error {
	c, note, err := p.configInForce(file)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"file": file, "origin": c.Origin(), "version": c.Version, "trial": c.Probation, "note": note,
			"digest": c.Digest, "settings": c.Effective()})
	}
	head := fmt.Sprintf(p.lang.T("# in force: %s, digest %s\n", "# 生效配置：%s，摘要 %s\n"), p.lang.Text(c.Describe()), c.Digest)
	if c.Version > 0 {
		head += fmt.Sprintf(p.lang.T("# it stands before %s; yuanlu config revert, or a change of that file, brings the file back\n",
			"# 优先于 %s；执行 yuanlu config revert 或修改该文件即可恢复本机配置\n"), file)
	}
	if note != "" {
		head += "# " + note + "\n"
	}
	_, err = fmt.Fprint(p.stdout, head, c.TOML())
	return err
}

// configRevert goes back to the terminal's own file: the daemon does it, or, while it
// is not running, this process.
func (p *program) configRevert(ctx context.Context, file string) error {
	c, err := p.readConfig(file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, desired.RevertWithin)
	defer cancel()
	done, err := revertAnyhow(ctx, c)
	for isBetweenRuns(err) && wait(ctx, revertAgain) {
		done, err = revertAnyhow(ctx, c)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(done)
	}
	text := fmt.Sprintf(p.lang.T("%s is in force; version %d of the back office does not count any more\n", "%s 已生效；后台下发的版本 %d 不再有效\n"), file, done.Version)
	if done.Version == 0 {
		text = fmt.Sprintf(p.lang.T("%s was in force already\n", "%s 本已生效\n"), file)
	}
	if done.CountedAgain {
		text += fmt.Sprintf(p.lang.T("versions are counted anew: the next one may be any up to %d\n", "版本号重新计数：下一版本号最大为 %d\n"), desired.MostJump)
	}
	_, err = fmt.Fprint(p.stdout, text)
	return err
}

// revertAgain is how soon config revert looks again for a daemon that is busy with
// another change.
const revertAgain = 200 * time.Millisecond

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// isBetweenRuns reports whether a daemon that goes from one run of its agent to the next is why
// nothing was done: it ended the request, hung up, or holds the lock.
func isBetweenRuns(err error) bool {
	return errors.Is(err, desired.ErrLocked) || errors.Is(err, control.ErrStopping) || errors.Is(err, control.ErrProtocol)
}

func revertAnyhow(ctx context.Context, c *config.Config) (done desired.RevertDone, err error) {
	err = control.Call(ctx, c.Control.Socket, "config-revert", nil, func(raw json.RawMessage) error {
		return json.Unmarshal(raw, &done)
	})
	if errors.Is(err, control.ErrNotRunning) {
		return desired.RevertFile(c.Store.Dir)
	}
	return done, err
}

func (p *program) configSchema() error {
	all := config.Schema(configOptions())
	if p.json {
		return p.printJSON(all)
	}
	w := tabwriter.NewWriter(p.stdout, 0, 4, 2, ' ', 0)
	for _, s := range all {
		def := s.Default
		switch {
		case s.Required:
			def = p.lang.T("(required)", "（必填）")
		case def == "":
			def = `""`
		}
		doc := p.lang.T(s.Doc.EN, s.Doc.ZH)
		if s.Range != "" {
			doc += " [" + s.Range + "]"
		}
		if s.Local != "" {
			doc += p.lang.T(" (only in this file)", "（仅限本机文件）")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strings.ReplaceAll(s.Name, "[]", "[n]"), s.Type, def, doc)
	}
	return w.Flush()
}

// noUSBText returns why such a link cannot be used.
func noUSBText(lang screen.Language, l config.Link) string {
	return fmt.Sprintf(lang.T("link %s: %s cannot be opened: this program was built without USB support; install the build that has it",
		"链路 %s：无法打开 %s：本程序编译时未包含 USB 支持；请安装带 USB 的版本"), l.Name, l.Port)
}

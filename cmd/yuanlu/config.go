package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"yuanlu/agent/config"
)

// defaultConfig is where the configuration is unless --config or YUANLU_CONFIG
// says otherwise.
const defaultConfig = "/etc/yuanlu/yuanlu.toml"

// configFlag adds --config.
func (p *program) configFlag(f *flag.FlagSet) *string {
	path := p.env("YUANLU_CONFIG")
	if path == "" {
		path = defaultConfig
	}
	return f.String("config", path, p.lang.t("configuration `file`", "配置`文件`"))
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
	return &verb{name: "config", usage: "check|show|schema [--config F]",
		en: "check, show or explain the configuration", zh: "检查、显示或说明配置", run: (*program).config}
}

func (p *program) config(_ context.Context, args []string) error {
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
	case "check":
		return p.configCheck(file)
	case "show":
		return p.configShow(file)
	case "schema":
		if len(rest) == 2 {
			return p.wrongUsage(v, p.lang.t("unexpected %q", "多余的参数 %q"), rest[1])
		}
		return p.configSchema()
	}
	hint := ""
	if near := config.Nearest(rest[0], []string{"check", "show", "schema"}); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return p.wrongUsage(v, "unknown %q%s", rest[0], hint)
}

func (p *program) configCheck(file string) error {
	c, err := p.readConfig(file)
	var problems config.Errors
	if p.json && errors.As(err, &problems) {
		if err := p.printJSON(map[string]any{"ok": false, "errors": problems}); err != nil {
			return err
		}
		return errSaid(exitConfig)
	}
	if err != nil {
		return err
	}
	warnings := []string{}
	for _, l := range withoutUSB(c) {
		warnings = append(warnings, p.noUSBText(l))
	}
	if p.json {
		return p.printJSON(map[string]any{"ok": true, "file": file, "digest": c.Digest(), "warnings": warnings})
	}
	for _, one := range warnings {
		fmt.Fprintf(p.stderr, "yuanlu config: %s\n", one)
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.t("%s: all right, digest %s\n", "%s：正确，摘要 %s\n"), file, c.Digest())
	return err
}

func (p *program) configShow(file string) error {
	c, err := p.readConfig(file)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"file": file, "digest": c.Digest(), "settings": c.Effective()})
	}
	_, err = fmt.Fprintf(p.stdout, "# %s, digest %s\n%s", file, c.Digest(), c.TOML())
	return err
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
			def = p.lang.t("(required)", "（必填）")
		case def == "":
			def = `""`
		}
		doc := p.lang.t(s.Doc.EN, s.Doc.ZH)
		if s.Range != "" {
			doc += " [" + s.Range + "]"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strings.ReplaceAll(s.Name, "[]", "[n]"), s.Type, def, doc)
	}
	return w.Flush()
}

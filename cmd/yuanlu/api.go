package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"yuanlu/agent/ask"
	"yuanlu/agent/follow"
	guardapi "yuanlu/agent/guard/api"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/protocol/topics"
)

func apiVerb() *verb {
	return &verb{name: "api", machine: true, usage: "[SCHEMA | --bundle SCHEMA | guard | rules | signed-vector]",
		en: "the AsyncAPI document of the topics, one JSON Schema of it, the OpenAPI document of the guard, the rules", zh: "主题的 AsyncAPI 文档、其中一个 JSON Schema、退款核查接口的 OpenAPI 文档、规则清单", run: (*program).api}
}

func (p *program) api(_ context.Context, args []string) error {
	v := apiVerb()
	f := p.flags(v)
	root := f.String("root", "yuanlu", p.lang.T("first levels of the `topics`", "`主题`根"))
	bundle := f.String("bundle", "", p.lang.T("a `SCHEMA` with all it refers to in its own $defs", "自包含的 `SCHEMA`（引用均在 $defs 内）"))
	rest, err := p.parse(v, f, args, 0, 1)
	switch {
	case err != nil:
		return err
	case *bundle != "" && len(rest) > 0:
		return p.wrongUsage(v, p.lang.T("unexpected %q", "多余的参数 %q"), rest[0])
	case *bundle != "":
		b, err := topics.Bundle(strings.TrimPrefix(*bundle, topics.SchemaURN("")))
		if errors.Is(err, topics.ErrNoSchema) {
			return p.noSchema(*bundle)
		}
		if err == nil {
			_, err = p.stdout.Write(b)
		}
		return err
	case len(rest) == 0:
		doc, err := topics.AsyncAPI(*root, buildInfo().Version)
		if err != nil {
			return p.wrongUsage(v, "%v", err)
		}
		_, err = p.stdout.Write(doc)
		return err
	case rest[0] == "guard":
		_, err := p.stdout.Write(guardapi.OpenAPI())
		return err
	case rest[0] == "rules":
		return p.apiRules()
	case rest[0] == "signed-vector":
		_, err := p.stdout.Write(topics.SignedVector())
		return err
	}
	return p.apiSchema(rest[0])
}

func (p *program) apiSchema(name string) error {
	all, err := topics.Schemas()
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Name == name || topics.SchemaURN(s.Name) == name {
			return p.printJSON(json.RawMessage(s.JSON))
		}
	}
	return p.noSchema(name)
}

func (p *program) noSchema(name string) error {
	fmt.Fprintf(p.stderr, p.lang.T("yuanlu api: no schema %q; yuanlu version lists them\n", "yuanlu api：没有模式 %q；yuanlu version 列出全部\n"), name)
	return errPrinted(exitNotFound)
}

// ruleLine is one rule as `api rules --json` prints it.
type ruleLine struct {
	Code       string        `json:"code"`
	Numbers    []string      `json:"numbers"`
	Severities []string      `json:"severities"` // the highest first, as the rule lists them
	Version    int           `json:"version"`
	Reads      string        `json:"reads"`
	CannotTell string        `json:"cannot_tell,omitempty"` // when it has no answer
	Texts      []refund.Text `json:"texts"`                 // with {placeholders}
}

// ruleLines describes every rule of the judge, in its order, then those that only answers of the
// guard have, and what is published of what becomes of a case.
func ruleLines() []ruleLine {
	var infos []refund.RuleInfo
	for _, r := range rules.All() {
		infos = append(infos, r.Info())
	}
	var lines []ruleLine
	for _, i := range slices.Concat(infos, ask.Rules(), follow.Rules()) {
		one := ruleLine{Code: i.Code, Numbers: i.Numbers, Severities: []string{}, Version: i.Version, Reads: i.Inputs, CannotTell: i.CannotTell, Texts: i.Templates}
		if one.Numbers == nil {
			one.Numbers = []string{}
		}
		for _, s := range i.Severity {
			one.Severities = append(one.Severities, s.String())
		}
		lines = append(lines, one)
	}
	return lines
}

// apiRules prints the catalogue of rules: one JSON document, or for people.
func (p *program) apiRules() error {
	lines := ruleLines()
	if p.json {
		return p.printJSON(map[string]any{"rules": lines})
	}
	for _, r := range lines {
		number := strings.Join(r.Numbers, ", ")
		if number == "" {
			number = "-"
		}
		fmt.Fprintf(p.stdout, "%s  %s  %s\n", r.Code, number, strings.Join(r.Severities, ", "))
		for _, t := range r.Texts {
			text := t.EN
			if p.lang == screen.Chinese {
				text = t.ZH
			}
			fmt.Fprintf(p.stdout, "    %s\n", text)
		}
	}
	return nil
}

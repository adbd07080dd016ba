package main

import (
	"context"
	"encoding/json"
	"fmt"

	"yuanlu/protocol/topics"
)

func apiVerb() *verb {
	return &verb{name: "api", usage: "[SCHEMA]",
		en: "the AsyncAPI document of the topics, or one JSON Schema of it", zh: "主题的 AsyncAPI 文档，或其中一个 JSON Schema", run: (*program).api}
}

func (p *program) api(_ context.Context, args []string) error {
	v := apiVerb()
	f := p.flags(v)
	root := f.String("root", "yuanlu", p.lang.t("first levels of the `topics`", "`主题`根"))
	rest, err := p.parse(v, f, args, 0, 1)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		doc, err := topics.AsyncAPI(*root, buildInfo().Version)
		if err != nil {
			return p.wrongUsage(v, "%v", err)
		}
		_, err = p.stdout.Write(doc)
		return err
	}
	all, err := topics.Schemas()
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Name == rest[0] || topics.SchemaURN(s.Name) == rest[0] {
			return p.printJSON(json.RawMessage(s.JSON))
		}
	}
	fmt.Fprintf(p.stderr, p.lang.t("yuanlu api: no schema %q; yuanlu version lists them\n", "yuanlu api：没有模式 %q；yuanlu version 列出全部\n"), rest[0])
	return errSaid(exitNotFound)
}

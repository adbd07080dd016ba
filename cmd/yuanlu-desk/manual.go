package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/cmd/manual"
)

func (p *program) completion(_ context.Context, v *verb, args []string) error {
	rest, err := p.parse(v, p.flags(v), args, 1)
	if err != nil {
		return err
	}
	text := ""
	if len(rest) == 1 {
		text = handbook().Completion(rest[0])
	}
	if text == "" {
		return fmt.Errorf("%w: want one of %v", errUsage, manual.Shells())
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func (p *program) man(_ context.Context, v *verb, args []string) error {
	rest, err := p.parse(v, p.flags(v), args, 1)
	if err == nil && len(rest) == 0 {
		err = fmt.Errorf("%w: which folder?", errUsage)
	}
	if err != nil {
		return err
	}
	return handbook().Write(filepath.Join(rest[0], "man"), os.MkdirAll, os.WriteFile)
}

// handbook returns the program as its manual pages and completion see it.
func handbook() *manual.Program {
	b := &manual.Program{Name: "yuanlu-desk", Text: manual.Text{EN: "takes, stores and acknowledges what terminals report", ZH: "接收、存储并确认终端上报"}}
	for _, v := range verbs() {
		b.Verbs = append(b.Verbs, manual.Verb{Name: v.name, Usage: v.usage, Text: manual.Text{EN: v.en, ZH: v.zh},
			Flags: manual.Flags(flagsOf(&v, "en"), flagsOf(&v, "zh"))})
	}
	for _, e := range []struct {
		code   int
		en, zh string
	}{
		{exitOK, "ok", "正常"}, {exitInternal, "internal error", "内部错误"}, {exitUsage, "wrong usage", "用法错误"}, {exitNotFound, "not found", "未找到"},
		{exitWarnings, "doctor: warnings", "体检：有警告"}, {exitErrors, "doctor: errors", "体检：有错误"},
		{exitData, "bad input data", "输入数据有误"}, {exitBroker, "broker or API unreachable", "无法连接服务器或接口"}, {exitStore, "store not writable, or of another version", "数据库不可写或版本不符"},
		{exitPermission, "permission", "权限不足"}, {exitConfig, "configuration", "配置错误"},
	} {
		b.Exit = append(b.Exit, manual.Exit{Code: e.code, Text: manual.Text{EN: e.en, ZH: e.zh}})
	}
	return b
}

// flagsOf returns the flags of a verb: it is asked for its help, which is not printed.
func flagsOf(v *verb, lang string) (found *flag.FlagSet) {
	found = flag.NewFlagSet("", flag.ContinueOnError)
	p := &program{lang: lang, stdout: io.Discard, stderr: io.Discard, env: func(string) string { return "" },
		helpFor: func(f *flag.FlagSet) { found = f }}
	// The help of a verb ends in flag.ErrHelp and nothing else.
	_ = v.run(p, context.Background(), v, []string{"-h"})
	return found
}

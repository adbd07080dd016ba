package main

import (
	"context"
	_ "embed"
	"flag"
	"io"
	"os"
	"path/filepath"

	"yuanlu/cmd/manual"
	"yuanlu/cmd/yuanlu/screen"
)

//go:embed package/yuanlu.8
var page string

func completionVerb() *verb {
	return &verb{name: "completion", usage: "bash|zsh|fish", en: "print the completion of a shell", zh: "输出 shell 的命令补全脚本", run: (*program).completion, machine: true}
}

func (p *program) completion(_ context.Context, args []string) error {
	v := completionVerb()
	rest, err := p.parse(v, p.flags(v), args, 1, 1)
	if err != nil {
		return err
	}
	text := handbook().Completion(rest[0])
	if text == "" {
		return p.wrongWord(v, rest[0], manual.Shells()...)
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

func manVerb() *verb {
	return &verb{name: "man", usage: "FOLDER", en: "write the manual pages into a folder, for man -M", zh: "将手册页写入目录，供 man -M 使用", run: (*program).man}
}

func (p *program) man(_ context.Context, args []string) error {
	v := manVerb()
	rest, err := p.parse(v, p.flags(v), args, 1, 1)
	if err != nil {
		return err
	}
	return handbook().Write(filepath.Join(rest[0], "man"), os.MkdirAll, os.WriteFile, codesPages())
}

// handbook returns the program as its manual pages and completion see it.
func handbook() *manual.Program {
	b := &manual.Program{Name: "yuanlu", Page: page, Text: manual.Text{EN: "sees to it that a refund goes back the way the payment came", ZH: "确保退款原路退回"}}
	for _, v := range verbs() {
		b.Verbs = append(b.Verbs, manual.Verb{Name: v.name, Usage: v.usage, Text: manual.Text{EN: v.en, ZH: v.zh},
			Flags: manual.Flags(flagsOf(v, screen.English), flagsOf(v, screen.Chinese))})
	}
	for _, e := range []struct {
		code   int
		en, zh string
	}{
		{exitOK, "ok", "正常"}, {exitInternal, "internal error", "内部错误"}, {exitUsage, "wrong usage", "用法错误"}, {exitNotFound, "not found", "未找到"},
		{exitWarnings, "doctor: warnings", "体检：有警告"}, {exitErrors, "doctor: errors", "体检：有错误"}, {exitData, "bad input data (the rest was processed)", "输入数据有误（其余已处理）"},
		{exitBroker, "broker unreachable", "无法连接服务器"}, {exitStore, "store not writable, or in use by another daemon", "数据库不可写，或被另一守护进程占用"},
		{exitDevice, "device I/O", "设备读写错误"}, {exitPermission, "permission", "权限不足"}, {exitConfig, "configuration", "配置错误"},
	} {
		b.Exit = append(b.Exit, manual.Exit{Code: e.code, Text: manual.Text{EN: e.en, ZH: e.zh}})
	}
	return b
}

// flagsOf returns the flags of a verb: it is asked for its help, which is not printed.
func flagsOf(v *verb, lang screen.Language) (found *flag.FlagSet) {
	found = flag.NewFlagSet("", flag.ContinueOnError)
	p := &program{lang: lang, stdout: io.Discard, stderr: io.Discard, env: func(string) string { return "" },
		helpFor: func(f *flag.FlagSet) { found = f }}
	// The help of a verb ends in flag.ErrHelp and nothing else.
	_ = v.run(p, context.Background(), []string{"-h"})
	return found
}

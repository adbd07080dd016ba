package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/cmd/manual"
	"yuanlu/cmd/yuanlu-verify/verify"
)

func (p *program) completion(v *verb, args []string) (int, error) {
	rest, err := p.parse(v, p.flags(v), args, 1)
	if err != nil {
		return argumentsExit(err), err
	}
	text := handbook().Completion(rest[0])
	if text == "" {
		return verify.ExitUsage, fmt.Errorf("%w: want one of %v", errUsage, manual.Shells())
	}
	if _, err = io.WriteString(p.stdout, text); err != nil {
		return exitOutput, err
	}
	return verify.ExitHolds, nil
}

func (p *program) man(v *verb, args []string) (int, error) {
	rest, err := p.parse(v, p.flags(v), args, 1)
	if err != nil {
		return argumentsExit(err), err
	}
	if err := handbook().Write(filepath.Join(rest[0], "man"), os.MkdirAll, os.WriteFile); err != nil {
		return exitOutput, err
	}
	return verify.ExitHolds, nil
}

// exits returns what the exit codes mean (evidence.md § 6).
func exits() (all []manual.Exit) {
	for _, e := range []struct {
		code   int
		en, zh string
	}{
		{verify.ExitHolds, "all checks hold, and all keys are in the trust file", "所有检查均通过，所有密钥均在信任文件中"},
		{verify.ExitWrong, "at least one check says wrong", "至少一项检查有误"},
		{verify.ExitNoPack, "not a pack, a file that cannot be read, or a pack of a newer program", "不是证据包、无法读取，或由更新版本的程序生成"},
		{verify.ExitUntrusted, "all checks hold; the pack is unsigned, or a key is not in the trust file", "所有检查均通过；但证据包未签名，或有密钥不在信任文件中"},
		{verify.ExitUsage, "wrong usage, or a trust file of another form", "用法错误，或信任文件格式不符"},
		{exitOutput, "the answer cannot be printed", "无法输出结果"},
	} {
		all = append(all, manual.Exit{Code: e.code, Text: manual.Text{EN: e.en, ZH: e.zh}})
	}
	return all
}

// handbook returns the program as its manual pages and completion see it.
func handbook() *manual.Program {
	b := &manual.Program{Name: "yuanlu-verify", Text: manual.Text{EN: "checks an evidence pack offline", ZH: "离线检查证据包"}, Exit: exits()}
	all := verbs()
	for i := range all {
		v := &all[i]
		b.Verbs = append(b.Verbs, manual.Verb{Name: v.name, Usage: v.usage, Text: manual.Text{EN: v.en, ZH: v.zh},
			Flags: manual.Flags(flagsOf(v, "en"), flagsOf(v, "zh"))})
	}
	return b
}

// flagsOf returns the flags of a verb: it is asked for its help, which is not printed.
func flagsOf(v *verb, lang string) (found *flag.FlagSet) {
	found = flag.NewFlagSet("", flag.ContinueOnError)
	p := &program{lang: lang, stdout: io.Discard, stderr: io.Discard, env: func(string) string { return "" },
		helpFor: func(f *flag.FlagSet) { found = f }}
	// The help of a verb ends in flag.ErrHelp and nothing else.
	_, _ = v.run(p, v, []string{"-h"})
	return found
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// errLines is the class of a file with lines that the page does not know.
var errLines = errors.New("lines were refused as bad_input")

// work answers the lines of a file as the case desk does, in memory, or stores its set-up
// (casework.md § 10).
func (p *program) work(ctx context.Context, v *verb, args []string) (err error) {
	f := p.flags(v)
	at := p.storeFlags(f, false)
	check := f.String("check", "", p.t("answer the JSON Lines of a `file`, - for standard input", "回答 JSON Lines `文件`，- 为标准输入"))
	setup := f.String("setup", "", p.t("store settings, calendar and stores of a `file` in --store", "将`文件`中的设置、日历与门店存入 --store"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	name := *check + *setup
	if name == "" || *check != "" && *setup != "" {
		return fmt.Errorf("%w: --check FILE or --setup FILE is needed", errUsage)
	}
	in := p.stdin
	if name != "-" {
		opened, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }() // only read
		in = opened
	}
	if *check != "" {
		return p.answer(in)
	}
	lines, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return at.with(ctx, p, func() error { return at.db.SetUp(ctx, lines) })
}

func (p *program) answer(in io.Reader) error {
	bad, err := casework.Check(in, p.stdout)
	if err != nil {
		return err
	}
	if bad {
		return errLines
	}
	return nil
}

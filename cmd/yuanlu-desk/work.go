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

// work answers the lines of a file as the case desk does, in memory (casework.md § 10).
func (p *program) work(_ context.Context, v *verb, args []string) (err error) {
	f := p.flags(v)
	file := f.String("check", "", p.t("JSON Lines in a `file`, - for standard input", "JSON Lines `文件`，- 为标准输入"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	if *file == "" {
		return fmt.Errorf("%w: --check FILE is needed", errUsage)
	}
	in := p.stdin
	if *file != "-" {
		opened, err := os.Open(*file)
		if err != nil {
			return err
		}
		defer func() { _ = opened.Close() }() // only read
		in = opened
	}
	return p.answer(in)
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

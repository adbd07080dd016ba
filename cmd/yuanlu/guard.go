package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"yuanlu/agent/config"
	"yuanlu/agent/guard/pins"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/screen"
)

func guardVerb() *verb {
	return &verb{name: "guard", usage: "pin ID [--config F]",
		en: "set the PIN of a supervisor who may release holds", zh: "设置可放行暂停退款的主管的 PIN", run: (*program).guard}
}

// guard sets a PIN: it is asked for twice without echo, or is two lines of standard input.
// Source: guard.md § 3.
func (p *program) guard(_ context.Context, args []string) error {
	v := guardVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	rest, err := p.parse(v, f, args, 2, 2)
	if err != nil {
		return err
	}
	if rest[0] != "pin" {
		return p.wrongWord(v, rest[0], "pin")
	}
	id := rest[1]
	inForce, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	c := inForce.Config
	if !slices.ContainsFunc(c.Guard.Supervisors, func(s config.Supervisor) bool { return s.ID == id }) {
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu guard: there is no [[guard.supervisor]] with id %q\n", "yuanlu guard：没有标识为 %q 的 [[guard.supervisor]]\n"), id)
		return errPrinted(exitNotFound)
	}
	first, second, err := p.twoPINs()
	if err != nil {
		return err
	}
	if !first.Equal(second) {
		return p.wrongUsage(v, "%s", p.lang.T("the two differ", "两次输入不一致"))
	}
	if err := pins.Weak(first); err != nil {
		return p.wrongUsage(v, "%s", p.lang.T("this PIN is not taken: want 6 to 12 digits, not all equal, not counting up or down, not two or three repeated",
			"不接受此 PIN：须为 6 至 12 位数字，不能全部相同、依次递增或递减，也不能是两三位数字的重复"))
	}
	if err := pins.Set(filepath.Join(c.Store.Dir, "keys"), id, first); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"result": "set", "supervisor": id})
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.T("the PIN of %s is set\n", "已设置 %s 的 PIN\n"), id)
	return err
}

// guardWarnings names the links that hold refunds which no supervisor of the configuration can
// release. Which of them has a PIN is no matter of the configuration: doctor looks.
func (p *program) guardWarnings(c *config.Config) (warnings []string) {
	if len(c.Guard.Supervisors) > 0 {
		return nil
	}
	for _, l := range c.Links {
		switch {
		case l.Guard == config.GuardHold && len(c.Backoffice.Keys) == 0:
			warnings = append(warnings, fmt.Sprintf(p.lang.T("link %s: guard = \"hold\", and nobody can release a held refund: add a [[guard.supervisor]], or a [[backoffice.key]] for the back office",
				"链路 %s：guard = \"hold\"，但无人可放行：添加 [[guard.supervisor]]，或为后台添加 [[backoffice.key]]"), l.Name))
		case l.Guard == config.GuardHold || l.Guard == config.GuardOffice:
			warnings = append(warnings, fmt.Sprintf(p.lang.T("link %s: guard = %q, and only the back office can release a held refund: there is no [[guard.supervisor]]",
				"链路 %s：guard = %q，只有后台可放行：没有 [[guard.supervisor]]"), l.Name, l.Guard))
		}
	}
	return warnings
}

// twoPINs reads a PIN and the same once more.
func (p *program) twoPINs() (first, second refund.Secret, err error) {
	lines := bufio.NewReader(io.LimitReader(p.stdin, 1<<10))
	if first, err = p.secretLine(lines, "PIN: ", "PIN："); err != nil {
		return
	}
	second, err = p.secretLine(lines, "once more: ", "再输入一次：")
	return
}

// secretLine reads one line of standard input, which lines reads: without echo and after a
// prompt if that is a terminal. From then on the process leaves no core file.
func (p *program) secretLine(lines *bufio.Reader, en, zh string) (refund.Secret, error) {
	if p.whole {
		if err := protect(); err != nil {
			return refund.Secret{}, err
		}
	}
	var line string
	var err error
	if in, ok := p.stdin.(*os.File); ok && screen.IsTerminal(in) {
		line, err = screen.AskHidden(in, lines, p.stderr, p.lang.T(en, zh))
	} else if line, err = lines.ReadString('\n'); errors.Is(err, io.EOF) {
		err = nil // what lacks is refused as no PIN
	}
	return refund.NewSecret(strings.TrimRight(line, "\r\n")), err
}

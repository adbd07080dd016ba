package main

import (
	"context"
	"fmt"
	"strings"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/codes"
	"yuanlu/agent/spelling"
)

func codesVerb() *verb {
	return &verb{name: "codes", usage: "[CODE]", en: "what the codes of log lines and problems mean, and what to do", zh: "日志代码和问题代码的含义与处理办法", run: (*program).codes}
}

func (p *program) codes(_ context.Context, args []string) error {
	v := codesVerb()
	rest, err := p.parse(v, p.flags(v), args, 0, 1)
	if err != nil {
		return err
	}
	all := codes.All()
	if len(rest) == 1 {
		if all = codes.Find(rest[0]); len(all) == 0 {
			return p.unknownCode(rest[0])
		}
	}
	for i, c := range all {
		switch {
		case p.json:
			err = p.printJSON(c)
		case len(rest) == 1:
			err = p.printCode(&c)
		default:
			if i == 0 || all[i-1].Kind != c.Kind {
				fmt.Fprintf(p.stdout, "%s\n", p.kindTitle(c.Kind))
			}
			_, err = fmt.Fprintf(p.stdout, "  %-26s %-14s %s\n", c.Code, c.Level, p.lang.T(c.Meaning.EN, c.Meaning.ZH))
		}
		if err != nil {
			return err
		}
	}
	if len(rest) == 0 && !p.json {
		_, err = fmt.Fprintln(p.stdout, p.lang.T("yuanlu codes CODE shows cause and remedy", "yuanlu codes 代码 显示原因和处理办法"))
	}
	return err
}

func (p *program) kindTitle(kind string) string {
	if kind == codes.Problem {
		return p.lang.T("Problems, in doctor, status and health:", "问题代码（doctor、status、health）：")
	}
	return p.lang.T("Log lines:", "日志代码：")
}

func (p *program) printCode(c *codes.Code) error {
	kind := p.lang.T("log line", "日志")
	if c.Kind == codes.Problem {
		kind = p.lang.T("problem", "问题")
	}
	_, err := fmt.Fprintf(p.stdout, "%s (%s, %s)\n  %s %s\n  %s %s\n  %s %s\n", c.Code, kind, c.Level,
		p.lang.T("meaning", "含义"), p.lang.T(c.Meaning.EN, c.Meaning.ZH), p.lang.T("cause  ", "原因"), p.lang.T(c.Cause.EN, c.Cause.ZH),
		p.lang.T("remedy ", "处理"), p.lang.T(c.Remedy.EN, c.Remedy.ZH))
	return err
}

func (p *program) unknownCode(name string) error {
	var names []string
	for _, c := range codes.All() {
		names = append(names, c.Code)
	}
	hint := ""
	if near := spelling.Nearest(name, names); near != "" {
		hint = fmt.Sprintf(p.lang.T("; did you mean %q?", "；是否想用 %q？"), near)
	}
	fmt.Fprintf(p.stderr, p.lang.T("yuanlu codes: no code is called %q%s\n", "yuanlu codes：没有代码 %q%s\n"), name, hint)
	return errPrinted(exitNotFound)
}

// codesPages returns the table as a manual page in both languages.
func codesPages() map[string]string {
	roff := strings.NewReplacer(`\`, `\e`, "-", `\-`)
	pages := map[string]string{}
	for _, chinese := range []bool{false, true} {
		in := func(en, zh string) string {
			if chinese {
				return roff.Replace(zh)
			}
			return roff.Replace(en)
		}
		text := func(t catalogue.Text) string { return in(t.EN, t.ZH) }
		var b strings.Builder
		fmt.Fprintf(&b, ".TH YUANLU\\-CODES 7 \"\" \"Yuanlu\" \"%s\"\n.SH %s\nyuanlu\\-codes \\- %s\n", in("Codes", "代码"), in("NAME", "名称"), in("codes of log lines and problems of yuanlu", "yuanlu 的日志代码和问题代码"))
		all := codes.All()
		for i, c := range all {
			if i == 0 || all[i-1].Kind != c.Kind {
				title := in("LOG LINES", "日志代码")
				if c.Kind == codes.Problem {
					title = in("PROBLEMS", "问题代码")
				}
				fmt.Fprintf(&b, ".SH %s\n", title)
			}
			fmt.Fprintf(&b, ".TP\n.BR %s \" (%s)\"\n%s.\n%s %s.\n%s %s.\n", roff.Replace(c.Code), c.Level, text(c.Meaning), in("Cause:", "原因："), text(c.Cause), in("Remedy:", "处理："), text(c.Remedy))
		}
		fmt.Fprintf(&b, ".SH %s\n.BR yuanlu (8)\n", in("SEE ALSO", "另见"))
		folder := "man7/"
		if chinese {
			folder = "zh_CN/man7/"
		}
		pages[folder+"yuanlu-codes.7"] = b.String()
	}
	return pages
}

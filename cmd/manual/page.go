package manual

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Pages returns the program's pages by their path below the folder of manuals,
// "man8/yuanlu.8" or "zh_CN/man8/yuanlu-doctor.8": one of the program and one of each verb.
func (p *Program) Pages() map[string]string {
	pages := map[string]string{}
	for _, chinese := range []bool{false, true} {
		folder := "man8/"
		if chinese {
			folder = "zh_CN/man8/"
		}
		pages[folder+p.Name+".8"] = p.page(chinese)
		for i := range p.Verbs {
			v := &p.Verbs[i]
			pages[folder+p.Name+"-"+v.Name+".8"] = p.verbPage(v, chinese)
		}
	}
	if p.Page != "" {
		pages["man8/"+p.Name+".8"] = p.whole()
	}
	return pages
}

// whole returns the hand-written page, with an entry for each verb that it lacks.
func (p *Program) whole() string {
	var b strings.Builder
	for i := range p.Verbs {
		if v := &p.Verbs[i]; Entry(p.Page, v.Name) == "" {
			entry(&b, v, false)
		}
	}
	before, after, _ := strings.Cut(p.Page, "\n.SH EXIT STATUS\n")
	return before + "\n" + b.String() + ".SH EXIT STATUS\n" + after
}

// entry writes what a program's page has about one verb.
func entry(b *strings.Builder, v *Verb, chinese bool) {
	fmt.Fprintf(b, ".TP\n.BR \"%s\" \" %s\"\n%s\n", escape(v.Name), strings.ReplaceAll(escape(v.Usage), `"`, `""`), escape(v.Text.in(chinese)))
	if len(v.Flags) > 0 {
		b.WriteString(".RS\n")
		flags(b, v.Flags, chinese)
		b.WriteString(".RE\n")
	}
}

// Write writes the pages and those of more below a folder, with the functions of os that
// make folders and files.
func (p *Program) Write(folder string, mkdir func(string, fs.FileMode) error, write func(string, []byte, fs.FileMode) error, more ...map[string]string) error {
	for _, pages := range append(more, p.Pages()) {
		for name, text := range pages {
			file := filepath.Join(folder, name)
			if err := mkdir(filepath.Dir(file), 0o755); err != nil {
				return err
			}
			if err := write(file, []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// escape makes text of a line of roff.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func head(b *strings.Builder, name, line string, chinese bool) {
	manual := "System Administration"
	if chinese {
		manual = "系统管理"
	}
	fmt.Fprintf(b, ".TH %s 8 \"\" \"Yuanlu\" \"%s\"\n", strings.ToUpper(escape(name)), manual)
	fmt.Fprintf(b, ".SH %s\n%s \\- %s\n", Text{"NAME", "名称"}.in(chinese), escape(name), escape(line))
}

func synopsis(b *strings.Builder, program, verb, usage string) {
	fmt.Fprintf(b, ".B %s\n%s\n", escape(program+" "+verb), escape(usage))
}

func flags(b *strings.Builder, all []Flag, chinese bool) {
	for _, f := range all {
		kind := ""
		if f.Kind != "" {
			kind = " " + strings.ToUpper(f.Kind)
		}
		fmt.Fprintf(b, ".TP\n.B %s\n%s", escape(f.dashed()+kind), escape(f.Text.in(chinese)))
		if f.Default != "" {
			fmt.Fprintf(b, Text{" (default %s)", "（默认 %s）"}.in(chinese), escape(f.Default))
		}
		b.WriteString("\n")
	}
}

func (p *Program) exits(b *strings.Builder, chinese bool) {
	fmt.Fprintf(b, ".SH %s\n", Text{"EXIT STATUS", "退出码"}.in(chinese))
	for _, e := range p.Exit {
		fmt.Fprintf(b, ".TP\n.B %d\n%s\n", e.Code, escape(e.Text.in(chinese)))
	}
}

// page is the program's page, made of its verbs.
func (p *Program) page(chinese bool) string {
	var b strings.Builder
	head(&b, p.Name, p.Text.in(chinese), chinese)
	fmt.Fprintf(&b, ".SH %s\n.B %s\n%s\n", Text{"SYNOPSIS", "概要"}.in(chinese), escape(p.Name), escape(Text{"VERB [--json] [--lang en|zh] …", "命令 [--json] [--lang en|zh] …"}.in(chinese)))
	fmt.Fprintf(&b, ".SH %s\n", Text{"VERBS", "命令"}.in(chinese))
	for i := range p.Verbs {
		entry(&b, &p.Verbs[i], chinese)
	}
	p.exits(&b, chinese)
	return b.String()
}

// verbPage is the page of one verb. Its description is the entry of the hand-written page,
// where there is one.
func (p *Program) verbPage(v *Verb, chinese bool) string {
	var b strings.Builder
	head(&b, p.Name+"-"+v.Name, v.Text.in(chinese), chinese)
	fmt.Fprintf(&b, ".SH %s\n", Text{"SYNOPSIS", "概要"}.in(chinese))
	synopsis(&b, p.Name, v.Name, v.Usage)
	fmt.Fprintf(&b, ".SH %s\n", Text{"DESCRIPTION", "说明"}.in(chinese))
	entry := ""
	if !chinese {
		entry = Entry(p.Page, v.Name)
	}
	if entry == "" {
		entry = escape(v.Text.in(chinese)) + "\n"
	}
	b.WriteString(entry)
	if len(v.Flags) > 0 {
		fmt.Fprintf(&b, ".SH %s\n", Text{"OPTIONS", "选项"}.in(chinese))
		flags(&b, v.Flags, chinese)
	}
	p.exits(&b, chinese)
	fmt.Fprintf(&b, ".SH %s\n.BR %s (8)\n", Text{"SEE ALSO", "另见"}.in(chinese), escape(p.Name))
	return b.String()
}

// Entry returns what a hand-written page has about a verb under VERBS, without the line that
// names it; "" where it has nothing.
func Entry(page, verb string) string {
	_, verbs, _ := strings.Cut(page, "\n.SH VERBS\n")
	verbs, _, _ = strings.Cut(verbs, "\n.SH ")
	for one := range strings.SplitSeq("\n"+verbs, "\n.TP\n") {
		line, rest, _ := strings.Cut(one, "\n")
		words := strings.Fields(strings.NewReplacer(`"`, " ", `\-`, "-").Replace(line))
		if len(words) > 1 && words[1] == verb {
			return strings.TrimSuffix(rest, "\n") + "\n"
		}
	}
	return ""
}

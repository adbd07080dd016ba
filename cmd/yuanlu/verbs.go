package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"sort"
	"strings"

	"yuanlu/agent/spelling"
)

// verb is one thing the program can do.
type verb struct {
	name       string
	usage      string // what stands behind the name
	en, zh     string // one line
	run        func(p *program, ctx context.Context, args []string) error
	ownSignals bool
	machine    bool // what it prints is always for machines, whatever the flags
}

// verbs lists all verbs in the order of the help.
func verbs() []*verb {
	return []*verb{
		runVerb(), setupVerb(), checkVerb(), replayVerb(), statusVerb(), tailVerb(), casesVerb(), linksVerb(), doctorVerb(), configVerb(),
		outboxVerb(), askVerb(), holdVerb(), guardVerb(), practiceVerb(), captureVerb(), bundleVerb(), ctlVerb(), storeVerb(), evidenceVerb(), apiVerb(), codesVerb(), completionVerb(), manVerb(), versionVerb(),
	}
}

func findVerb(name string) (*verb, bool) {
	for _, v := range verbs() {
		if v.name == name {
			return v, true
		}
	}
	return nil, false
}

func (p *program) unknownVerb(name string) {
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
	}
	hint := ""
	if near := spelling.Nearest(name, names); near != "" {
		hint = fmt.Sprintf(p.lang.T("; did you mean %q?", "；是否想用 %q？"), near)
	}
	fmt.Fprintf(p.stderr, p.lang.T("yuanlu: unknown verb %q%s\nyuanlu help lists all\n", "yuanlu：没有命令 %q%s\nyuanlu help 列出全部命令\n"), name, hint)
}

func (p *program) help(w io.Writer) {
	fmt.Fprint(w, p.lang.T("yuanlu (原路): sees to it that a refund goes back the way the payment came\n\nusage: yuanlu VERB …\n\n",
		"yuanlu（原路）：确保退款原路退回\n\n用法：yuanlu 命令 …\n\n"))
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-14s %s\n", v.name, p.lang.T(v.en, v.zh))
	}
	fmt.Fprint(w, p.lang.T("\nAll verbs know --json and --lang en|zh. yuanlu help VERB tells more.\n",
		"\n所有命令都有 --json 和 --lang en|zh。yuanlu help 命令 显示详情。\n"))
}

func (p *program) helpVerb(args []string) int {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		p.help(p.stdout)
		return exitOK
	}
	v, ok := findVerb(args[0])
	if !ok {
		p.unknownVerb(args[0])
		return exitUsage
	}
	return p.exit(v, v.run(p, context.Background(), []string{"-h"}))
}

// verbHelp prints what a verb does and its flags.
func (p *program) verbHelp(w io.Writer, v *verb, f *flag.FlagSet) {
	fmt.Fprintf(w, "%s\n\n%s yuanlu %s %s\n", p.lang.T(v.en, v.zh), p.lang.T("usage:", "用法："), v.name, v.usage)
	var all []*flag.Flag
	f.VisitAll(func(one *flag.Flag) { all = append(all, one) })
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	for _, one := range all {
		kind, usage := flag.UnquoteUsage(one)
		text := "--" + one.Name
		if len(one.Name) == 1 {
			text = "-" + one.Name
		}
		if kind != "" {
			text += " " + strings.ToUpper(kind)
		}
		fmt.Fprintf(w, "  %-20s %s", text, usage)
		if one.DefValue != "" && one.DefValue != "false" && one.DefValue != "0" {
			fmt.Fprintf(w, p.lang.T(" (default %s)", "（默认 %s）"), one.DefValue)
		}
		fmt.Fprintln(w)
	}
}

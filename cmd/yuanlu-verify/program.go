package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"yuanlu/cmd/yuanlu-verify/verify"
	"yuanlu/protocol/notices"
	"yuanlu/protocol/printable"
)

// exitOutput is for an answer that could not be printed.
const exitOutput = 74

// Set by the linker: -X main.version=… and so on.
var (
	version   = "dev"
	commit    = "unknown"
	buildDate = "unknown"
)

// program is one run: what main builds and tests build too. It is used once.
type program struct {
	args   []string // without the program's name
	stdout io.Writer
	stderr io.Writer
	env    func(string) string

	json bool
	lang string // en or zh

	// helpFor takes the flags of a verb in place of printing its help; nil: it is printed.
	helpFor func(*flag.FlagSet)
}

// verb is one thing that the program does. A first argument that is none is a PACK.
type verb struct {
	name, usage, en, zh string
	run                 func(*program, *verb, []string) (int, error)
}

func verbs() []verb {
	return []verb{
		{"check", "PACK [--trust FILE] [--json] [--lang zh|en]", "check an evidence pack (the word check may be left out)", "检查证据包（可省略 check 一词）", (*program).check},
		{"completion", "bash|zsh|fish", "print the completion of a shell", "输出 shell 的命令补全脚本", (*program).completion},
		{"man", "FOLDER", "write the manual pages into a folder, for man -M", "将手册页写入目录，供 man -M 使用", (*program).man},
		{"version", "[--licences | --sbom]", "version; licences of what is in it", "版本；所含软件的许可证", (*program).version},
	}
}

func (p *program) t(en, zh string) string { return verify.Text{EN: en, ZH: zh}.In(p.lang) }

var errUsage = errors.New("usage")

// run does what the arguments order and returns the exit code.
func (p *program) run() int {
	p.lang = "en"
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := p.env(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				p.lang = "zh"
			}
			break
		}
	}
	if len(p.args) == 0 {
		p.help(p.stderr)
		return verify.ExitUsage
	}
	switch p.args[0] {
	case "help", "-h", "-help", "--help":
		p.help(p.stdout)
		return verify.ExitHolds
	case "-version", "--version":
		p.args[0] = "version"
	}
	all := verbs()
	for i := range all {
		if v := &all[i]; v.name == p.args[0] {
			return p.exit(v.run(p, v, p.args[1:]))
		}
	}
	return p.exit(p.check(&all[0], p.args))
}

func (p *program) help(w io.Writer) {
	// What cannot be printed here has no other place to be reported at.
	_, _ = fmt.Fprintln(w, p.t("yuanlu-verify: checks an evidence pack, offline, and writes no file", "yuanlu-verify：离线检查证据包，不写任何文件"))
	for _, v := range verbs() {
		_, _ = fmt.Fprintf(w, "  yuanlu-verify %-10s %s\n      %s\n", v.name, p.t(v.en, v.zh), v.usage)
	}
	for _, e := range exits() {
		_, _ = fmt.Fprintf(w, "  %2d  %s\n", e.Code, p.t(e.Text.EN, e.Text.ZH))
	}
}

// exit prints an error, and returns the exit code.
func (p *program) exit(code int, err error) int {
	var write *os.PathError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return code
	case errors.As(err, &write) && write.Path == os.Stdout.Name() && errors.Is(err, syscall.EPIPE):
		return code // its reader has seen enough
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintf(p.stderr, "yuanlu-verify: %v\n", err) // no other place is left
		p.help(p.stderr)
		return verify.ExitUsage
	}
	_, _ = fmt.Fprintf(p.stderr, "yuanlu-verify: %v\n", err) // no other place is left
	return code
}

// flags makes the flag set of a verb with what all verbs have.
func (p *program) flags(v *verb) *flag.FlagSet {
	f := flag.NewFlagSet(v.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&p.json, "json", false, p.t("output for machines", "输出 JSON"))
	f.Func("lang", p.t("en or zh", "en 或 zh"), func(s string) error {
		if s != "en" && s != "zh" {
			return errors.New("want en or zh")
		}
		p.lang = s
		return nil
	})
	return f
}

// parse reads the arguments; just want of them are no flags.
func (p *program) parse(v *verb, f *flag.FlagSet, args []string, want int) (rest []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) && p.helpFor != nil {
			p.helpFor(f)
			return nil, err
		} else if errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintf(p.stdout, "yuanlu-verify %s %s\n%s\n", v.name, v.usage, p.t(v.en, v.zh)) // as help does
			f.SetOutput(p.stdout)
			f.PrintDefaults()
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = f.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	if len(rest) != want {
		return nil, fmt.Errorf("%w: yuanlu-verify %s %s", errUsage, v.name, v.usage)
	}
	return rest, nil
}

// check checks one pack and prints what was found.
func (p *program) check(v *verb, args []string) (int, error) {
	f := p.flags(v)
	trustFile := f.String("trust", "", p.t("`file` with the certificates and keys that you know (yuanlu-desk evidence keys)", "已知证书与密钥的`文件`"))
	rest, err := p.parse(v, f, args, 1)
	if err != nil {
		return argumentsExit(err), err
	}
	trust, err := readTrust(*trustFile)
	if err != nil {
		return verify.ExitUsage, fmt.Errorf(p.t("trust file %s: %w", "信任文件 %s：%w"), *trustFile, err)
	}
	report, err := checkFile(rest[0], trust)
	if err != nil {
		report = &verify.Report{Exit: verify.ExitNoPack, Why: verify.Text{EN: "the file cannot be read: " + err.Error(), ZH: "无法读取文件：" + err.Error()}}
	}
	out := printable.NewWriter(p.stdout, func() bool { return false })
	if p.json {
		err = p.printJSON(report)
	} else {
		err = p.print(out, report)
	}
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return exitOutput, err
	}
	return report.Exit, err
}

func readTrust(file string) (*verify.Trust, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return verify.ParseTrust(text)
}

func checkFile(name string, trust *verify.Trust) (report *verify.Report, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	return verify.Run(f, info.Size(), trust)
}

// checkLine is one check as --json has it (evidence.md § 6).
type checkLine struct {
	Check string `json:"check"`
	State string `json:"state"`
	Where string `json:"where"`
	Text  string `json:"text"`
}

func (p *program) printJSON(r *verify.Report) error {
	answer := struct {
		Exit   int               `json:"exit"`
		Checks []checkLine       `json:"checks"`
		Keys   []verify.Key      `json:"keys"`
		Leaves []verify.LeafTime `json:"leaves"`
		Why    string            `json:"why,omitempty"`
	}{r.Exit, []checkLine{}, append([]verify.Key{}, r.Keys...), append([]verify.LeafTime{}, r.Leaves...), r.Why.In(p.lang)}
	for _, c := range r.Checks {
		texts := []string{c.Text.In(p.lang)}
		if c.Text == (verify.Text{}) {
			texts = nil
		}
		for _, s := range c.Said {
			texts = append(texts, s.In(p.lang))
		}
		answer.Checks = append(answer.Checks, checkLine{c.Name, c.State, c.Where, strings.Join(texts, "; ")})
	}
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	return e.Encode(answer)
}

func (p *program) version(v *verb, args []string) (int, error) {
	f := p.flags(v)
	licences := f.Bool("licences", false, p.t("the software of others in this program, with its licences", "所含第三方软件及其许可证"))
	sbom := f.Bool("sbom", false, p.t("its bill of materials (CycloneDX 1.6, JSON)", "软件物料清单（CycloneDX 1.6，JSON）"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return argumentsExit(err), err
	}
	var err error
	switch {
	case *licences:
		err = notices.Write(p.stdout)
	case *sbom:
		err = notices.SBOM(p.stdout, "yuanlu-verify", version)
	case p.json:
		err = json.NewEncoder(p.stdout).Encode(map[string]any{"program": "yuanlu-verify", "version": version, "commit": commit, "built": buildDate})
	default:
		_, err = fmt.Fprintf(p.stdout, "yuanlu-verify %s (%s, %s)\n", version, commit, buildDate)
	}
	if err != nil {
		return exitOutput, err
	}
	return verify.ExitHolds, nil
}

// argumentsExit returns 0 for a help that was asked for, 64 for an error of the arguments.
func argumentsExit(err error) int {
	if errors.Is(err, flag.ErrHelp) {
		return verify.ExitHolds
	}
	return verify.ExitUsage
}

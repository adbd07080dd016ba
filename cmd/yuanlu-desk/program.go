package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"yuanlu/cmd/yuanlu-desk/api"
	"yuanlu/cmd/yuanlu-desk/notify"
	"yuanlu/cmd/yuanlu-desk/sign"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/notices"
	"yuanlu/protocol/topics"
)

// Exit codes (cli.md).
const (
	exitOK         = 0
	exitInternal   = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitWarnings   = 4
	exitErrors     = 5
	exitData       = 65
	exitBroker     = 69
	exitStore      = 73
	exitPermission = 77
	exitConfig     = 78
)

// Set by the linker: -X main.version=… and so on.
var (
	version   = "dev"
	commit    = "unknown"
	buildDate = "unknown"
)

// program is one run: what main builds and tests build too. It is used once.
type program struct {
	args   []string // without the program's name
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string
	now    func() time.Time

	json bool
	lang string // en or zh

	// helpFor takes the flags of a verb in place of printing its help; nil: it is printed.
	helpFor func(*flag.FlagSet)
}

// Classes of errors of the command line.
var (
	errUsage  = errors.New("usage")
	errConfig = errors.New("configuration")
	errAPI    = errors.New("the desk's API does not answer")
	// What the doctor has printed already.
	errWarnings = errors.New("warnings")
	errErrors   = errors.New("errors")
)

// verb is one thing that the program does.
type verb struct {
	name, usage, en, zh string
	run                 func(*program, context.Context, *verb, []string) error
}

func verbs() []verb {
	return []verb{
		{"serve", "--broker URL [--store FILE|URL] [--listen ADDR] …", "take, store and acknowledge what terminals report", "接收、存储并确认终端上报", (*program).serve},
		{"watch", "[--api URL] [--all] [--events] [--count N]", "print cases as they come", "实时打印案件", (*program).watch},
		{"gaps", "[list] [--terminal ID] | close TERMINAL STREAM LAST --why TEXT [--force]; --store FILE|URL", "what is missing; stop waiting for what will not come", "缺失的事件；不再等待", (*program).gaps},
		{"quarantine", "[list] [--terminal ID] | show N | release N --why TEXT | discard N --why TEXT; --store FILE|URL", "what was refused; store it after all, or throw it away", "被隔离的报文；放行或丢弃", (*program).quarantine},
		{"work", "--check FILE | --setup FILE [--store FILE|URL]", "answer lines as the case desk does; store its settings, calendar and stores", "按案件台规则回答；存入设置、日历与门店", (*program).work},
		{"bills", "check FILE… | match --day YYYY-MM-DD --terminal-days FILE --bills FILE…", "what the bills of platforms and acquirers state, line by line; how it fits what terminals reported of a day", "逐行读取平台与收单机构的账单；与终端当日上报逐笔核对", (*program).bills},
		{"people", "[list] | add ID --staff N --role R[,R] --shop S[,S] [--operator M/T/N]… | password ID | bind ID --issuer URL --sub SUB; --store FILE|URL", "who works at the case desk; its first person; a new password; who is who at a provider of OpenID Connect", "案件台人员；新增首位人员；重设密码；绑定统一登录身份", (*program).people},
		{"doctor", "[--settings FILE] | --broker URL …, as serve", "everything that can be wrong with a desk, each with a command that helps", "逐项体检，并给出处理命令", (*program).doctor},
		{"backup", "FILE|- [--store FILE|URL]", "write all that the desk has into one file, while it runs", "在线备份全部数据到一个文件", (*program).backup},
		{"restore", "FILE|- [--check] [--store FILE|URL]", "make a store of a backup, of either database, where there is none", "由备份还原数据库", (*program).restore},
		{"sign", "--key FILE --topic TOPIC [--terminal ID] [FILE|-]", "wrap a payload with a signature, for mosquitto_pub -s", "给下发报文签名", (*program).sign},
		{"keygen", "--out FILE [--id ID | --cosign NAME]", "make a signing key, or a co-signing key", "生成签名密钥或联署密钥", (*program).keygen},
		{"evidence", "export CASE --for bank|platform|12315|court|store | export --again E-… | keys | trust VKEY | restart | alarms | end N; --store FILE|URL | replay --key FILE [MESSAGES]", "an evidence pack of a case; the keys that a reader needs; alarms about logs of terminals; answer terminals' checkpoints of a file as the desk does", "案件证据包；核验所需公钥；终端日志告警；按后台规则回答文件中的终端检查点", (*program).evidence},
		{"api", "", "print the OpenAPI document of the HTTP API", "输出 HTTP 接口的 OpenAPI 文档", (*program).api},
		{"completion", "bash|zsh|fish", "print the completion of a shell", "输出 shell 的命令补全脚本", (*program).completion},
		{"man", "FOLDER", "write the manual pages into a folder, for man -M", "将手册页写入目录，供 man -M 使用", (*program).man},
		{"version", "[--licences | --sbom]", "version and schema ids; licences of what is in it", "版本；所含软件的许可证", (*program).version},
	}
}

func (p *program) t(en, zh string) string {
	if p.lang == "zh" {
		return zh
	}
	return en
}

// run does what the arguments order and returns the exit code.
func (p *program) run(ctx context.Context) int {
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
		return exitUsage
	}
	switch p.args[0] {
	case "help", "-h", "-help", "--help":
		p.help(p.stdout)
		return exitOK
	case "-version", "--version":
		p.args[0] = "version"
	}
	for _, v := range verbs() {
		if v.name == p.args[0] {
			return p.exit(&v, v.run(p, ctx, &v, p.args[1:]))
		}
	}
	fmt.Fprintf(p.stderr, p.t("yuanlu-desk: there is no verb %q\n", "yuanlu-desk：没有命令 %q\n"), p.args[0])
	p.help(p.stderr)
	return exitUsage
}

func (p *program) help(w io.Writer) {
	fmt.Fprintln(w, p.t("yuanlu-desk: the reference back office", "yuanlu-desk：参考后台"))
	for _, v := range verbs() {
		fmt.Fprintf(w, "  yuanlu-desk %-10s %s\n      %s\n", v.name, p.t(v.en, v.zh), v.usage)
	}
	fmt.Fprintln(w, p.t("All with --json and --lang en|zh; yuanlu-desk VERB --help says more.", "均支持 --json 与 --lang en|zh；详见 yuanlu-desk 命令 --help。"))
}

// readerGone reports whether err is the end of the pipe that our output goes to. Another
// broken pipe, to the database or the API, is an error like any other.
func readerGone(err error) bool {
	var write *fs.PathError
	return errors.As(err, &write) && write.Path == os.Stdout.Name() && errors.Is(write, syscall.EPIPE)
}

// api prints the OpenAPI document.
func (p *program) api(_ context.Context, v *verb, args []string) error {
	if _, err := p.parse(v, p.flags(v), args, 0); err != nil {
		return err
	}
	_, err := p.stdout.Write(api.OpenAPI())
	return err
}

// exit prints the error and returns its code.
func (p *program) exit(v *verb, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp), readerGone(err):
		return exitOK
	case errors.Is(err, errRefused):
		return exitData // each refusal was printed
	case errors.Is(err, errWarnings):
		return exitWarnings
	case errors.Is(err, errErrors):
		return exitErrors
	case errors.Is(err, errUsage):
		fmt.Fprintf(p.stderr, "yuanlu-desk %s: %v\n%s yuanlu-desk %s %s\n", v.name, err, p.t("usage:", "用法："), v.name, v.usage)
		return exitUsage
	}
	fmt.Fprintf(p.stderr, "yuanlu-desk %s: %v\n", v.name, err)
	for _, class := range []struct {
		err  error
		code int
	}{
		{sign.ErrOpen, exitPermission}, {fs.ErrPermission, exitPermission}, {errConfig, exitConfig}, {mqtt.ErrOptions, exitConfig},
		{topics.ErrName, exitConfig}, {sign.ErrKey, exitConfig}, {errCosignKey, exitConfig}, {store.ErrPlace, exitConfig}, {sign.ErrPayload, exitData}, {errLines, exitData},
		{notify.ErrOptions, exitConfig}, {store.ErrBackup, exitData}, {store.ErrNotEmpty, exitStore},
		{sign.ErrTopic, exitUsage}, {errAPI, exitBroker}, {store.ErrHand, exitData}, {store.ErrUnavailable, exitStore}, {store.ErrVersion, exitStore},
		{fs.ErrNotExist, exitNotFound}, {store.ErrNotFound, exitNotFound},
	} {
		if errors.Is(err, class.err) {
			return class.code
		}
	}
	return exitInternal
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

// parse reads the arguments; at most most of them are no flags.
func (p *program) parse(v *verb, f *flag.FlagSet, args []string, most int) (rest []string, err error) {
	for {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) && p.helpFor != nil {
			p.helpFor(f)
			return nil, err
		} else if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(p.stdout, "yuanlu-desk %s %s\n%s\n", v.name, v.usage, p.t(v.en, v.zh))
			f.SetOutput(p.stdout)
			f.PrintDefaults()
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("%w: %w", errUsage, err)
		}
		if args = f.Args(); len(args) == 0 {
			return rest, nil
		}
		if rest = append(rest, args[0]); len(rest) > most {
			return nil, fmt.Errorf("%w: unexpected %q", errUsage, args[0])
		}
		args = args[1:]
	}
}

// printJSON prints one line.
func (p *program) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(append(b, '\n'))
	return err
}

func (p *program) version(_ context.Context, v *verb, args []string) error {
	f := p.flags(v)
	licences := f.Bool("licences", false, p.t("the software of others in this program, with its licences", "所含第三方软件及其许可证"))
	sbom := f.Bool("sbom", false, p.t("its bill of materials (CycloneDX 1.6, JSON)", "软件物料清单（CycloneDX 1.6，JSON）"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	switch {
	case *licences:
		return notices.Write(p.stdout)
	case *sbom:
		return notices.SBOM(p.stdout, "yuanlu-desk", version)
	case p.json:
		return p.printJSON(map[string]any{"program": "yuanlu-desk", "version": version, "commit": commit, "built": buildDate, "schemas": topics.SchemaIDs()})
	}
	_, err := fmt.Fprintf(p.stdout, "yuanlu-desk %s (%s, %s)\n", version, commit, buildDate)
	return err
}

// secretLine returns the first line of a file. The error never holds any of it.
func secretLine(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("%w: the first line of %s is empty", errConfig, path)
	}
	return line, nil
}

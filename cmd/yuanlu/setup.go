package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
)

func setupVerb() *verb {
	return &verb{name: "setup", usage: "[--terminal ID] [--merchant ID] [--link NAME=PORT[,WIRE[,BAUD]]]… [--broker URL] … [--yes]",
		en: "first installation: ask, listen, test the broker, write the configuration, start, end in doctor", zh: "首次安装：询问、监听端口、测试服务器、写入配置、启动并体检", run: (*program).setup}
}

// installation is one run of setup: what was asked for by flags, then by questions.
type installation struct {
	*program
	file    string
	lines   *bufio.Reader // answers
	yes     bool          // no questions
	noStart bool
	long    time.Duration // to listen on a port

	before *config.Config // the configuration that is there, nil: none
	text   []byte         // of the file that is changed
	given  map[string]string
	links  linkFlags
	found  []config.Link
}

// linkFlags is the flag --link, which may be repeated.
type linkFlags []string

func (l *linkFlags) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *linkFlags) Set(v string) error {
	*l = append(*l, v)
	return nil
}

// setupFlags are the flags that each stand for one setting.
func setupFlags() [][4]string {
	return [][4]string{
		{"terminal", "terminal.id", "`id` of this terminal, as its certificate has it", "本终端`标识`，与证书一致"},
		{"merchant", "terminal.merchant_id", "`id` of its merchant, as on a receipt", "商户`号`，见小票"},
		{"broker", "mqtt.url", "`url` of the broker: tls://host:8883; none: nothing is reported", "服务器`地址`：tls://主机:8883；none 表示不上报"},
		{"ca-file", "mqtt.ca_file", "`file` with the certificate of the broker's authority; empty: the system's", "服务器 CA 证书`文件`；留空用系统自带"},
		{"cert-file", "mqtt.cert_file", "`file` with the certificate of this terminal", "本终端证书`文件`"},
		{"key-file", "mqtt.key_file", "`file` with its private key", "本终端私钥`文件`"},
		{"username", "mqtt.username", "`name` at the broker; empty: the terminal's id", "服务器`用户名`；留空用终端标识"},
		{"password-file", "mqtt.password_file", "`file` whose first line is the password", "首行为密码的`文件`"},
	}
}

func (p *program) setup(ctx context.Context, args []string) error {
	v := setupVerb()
	f := p.flags(v)
	in := &installation{program: p, lines: bufio.NewReader(p.stdin), given: map[string]string{}}
	path := p.configFlag(f)
	values := map[string]*string{}
	for _, one := range setupFlags() {
		values[one[1]] = f.String(one[0], "", p.lang.T(one[2], one[3]))
	}
	key := f.String("signing-key", "", p.lang.T("`ID=KEY`: public key that commands must be signed with (yuanlu-desk keygen); optional", "`标识=公钥`：命令须以此签名（yuanlu-desk keygen）；可选"))
	trust := f.Bool("trust-clock", false, p.lang.T("something else than NTP keeps the clock right", "时钟由 NTP 以外的方式保证"))
	f.Var(&in.links, "link", p.lang.T("`NAME=PORT`, then wire and baud where they are known: else it listens; may be repeated", "`名称=端口`，可加协议和速率，否则自动监听；可重复"))
	f.DurationVar(&in.long, "for", time.Minute, p.lang.T("how `long` to listen on each port", "每个端口的监听`时长`"))
	f.BoolVar(&in.yes, "yes", false, p.lang.T("ask nothing", "不提问"))
	f.BoolVar(&in.noStart, "no-start", false, p.lang.T("write the configuration and start nothing", "仅写入配置，不启动"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	in.file = *path
	f.Visit(func(one *flag.Flag) {
		for _, s := range setupFlags() {
			if s[0] == one.Name {
				in.given[s[1]] = *values[s[1]]
			}
		}
	})
	if *trust {
		in.given["time.trust"] = config.TrustAlways
	}
	if err := in.checkGiven(v, *key); err != nil {
		return err
	}
	return in.run(ctx)
}

// checkGiven refuses wrong flags before anything is asked.
func (in *installation) checkGiven(v *verb, key string) error {
	if in.long < time.Second || in.long > time.Hour {
		return in.wrongUsage(v, "%s", in.lang.T("--for wants 1s to 1h", "--for 需要 1s 至 1h"))
	}
	for _, one := range setupFlags() {
		value, given := in.given[one[1]]
		if one[1] == "mqtt.url" && value == "none" {
			in.given["mqtt.url"] = ""
			continue
		}
		if wrong := config.WrongValue(configOptions(), one[1], value); given && wrong != "" {
			return in.wrongUsage(v, "%s", in.sentence("--"+one[0]+" "+wrong))
		}
	}
	for _, one := range in.links {
		if _, err := in.linkOf(one); err != nil {
			return in.wrongUsage(v, "--link %s: %v", one, err)
		}
	}
	if key == "" {
		return nil
	}
	id, public, ok := strings.Cut(key, "=")
	if !ok || config.WrongValue(configOptions(), "backoffice.key[].public_key", public) != "" || config.WrongValue(configOptions(), "backoffice.key[].id", id) != "" {
		return in.wrongUsage(v, "%s", in.lang.T("--signing-key wants ID=KEY, as yuanlu-desk keygen prints them", "--signing-key 需要 标识=公钥，见 yuanlu-desk keygen 的输出"))
	}
	in.given["backoffice.key"] = key
	return nil
}

// run asks, tests, writes, starts and examines.
func (in *installation) run(ctx context.Context) error {
	if err := in.begin(); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{in.askTerminal, in.askLinks, in.askBroker, in.askKey} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	text, after, err := in.changed()
	if err != nil {
		return err
	}
	if err := in.testBroker(ctx, after); err != nil {
		return err
	}
	if err := in.write(text); err != nil {
		return err
	}
	in.sayf("%s written\n", "已写入 %s\n", in.file)
	in.closeSecrets(after)
	if in.noStart {
		return nil
	}
	if err := in.start(ctx, after); err != nil {
		return err
	}
	all := in.examine(ctx, in.file)
	if err := in.showCheckups(all); err != nil {
		return err
	}
	return doctorExit(health.Worst(all))
}

// begin reads what is there and makes sure that it may be changed.
func (in *installation) begin() error {
	dir := filepath.Dir(in.file)
	if err := unix.Access(dir, unix.W_OK); err != nil {
		in.complainf("%s cannot be written to: %v. Run: sudo yuanlu setup\n", "无法写入 %s：%v。请执行：sudo yuanlu setup\n", dir, err)
		if errors.Is(err, fs.ErrNotExist) {
			return errPrinted(exitNotFound)
		}
		return errPrinted(exitPermission)
	}
	c, err := in.readConfig(in.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		in.text = freshConfig(in.lang)
		return nil
	case err != nil:
		return err // a wrong file is mended first: what it says would be lost
	}
	in.before = c
	in.text, err = os.ReadFile(in.file)
	return err
}

// now returns what a setting will be without an answer: the flag, else the file.
func (in *installation) now(setting string) string {
	if v, ok := in.given[setting]; ok {
		return v
	}
	if in.before == nil {
		return ""
	}
	for _, e := range in.before.Effective() {
		if e.Name == setting && !e.Default {
			return strings.Trim(e.Value, `"`)
		}
	}
	return ""
}

// sayf prints for people; with --json only what doctor finds is printed.
func (in *installation) sayf(en, zh string, args ...any) {
	if !in.json {
		fmt.Fprintf(in.stdout, in.lang.T(en, zh), args...)
	}
}

func (in *installation) complainf(en, zh string, args ...any) {
	fmt.Fprintf(in.stderr, "yuanlu setup: "+in.lang.T(en, zh), args...)
}

// linkOf reads NAME=PORT[,WIRE[,BAUD]].
func (in *installation) linkOf(text string) (config.Link, error) {
	name, rest, ok := strings.Cut(text, "=")
	parts := strings.Split(rest, ",")
	l := config.Link{Name: name, Port: parts[0], DataBits: 8, Parity: "none", Enabled: true}
	if !ok || len(parts) > 3 {
		return l, errors.New(in.lang.T("want NAME=PORT[,WIRE[,BAUD]]", "需要 名称=端口[,协议[,速率]]"))
	}
	check := [][2]string{{"name", name}, {"port", l.Port}}
	if len(parts) > 1 {
		l.Wire = parts[1]
		check = append(check, [2]string{"wire", l.Wire})
	}
	for _, one := range check {
		if wrong := config.WrongValue(configOptions(), "link[]."+one[0], one[1]); wrong != "" {
			return l, errors.New(in.sentence(one[0] + " " + wrong))
		}
	}
	if len(parts) == 3 {
		if _, err := fmt.Sscanf(parts[2], "%d", &l.Baud); err != nil || !slices.Contains(speeds(), l.Baud) {
			return l, fmt.Errorf("%s %v", in.lang.T("baud wants one of", "速率应为其中之一："), speeds())
		}
	}
	return l, nil
}

// speeds are those of real terminals.
func speeds() []int {
	return []int{1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600}
}

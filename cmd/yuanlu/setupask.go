package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/probe"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/drivers/serialport"
)

// mostAsked is how often one question is asked again after wrong answers.
const mostAsked = 5

// sentence returns a text of another room in the language of the person.
func (in *installation) sentence(text string) string { return in.lang.Text(catalogue.Translated(text)) }

// ask asks for one setting until the answer is right. An empty answer keeps what is now.
func (in *installation) ask(setting, question, now string, check func(string) string) (string, error) {
	for range mostAsked {
		answer := now
		if !in.yes {
			in.sayf("%s", "%s", question)
			if now != "" {
				in.sayf(" [%s]", " [%s]", now)
			}
			in.sayf(": ", "：")
			line, err := in.lines.ReadString('\n')
			if err != nil && (!errors.Is(err, io.EOF) || line == "" && check(now) != "") {
				return "", in.missing(setting, check(now))
			}
			if line = strings.TrimSpace(line); line != "" {
				answer = line
			}
		}
		wrong := check(answer)
		if wrong == "" {
			return answer, nil
		}
		if in.yes {
			return "", in.missing(setting, wrong)
		}
		in.sayf("  %s\n", "  %s\n", in.sentence(lastPart(setting)+" "+wrong))
	}
	return "", in.missing(setting, check(now))
}

// missing prints which flag is needed where nothing is asked.
func (in *installation) missing(setting, wrong string) error {
	name := setting
	for _, one := range setupFlags() {
		if one[1] == setting {
			name = "--" + one[0]
		}
	}
	in.complainf("%s\n", "%s\n", in.sentence(name+" "+wrong))
	return errUsage
}

// lastPart returns what a setting is called within its table.
func lastPart(setting string) string { return setting[strings.LastIndexByte(setting, '.')+1:] }

func wrongValue(setting string) func(string) string {
	return func(text string) string { return config.WrongValue(configOptions(), setting, text) }
}

func (in *installation) askTerminal(context.Context) error {
	for _, one := range [][2]string{
		{"terminal.id", in.lang.T("id of this terminal (as in its certificate), such as t-00423", "本终端标识（与证书一致），如 t-00423")},
		{"terminal.merchant_id", in.lang.T("merchant id (as on a receipt; empty: records of every merchant are ours)", "商户号（见小票；留空表示不区分商户）")},
	} {
		answer, err := in.ask(one[0], one[1], in.now(one[0]), wrongValue(one[0]))
		if err != nil {
			return err
		}
		in.given[one[0]] = answer
	}
	return nil
}

// askLinks takes the links of the flags; without any, and without one in the file, it shows
// what is there and asks.
func (in *installation) askLinks(ctx context.Context) error {
	for _, text := range in.links {
		l, err := in.linkOf(text)
		if err == nil {
			err = in.recognise(ctx, &l)
		}
		if err != nil {
			return err
		}
		in.found = append(in.found, l)
	}
	if len(in.found) > 0 {
		return nil
	}
	if in.before != nil && len(in.before.Links) > 0 {
		for _, l := range in.before.Links {
			in.sayf("link %s stays as it is: %s, %s\n", "链路 %s 保持不变：%s，%s\n", l.Name, l.Port, l.Wire)
		}
		return nil
	}
	if in.yes {
		in.complainf("--link NAME=PORT is missing; yuanlu links list shows what is there\n", "缺少 --link 名称=端口；yuanlu links list 可查看现有设备\n")
		return errUsage
	}
	return in.choosePort(ctx)
}

// choosePort shows what is there and asks which port the payment terminal is at.
func (in *installation) choosePort(ctx context.Context) error {
	all, err := ports.List(nil)
	if err != nil {
		in.complainf("%v\n", "%v\n", err)
	}
	in.sayf("Where is the payment terminal connected?\n", "支付终端接在哪个端口？\n")
	for i, d := range all {
		in.sayf("  %d  %s  %s\n", "  %d  %s  %s\n", i+1, d.Port, d.What)
	}
	port := func(answer string) string {
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(all) {
			return all[n-1].Port
		}
		return answer
	}
	suggested := ""
	if len(all) == 1 {
		suggested = all[0].Port
	}
	answer, err := in.ask("--link", in.lang.T("number, or the name of the port", "序号或端口名"), suggested,
		func(text string) string { return wrongValue("link[].port")(port(text)) })
	if err != nil {
		return err
	}
	l := config.Link{Name: "pos", Port: port(answer), DataBits: 8, Parity: "none", Enabled: true}
	if err := in.recognise(ctx, &l); err != nil {
		return err
	}
	in.found = append(in.found, l)
	return nil
}

// recognise listens on the port of a link whose wire is not known, and shows the first
// record. A port that cannot be listened on, or that says nothing, is asked about.
func (in *installation) recognise(ctx context.Context, l *config.Link) error {
	if l.Wire != "" {
		return nil
	}
	in.sayf("listening on %s for up to %s: make a small payment, or print the last one again\n",
		"正在监听 %s，最长 %s：请做一笔小额交易或重打上一笔\n", l.Port, in.people(in.zone()).Span(in.long))
	listen, cancel := context.WithTimeout(ctx, in.long)
	defer cancel()
	begin := in.program.now()
	found, err := probe.Run(listen, probe.Options{Port: l.Port, Line: !ports.IsUSB(l.Port), Open: probeOpener(l.Port),
		Unsupported: func(err error) bool { return errors.Is(err, serialport.ErrSettings) },
		Progress:    func(r *probe.Result, s probe.Setting) { in.probeProgress(begin, in.long, r, s) }})
	if !in.json && screen.IsTerminal(in.stderr) {
		fmt.Fprint(in.stderr, "\r\x1b[K")
	}
	switch {
	case err != nil:
		reason := ports.Classify(err).Reason
		in.complainf("%s: %s\n", "%s：%s\n", l.Port, in.sentence(reason))
		if in.yes {
			return in.portError("setup", err)
		}
	case found.Wire == "" && !in.json:
		if err := in.people(in.zone()).Probe(found); err != nil {
			return err
		}
	case found.Wire != "":
		l.Wire, l.Baud, l.DataBits, l.Parity = found.Wire, found.Baud, found.DataBits, found.Parity
		in.showFound(found)
		return nil
	}
	if in.yes {
		in.complainf("%s: name the wire and the speed: --link %s=%s,WIRE,BAUD\n", "%s：请指明协议和速率：--link %s=%s,协议,速率\n", l.Port, l.Name, l.Port)
		return errPrinted(exitNotFound)
	}
	return in.askWire(l)
}

func (in *installation) showFound(r *probe.Result) {
	speed := ""
	if r.Baud > 0 {
		speed = fmt.Sprintf(in.lang.T(", %d baud %s", "，%d 波特 %s"), r.Baud, r.Framing)
	}
	in.sayf("%s: wire %s%s\n", "%s：协议 %s%s\n", r.Port, r.Wire, speed)
	if r.First != nil && !in.json {
		in.people(in.zone()).FirstRecord(r.First)
	}
}

func (in *installation) askWire(l *config.Link) (err error) {
	if ports.IsUSB(l.Port) {
		l.Wire = "smart"
		return nil
	}
	known := strings.Join(wireNames(), ", ")
	if l.Wire, err = in.ask("--link", in.lang.T("wire", "协议")+" ("+known+")", "mispos", wrongValue("link[].wire")); err != nil {
		return err
	}
	baud, err := in.ask("--link", in.lang.T("speed", "速率"), "9600", func(text string) string {
		if n, err := strconv.Atoi(text); err != nil || n < 300 || n > 4_000_000 {
			return "wants a whole number, 300 to 4000000"
		}
		return ""
	})
	if err == nil {
		l.Baud, err = strconv.Atoi(baud)
	}
	return err
}

func (in *installation) askBroker(context.Context) error {
	now := in.now("mqtt.url")
	if strings.HasPrefix(now, "[") { // a list stays as it is
		return nil
	}
	if _, given := in.given["mqtt.url"]; !given || now != "" {
		if err := in.askBrokerURL(now); err != nil {
			return err
		}
	}
	if in.given["mqtt.url"] == "" || in.yes {
		return nil
	}
	return in.askBrokerFiles()
}

// askBrokerURL asks for mqtt.url; "none" leaves it empty.
func (in *installation) askBrokerURL(now string) error {
	answer, err := in.ask("mqtt.url", in.lang.T("broker, such as tls://broker.example:8883 (none: nothing is reported)", "MQTT 服务器，如 tls://broker.example:8883（none 表示不上报）"), now,
		func(text string) string {
			if text == "none" || text == "" && in.yes {
				return ""
			}
			if text == "" {
				return "wants a URL such as tls://broker.example:8883, or none"
			}
			return wrongValue("mqtt.url")(text)
		})
	if err != nil {
		return err
	}
	if answer == "none" {
		answer = ""
	}
	in.given["mqtt.url"] = answer
	return nil
}

// askBrokerFiles asks for the certificates and the password's file.
func (in *installation) askBrokerFiles() error {
	for _, one := range [][2]string{
		{"mqtt.ca_file", in.lang.T("certificate of the broker's authority (empty: the system's)", "服务器 CA 证书文件（留空用系统自带）")},
		{"mqtt.cert_file", in.lang.T("certificate of this terminal (empty: none)", "本终端证书文件（留空则无）")},
		{"mqtt.key_file", in.lang.T("its private key (empty: none)", "本终端私钥文件（留空则无）")},
		{"mqtt.password_file", in.lang.T("file with the password (empty: none)", "密码文件（留空则无）")},
	} {
		if strings.HasPrefix(in.given["mqtt.url"], "tcp:") && one[0] != "mqtt.password_file" {
			continue
		}
		answer, err := in.ask(one[0], one[1], in.now(one[0]), func(text string) string {
			if wrong := wrongValue(one[0])(text); wrong != "" || text == "" {
				return wrong
			}
			if _, err := os.Stat(filepath.Clean(text)); err != nil {
				return "wants a file that is there"
			}
			return ""
		})
		if err != nil {
			return err
		}
		if answer != "" {
			in.given[one[0]] = answer
		}
	}
	return nil
}

// askKey asks for the key that commands must be signed with, which is optional.
func (in *installation) askKey(context.Context) error {
	if _, given := in.given["backoffice.key"]; given || in.yes || in.given["mqtt.url"] == "" || in.before != nil && len(in.before.Backoffice.Keys) > 0 {
		return nil
	}
	answer, err := in.ask("--signing-key", in.lang.T("signing key of the back office, ID=KEY (optional; empty: none)", "后台签名公钥，标识=公钥（可选；留空则无）"), "", func(text string) string {
		id, public, _ := strings.Cut(text, "=")
		switch {
		case text == "":
			return ""
		case wrongValue("backoffice.key[].id")(id) != "":
			return wrongValue("backoffice.key[].id")(id)
		}
		return wrongValue("backoffice.key[].public_key")(public)
	})
	if err == nil && answer != "" {
		in.given["backoffice.key"] = answer
	}
	return err
}

// testBroker connects as the terminal itself: TLS, password and access list. While a daemon
// runs with the same broker, doctor asks that one.
func (in *installation) testBroker(ctx context.Context, c *config.Config) error {
	if len(c.MQTT.URLs) == 0 {
		return nil
	}
	if in.before != nil && fmt.Sprint(in.before.MQTT) == fmt.Sprint(c.MQTT) && daemonRuns(ctx, c) {
		return nil
	}
	lines := in.examineHere(ctx, c, nil, "broker")
	if err := in.showCheckups(lines); err != nil {
		return err
	}
	if in.yes || health.Worst(lines) != health.Error {
		return nil
	}
	answer, err := in.ask("answer", in.lang.T("write the configuration all the same? cases wait on this terminal until the broker can be reached (yes, no)", "仍然写入配置？连上服务器前案件保存在本机（yes/no）"), "no", func(text string) string {
		if text != "yes" && text != "no" {
			return "wants one of yes, no"
		}
		return ""
	})
	if err == nil && answer == "no" {
		err = errPrinted(exitBroker)
	}
	return err
}

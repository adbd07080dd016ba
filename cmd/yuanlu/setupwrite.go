package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
)

var (
	//go:embed package/yuanlu.toml
	exampleEN []byte
	//go:embed package/yuanlu.zh.toml
	exampleZH []byte
)

// exampleConfig returns the commented example in a language.
func exampleConfig(lang screen.Language) []byte {
	if lang == screen.Chinese {
		return exampleZH
	}
	return exampleEN
}

// freshConfig is the example without its link: what setup begins with.
func freshConfig(lang screen.Language) []byte {
	var kept [][]byte
	link := false
	for line := range bytes.Lines(exampleConfig(lang)) {
		if bytes.HasPrefix(line, []byte("[")) {
			link = bytes.HasPrefix(line, []byte("[[link]]"))
		}
		if !link {
			kept = append(kept, line)
		}
	}
	return bytes.Join(kept, nil)
}

// changed returns the text with all answers in it, and what it means. Nothing that was not
// asked about is different from before.
func (in *installation) changed() ([]byte, *config.Config, error) {
	text, err := config.Edit(in.text, in.changes())
	if err != nil {
		return nil, nil, err
	}
	c, err := config.Parse(in.file, text, configOptions())
	if err != nil {
		return nil, nil, err
	}
	return text, c, nil
}

func (in *installation) changes() []config.Change {
	var all []config.Change
	for _, name := range []string{"terminal.id", "terminal.merchant_id", "mqtt.url", "mqtt.ca_file", "mqtt.cert_file", "mqtt.key_file", "mqtt.username", "mqtt.password_file", "time.trust"} {
		value, given := in.given[name]
		if !given || in.before != nil && value == in.now(name) && value == in.fileValue(name) {
			continue
		}
		table, key, _ := strings.Cut(name, ".")
		c := config.Change{Table: table, Key: key, Value: strconv.Quote(value)}
		if value == "" && name != "mqtt.url" {
			c.Value = ""
		}
		all = append(all, c)
	}
	var links []config.Link // as they will stand in the file: one of a known name in its place
	if in.before != nil {
		links = slices.Clone(in.before.Links)
	}
	for _, l := range in.found {
		at := slices.IndexFunc(links, func(one config.Link) bool { return one.Name == l.Name })
		if at < 0 {
			at, links = len(links), append(links, l)
		}
		all = append(all, linkChanges(&l, at)...)
	}
	if key := in.given["backoffice.key"]; key != "" {
		id, public, _ := strings.Cut(key, "=")
		at := 0
		if in.before != nil {
			for at < len(in.before.Backoffice.Keys) && in.before.Backoffice.Keys[at].ID != id {
				at++
			}
		}
		all = append(all, config.Change{Table: "backoffice.key", Element: at, Key: "id", Value: strconv.Quote(id)},
			config.Change{Table: "backoffice.key", Element: at, Key: "public_key", Value: strconv.Quote(public)})
	}
	return all
}

// fileValue returns what the file says about a setting, "" nothing.
func (in *installation) fileValue(name string) string {
	for _, e := range in.before.Effective() {
		if e.Name == name && !e.Default {
			return strings.Trim(e.Value, `"`)
		}
	}
	return ""
}

// linkChanges are those that make the link at a place of the file what it is to be.
func linkChanges(l *config.Link, at int) []config.Change {
	set := func(key, value string) config.Change {
		return config.Change{Table: "link", Element: at, Key: key, Value: value}
	}
	all := []config.Change{set("name", strconv.Quote(l.Name)), set("wire", strconv.Quote(l.Wire)), set("port", strconv.Quote(l.Port))}
	if ports.IsUSB(l.Port) {
		return append(all, set("baud", ""), set("data_bits", ""), set("parity", ""), set("stop_bits", ""))
	}
	if l.Baud > 0 {
		all = append(all, set("baud", strconv.Itoa(l.Baud)))
	}
	if l.Parity == "none" {
		return append(all, set("data_bits", ""), set("parity", ""))
	}
	return append(all, set("data_bits", strconv.Itoa(l.DataBits)), set("parity", strconv.Quote(l.Parity)))
}

// write puts the text in the place of the file, whole or not at all. A new file belongs to
// the group of its folder, which is the daemon's, and is not for others: it may name what
// protects the broker.
func (in *installation) write(text []byte) (err error) {
	mode, uid, gid := os.FileMode(0o640), -1, -1
	for _, like := range []string{in.file, filepath.Dir(in.file)} {
		info, err := os.Stat(like)
		if err != nil {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(owner.Uid), int(owner.Gid)
		}
		if !info.IsDir() {
			mode = info.Mode().Perm()
		}
		break
	}
	f, err := os.CreateTemp(filepath.Dir(in.file), filepath.Base(in.file)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && os.Geteuid() == 0 {
		err = f.Chown(uid, gid)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), in.file); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(in.file))
}

// closeSecrets makes the password and the private key readable for the daemon's group, which
// is that of the configuration's folder, and for no other user. Only root can.
func (in *installation) closeSecrets(c *config.Config) {
	info, err := os.Stat(filepath.Dir(in.file))
	if err != nil || os.Geteuid() != 0 {
		return
	}
	folder, ok := info.Sys().(*syscall.Stat_t)
	if !ok || folder.Gid == 0 {
		return // there is no group of a daemon
	}
	for _, name := range []string{c.MQTT.PasswordFile, c.MQTT.KeyFile} {
		secret, err := os.Stat(name)
		if name == "" || err != nil {
			continue // doctor names it
		}
		owner, ok := secret.Sys().(*syscall.Stat_t)
		mode := secret.Mode().Perm()&^0o037 | 0o040
		if !ok || owner.Gid == folder.Gid && mode == secret.Mode().Perm() {
			continue
		}
		if err := errors.Join(os.Chown(name, -1, int(folder.Gid)), os.Chmod(name, mode)); err != nil {
			in.complainf("%v\n", "%v\n", err)
			continue
		}
		in.sayf("%s: for its owner and the daemon's group alone (mode %04o)\n", "%s：仅属主和守护进程组可读（权限 %04o）\n", name, mode)
	}
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Times of starting the daemon.
const (
	startTime  = 60 * time.Second // for the command that starts it
	upTime     = 30 * time.Second // until it answers
	brokerTime = 15 * time.Second // until it is connected
	upAgain    = 250 * time.Millisecond
)

// start starts the daemon, or has it read the configuration again, by what this machine
// starts services with; else it prints the command.
func (in *installation) start(ctx context.Context, c *config.Config) error {
	running := daemonRuns(ctx, c)
	commands := in.startCommands(running)
	if commands == nil && !running {
		in.sayf("start it: yuanlu run --config %s\n", "请启动：yuanlu run --config %s\n", in.file)
		return nil
	}
	if commands == nil {
		in.sayf("the daemon runs; send it SIGHUP: kill -HUP $(pidof yuanlu)\n", "守护进程正在运行；请发送 SIGHUP：kill -HUP $(pidof yuanlu)\n")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startTime+upTime+brokerTime)
	defer cancel()
	for _, command := range commands {
		in.sayf("%s\n", "%s\n", "# "+strings.Join(command, " "))
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		if err != nil {
			in.complainf("%s: %v\n%s", "%s：%v\n%s", strings.Join(command, " "), err, out)
			return errPrinted(exitInternal)
		}
	}
	in.waitUp(ctx, c)
	return nil
}

// startCommands returns what starts or reloads the service here; nil: there is none.
func (in *installation) startCommands(running bool) [][]string {
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	verb := "start"
	if running {
		verb = "reload"
	}
	switch {
	case in.file != defaultConfig:
		return nil
	case exists("/run/systemd/system") && (exists("/lib/systemd/system/yuanlu.service") || exists("/etc/systemd/system/yuanlu.service")):
		if running {
			return [][]string{{"systemctl", "reload", "yuanlu"}}
		}
		return [][]string{{"systemctl", "enable", "yuanlu"}, {"systemctl", "restart", "yuanlu"}}
	case exists("/run/openrc") && exists("/etc/init.d/yuanlu"):
		return [][]string{{"rc-service", "yuanlu", verb}}
	case exists("/etc/init.d/yuanlu"):
		return [][]string{{"/etc/init.d/yuanlu", verb}}
	}
	return nil
}

// snapshotOf asks the running daemon for its snapshot.
func snapshotOf(ctx context.Context, c *config.Config) (s health.Snapshot, err error) {
	err = control.Call(ctx, c.Control.Socket, "status", nil, func(raw json.RawMessage) error { return json.Unmarshal(raw, &s) })
	return s, err
}

func daemonRuns(ctx context.Context, c *config.Config) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err := snapshotOf(ctx, c)
	return err == nil
}

// askTime is how long a daemon may take to answer whether it runs.
const askTime = 5 * time.Second

// waitUp waits until the daemon answers, and for a while until it has reached the broker:
// what it does not reach, doctor names.
func (in *installation) waitUp(ctx context.Context, c *config.Config) {
	begin := in.program.now()
	for {
		s, err := snapshotOf(ctx, c)
		connected := s.MQTT == nil || s.MQTT.Connected
		took := in.program.now().Sub(begin)
		if err == nil && s.Ready && s.Config == c.Digest() && (connected || took > brokerTime) || took > upTime || !wait(ctx, upAgain) {
			return
		}
	}
}

// zone is that of the configuration, where there is one.
func (in *installation) zone() *time.Location {
	if in.before != nil {
		return in.before.Time.Location()
	}
	return time.UTC
}

// configInit prints the commented example.
func (p *program) configInit() error {
	text := exampleConfig(p.lang)
	if p.json {
		return p.printJSON(map[string]string{"toml": string(text)})
	}
	_, err := fmt.Fprint(p.stdout, string(text))
	return err
}

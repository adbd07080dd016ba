package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// foreign makes the store the property of another user than the one that has the database.
func (p *patient) foreign() {
	p.once()
	p.must(os.Chown(p.store, nobody, nobody))
}

// obstructed puts folders where the control socket and the log file go.
func (p *patient) obstructed() {
	p.must(os.MkdirAll(filepath.Join(p.store, "control.sock"), 0o700))
	p.must(os.MkdirAll(filepath.Join(p.store, "log", "yuanlu.log"), 0o700))
}

// asNobody starts the daemon as another user than root, which becomes ready or not.
func (p *patient) asNobody(event string) {
	p.passable()
	bin, err := program()
	p.must(err)
	cmd := exec.Command(bin, "run", "--config", p.config)
	cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	p.must(cmd.Start())
	p.cmd, p.done = cmd, make(chan error, 1)
	go func() { p.done <- cmd.Wait() }()
	eventually(p.t, 30*time.Second, event, func() bool { return p.said(event) > 0 })
}

// elsewhere puts the control socket out of the store.
const elsewhere = "[control]\nsocket = \"/tmp/yuanlu-doctor-%s.sock\"\n"

// TestE2EDoctorOfStores: the rows about the store and its disk.
func TestE2EDoctorOfStores(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("other users and mounts need root")
	}
	socket := func(no string) string { return strings.Replace(elsewhere, "%s", no+itoa(os.Getpid()), 1) }
	examine(t, []ill{
		{no: "17S", name: "read-only, stopped", code: 5, setUp: func(p *patient) { p.disk("80m"); p.once(); p.remount("ro") },
			want: []string{"× store", "lies on a read-only file system (STORE)", "sudo mount -o remount,rw STORE"}, never: []string{"chown"}},
		{no: "17R", name: "read-only, running", set: settings{extra: socket("17R")}, code: 5, setUp: func(p *patient) {
			p.disk("80m")
			p.remount("ro")
			p.launch("store.unavailable")
		}, want: []string{"(store_unavailable)", "sudo mount -o remount,rw STORE"}, never: []string{"chown"}},
		{no: "18", name: "read-only at the start, then not", code: 4, setUp: func(p *patient) {
			p.disk("80m")
			p.remount("ro")
			p.launch("control.unavailable")
			p.remount("rw")
			eventually(p.t, 60*time.Second, "the control socket", func() bool { return p.said("control.available") > 0 })
			eventually(p.t, 60*time.Second, "the port", func() bool { return p.said("link.online") > 0 })
			p.open() // so that there is something to warn of
			eventually(p.t, 30*time.Second, "held", func() bool { return p.theLink().Verdict == "port_held" })
		}, want: []string{"√ daemon"}, never: []string{"is not running", "end that process", "×"}},
		{no: "19", name: "full, stopped", code: 5, setUp: func(p *patient) { p.disk("2m"); fill(p.t.(*testing.T), filepath.Join(p.store, "x")) },
			want: []string{"the disk of STORE is full", "at least 64 MiB", "df -h STORE", "never delete yuanlu.db"}},
		{no: "20", name: "almost full, running", code: 4, setUp: func(p *patient) { p.disk("32m"); p.connected() },
			want: []string{"(disk_low)", "df -h STORE"}},
		{no: "21", name: "damaged, running", code: 4, setUp: func(p *patient) { p.once(); p.flip(); p.connected() },
			want: []string{"(store_damaged)", "quarantine/", "dmesg"}},
		{no: "22", name: "damaged, stopped", code: 5, setUp: func(p *patient) { p.once(); p.flip() },
			want: []string{"× database", "does not match its sum", "quarantine/"}, never: []string{"√ database"}},
		{no: "23S", name: "files of another user, stopped", code: 5, setUp: (*patient).foreign,
			want: []string{"STORE/yuanlu.db belongs to root, the daemon runs as nobody", "sudo chown -R nobody: STORE"}},
		{no: "23R", name: "files of another user, running", set: settings{extra: socket("23R")}, code: 5, setUp: func(p *patient) {
			p.foreign()
			p.must(os.Chmod(p.line.Place(), 0o666))
			p.asNobody("store.unavailable")
		}, want: []string{"(store_unavailable)", "STORE/yuanlu.db belongs to root, the daemon runs as nobody", "sudo chown -R nobody: STORE"}, never: []string{"dmesg"}},
		{no: "24", name: "keys missing", code: 4, setUp: func(p *patient) {
			p.once()
			p.must(os.Remove(filepath.Join(p.store, "keys", "token")))
			p.connected()
		}, want: []string{"keys/token was missing, a new key was made", "cannot be compared", "put the old keys/ back"}, never: []string{"moved aside"}},
		{no: "25", name: "keys open to others", code: 4, setUp: func(p *patient) {
			p.once()
			p.must(os.Chmod(filepath.Join(p.store, "keys", "token"), 0o644))
		}, want: []string{"keys/token may be read by every user", "chmod 0600 STORE/keys/token"}},
		{no: "26", name: "a file in place of the folder", code: 5, setUp: func(p *patient) { p.must(os.WriteFile(p.store, nil, 0o600)) },
			want: []string{"STORE is a file, not a folder", "sudo mv STORE STORE.old"}, never: []string{"chown"}},
		{no: "59S", name: "folders in place of socket and log, stopped", code: 5, setUp: (*patient).obstructed,
			want: []string{"× the control socket", "STORE/control.sock is a folder", "sudo mv STORE/control.sock STORE/control.sock.old", "‼ the log file", "STORE/log/yuanlu.log is a folder", "sudo mv STORE/log/yuanlu.log"}},
		{no: "59R", name: "folders in place of socket and log, running", code: 5, setUp: func(p *patient) {
			p.obstructed()
			p.launch("control.unavailable")
			if n := p.said("file.in_the_way"); n != 2 {
				p.t.Errorf("%d obstacles in the log, want 2:\n%s", n, p.log.tail(20))
			}
		}, want: []string{"× the control socket", "sudo mv STORE/control.sock STORE/control.sock.old", "‼ the log file", "STORE/log/yuanlu.log is a folder"}, never: []string{"is not running", "systemctl start"}},
		{no: "59L", name: "a folder in place of the log, running", code: 4, setUp: func(p *patient) {
			p.must(os.MkdirAll(filepath.Join(p.store, "log", "yuanlu.log"), 0o700))
			p.healthy()
		}, want: []string{"√ daemon", "‼ the log file", "STORE/log/yuanlu.log is a folder", "sudo mv STORE/log/yuanlu.log STORE/log/yuanlu.log.old"}},
		{no: "27", name: "not mounted", code: 5, setUp: func(p *patient) {
			p.must(os.MkdirAll(p.store, 0o700))
			p.edit("[store]", "[store]\nmount = \""+p.dir+"\"")
		}, want: []string{"DIR is not mounted", "sudo mount DIR"}, never: []string{"√ store"}},
	})
}

// TestE2EDoctorOfConfigurations: the rows about the configuration.
func TestE2EDoctorOfConfigurations(t *testing.T) {
	rest := []string{"‼ daemon", "√ link pos", "√ clock", "√ store"} // what a mistake does not hide
	with := func(more ...string) []string { return append(more, rest...) }
	examine(t, []ill{
		{no: "28", name: "mistakes", code: 5, setUp: func(p *patient) {
			p.edit("[case]", "[case]\nmin_severty = \"low\"")
			p.edit("[delivery]", "[delivery]\nack_timeuot = \"3s\"")
		}, want: with("min_severty", "did you mean", "ack_timeuot", "× config", "yuanlu.toml:")},
		{no: "29", name: "a byte order mark", code: 5, setUp: func(p *patient) { p.must(os.WriteFile(p.config, []byte("\ufeff"+p.file()), 0o600)) },
			want: with("× config", "yuanlu.toml:1:")},
		{no: "30", name: "curly quotes", code: 5, setUp: func(p *patient) { p.edit(`id = "t-30"`, "id = “t-30”") }, want: with("× config", "yuanlu.toml:3:")},
		{no: "31", name: "text without quotes", code: 5, setUp: func(p *patient) { p.edit("baud = 115200", "baud = fast") }, want: with("× config", "yuanlu.toml:11:")},
		{no: "32", name: "not readable for this user", code: 5, setUp: func(p *patient) {
			p.passable()
			p.must(os.Chmod(p.config, 0o600))
			p.as = nobody
		}, want: []string{"× config", "this user may not read it: sudo yuanlu doctor"}, never: []string{"correct the file"}},
		{no: "33", name: "none", code: 5, setUp: func(p *patient) { p.must(os.Remove(p.config)) },
			want: []string{"× config", "yuanlu config init | sudo tee CONFIG"}, never: []string{"correct the file"}},
		{no: "34", name: "not reloaded", code: 4, setUp: func(p *patient) { p.healthy(); p.edit("ack_timeout = \"2s\"", "ack_timeout = \"3s\"") },
			want: []string{"the file says", "systemctl reload yuanlu"}},
		{no: "35", name: "wrong while the daemon runs", code: 5, setUp: func(p *patient) { p.healthy(); p.edit("[case]", "[case]\nmin_severty = \"low\"") },
			want: []string{"× config", "min_severty", "√ daemon", "√ link pos", "√ store", "√ broker"}},
		{no: "51", name: "clock", set: settings{extra: "[time]\ntrust = \"kernel\"\n"}, code: 4, want: []string{"clock", "sync"}},
		{no: "56", name: "a configuration from afar refused", code: 4, setUp: func(p *patient) {
			h := newHeadquarters(p.t, p.broker.URL(), p.id)
			p.healthy()
			h.desire(1, 0, "[case]\nmin_severty = \"low\"\n[log]\nlevl = \"debug\"\n", "")
			eventually(p.t, 20*time.Second, "refused", func() bool { return p.said("config.rejected") > 0 })
		}, want: []string{"version 1 of the back office was refused", "min_severty", "levl"}, never: []string{"(+"}},
		{no: "57", name: "a configuration from afar on trial", code: 5, setUp: func(p *patient) {
			h := newHeadquarters(p.t, p.broker.URL(), p.id)
			p.healthy()
			h.desire(1, 0, strings.Replace(p.file(), p.broker.URL(), "tcp://127.0.0.1:1", 1), "")
			eventually(p.t, 20*time.Second, "taken", func() bool { _, version, _ := p.inForce(); return version == 1 && p.said("agent.ready") == 2 })
		}, want: []string{"on trial: undone by itself after", "config revert"}},
	})
}

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// ill is one set-up that doctor looks at: one row of the table of broken set-ups, by its
// number.
type ill struct {
	no, name string
	set      settings
	setUp    func(p *patient)
	args     []string // of doctor, besides --config
	code     int
	want     []string // in what it prints
	never    []string
}

// patient is a station under examination, with its port.
type patient struct {
	*station
	line   *wire.PTY
	broker *brokertest.Broker
	as     uint32 // the user that doctor runs as; 0: root
}

const nobody = 65534

// trusted is a clock that needs no NTP.
const trusted = "[time]\ntrust = \"always\"\n"

// examine runs the rows, each on its own station.
func examine(t *testing.T, rows []ill) {
	broker := brokertest.Start(t, brokertest.Options{Unchecked: true})
	for _, row := range rows {
		t.Run(row.no+" "+row.name, func(t *testing.T) {
			t.Parallel()
			line, err := wire.OpenPTY()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { line.Close() })
			set := row.set
			set.id = "t-" + strings.ToLower(strings.NewReplacer(" ", "", ",", "").Replace(row.no))
			if set.port == "" {
				set.port = line.Place()
			}
			if set.broker == "" {
				set.broker = broker.URL()
			}
			if !strings.Contains(set.extra, "[time]") {
				set.extra += trusted
			}
			p := &patient{station: newStation(t, set), line: line, broker: broker}
			if row.setUp != nil {
				row.setUp(p)
			}
			code, out := p.doctorAt(400, row.args...)
			for _, want := range row.want {
				if want = p.fill(want); !strings.Contains(out, want) {
					t.Errorf("no %q", want)
				}
			}
			for _, never := range row.never {
				if strings.Contains(out, p.fill(never)) {
					t.Errorf("there is %q", never)
				}
			}
			if code != row.code || t.Failed() {
				t.Errorf("it ends with %d, want %d:\n%s", code, row.code, out)
			}
			p.everyReader(t, &row)
		})
	}
}

// fill puts what differs from run to run into an expectation.
func (p *patient) fill(text string) string {
	pid := "?"
	if p.cmd != nil {
		pid = itoa(p.cmd.Process.Pid)
	}
	return strings.NewReplacer("SELF", itoa(os.Getpid()), "PID", pid, "STORE", p.store, "PORT", p.line.Place(), "DIR", p.dir, "CONFIG", p.config).Replace(text)
}

func (p *patient) doctor(args ...string) (code int, out string) {
	return p.doctorAt(counterColumns, args...)
}

// doctorAt is doctor on a screen of so many columns.
func (p *patient) doctorAt(columns int, args ...string) (code int, out string) {
	return p.run(columns, "doctor", args...)
}

// run is a verb on a screen of so many columns.
func (p *patient) run(columns int, verb string, args ...string) (code int, out string) {
	cmd := p.command(verb, args...)
	if p.as != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: p.as, Gid: p.as}}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8", "COLUMNS="+itoa(columns))
	b, err := cmd.CombinedOutput()
	return exitOf(err), string(b)
}

// healthy starts the daemon and has the terminal speak until the link is good.
func (p *patient) healthy() {
	p.connected()
	speaking(p.t.(*testing.T), "e-sign", "mispos", p.line, asItIs)
	eventually(p.t, 30*time.Second, "a good link", func() bool { return p.theLink().Verdict == "good" })
}

// connected starts the daemon and waits until it is connected to its broker.
func (p *patient) connected() {
	before := p.said("mqtt.connected")
	p.startOnline()
	eventually(p.t, 30*time.Second, "the broker", func() bool { return p.said("mqtt.connected") > before })
}

// must fails the test on an error.
func (p *patient) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces text in the configuration.
func (p *patient) edit(from, to string) {
	p.must(os.WriteFile(p.config, []byte(strings.Replace(p.file(), from, to, 1)), 0o600))
}

// passable lets other users reach the station's folder and the program.
func (p *patient) passable() {
	for _, dir := range []string{binaries, filepath.Dir(p.dir), p.dir} {
		p.must(os.Chmod(dir, 0o755))
	}
	p.must(os.Chmod(p.config, 0o644))
}

// once runs the daemon and ends it, so that there is a store.
func (p *patient) once() {
	p.startOnline()
	p.stop()
}

// disk mounts a small file system where the store goes.
func (p *patient) disk(size string) string {
	p.must(os.MkdirAll(p.store, 0o700))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+",mode=0700", "tmpfs", p.store).CombinedOutput(); err != nil {
		p.t.Fatalf("mount: %v: %s", err, out)
	}
	p.t.Cleanup(func() {
		p.kill()
		exec.Command("umount", "-l", p.store).Run()
	})
	return p.store
}

func (p *patient) remount(how string) {
	if out, err := exec.Command("mount", "-o", "remount,"+how, p.store).CombinedOutput(); err != nil {
		p.t.Fatalf("remount: %v: %s", err, out)
	}
}

// launch starts the daemon and waits for a line of its log, not for its being ready.
func (p *patient) launch(event string) {
	go func() { _ = p.tryStart(time.Second) }() // it is not ready: the log shows it
	eventually(p.t, 30*time.Second, event, func() bool { return p.said(event) > 0 })
	eventually(p.t, 10*time.Second, "the start given up", func() bool { return p.cmd != nil })
}

// open opens the port as another program does, without its lock.
func (p *patient) open() {
	f, err := os.OpenFile(p.line.Place(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	p.must(err)
	p.t.Cleanup(func() { f.Close() })
}

// flip changes a byte in the middle of a page of the database.
func (p *patient) flip() {
	path := filepath.Join(p.store, "yuanlu.db")
	b, err := os.ReadFile(path)
	p.must(err)
	b[4096+2000] ^= 0x10
	p.must(os.WriteFile(path, b, 0o600))
}

// TestE2EDoctorOfPorts: the rows about the daemon and its ports.
func TestE2EDoctorOfPorts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("other users and mounts need root")
	}
	examine(t, []ill{
		{no: "1S", name: "all good, stopped", code: 4, want: []string{"is not running", "sudo systemctl start yuanlu", "√ link pos", "√ broker"}, never: []string{"×"}},
		{no: "1R", name: "all good", code: 0, setUp: (*patient).healthy, want: []string{"√ link pos", "good, last", "(commands_unsigned)"}, never: []string{"‼", "×"}},
		{no: "2S", name: "port missing", set: settings{port: "/dev/ttyNONE"}, code: 5, want: []string{"× link pos", "/dev/ttyNONE: no such file", "yuanlu links list"}},
		{no: "2R", name: "port missing, running", set: settings{port: "/dev/ttyNONE"}, code: 5, setUp: func(p *patient) {
			p.start()
			eventually(p.t, 20*time.Second, "absent", func() bool { return p.said("link.absent") > 0 })
		}, want: []string{"no_link", "link_absent", "yuanlu links list"}},
		{no: "3", name: "no permission, group may not either", code: 5, setUp: func(p *patient) {
			p.must(os.Mkdir(p.store, 0o700))
			p.must(os.Chown(p.store, nobody, nobody))
			p.must(os.Chmod(p.line.Place(), 0o600))
		}, want: []string{"nobody may not open it", "(mode 0600)", "sudo chown nobody PORT", "70-yuanlu.rules"}, never: []string{"usermod"}},
		{no: "3G", name: "no permission, group may", code: 5, setUp: func(p *patient) {
			p.must(os.Mkdir(p.store, 0o700))
			p.must(os.Chown(p.store, nobody, nobody))
			p.must(os.Chown(p.line.Place(), 0, 20))
			p.must(os.Chmod(p.line.Place(), 0o660))
		}, want: []string{"group dialout (mode 0660)", "sudo usermod -aG dialout nobody"}, never: []string{"udev"}},
		{no: "4", name: "daemon of root, doctor of another user", code: 5, setUp: func(p *patient) {
			p.healthy()
			p.passable()
			p.as = nobody
			for _, verb := range []string{"status", "tail", "cases", "outbox"} {
				args := map[string][]string{"cases": {"list"}, "outbox": {"list"}}[verb]
				if code, out := p.run(counterColumns, verb, args...); code != 77 || !strings.Contains(out, "try: sudo yuanlu "+verb) {
					p.t.Errorf("%s of a user who may not: %d %s", verb, code, out)
				}
			}
		}, want: []string{"it runs, and this user may not ask it", "sudo yuanlu doctor"}, never: []string{"chown", "tell the back office"}},
		{no: "5", name: "port held, stopped", code: 5, setUp: (*patient).open, want: []string{"held by pid SELF", "sudo kill SELF"}},
		{no: "6", name: "port opened first by another", code: 4, setUp: func(p *patient) {
			p.open()
			p.startOnline()
			eventually(p.t, 30*time.Second, "held", func() bool { return p.theLink().Verdict == "port_held" })
		}, want: []string{"(link_held)", "also open in pid SELF"}, never: []string{"√ link"}},
		{no: "7", name: "port opened later by another", code: 4, setUp: func(p *patient) {
			p.healthy()
			p.open()
			eventually(p.t, 30*time.Second, "held", func() bool { return p.theLink().Verdict == "port_held" })
		}, want: []string{"(link_held)", "also open in pid SELF", "sudo kill SELF"}, never: []string{"√ link"}},
		{no: "8", name: "second daemon, same port", code: 5, setUp: func(p *patient) {
			p.startOnline()
			first := p.cmd.Process.Pid
			second := newStation(p.t, settings{port: p.line.Place(), id: "t-8b", broker: p.broker.URL(), extra: trusted})
			second.start()
			eventually(p.t, 30*time.Second, "denied", func() bool { return second.said("link.denied") > 0 })
			out, _ := second.command("doctor").CombinedOutput()
			if !strings.Contains(string(out), "held by pid "+itoa(first)+" (yuanlu") || !strings.Contains(string(out), "another yuanlu has it") {
				p.t.Errorf("the second one: %s", out)
			}
			bin, err := program()
			p.must(err)
			out, err = exec.Command(bin, "links", "probe", p.line.Place(), "--lang", "en").CombinedOutput()
			if exitOf(err) != 74 || !strings.Contains(string(out), "sudo systemctl stop yuanlu") {
				p.t.Errorf("links probe beside a daemon: %v: %s", err, out)
			}
			second.stop()
			p.must(p.cmd.Process.Signal(syscall.SIGSTOP)) // and 52: it hangs
		}, want: []string{"process PID was stopped by a signal", "sudo kill -CONT PID"}, never: []string{"as root"}},
		{no: "9", name: "second daemon, same store", code: 5, setUp: func(p *patient) {
			p.startOnline()
			p.edit("[store]", "[control]\nsocket = \""+p.dir+"/elsewhere.sock\"\n[store]")
		}, want: []string{"it is open in process PID", "ps -o user,lstart,args -p PID"}},
		{no: "52", name: "daemon hangs", code: 5, setUp: func(p *patient) {
			p.startOnline()
			p.must(p.cmd.Process.Signal(syscall.SIGSTOP))
			begin := time.Now()
			p.doctor()
			if took := time.Since(begin); took > 15*time.Second { // once 30 s; alone on a machine 2 s
				p.t.Errorf("it took %v", took)
			}
		}, want: []string{"process PID was stopped by a signal", "sudo kill -CONT PID"}, never: []string{"as root"}},
		{no: "53", name: "daemon killed", code: 4, setUp: func(p *patient) { p.startOnline(); p.kill() },
			want: []string{"is not running", "sudo systemctl start yuanlu"}},
	})
}

// TestE2EDoctorOfLines: the rows about what comes on a line.
func TestE2EDoctorOfLines(t *testing.T) {
	wrong := func(sent, verdict string, change func([]byte) []byte) func(p *patient) {
		models := map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"}
		return func(p *patient) {
			p.startOnline()
			if sent != "" {
				speaking(p.t.(*testing.T), models[sent], sent, p.line, change)
			}
			eventually(p.t, 40*time.Second, verdict, func() bool {
				l := p.theLink()
				return l.Verdict == verdict && (l.Fit == nil || l.Fit.Wire != "" || verdict != "refused")
			})
		}
	}
	noise := func(b []byte) []byte {
		out := make([]byte, len(b))
		for i := range out {
			out[i] = byte(i*i*37+int(b[i])*11) | 0x80
		}
		return out
	}
	examine(t, []ill{
		{no: "10", name: "smart on mispos", code: 4, setUp: wrong("smart", "no_frame", asItIs), want: []string{"(link_no_frame)", "it is wire smart", `set wire = "smart"`}, never: []string{"√ link"}},
		{no: "11", name: "mispos on smart", set: settings{wire: "smart"}, code: 4, setUp: wrong("mispos", "no_frame", asItIs), want: []string{"(link_no_frame)", "it is wire mispos", `set wire = "mispos"`}, never: []string{"√ link"}},
		{no: "12", name: "mispos on cup8583", set: settings{wire: "cup8583"}, code: 4, setUp: wrong("mispos", "refused", asItIs), want: []string{"(link_refused)", "it is wire mispos"}, never: []string{"√ link", "acquirer"}},
		{no: "13", name: "cup8583 on mispos", code: 4, setUp: wrong("cup8583", "refused", asItIs), want: []string{"(link_refused)", "it is wire cup8583"}, never: []string{"√ link", "acquirer"}},
		{no: "14", name: "another speed", code: 4, setUp: wrong("mispos", "no_frame", wire.Garble), want: []string{"(link_no_frame)", "speed, parity, wire or cable is wrong", "sudo yuanlu links probe PORT"}, never: []string{"√ link"}},
		{no: "15", name: "noise", code: 4, setUp: wrong("mispos", "no_frame", noise), want: []string{"(link_no_frame)"}, never: []string{"√ link"}},
		{no: "16", name: "silence", code: 0, setUp: wrong("", "silent", nil), want: []string{"· link pos", "nothing has come", "make a test sale"}, never: []string{"√ link"}},
	})
}

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPTY makes a pseudo-terminal: the test is the firmware on the master's side,
// the daemon opens the slave.
func openPTY(t *testing.T) (master *os.File, slave string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { _ = master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return master, fmt.Sprintf("/dev/pts/%d", n)
}

// eventually waits until ok, at most twenty seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// daemonRun is `yuanlu run` in this process.
type daemonRun struct {
	signals chan os.Signal
	log     *syncBuffer
	exit    chan int
}

func startDaemon(t *testing.T, config string) *daemonRun {
	t.Helper()
	d := &daemonRun{signals: make(chan os.Signal, 1), log: &syncBuffer{}, exit: make(chan int, 1)}
	p := newProgram(t, &syncBuffer{}, d.log, "run", "--config", config)
	p.signals = d.signals
	ctx := t.Context()
	go func() { d.exit <- p.run(ctx) }()
	return d
}

func (d *daemonRun) said(code string) func() bool {
	return func() bool { return strings.Contains(d.log.String(), " "+code+" ") }
}

func (d *daemonRun) stop(t *testing.T) {
	t.Helper()
	d.signals <- syscall.SIGTERM
	select {
	case code := <-d.exit:
		if code != 0 {
			t.Errorf("the daemon ended with %d:\n%s", code, d.log)
		}
	case <-time.After(6 * time.Second):
		t.Fatal("the daemon does not stop within 5 s")
	}
}

func TestDaemonAndItsVerbs(t *testing.T) {
	config, dir := writeConfig(t, "[case]\npending_grace = \"100ms\"\n")
	master, slave := openPTY(t)
	if err := os.Symlink(slave, dir+"/port"); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, config)
	eventually(t, "link.online", d.said("link.online"))
	if _, err := master.Write(hexFile(t, "../../agent/ingest/testdata/vectors/mispos-kinds.mispos.hex")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "three cases", func() bool { return strings.Count(d.log.String(), " case.opened ") == 3 })

	t.Run("status", func(t *testing.T) {
		if code, out, errs := yl(t, "", "status", "--config", config); code != 0 || !strings.Contains(out, "good, last ") || !strings.Contains(out, "mqtt_not_configured") {
			t.Errorf("exit %d\n%s%s", code, out, errs)
		}
		if code, out, _ := yl(t, "", "--lang=zh", "status", "--config", config); code != 0 || !strings.Contains(out, "终端 t-1") {
			t.Errorf("exit %d\n%s", code, out)
		}
		code, out, _ := yl(t, "", "status", "--config", config, "--json")
		var s struct {
			Running bool
			Counts  struct {
				Records int64 `json:"records"`
			} `json:"counts"`
		}
		if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || !s.Running || s.Counts.Records == 0 {
			t.Errorf("exit %d, %v\n%s", code, err, out)
		}
	})
	t.Run("links list", func(t *testing.T) {
		if code, out, errs := yl(t, "", "links", "list", "--config", config); code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), "link pos: good, last ") {
			t.Errorf("exit %d\n%s%s", code, out, errs)
		}
		if code, out, _ := yl(t, "", "links", "list", "--config", config, "--json"); code != 0 || !strings.Contains(out, `"link":"pos"`) || !strings.Contains(out, `"verdict":"good","text":{"en":"good, last `) {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	t.Run("tail", func(t *testing.T) {
		for want, args := range map[string][]string{" case.opened case=": {"--raw"}, "case opened, medium: void of a completion ": nil, "立案，中：预授权完成撤销 ": {"--lang", "zh"}} {
			code, out, _ := yl(t, "", append([]string{"tail", "--config", config, "--cases", "-n", "1"}, args...)...)
			if code != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(out, want) {
				t.Errorf("%v: exit %d\n%s", args, code, out)
			}
		}
		if code, out, _ := yl(t, "", "tail", "--config", config); code != 0 || !strings.Contains(out, "sale CNY ") || strings.Contains(d.log.String(), "record.stored") {
			t.Errorf("a sale: exit %d\n%s", code, out)
		}
		if code, _, errs := yl(t, "", "tail", "--config", config, "--link", "nope"); code != 3 || !strings.Contains(errs, "no link nope") {
			t.Errorf("no such link: exit %d\n%s", code, errs)
		}
	})
	t.Run("second daemon", func(t *testing.T) {
		code, _, errs := yl(t, "", "run", "--config", config)
		if code != 73 || !strings.Contains(errs, fmt.Sprint(os.Getpid())) {
			t.Errorf("exit %d: %s", code, errs)
		}
		if code, _, _ := yl(t, "", "status", "--config", config); code != 0 {
			t.Error("the first one does not answer any more")
		}
	})
	t.Run("outbox", func(t *testing.T) {
		if code, out, _ := yl(t, "", "outbox", "list", "--config", config); code != 0 || !strings.Contains(out, "case opened ") {
			t.Errorf("exit %d\n%s", code, out)
		}
		if code, out, _ := yl(t, "", "outbox", "stat", "--config", config, "--json"); code != 0 || !strings.Contains(out, `"last_seq":`) {
			t.Errorf("exit %d\n%s", code, out)
		}
		if code, _, errs := yl(t, "", "outbox", "requeue", "99", "--config", config); code != 3 {
			t.Errorf("exit %d: %s", code, errs)
		}
	})
	t.Run("doctor", func(t *testing.T) {
		if code, out, _ := yl(t, "", "doctor", "--config", config); code != 4 || !strings.Contains(out, "√ link") || !strings.Contains(out, "(mqtt_not_configured)") {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
	checkCases(t, config)
	d.stop(t)
	t.Run("stopped", func(t *testing.T) {
		if code, out, _ := yl(t, "", "status", "--config", config); code != 0 || !strings.Contains(out, "the daemon is not running") {
			t.Errorf("exit %d\n%s", code, out)
		}
		if code, out, _ := yl(t, "", "tail", "--raw", "--config", config, "-n", "3", "-p", "info"); code != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(out, "agent.stopped") {
			t.Errorf("exit %d\n%s", code, out)
		}
		if code, out, errs := yl(t, "", "outbox", "requeue", "99", "--config", config); code != 3 {
			t.Errorf("exit %d\n%s%s", code, out, errs)
		}
		checkCases(t, config)
	})
	t.Run("no card number anywhere", func(t *testing.T) { searchFor(t, dir, d.log.String(), "6200000000000005") })
}

func checkCases(t *testing.T, config string) {
	t.Helper()
	code, out, _ := yl(t, "", "cases", "list", "--config", config, "--json")
	first, _, _ := strings.Cut(out, "\n")
	var one struct {
		CaseID string `json:"case_id"`
	}
	if err := json.Unmarshal([]byte(first), &one); code != 0 || err != nil || len(one.CaseID) != 26 {
		t.Fatalf("cases list: exit %d, %v\n%s", code, err, out)
	}
	if code, out, _ := yl(t, "", "cases", "list", "--config", config, "--severity", "info", "--open"); code != 0 || !strings.Contains(out, one.CaseID) {
		t.Errorf("cases list: exit %d\n%s", code, out)
	}
	if code, out, _ := yl(t, "", "cases", "show", strings.ToLower(one.CaseID[:10]), "--config", config); code != 0 || !strings.Contains(out, one.CaseID) || !strings.Contains(out, "refund: who gets the money") {
		t.Errorf("cases show: exit %d\n%s", code, out)
	}
	if code, out, _ := yl(t, "", "cases", "show", one.CaseID, "--config", config, "--lang", "zh"); code != 0 || !strings.Contains(out, "收款方") {
		t.Errorf("cases show: exit %d\n%s", code, out)
	}
	if code, _, _ := yl(t, "", "cases", "show", "NOSUCHCASE", "--config", config); code != 3 {
		t.Errorf("no such case: exit %d", code)
	}
}

// searchFor looks into every file below dir and the log, as text.
func searchFor(t *testing.T, dir, log, clear string) {
	t.Helper()
	if strings.Contains(log, clear) {
		t.Error("in the log")
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), clear) {
			t.Errorf("in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestReload(t *testing.T) {
	config, _ := writeConfig(t, "[log]\nlevel = \"info\"\n")
	d := startDaemon(t, config)
	eventually(t, "agent.ready", d.said("agent.ready"))
	edit := func(old, new string) {
		text, err := os.ReadFile(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(config, []byte(strings.Replace(string(text), old, new, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		d.signals <- syscall.SIGHUP
	}
	edit("level =", "lvel =")
	eventually(t, "config.rejected", d.said("config.rejected"))
	if !strings.Contains(d.log.String(), `did you mean \"level\"`) {
		t.Errorf("log:\n%s", d.log)
	}
	edit("lvel = \"info\"", "level = \"debug\"")
	eventually(t, "log.level changed", func() bool { return strings.Contains(d.log.String(), "changed=log.level ") })
	edit("[log]", "[case]\npending_grace = \"1s\"\n[log]")
	eventually(t, "a second life", func() bool { return strings.Count(d.log.String(), "agent.ready") == 2 })
	d.stop(t)
}

func TestDoctorWithoutDaemon(t *testing.T) {
	config, dir := writeConfig(t, "[mqtt]\nurl = \"tcp://127.0.0.1:1\"\n")
	code, out, _ := yl(t, "", "doctor", "--config", config)
	if code != 5 || !strings.Contains(out, "× link pos") || !strings.Contains(out, "× broker") || !strings.Contains(out, "‼ daemon") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if err := os.WriteFile(config, []byte("x = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := yl(t, "", "doctor", "--config", config, "--json"); code != 5 || !strings.Contains(out, `"level":"error"`) {
		t.Errorf("exit %d in %s\n%s", code, dir, out)
	}
}

func TestStatusWithoutAStore(t *testing.T) {
	config, _ := writeConfig(t, "")
	if code, out, _ := yl(t, "", "status", "--config", config); code != 0 || !strings.Contains(out, "there is no store yet") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, _ := yl(t, "", "cases", "list", "--config", config); code != 3 {
		t.Errorf("cases without a store: exit %d", code)
	}
	if code, _, errs := yl(t, "", "tail", "--config", config); code != 3 || !strings.Contains(errs, "no log file") {
		t.Errorf("tail without a log: exit %d, %s", code, errs)
	}
}

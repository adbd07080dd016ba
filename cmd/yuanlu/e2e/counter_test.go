package e2e

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/text/encoding/simplifiedchinese"

	"yuanlu/firmware-sim/wire"
)

// TestE2EFivePlantedFaults: five faults of one terminal at once, as a newcomer meets them. One
// command names each with its remedy: doctor all, status those of links and broker.
func TestE2EFivePlantedFaults(t *testing.T) {
	line := func() *wire.PTY {
		l, err := wire.OpenPTY()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	wrong, held := line(), line()
	st := newStation(t, settings{port: wrong.Place(), wire: "smart", // 1: a mispos terminal is at this port
		link: "[[link]]\nname = \"absent\"\nwire = \"mispos\"\nport = \"/dev/ttyNONE\"\n" + // 2
			"[[link]]\nname = \"held\"\nwire = \"mispos\"\nport = \"" + held.Place() + "\"\n", // 3: this process has it open
		broker: "tcp://127.0.0.1:1", // 4: nothing listens there
		extra:  trusted})
	other, err := os.OpenFile(held.Place(), os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	st.start()
	speaking(t, "e-sign", "mispos", wrong, asItIs)
	if err := os.WriteFile(st.config, []byte(st.file()+"\n[log]\nlevle = \"debug\"\n"), 0o600); err != nil { // 5
		t.Fatal(err)
	}
	// pid stands for this process.
	faults := []struct{ what, named, remedy, status string }{
		{"wrong wire", "it is wire mispos", `set wire = "mispos"`, "it is wire mispos"},
		{"no port", "/dev/ttyNONE", "yuanlu links list", "/dev/ttyNONE"},
		{"port held", "pid " + itoa(os.Getpid()), "sudo kill " + itoa(os.Getpid()), "pid " + itoa(os.Getpid())},
		{"no broker", "127.0.0.1:1", "", "127.0.0.1:1"},
		{"a name misspelt", `did you mean "level"`, "", ""},
	}
	run := func(args ...string) string {
		cmd := st.command(args[0], args[1:]...)
		cmd.Env = append(cmd.Env, "LC_ALL=C.UTF-8", "COLUMNS=400")
		out, _ := cmd.CombinedOutput() // it ends with what it has found
		return string(out)
	}
	var doctor string
	all := func() bool {
		doctor = run("doctor")
		for _, f := range faults {
			if !strings.Contains(doctor, f.named) || !strings.Contains(doctor, f.remedy) {
				return false
			}
		}
		return true
	}
	if !waitFor(90*time.Second, all) {
		for _, f := range faults {
			t.Logf("%s: named %v, remedy %v", f.what, strings.Contains(doctor, f.named), strings.Contains(doctor, f.remedy))
		}
		t.Errorf("doctor:\n%s", doctor)
	}
	if err := os.WriteFile(st.config, []byte(strings.Replace(st.file(), "[log]\nlevle = \"debug\"\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	status := run("status")
	for _, f := range faults {
		if !strings.Contains(status, f.status) {
			t.Errorf("status does not name: %s\n%s", f.what, status)
		}
	}
}

// TestE2ENothingInOddPlaces: no verb makes a file or folder in the folder where it is called,
// in the home of its user, or beside configuration and store, but the file it is asked for.
func TestE2ENothingInOddPlaces(t *testing.T) {
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	home, work, temp := t.TempDir(), t.TempDir(), t.TempDir()
	st := newStation(t, settings{port: "/dev/ttyNONE"})
	for _, args := range [][]string{
		{"help"}, {"version"}, {"version", "--sbom"}, {"version", "--licences"}, {"codes"}, {"completion", "bash"}, {"completion", "zsh"}, {"completion", "fish"},
		{"api"}, {"api", "guard"}, {"api", "rules"}, {"config", "init"}, {"config", "schema"}, {"config", "schema", "mispos"}, {"config", "check", "C"}, {"config", "show", "C"}, {"config", "revert", "C"},
		{"status", "C"}, {"tail", "C"}, {"tail", "--raw", "C"}, {"cases", "list", "C"}, {"cases", "show", "1VSE99RD", "C"}, {"links", "list", "C"}, {"links", "probe", "/dev/ttyNONE", "--for", "1s"},
		{"doctor", "C"}, {"outbox", "stat", "C"}, {"outbox", "list", "C"}, {"outbox", "requeue", "x", "C"}, {"ask", "--refund-of", "1", "--amount", "1", "C"}, {"hold", "list", "C"}, {"hold", "show", "x", "C"},
		{"hold", "cancel", "x", "C"}, {"guard", "pin", "s-1", "C"}, {"practice", "C"}, {"capture", "start", "pos", "C"}, {"capture", "stop", "C"}, {"capture", "info", "C"}, {"ctl", "link-reopen", "pos", "C"},
		{"store", "version", "C"}, {"store", "export", "C"}, {"store", "import", work + "/none", "C"}, {"check", "/dev/null"}, {"replay", "--wire", "mispos", "/dev/null"}, {"nonsense"},
		{"status"}, {"doctor"}, {"tail"}, {"links", "list"}, {"config", "check"}, // of the configuration that is not there
	} {
		for i, a := range args {
			if a == "C" {
				args[i] = "--config=" + st.config
			}
		}
		cmd := exec.Command(bin, args...)
		cmd.Dir, cmd.Env = work, []string{"HOME=" + home, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TMPDIR=" + temp}
		out, err := cmd.CombinedOutput()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) || cmd.ProcessState.ExitCode() == 1 {
			t.Errorf("%v: %v: %s", args, err, out)
		}
		for _, dir := range []string{home, work, temp, st.dir} {
			if new := filesIn(t, dir, st.config); len(new) > 0 {
				t.Errorf("%v has made %v", args, new)
				for _, f := range new {
					_ = os.RemoveAll(f)
				}
			}
		}
	}
	// A folder that is not there is not made for a file that is asked for.
	cmd := st.command("support-bundle", "--out", filepath.Join(work, "none", "bundle.tgz"))
	if out, err := cmd.CombinedOutput(); err == nil || len(filesIn(t, work, "")) > 0 {
		t.Errorf("a bundle where no folder is: %v: %s", err, out)
	}
}

// filesIn returns all that is below a folder, but for one file.
func filesIn(t *testing.T, dir, but string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir && path != but {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestE2EStatusOnATerminal: status --watch on a terminal draws each screen over the one before,
// at the size of the terminal, and leaves it as it was; in the locale's own characters.
func TestE2EStatusOnATerminal(t *testing.T) {
	st := newStation(t, settings{port: "/dev/ttyNONE"})
	for locale, want := range map[string]string{"zh_CN.UTF-8": "终端 t-e2e", "zh_CN.GB18030": "终端 t-e2e", "C": "terminal t-e2e"} {
		t.Run(locale, func(t *testing.T) {
			master, slave := terminalOf(t, 80, 24)
			cmd := st.command("status", "--watch")
			cmd.Env = append(cmd.Env, "LC_ALL="+locale, "TERM=vt100")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			shown := &capture{}
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = io.Copy(shown, master) // it ends with an error when the last one closes the terminal
			}()
			_ = slave.Close()
			eventually(t, time.Minute, "three screens", func() bool { return strings.Count(shown.String(), "\x1b[H") > 3 })
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ends with %v", err)
			}
			const left = "\x1b[?25h\x1b[?1049l"
			if !waitFor(10*time.Second, func() bool { return strings.HasSuffix(shown.String(), left) }) {
				t.Error("the terminal is not left as it was")
			}
			if err := master.Close(); err != nil {
				t.Error(err)
			}
			<-read
			text := shown.String()
			if locale == "zh_CN.GB18030" {
				b, err := simplifiedchinese.GB18030.NewDecoder().String(text)
				if err != nil || strings.Contains(text, want) {
					t.Errorf("it is not GB18030: %v", err)
				}
				text = b
			}
			if !strings.Contains(text, want) || strings.ContainsRune(text, '\uFFFD') {
				t.Errorf("no %q in %q", want, text)
			}
			if locale == "C" && strings.ContainsFunc(text, func(c rune) bool { return c > 0x7e }) {
				t.Errorf("not ASCII: %q", text)
			}
			if !strings.HasPrefix(text, "\x1b[?1049h\x1b[?25l") {
				t.Errorf("the terminal is not taken: %q", text)
			}
		})
	}
}

// terminalOf returns both sides of a terminal of that size.
func terminalOf(t *testing.T, columns, lines uint16) (master io.ReadCloser, slave *os.File) {
	t.Helper()
	l, err := wire.OpenPTY()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	slave, err = os.OpenFile(l.Place(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err == nil {
		err = unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: lines})
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, slave
}

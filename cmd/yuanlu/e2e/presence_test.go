package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// library installs a library of another language into a new folder; without its registry
// the test of that language is skipped.
func library(t *testing.T, program string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("%s %s: %v %.200s", program, strings.Join(args, " "), err, out)
	}
	return dir
}

// The README's will and birth, in both languages, run as they stand: the terminal holds
// its cases when the office is killed, and sends them when it comes back.
func TestE2EReadmePresence(t *testing.T) {
	t.Parallel()
	blocks := readmeBlocks(t, "For a back-office developer")
	for kind, with := range map[string]func(t *testing.T) *exec.Cmd{
		"js": func(t *testing.T) *exec.Cmd {
			dir := library(t, "npm", "install", "--silent", "--no-fund", "--no-audit", "mqtt@5.16.0")
			cmd := exec.Command("node", "-")
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			return cmd
		},
		"python": func(t *testing.T) *exec.Cmd {
			for _, python := range []string{"python3", "/usr/bin/python3"} { // Debian's python3-paho-mqtt
				if exec.Command(python, "-c", "import paho.mqtt.client").Run() == nil {
					return exec.Command(python, "-")
				}
			}
			dir := library(t, "python3", "-m", "pip", "install", "-q", "--target", ".", "paho-mqtt==1.6.1")
			cmd := exec.Command("python3", "-")
			cmd.Env = append(os.Environ(), "PYTHONPATH="+dir)
			return cmd
		},
	} {
		t.Run(kind, func(t *testing.T) {
			broker := brokertest.Start(t, brokertest.Options{ACL: textOf(blocks, "acl"), Passwords: map[string]string{"t-00423": "a", "backoffice": "b"}})
			st := newStation(t, settings{port: filepath.Join(t.TempDir(), "none"), broker: broker.URL(), id: "t-00423", extra: "[backoffice]\nhost = \"office\"\n"})
			password := filepath.Join(st.dir, "password")
			if err := os.WriteFile(password, []byte("a\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			own := strings.Replace(st.file(), "[delivery]", "password_file = "+strconv.Quote(password)+"\n[delivery]", 1)
			if err := os.WriteFile(st.config, []byte(own), 0o600); err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(broker.Port)
			text := strings.NewReplacer("broker.example:1883", "127.0.0.1:"+port, `"broker.example", 1883`, `"127.0.0.1", `+port, "secret", "b").Replace(textOf(blocks, kind))
			st.start()
			says := func(what string) func() bool {
				return func() bool { return strings.Contains(st.out("status", "--json"), what) }
			}
			for range 2 {
				office := with(t)
				office.Stdin = strings.NewReader(text)
				office.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				if err := office.Start(); err != nil {
					t.Fatal(err)
				}
				eventually(t, 30*time.Second, "the office there", says(`"online":true`))
				_ = office.Process.Kill()
				_ = office.Wait()
				eventually(t, 30*time.Second, "the office away", says(`"online":false`))
			}
			if n := st.said("dn.refused"); n != 0 {
				t.Errorf("%d of its states were refused", n)
			}
			st.stop()
		})
	}
}

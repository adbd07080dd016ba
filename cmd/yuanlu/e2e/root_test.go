package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rootPackages is what a clean root has beyond debootstrap's minbase: an init system, and
// what a package depends on or recommends, since the root has no network.
const rootPackages = "systemd,systemd-sysv,libusb-1.0-0,ca-certificates,udev,mosquitto,openrc"

// baseRoot returns the folder of a clean Debian, made once on a machine.
func baseRoot(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("clean Debian roots need root")
	}
	for _, tool := range []string{"debootstrap", "systemd-nspawn", "nsenter", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("no %s here (make setup installs it)", tool)
		}
	}
	cache := filepath.Join("/var/cache/yuanlu-e2e", "bookworm-"+strings.ReplaceAll(rootPackages, ",", "-"))
	if _, err := os.Stat(cache); err == nil {
		return cache
	}
	if err := os.MkdirAll(filepath.Dir(cache), 0o755); err != nil {
		t.Fatal(err)
	}
	made, err := os.MkdirTemp(filepath.Dir(cache), "made-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(made, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("debootstrap", "--variant=minbase", "--include="+rootPackages, "bookworm", made).CombinedOutput()
	if err == nil {
		err = os.Rename(made, cache)
	}
	if err != nil {
		os.RemoveAll(made)
		t.Skipf("no clean Debian can be had here: %v: %s", err, tailOf(string(out), 5))
	}
	return cache
}

func tailOf(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// debian is a clean Debian that has booted in a container: its systemd, its own network with
// nothing but the loopback, a root of which nothing stays.
type debian struct {
	t      *testing.T
	leader int
	log    *capture
}

// inRoot prepares a program in a clean Debian: -b for systemd itself, or a command. Nothing of
// what it writes stays. A unified control group hierarchy, which a container of systemd
// needs, is put in place in a mount namespace of its own; shared is seen in it as /srv.
func inRoot(t *testing.T, name, shared string, args ...string) *exec.Cmd {
	t.Helper()
	const script = `
if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; fi
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
exec systemd-nspawn -q --register=no --keep-unit --volatile=overlay --private-network "$@"`
	cmd := exec.Command("unshare", append([]string{"-m", "bash", "-c", script, "nspawn",
		"-M", fmt.Sprintf("yuanlu-%s-%d", name, os.Getpid()), "-D", baseRoot(t), "--bind=" + shared + ":/srv"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// boot starts systemd in a clean Debian.
func boot(t *testing.T, shared string) *debian {
	t.Helper()
	g := &debian{t: t, log: &capture{}}
	cmd := inRoot(t, "boot", shared, "-b")
	cmd.Stdout, cmd.Stderr = g.log, g.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		if g.leader > 0 {
			_ = syscall.Kill(g.leader, syscall.SIGKILL) // the init of the guest: all of it ends
		}
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("the guest's console: %s", tailOf(g.log.String(), 20))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute) // a loaded machine
	defer cancel()
	for {
		// Before the guest's init, the shell's mount and a process of nspawn's own are that child.
		g.leader = childOf(cmd.Process.Pid)
		if out, _ := g.run("systemctl is-system-running"); strings.HasPrefix(out, "running") || strings.HasPrefix(out, "degraded") {
			return g
		}
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("systemd does not boot in a container here: %v: %s", err, tailOf(g.log.String(), 5))
		case <-ctx.Done():
			state, err := g.run("systemctl is-system-running; systemctl list-jobs; systemctl --failed")
			t.Fatalf("the guest does not boot: %s %v: %s", state, err, tailOf(g.log.String(), 20))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// childOf returns the only child of a process, 0: none yet.
func childOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	child := 0
	_, _ = fmt.Sscan(string(b), &child)
	return child
}

// run runs a script in the guest as root, and returns all that it prints.
func (g *debian) run(script string) (string, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nsenter", "-t", fmt.Sprint(g.leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "bash", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "TERM=dumb"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run of what may not fail.
func (g *debian) must(script string) string {
	g.t.Helper()
	out, err := g.run(script)
	if err != nil {
		g.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// refused is run of what must fail with that text.
func (g *debian) refused(script string, want ...string) {
	g.t.Helper()
	out, err := g.run(script)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		g.t.Errorf("%s was not refused: %v\n%s", script, err, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			g.t.Errorf("%s: no %q in\n%s", script, w, out)
		}
	}
}

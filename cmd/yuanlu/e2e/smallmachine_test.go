package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// smallMachine is a control group with 24 MiB of memory, page cache included, and a tenth of a
// processor.
type smallMachine struct {
	t           *testing.T
	memory, cpu string // its folders; control groups of version 1
	disk        string // where the program lies
}

func newSmallMachine(t *testing.T) *smallMachine {
	t.Helper()
	name := fmt.Sprintf("yuanlu-small-%d", os.Getpid())
	m := &smallMachine{t: t, memory: filepath.Join("/sys/fs/cgroup/memory", name), cpu: filepath.Join("/sys/fs/cgroup/cpu", name)}
	for _, dir := range []string{m.memory, m.cpu} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Skipf("no control group can be made here: %v", err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
		})
	}
	m.set(m.memory, "memory.limit_in_bytes", 24<<20)
	m.set(m.cpu, "cpu.cfs_period_us", 100_000)
	m.set(m.cpu, "cpu.cfs_quota_us", 10_000)
	m.disk = diskOf(t)
	return m
}

// diskOf mounts a disk that reads as far ahead as the flash of a terminal, 128 KiB: what a
// server's disk does would fill the machine's memory with each page of the program.
func diskOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	image, disk := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	out, err := exec.Command("sh", "-ec", `mkdir "$2"; truncate -s 96M "$1"; mkfs.ext4 -q "$1"; mount -o loop "$1" "$2"; blockdev --setra 256 "$(findmnt -n -o SOURCE "$2")"`, "disk", image, disk).CombinedOutput()
	t.Cleanup(func() { _ = exec.Command("umount", disk).Run() }) // it may not have been mounted
	if err != nil {
		t.Skipf("no disk can be made here: %v: %s", err, out)
	}
	return disk
}

func (m *smallMachine) set(dir, name string, value int) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(itoa(value)), 0); err != nil {
		m.t.Skipf("this control group cannot be set: %v", err)
	}
}

// figure returns one number of the memory group; of a file with names, that of a name.
func (m *smallMachine) figure(file, name string) int {
	m.t.Helper()
	b, err := os.ReadFile(filepath.Join(m.memory, file))
	if err != nil {
		m.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, name) {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, name)))
			if err != nil {
				m.t.Fatal(err)
			}
			return n
		}
	}
	m.t.Fatalf("no %q in %s", name, b)
	return 0
}

// program returns a program that runs the daemon in the group, and other verbs outside. The
// daemon is a copy that is not in memory yet, so that what of it gets there counts.
func (m *smallMachine) program() string {
	m.t.Helper()
	bin, err := program()
	if err != nil {
		m.t.Fatal(err)
	}
	file := filepath.Join(m.t.TempDir(), "yuanlu")
	script := fmt.Sprintf(`#!/bin/sh
if [ "$1" != run ]; then exec %[1]s "$@"; fi
own=%[4]s/yuanlu
cp %[1]s $own && sync $own && dd if=$own iflag=nocache count=0 status=none || exit 1
echo $$ >%[2]s/cgroup.procs && echo $$ >%[3]s/cgroup.procs && exec $own "$@"
`, bin, m.memory, m.cpu, m.disk)
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		m.t.Fatal(err)
	}
	return file
}

// seenBy returns what status shows of a station.
func seenBy(t *testing.T, st *station) (s labStatus) {
	t.Helper()
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestE2EADayOnASmallMachine: a terminal's day with 24 MiB and a tenth of a processor, many
// times as fast: every record is stored, every case is acknowledged, and the daemon is neither
// killed for memory nor started again. YUANLU_SOAK=1: the whole day; else a tenth of it.
func TestE2EADayOnASmallMachine(t *testing.T) {
	m := newSmallMachine(t)
	speed, count := 600, 20 // at some 155 records a day
	if os.Getenv("YUANLU_SOAK") != "" {
		speed, count = 144, 155
	}
	broker := brokertest.Start(t, brokertest.Options{})
	sim, err := buildTool("firmware-sim")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	port, journal := filepath.Join(dir, "pos"), filepath.Join(dir, "journal")
	firmware := exec.Command(sim, "run", "--terminal", "e-sign", "--link", "pty", "--symlink", port, "--journal", journal, "--speed", itoa(speed), "--count", itoa(count), "--seed", "7", "--wrong", "0.5", "--hold")
	stdin, err := firmware.StdinPipe()
	if err == nil {
		err = firmware.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = firmware.Process.Kill()
		_ = firmware.Wait()
	})
	eventually(t, 30*time.Second, "the terminal's port", func() bool { _, err := os.Stat(port); return err == nil })
	st := newStation(t, settings{port: port, broker: broker.URL()})
	st.bin = m.program()
	d := newDesk(t, broker.URL(), st.id)
	begin := time.Now()
	st.startOnline()
	records := 0
	eventually(t, 20*time.Minute, "all of the day", func() bool {
		out, err := exec.Command(sim, "ledger", journal).Output()
		records = strings.Count(string(out), "\n")
		return err == nil && records >= count && int(seenBy(t, st).Counts.Records) >= records
	})
	eventually(t, 2*time.Minute, "every case is acknowledged", func() bool { return seenBy(t, st).Outbox.Waiting == 0 })
	if got := int(seenBy(t, st).Counts.Records); got != records {
		t.Errorf("%d records, the terminal made %d", got, records)
	}
	if n := st.said("agent.ready"); n != 1 {
		t.Errorf("the daemon has started %d times", n)
	}
	if killed := m.figure("memory.oom_control", "oom_kill "); killed != 0 {
		t.Errorf("%d processes were killed for memory", killed)
	}
	t.Logf("%d records and %d cases in %v: %d KiB at most, reclaimed %d times; RSS %d KiB", records, len(d.snapshot()), time.Since(begin).Round(time.Second),
		m.figure("memory.max_usage_in_bytes", "")>>10, m.figure("memory.failcnt", ""), procField(fmt.Sprintf("/proc/%d/status", st.cmd.Process.Pid), "VmRSS:"))
	st.stop()
}

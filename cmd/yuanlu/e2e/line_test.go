package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// The cable is pulled in the middle of a frame and the port comes back under
// another name; a by-id link points at it.
func TestE2EUnpluggedAndBackUnderAnotherName(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 31)
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	d := newDesk(t, broker.URL(), st.id)
	st.startOnline()
	names := map[string]bool{fw.place(): true}
	for range 4 {
		fw.day(25, time.Millisecond)
		// Half a frame, and the cable is out.
		if _, err := fw.socket.Line().Write([]byte{0x02, 0x01, 0x00, 0x9F}); err != nil {
			t.Fatal(err)
		}
		online := st.said("link.online")
		if err := fw.socket.Replug(50 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		names[fw.place()] = true
		eventually(t, 60*time.Second, "the port open again", func() bool { return st.said("link.online") > online })
		fw.reprint()
	}
	if len(names) < 2 {
		t.Fatalf("the port never changed its name: %v", names)
	}
	if st.said("link.lost") < 4 {
		t.Errorf("link.lost said %d times for 4 cables pulled", st.said("link.lost"))
	}
	finish(t, fw, st, d)
}

// The port is not there when the agent starts: that is normal.
func TestE2EPortAbsentAtStart(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 32)
	place, err := os.Readlink(fw.link)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(fw.link); err != nil {
		t.Fatal(err)
	}
	st := newStation(t, settings{port: fw.link, broker: broker.URL()})
	d := newDesk(t, broker.URL(), st.id)
	st.start()
	eventually(t, 10*time.Second, "the absent port said", func() bool { return strings.Contains(st.log.String(), fw.link) })
	if err := os.Symlink(place, fw.link); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the port open", func() bool { return st.said("link.online") > 0 })
	fw.day(160, time.Millisecond)
	finish(t, fw, st, d)
}

// A second daemon on the same store is refused with the first one's pid.
func TestE2ESecondDaemonIsRefused(t *testing.T) {
	fw := newFirmware(t, "e-sign", 33)
	st := newStation(t, settings{port: fw.link})
	st.startOnline()
	second := st.command("run")
	out, err := second.CombinedOutput()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != 73 {
		t.Errorf("exit: %v, want 73: %s", err, out)
	}
	if !bytes.Contains(out, []byte(itoa(st.cmd.Process.Pid))) {
		t.Errorf("the first one's pid %d is not named: %s", st.cmd.Process.Pid, out)
	}
	st.stop()
}

// The disk fills up under load and has room again: nothing that was read is lost,
// in the same process.
func TestE2EDiskFullAndBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("mounting a small file system needs root")
	}
	disk := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", disk).Run() })
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "traditional", 34)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), store: filepath.Join(disk, "store")})
	d := newDesk(t, broker.URL(), st.id)
	st.startOnline()
	fw.day(40, time.Millisecond)
	eventually(t, 20*time.Second, "the morning in the store", func() bool { return whole(t, st.store, fw.entries) })
	fill(t, filepath.Join(disk, "ballast-of-somebody-else"))
	fw.day(120, 2*time.Millisecond)
	eventually(t, 30*time.Second, "the full disk said", func() bool { return strings.Contains(st.log.String(), "full") })
	if whole(t, st.store, fw.entries) {
		t.Fatal("the disk was never full: nothing was shown")
	}
	pid := st.cmd.Process.Pid
	if err := os.Remove(filepath.Join(disk, "ballast-of-somebody-else")); err != nil {
		t.Fatal(err)
	}
	fw.day(20, time.Millisecond)
	finish(t, fw, st, d)
	if strings.Count(st.log.String(), "agent.ready") != 1 {
		t.Errorf("pid %d did not come through it in one life", pid)
	}
}

// fill writes until the file system takes no more.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 16, 4096, 512} {
		block := make([]byte, size)
		for {
			if _, err := f.Write(block); err != nil {
				break
			}
		}
	}
}

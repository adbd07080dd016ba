package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/agent/ingest"
)

// TestE2EStallIsReported: the disk stays full while a wire without confirms goes on
// sending, until the buffers are full and the reader stands still. It is a problem, it is
// counted, the driver's losses are unknown on a pseudo terminal, and its end is logged.
func TestE2EStallIsReported(t *testing.T) {
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
	fw := newFirmware(t, "e-sign", 35)
	st := newStation(t, settings{port: fw.link, store: filepath.Join(disk, "store")})
	st.startOnline()
	ballast := filepath.Join(disk, "ballast-of-somebody-else")
	fill(t, ballast)
	var enough atomic.Bool
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		for !enough.Load() {
			fw.say(fw.next())
		}
	}()
	eventually(t, 60*time.Second, "the reader standing still", func() bool { return st.said("link.stalled") > 0 })
	enough.Store(true)
	look := func() (l ingest.LinkHealth, problem string) {
		var s struct {
			Links    []ingest.LinkHealth
			Problems []struct{ Code, Level string }
		}
		if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil || len(s.Links) != 1 {
			t.Fatalf("%v: %+v", err, s)
		}
		for _, p := range s.Problems {
			if p.Code == "link_stalled" {
				problem = p.Level
			}
		}
		return s.Links[0], problem
	}
	if l, problem := look(); problem != "degraded" || l.Stalls == 0 || l.StalledFor == 0 || l.StalledSince.IsZero() || l.Line != nil {
		t.Errorf("while it stands still: %q, %+v", problem, l)
	}
	if text := st.out("status"); !strings.Contains(text, "overruns unknown") || !strings.Contains(text, "link_stalled") {
		t.Errorf("status: %s", text)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, 60*time.Second, "the end", func() bool { return st.said("link.flowing") > 0 })
	<-flooded
	if l, problem := look(); problem != "note" || !l.StalledSince.IsZero() || l.StalledUntil.IsZero() {
		t.Errorf("afterwards: %q, %+v", problem, l)
	}
	if n, log := st.said("link.stalled"), st.log.String(); n != 1 || !strings.Contains(log, "stalled_for=") || !strings.Contains(log, "overruns=unknown") {
		t.Errorf("%d lines of its begin", n)
	}
	eventually(t, 60*time.Second, "all of it in the store", func() bool { return whole(t, st.store, fw.entries) })
	st.stop()
}

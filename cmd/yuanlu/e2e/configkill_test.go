package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/agent/report/brokertest"
)

// TestE2EConfigKilledAtEachStep: the program is killed before each system call that
// writes the first change from afar down, and at random moments of later ones. What is
// in force afterwards is the old or the new configuration, and the retained message
// brings the terminal to the new one without anybody's help.
func TestE2EConfigKilledAtEachStep(t *testing.T) {
	t.Parallel()
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("no strace here")
	}
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 85)
	folder := func(st *station) string { return filepath.Join(st.store, "config") }
	for i, cut := range []struct{ call, file string }{
		{"mkdirat", ""}, {"openat", "lock"}, {"openat", "desired.json.new"}, {"write", "desired.json.new"}, {"fsync", "desired.json.new"},
		{"rename,renameat,renameat2", "desired.json.new"}, {"fsync", ""},
	} {
		name := fmt.Sprintf("%s %s", cut.call, cut.file)
		st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: fmt.Sprintf("t-cut-%d", i)})
		h := newHeadquarters(t, broker.URL(), st.id)
		bin := mustProgram(t)
		script := fmt.Sprintf("#!/bin/sh\nexec %q -D -f -qq -o /dev/null -P %q -e 'inject=%s:signal=KILL:when=1' %q \"$@\"\n",
			strace, filepath.Join(folder(st), cut.file), cut.call, bin)
		st.bin = filepath.Join(st.dir, "traced")
		if err := os.WriteFile(st.bin, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		st.start()
		h.expect(20*time.Second, 0, "applied")
		h.desire(1, 0, st.file()+"\n[health]\ninterval = \"50s\"\n", "")
		select {
		case <-st.done:
			st.cmd = nil
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the program was not killed", name)
		}
		st.bin = ""
		_, version, note := st.inForce()
		if renamed := i == 6; note != "" || version != 0 && !renamed || version != 1 && renamed {
			t.Errorf("%s: version %d %q after the power cut", name, version, note)
		}
		st.start()
		h.expect(20*time.Second, 1, "applied")
		st.stop()
	}
}

// TestE2EConfigKilledAtRandom: one terminal, change after change, the power cut at a
// random moment of each.
func TestE2EConfigKilledAtRandom(t *testing.T) {
	t.Parallel()
	cuts := 4
	if os.Getenv("YUANLU_SOAK") != "" {
		cuts = 60
	}
	rng := rand.New(rand.NewPCG(5, 2026))
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 86)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: "t-cuts"})
	h := newHeadquarters(t, broker.URL(), st.id)
	st.start()
	h.expect(20*time.Second, 0, "applied")
	old := 0
	for n := range int64(cuts) {
		h.desire(n+1, n, fmt.Sprintf("%s\n[health]\ninterval = \"%ds\"\n", st.file(), 50+n%2), "")
		pace(time.Duration(rng.IntN(1200)) * time.Millisecond)
		st.kill()
		_, version, note := st.inForce()
		if note != "" || version != n && version != n+1 {
			t.Errorf("cut %d: version %d %q", n+1, version, note)
		}
		if version == n {
			old++
		}
		st.start()
		h.expect(20*time.Second, n+1, "applied")
	}
	t.Logf("%d cuts, the old configuration after %d of them", cuts, old)
	st.stop()
}

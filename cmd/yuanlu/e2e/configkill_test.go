package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/desired"
	"yuanlu/protocol/mqtt/brokertest"
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
		eventually(t, 20*time.Second, "version 1 applied", func() bool { return st.said("config.applied") == 1 })
		st.stop()
		if _, version, note := st.inForce(); version != 1 || note != "" {
			t.Errorf("%s: version %d %q in the end", name, version, note)
		}
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
		pace(time.Duration(rng.IntN([]int{30, 1200}[n%2])) * time.Millisecond)
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

// TestE2EConfigOddPlaces: what cannot be written down is not taken, and not spent; a
// damaged note and a text that is not right any more leave the technician's file in
// force, and say so; a terminal may refuse to be configured from afar.
func TestE2EConfigOddPlaces(t *testing.T) {
	t.Parallel()
	broker := brokertest.Start(t, brokertest.Options{})
	fw := newFirmware(t, "e-sign", 87)
	st := newStation(t, settings{port: fw.link, broker: broker.URL(), id: "t-odd"})
	h := newHeadquarters(t, broker.URL(), st.id)
	folder := filepath.Join(st.store, "config")
	st.start()
	h.expect(20*time.Second, 0, "applied")
	if err := os.WriteFile(folder, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	toml := st.file() + "\n[health]\ninterval = \"50s\"\n"
	h.desire(1, 0, toml, "")
	if r := h.expectDesired(30*time.Second, 1); r.Newest != 0 || !strings.Contains(r.Errors[0].Message, "it cannot be kept on this terminal") {
		t.Errorf("no place: %+v", r)
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	kick(t, broker.URL(), st) // with the connection the retained message comes again
	h.expect(30*time.Second, 1, "applied")
	st.stop()

	path := filepath.Join(folder, "desired.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if origin, _, note := st.inForce(); origin != "file" || !strings.Contains(note, "damaged") {
		t.Errorf("damaged: %s %q", origin, note)
	}
	if out, err := st.command("doctor").CombinedOutput(); !strings.Contains(string(out), "damaged") {
		t.Errorf("doctor: %v: %s", err, out)
	}
	st.start()
	eventually(t, 30*time.Second, "config.state_lost", func() bool { return h.heard("config.state_lost", "checksum") == 1 })
	h.expect(20*time.Second, 1, "applied") // it expects the terminal's own file, and that was in force
	st.stop()

	file := sha256.Sum256([]byte(st.file()))
	note := desired.NewStore(st.store)
	if err := errors.Join(note.Write(desired.State{Newest: 4, Base: hex.EncodeToString(file[:]), Good: &desired.Version{Number: 4, Text: "[log]\nlevle = \"info\"\n"}}), note.Close()); err != nil {
		t.Fatal(err)
	}
	st.start()
	eventually(t, 30*time.Second, "config.local", func() bool { return h.heard("config.local", "it is not right any more") == 1 })
	if r := h.expect(30*time.Second, 0, "applied"); r.Origin != "file" || r.Newest != 4 {
		t.Errorf("not right any more: %+v", r)
	}
	st.stop()

	if err := os.WriteFile(st.config, []byte(st.file()+"\n[remote]\nconfig = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	st.start()
	h.desire(5, 0, toml, "")
	if r := h.expectDesired(30*time.Second, 5); r.Version != 0 || r.Errors[0].Path != "remote.config" {
		t.Errorf("remote.config = false: %+v", r)
	}
	st.stop()
}

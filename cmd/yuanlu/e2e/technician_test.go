package e2e

import (
	"encoding/json"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A capture holds what the link said, without a clear identifier, and replays to the
// records of the day; it ends by stop, and no second one runs beside it.
func TestE2ECaptureIsSanitisedAndReplays(t *testing.T) {
	for wireName, model := range map[string]string{"mispos": "e-sign", "cup8583": "traditional"} {
		t.Run(wireName, func(t *testing.T) {
			fw := newFirmwareOn(t, model, wireName, 71)
			st := newStation(t, settings{port: fw.link, wire: wireName})
			if out, err := st.command("capture", "start", "pos").CombinedOutput(); exitOf(err) != 3 {
				t.Errorf("without a daemon: %v: %s", err, out)
			}
			st.startOnline()
			if out, err := st.command("capture", "start", "nolink").CombinedOutput(); exitOf(err) != 3 {
				t.Errorf("of no link: %v: %s", err, out)
			}
			var info struct {
				File    string `json:"file"`
				Running bool   `json:"running"`
				Bytes   int64  `json:"bytes"`
				Reason  string `json:"reason"`
			}
			read := func(out string) {
				t.Helper()
				if err := json.Unmarshal([]byte(out), &info); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			read(st.out("capture", "start", "pos", "--json"))
			if !info.Running {
				t.Errorf("after start: %+v", info)
			}
			if out, err := st.command("capture", "start", "pos").CombinedOutput(); exitOf(err) != 74 {
				t.Errorf("a second capture of the link: %v: %s", err, out)
			}
			fw.day(60, time.Millisecond)
			eventually(t, 20*time.Second, "the day captured", func() bool {
				read(st.out("capture", "info", "--json"))
				before := info.Bytes
				pace(300 * time.Millisecond)
				read(st.out("capture", "info", "--json"))
				return before > 5000 && before == info.Bytes
			})
			read(st.out("capture", "stop", "--json"))
			if info.Running || info.Reason != "stopped" {
				t.Errorf("after stop: %+v", info)
			}
			st.stop()
			read(st.out("capture", "info", "--json"))
			if info.Running || info.Reason != "stopped" {
				t.Errorf("without a daemon: %+v", info)
			}
			replay := exec.Command(mustProgram(t), "replay", "--wire", wireName, "--records", info.File)
			out, err := replay.Output()
			if err != nil {
				t.Fatalf("replay: %v", err)
			}
			if n := strings.Count(string(out), "\n"); n < 55 {
				t.Errorf("%d records in the capture: %s", n, out)
			}
			searchForSecrets(t, fw.term.Secrets(), []string{filepath.Dir(info.File)}, map[string][]byte{"records": out})
		})
	}
}

func mustProgram(t *testing.T) string {
	t.Helper()
	bin, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// exitOf returns the exit status of a command, 0 without an error.
func exitOf(err error) int {
	exit, ok := err.(*exec.ExitError)
	if !ok {
		return 0
	}
	return exit.ExitCode()
}

// probe tells the wire of a port that it was given, and says what is the matter
// where none fits.
func TestE2EProbe(t *testing.T) {
	for wireName, model := range map[string]string{"mispos": "e-sign", "cup8583": "traditional", "smart": "smart"} {
		t.Run(wireName, func(t *testing.T) {
			fw := newFirmwareOn(t, model, wireName, 72)
			stop := make(chan struct{})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for {
					select {
					case <-stop:
						return
					case <-time.After(50 * time.Millisecond):
						es, err := fw.term.Next()
						if err != nil {
							t.Error(err)
							return
						}
						fw.say(es)
					}
				}
			}()
			out, err := exec.Command(mustProgram(t), "links", "probe", fw.place(), "--for", "30s", "--json").Output()
			close(stop)
			<-ended
			var found struct {
				Wire string `json:"wire"`
				Baud int    `json:"baud"`
				Bits int    `json:"data_bits"`
				Form string `json:"framing"`
			}
			if err != nil || json.Unmarshal(out, &found) != nil || found.Wire != wireName || found.Baud != 9600 || found.Bits != 8 || found.Form != "8N1" {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	t.Run("silence", func(t *testing.T) {
		fw := newFirmware(t, "e-sign", 73)
		out, err := exec.Command(mustProgram(t), "links", "probe", fw.place(), "--for", "1s", "--lang", "en").Output()
		if exitOf(err) != 3 || !strings.Contains(string(out), "nothing was heard") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("seven bits", func(t *testing.T) {
		fw := newFirmware(t, "traditional", 75)
		stop := say(t, fw, []byte("\x02SALE 10.00 CARD 6205**\x03"), true)
		out, err := exec.Command(mustProgram(t), "links", "probe", fw.place(), "--for", "3s", "--lang", "en").Output()
		stop()
		if exitOf(err) != 3 || !strings.Contains(string(out), "seven data bits with even parity") {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("open in a program without a lock", func(t *testing.T) {
		fw := newFirmware(t, "e-sign", 76)
		holder, err := os.OpenFile(fw.place(), os.O_RDWR|syscall.O_NOCTTY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer holder.Close()
		out, err := exec.Command(mustProgram(t), "links", "probe", fw.place()).CombinedOutput()
		if exitOf(err) != 74 || !strings.Contains(string(out), itoa(os.Getpid())) {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("in use", func(t *testing.T) {
		fw := newFirmware(t, "e-sign", 74)
		st := newStation(t, settings{port: fw.link})
		st.startOnline()
		out, err := exec.Command(mustProgram(t), "links", "probe", fw.place()).CombinedOutput()
		if exitOf(err) != 74 || !strings.Contains(string(out), itoa(st.cmd.Process.Pid)) {
			t.Errorf("%v: %s", err, out)
		}
		st.stop()
	})
}

// say says the same over and over until the function it returns is called; parity: as a
// line of seven bits with even parity is received.
func say(t *testing.T, fw *firmware, text []byte, parity bool) (stop func()) {
	t.Helper()
	said := slices.Clone(text)
	for i, b := range said {
		if parity && bits.OnesCount8(b)&1 == 1 {
			said[i] |= 0x80
		}
	}
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(50 * time.Millisecond):
				if _, err := fw.socket.Line().Write(said); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

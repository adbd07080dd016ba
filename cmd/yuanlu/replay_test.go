package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/protocol/wiretest"
)

// misposLine makes the bytes of mispos messages, each of a TransType and a result (""
// for none).
func misposLine(t *testing.T, messages ...[2]string) []byte {
	t.Helper()
	var line []byte
	for _, m := range messages {
		data := append([]byte{0x9F, 0x01, 0, byte(len(m[0]))}, m[0]...)
		if m[1] != "" {
			data = append(append(data, 0x9F, 0x14, 0, byte(len(m[1]))), m[1]...)
		}
		var err error
		if line, err = wiretest.AppendSTX(line, data); err != nil {
			t.Fatal(err)
		}
	}
	return line
}

func captureFile(t *testing.T, b []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.bin")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// What a replay leaves out is said in the same words whatever the language and the
// output, and changes no exit status.
func TestReplaySaysWhatItLeftOut(t *testing.T) {
	line := append([]byte{0x05}, misposLine(t, [2]string{"\x02", ""}, [2]string{"\x02", "00"}, [2]string{"\x12", "00"})...)
	file := captureFile(t, line)
	for _, args := range [][]string{{"--records"}, {}, {"--final"}, {"--records", "--lang", "zh"}} {
		code, _, errs := yl(t, "", append(append([]string{"replay", "--wire", "mispos"}, args...), file)...)
		if want := "left out: 1 bytes\nleft out: 1 request\nleft out: 1 type 18\n"; code != 0 || errs != want {
			t.Errorf("%q: exit %d, standard error %q, want %q", args, code, errs, want)
		}
	}
	code, _, errs := yl(t, "", "replay", "--wire", "mispos", "--records", captureFile(t, misposLine(t, [2]string{"\x02", "00"})))
	if code != 0 || errs != "" {
		t.Errorf("nothing left out: exit %d, %q", code, errs)
	}
	code, _, errs = yl(t, "", "replay", "--wire", "mispos", captureFile(t, misposLine(t, [2]string{"two", "00"}, [2]string{"\x63", "00"})))
	if code != 65 || !strings.HasSuffix(errs, "\nleft out: 1 type 99\n") || strings.Count(errs, "left out") != 1 {
		t.Errorf("a refused message is no line: exit %d, %q", code, errs)
	}
}

// A capture without a frame says what to try.
func TestReplayWithoutAFrame(t *testing.T) {
	file := captureFile(t, misposLine(t, [2]string{"\x02", "00"}))
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--wire", "smart", file}, []string{"left out: 16 bytes\n", "no frame of wire smart", "--wire mispos or --wire cup8583", "links probe"}},
		{[]string{"--wire", "smart", "--lang", "zh", file}, []string{"left out: 16 bytes\n", "没有 smart 协议的帧", "--wire mispos", "links probe"}},
		{[]string{"--wire", "mispos", captureFile(t, nil)}, []string{"no frame of wire mispos", "links probe"}},
	} {
		code, out, errs := yl(t, "", append([]string{"replay"}, c.args...)...)
		wanted := 65 // bytes, and none of them a frame: no capture of this wire
		if c.args[1] == "mispos" {
			wanted = 0 // an empty file
		}
		if code != wanted || out != "" {
			t.Errorf("%q: exit %d, %q", c.args, code, out)
		}
		for _, want := range c.want {
			if !strings.Contains(errs, want) {
				t.Errorf("%q: standard error lacks %q: %s", c.args, want, errs)
			}
		}
	}
}

func TestCheckSaysWhatItLeftOut(t *testing.T) {
	training := strings.Replace(saleLine, `"v":1`, `"v":1,"training":true`, 1)
	if code, _, errs := yl(t, saleLine+"\n\n"+training+"\n"+refundLine+"\n", "check"); code != 0 || errs != "left out: 1 blank\nleft out: 1 training\n" {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// --explain shows each message as its decoder saw it, for people and as JSON, and what
// came of it; a refused one without its values. The exit status is that of a replay.
func TestReplayExplain(t *testing.T) {
	line := misposLine(t, [2]string{"\x02", "00"}, [2]string{"\x12", "00"}, [2]string{"two", "00"})
	file := captureFile(t, append(line, 0x15))
	code, out, errs := yl(t, "", "replay", "--wire", "mispos", "--explain", file)
	for _, want := range []string{"frame at byte 0, 16 bytes\n", "9F14   00     outcome, response_code", `makes {"v":1,"kind":"sale"`,
		"left out: type 18", "refused: got 3 bytes, want 1 byte", "refused: mispos: malformed message"} {
		if !strings.Contains(out, want) {
			t.Errorf("standard output lacks %q:\n%s", want, out)
		}
	}
	if want := "left out: 1 bytes\nleft out: 1 type 18\n"; code != 65 || errs != want {
		t.Errorf("exit %d, standard error %q", code, errs)
	}
	code, out, _ = yl(t, "", "replay", "--wire", "mispos", "--explain", "--json", file)
	var offsets []int64
	for line := range strings.Lines(out) {
		var e screen.Explained
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		offsets = append(offsets, e.Offset)
		if e.Bytes == 0 || len(e.Fields) == 0 || len(e.Records)+len(e.LeftOut) != 1 && e.Refused == "" {
			t.Errorf("%s", line)
		}
	}
	if code != 65 || len(offsets) != 3 || offsets[2] != 32 {
		t.Errorf("exit %d, messages at %d", code, offsets)
	}
	if code, _, errs := yl(t, "", "replay", "--wire", "mispos", "--explain", "--records", file); code != 2 || !strings.Contains(errs, "--explain goes with neither") {
		t.Errorf("with --records: exit %d, %s", code, errs)
	}
	if code, out, _ := yl(t, "", "replay", "--wire", "mispos", "--explain", "--lang", "zh", file); code != 65 || !strings.Contains(out, "帧位于字节 0") || !strings.Contains(out, "去向") {
		t.Errorf("in Chinese: exit %d\n%s", code, out)
	}
}

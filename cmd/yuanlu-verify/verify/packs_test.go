package verify_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-verify/verify"
)

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func trust(t testing.TB) *verify.Trust {
	t.Helper()
	known, err := verify.ParseTrust(read(t, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	return known
}

func run(t testing.TB, text []byte, known *verify.Trust) *verify.Report {
	t.Helper()
	rep, err := verify.Run(bytes.NewReader(text), int64(len(text)), known)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// wrongs returns the checks that are wrong, each with its place.
func wrongs(rep *verify.Report) (all []string) {
	for _, c := range rep.Checks {
		if c.State == verify.Wrong {
			all = append(all, c.Name+": "+c.Where+": "+c.Text.EN)
		}
	}
	return all
}

// TestExamplePacks: each pack ends as packs.jsonl has it, and the check named there is wrong.
func TestExamplePacks(t *testing.T) {
	for _, line := range strings.Split(strings.TrimSpace(string(read(t, "packs.jsonl"))), "\n") {
		var want struct {
			Pack, Check string
			Exit        int
		}
		if err := json.Unmarshal([]byte(line), &want); err != nil {
			t.Fatal(err)
		}
		t.Run(want.Pack, func(t *testing.T) {
			rep := run(t, read(t, "packs", want.Pack), trust(t))
			all := strings.Join(wrongs(rep), "\n")
			if rep.Exit != want.Exit || want.Check != "" && !strings.Contains("\n"+all, "\n"+want.Check+": ") {
				t.Errorf("exit %d, want %d; wrong:\n%s\nwant %q", rep.Exit, want.Exit, all, want.Check)
			}
			t.Log(all)
		})
	}
}

package main

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/cmd/yuanlu-desk/desktest"
)

// searchSecrets looks for every clear identifier in what the agent and the desk
// keep and said, and in everything that was on the broker. The truth is the
// firmware's own.
func searchSecrets(t *testing.T, secrets []string, dir string, witness *desktest.Client, place string, logs ...string) {
	t.Helper()
	if len(secrets) < 5 {
		t.Fatalf("the simulator names %d secrets: nothing to search for", len(secrets))
	}
	var needles [][]byte
	for _, s := range secrets {
		needles = append(needles, []byte(s), []byte(hex.EncodeToString([]byte(s))))
		if b, err := hex.DecodeString(s); err == nil && len(b) >= 6 {
			needles = append(needles, b)
		}
	}
	look := func(name string, b []byte) {
		for _, n := range needles {
			if bytes.Contains(b, n) {
				t.Errorf("%s holds a clear identifier", name)
				return
			}
		}
	}
	for _, h := range witness.Heard() {
		look(h.Topic, h.Payload)
	}
	for _, log := range logs {
		look("a log", []byte(log))
	}
	dirs := []string{dir}
	if filepath.IsAbs(place) {
		dirs = append(dirs, filepath.Dir(place))
	}
	for _, d := range dirs {
		err := filepath.WalkDir(d, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() || e.Name() == "truth.jsonl" {
				return err
			}
			b, err := os.ReadFile(path)
			look(e.Name(), b)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

package main

import (
	"bytes"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/protocol/mqtt/brokertest"
)

// searchSecrets looks for every clear identifier in what the agent and the desk
// keep and print, and in everything that was on the broker. The truth is the
// firmware's own.
func searchSecrets(t *testing.T, secrets []string, dir string, witness *brokertest.Client, place string, logs ...string) {
	t.Helper()
	if len(secrets) < 5 {
		t.Fatalf("the simulator names %d secrets: nothing to search for", len(secrets))
	}
	var needles haystack
	for _, s := range secrets {
		needles.add([]byte(s))
		needles.add([]byte(hex.EncodeToString([]byte(s))))
		if b, err := hex.DecodeString(s); err == nil {
			needles.add(b)
		}
	}
	look := func(name string, b []byte) {
		if needles.in(b) {
			t.Errorf("%s holds a clear identifier", name)
		}
	}
	for _, h := range witness.Received() {
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

// prefix is how much of a secret finds it.
const prefix = 6

// haystack finds thousands of secrets in one pass, by their first bytes.
type haystack map[[prefix]byte][][]byte

func (h *haystack) add(secret []byte) {
	if len(secret) < prefix {
		return // too short: it may stand there by chance
	}
	if *h == nil {
		*h = haystack{}
	}
	k := [prefix]byte(secret)
	(*h)[k] = append((*h)[k], secret)
}

func (h haystack) in(b []byte) bool {
	for i := 0; i+prefix <= len(b); i++ {
		for _, secret := range h[[prefix]byte(b[i:])] {
			if bytes.HasPrefix(b[i:], secret) {
				return true
			}
		}
	}
	return false
}

func TestSecretsAreFound(t *testing.T) {
	var h haystack
	for _, s := range []string{"6205524794890139706", "620552479", "abcdefgh"} {
		h.add([]byte(s))
	}
	for text, want := range map[string]bool{"": false, "620552": false, "xx620552479yy": true, "6205524794": true, "abcdefg": false, "62055247 abcdefgh": true, "x6205524794890139706": true} {
		t.Run(text, func(t *testing.T) {
			if h.in([]byte(text)) != want {
				t.Errorf("%q: want %v", text, want)
			}
		})
	}
}

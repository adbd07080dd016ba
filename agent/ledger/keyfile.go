package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/newfile"
)

// The files of keys/ hold one key per line, the newest first: its id, 64
// hexadecimal digits, when it was made, and the CRC-32C of what stands before.
//
//	k1 8f…e2 2026-08-23T01:00:00Z 5d1ac2f0
const (
	tokenFile = "token"
	caseFile  = "case"
)

// loadKeys reads keys/ below dir and makes what is missing. What is damaged is
// moved to quarantine, what of it is readable stays in use; notes name both.
// used: a store is there already, so a missing key is a lost one.
func loadKeys(dir string, used bool, now time.Time) (*Keys, []DamageNote, error) {
	kd := filepath.Join(dir, "keys")
	if err := makeDir(kd); err != nil {
		return nil, nil, keyError("make", kd, err)
	}
	ring, notes, err := loadKeyFile(dir, tokenFile, used, now)
	if err != nil {
		return nil, nil, err
	}
	caseRing, more, err := loadKeyFile(dir, caseFile, used, now)
	if err != nil {
		return nil, nil, err
	}
	k := &Keys{dir: dir, caseKey: caseRing[0].secret}
	k.ring.Store(&ring)
	return k, append(notes, more...), nil
}

// loadKeyFile reads one file of keys/, or makes it.
func loadKeyFile(dir, name string, used bool, now time.Time) ([]*tokenKey, []DamageNote, error) {
	path := filepath.Join(dir, "keys", name)
	text, err := os.ReadFile(path)
	absent := errors.Is(err, fs.ErrNotExist)
	if err != nil && !absent {
		return nil, nil, keyError("read", path, err)
	}
	ring, bad := parseRing(string(text))
	if !absent && bad == 0 && len(ring) > 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, nil, keyError("protect", path, err)
		}
		return ring, nil, nil
	}
	var notes []DamageNote
	id := int64(1)
	switch {
	case !absent:
		moved, err := moveAside(dir, now, path)
		if err != nil {
			return nil, nil, keyError("move aside", path, err)
		}
		id = lostKeyID()
		notes = append(notes, DamageNote{What: "keys/" + name, Moved: moved, When: now,
			Why: fmt.Sprintf("%d lines unreadable, %d kept", bad, len(ring))})
	case used:
		id = lostKeyID()
		notes = append(notes, DamageNote{What: "keys/" + name, Why: "missing", When: now})
	}
	// A readable line of a damaged ring stays, for comparing; the newest may be
	// among the lost ones, so a new key leads. The case key has no successor.
	if name == tokenFile || len(ring) == 0 {
		ring = append([]*tokenKey{newTokenKey(id, newSecret(), now)}, ring...)
	}
	return ring, notes, writeKeyFile(dir, name, ring)
}

// parseRing reads the lines that are whole and counts the others.
func parseRing(text string) (ring []*tokenKey, bad int) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue
		}
		if key := parseKeyLine(line); key != nil {
			ring = append(ring, key)
		} else {
			bad++
		}
	}
	return ring, bad
}

// wholeRing reports whether a key file has keys and no other lines.
func wholeRing(text string) bool {
	ring, bad := parseRing(text)
	return bad == 0 && len(ring) > 0
}

func parseKeyLine(line string) *tokenKey {
	at := strings.LastIndexByte(line, ' ')
	if at < 0 {
		return nil
	}
	sum, err := strconv.ParseUint(line[at+1:], 16, 32)
	if err != nil || uint32(sum) != sqlite.Checksum(0, []byte(line[:at])) {
		return nil
	}
	f := strings.Fields(line[:at])
	if len(f) != 3 || len(f[0]) < 2 || f[0][0] != 'k' {
		return nil
	}
	id, err1 := strconv.ParseInt(f[0][1:], 10, 64)
	secret, err2 := hex.DecodeString(f[1])
	made, err3 := time.Parse(time.RFC3339, f[2])
	if err := errors.Join(err1, err2, err3); err != nil || len(secret) != 32 {
		return nil
	}
	return newTokenKey(id, secret, made)
}

func writeRing(dir string, ring []*tokenKey) error { return writeKeyFile(dir, tokenFile, ring) }

func writeKeyFile(dir, name string, ring []*tokenKey) error {
	var b []byte
	for _, key := range ring {
		line := fmt.Sprintf("k%d %s %s", key.id, hex.EncodeToString(key.secret), key.made.UTC().Format(time.RFC3339))
		b = fmt.Appendf(b, "%s %08x\n", line, sqlite.Checksum(0, []byte(line)))
	}
	path := filepath.Join(dir, "keys", name)
	if err := writeFile(path, b); err != nil {
		return keyError("write", path, err)
	}
	return nil
}

// writeFile replaces path by b, readable by the owner alone: written beside it,
// synced, renamed, and the folder synced.
func writeFile(path string, b []byte) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err == nil {
		err = newfile.SyncDir(filepath.Dir(path))
	}
	return err
}

// makeDir makes a folder for the owner alone and makes its name durable.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return newfile.SyncDir(filepath.Dir(dir))
}

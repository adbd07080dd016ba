package capture

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// shout is a Cleaner that keeps the last byte back until it is flushed.
type shout struct{ kept []byte }

func (s *shout) Clean(dst, p []byte) []byte {
	all := append(s.kept, bytes.ToUpper(p)...)
	s.kept = append([]byte(nil), all[len(all)-1:]...)
	return append(dst, all[:len(all)-1]...)
}

func (s *shout) Rest(dst []byte) []byte {
	dst = append(dst, s.kept...)
	s.kept = nil
	return dst
}

func start(t *testing.T, dir string, o Options) *Recorder {
	t.Helper()
	o.Dir, o.Link, o.Wire, o.Cleaner, o.Now = dir, "pos", "mispos", &shout{}, time.Now
	r, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Stop() })
	return r
}

func TestCaptureIsCleanedAndStopped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "captures")
	r := start(t, dir, Options{})
	r.Bytes([]byte("abc"))
	r.Rest()
	r.Bytes([]byte("def"))
	i := r.Stop()
	b, err := os.ReadFile(i.File)
	if err != nil || string(b) != "ABCDEF" || i.Bytes != 6 || i.Running || i.Reason != "stopped" {
		t.Errorf("%q, %v, %+v", b, err, i)
	}
	r.Bytes([]byte("too late"))
	all, err := List(dir)
	if err != nil || len(all) != 1 || all[0].Bytes != 6 || all[0].Reason != "stopped" || all[0].Ended.IsZero() {
		t.Errorf("List: %+v, %v", all, err)
	}
	for _, name := range []string{i.File, strings.TrimSuffix(i.File, ".raw") + ".json"} {
		t.Run(name, func(t *testing.T) {
			if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		})
	}
}

func TestCaptureEndsBySizeAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, t.TempDir(), Options{MaxBytes: 4})
		r.Bytes([]byte("abcdefgh"))
		synctest.Wait()
		if i := r.Info(); i.Bytes != 4 || i.Running || i.Reason != "size" {
			t.Errorf("size: %+v", i)
		}
		r = start(t, t.TempDir(), Options{For: time.Minute})
		r.Bytes([]byte("abc"))
		<-time.After(time.Minute + time.Second)
		synctest.Wait()
		if i := r.Info(); i.Bytes != 3 || i.Running || i.Reason != "time" {
			t.Errorf("time: %+v", i)
		}
	})
}

func TestCaptureKeepsTheNewest(t *testing.T) {
	dir := t.TempDir()
	var first string
	for n := range maxKept + 2 {
		r := start(t, dir, Options{})
		if i := r.Stop(); n == 0 {
			first = i.File
		}
		<-time.After(2 * time.Millisecond) // names hold milliseconds
	}
	all, err := List(dir)
	if err != nil || len(all) != maxKept {
		t.Errorf("%d captures, %v", len(all), err)
	}
	if _, err := os.Stat(first); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the oldest is still there: %v", err)
	}
}

func TestCaptureLimits(t *testing.T) {
	for _, o := range []Options{{MaxBytes: -1}, {MaxBytes: MaxBytes + 1}, {For: time.Millisecond}, {For: 25 * time.Hour}} {
		o.Dir, o.Now = t.TempDir(), time.Now
		if _, err := Start(o); !errors.Is(err, ErrLimit) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestCaptureLeavesTheStoreItsRoom: a capture ends, and none begins, where the disk is
// almost full.
func TestCaptureLeavesTheStoreItsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var low atomic.Bool
		dir := t.TempDir()
		r := start(t, dir, Options{Low: low.Load})
		piece := bytes.Repeat([]byte("a"), 4<<10)
		for range 2 * lookEvery / len(piece) {
			r.Bytes(piece)
			synctest.Wait()
		}
		low.Store(true)
		before := r.Info().Bytes
		for range 2 * lookEvery / len(piece) {
			r.Bytes(piece)
			synctest.Wait()
		}
		if i := r.Stop(); i.Reason != "disk" || i.Bytes < before || i.Bytes > before+lookEvery {
			t.Errorf("%d bytes before: %+v", before, i)
		}
		o := Options{Dir: dir, Link: "pos", Wire: "mispos", Cleaner: &shout{}, Now: time.Now, Low: low.Load}
		if _, err := Start(o); !errors.Is(err, ErrLow) {
			t.Errorf("on a full disk: %v", err)
		}
		if all, err := List(dir); err != nil || len(all) != 1 {
			t.Errorf("left behind: %+v, %v", all, err)
		}
	})
}

package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var made = time.Date(2026, 8, 23, 9, 0, 0, 5, time.UTC)

// unpack returns the files of an archive, and their names in order.
func unpack(t *testing.T, name string) (files map[string]string, names []string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for in := tar.NewReader(z); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, names
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil || h.Mode != 0o600 || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s: %v, %+v", h.Name, err, h)
		}
		files[h.Name], names = string(b), append(names, h.Name)
	}
}

func text(text string) func(context.Context, io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	raw := filepath.Join(dir, "pos.raw")
	if err := os.WriteFile(raw, []byte{0x02, 0x00, 0xff}, 0o600); err != nil {
		t.Fatal(err)
	}
	var progress []string
	o := Options{File: filepath.Join(dir, "b.tar.gz"), Folder: "yuanlu-t1", Program: "yuanlu 1.0", Now: made,
		Progress: func(step, steps int, what string) {
			progress = append(progress, fmt.Sprint(step, "/", steps, " ", what))
		},
		Parts: []Part{
			{Name: "version.json", Make: text(`{"version":"1.0"}`)},
			{Name: "broken.txt", Make: func(context.Context, io.Writer) error { return errors.New("card 6222020200112233446 is gone") }},
			{Name: "half.txt", Make: func(_ context.Context, w io.Writer) error {
				io.WriteString(w, "begun")
				return errors.New("and lost")
			}},
			{Name: "long.txt", Make: func(_ context.Context, w io.Writer) error {
				_, err := w.Write(bytes.Repeat([]byte("x"), MaxPart+1))
				return err
			}},
			{Name: "captures/pos.raw", Path: raw},
			{Name: "captures/none.raw", Path: raw + "x"},
			{Name: "log.txt", Make: text("pan=6222020200112233446 at=1724374800123")},
		}}
	r, err := Write(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.File)
	sum := sha256.Sum256(b)
	info, _ := os.Stat(r.File)
	if err != nil || r.Bytes != int64(len(b)) || r.SHA256 != hex.EncodeToString(sum[:]) || info.Mode().Perm() != 0o600 || r.Parts != 8 {
		t.Errorf("%+v, %v, %v", r, err, info.Mode())
	}
	if got := strings.Join(r.Failed, " "); got != "broken.txt half.txt captures/none.raw" {
		t.Errorf("failed: %s", got)
	}
	files, names := unpack(t, r.File)
	want := "version.json half.txt long.txt captures/pos.raw log.txt manifest.json"
	if got := strings.ReplaceAll(strings.Join(names, " "), "yuanlu-t1/", ""); got != want {
		t.Errorf("files %s, want %s", got, want)
	}
	if got := files["yuanlu-t1/log.txt"]; got != "pan=622202*********3446 at=1724374800123" {
		t.Errorf("log: %s", got)
	}
	if files["yuanlu-t1/captures/pos.raw"] != "\x02\x00\xff" || len(files["yuanlu-t1/long.txt"]) != MaxPart || files["yuanlu-t1/half.txt"] != "begun" {
		t.Error("a part is not as it was made")
	}
	var m Manifest
	if err := json.Unmarshal([]byte(files["yuanlu-t1/manifest.json"]), &m); err != nil || len(m.Parts) != 7 || m.Program != "yuanlu 1.0" {
		t.Fatalf("manifest: %v, %+v", err, m)
	}
	for _, e := range m.Parts {
		content, there := files["yuanlu-t1/"+e.Name]
		sum := sha256.Sum256([]byte(content))
		if there && e.SHA256 != hex.EncodeToString(sum[:]) || there != (e.SHA256 != "") || e.Cut != (e.Name == "long.txt") {
			t.Errorf("manifest has %+v", e)
		}
		if strings.Contains(e.Error, "112233") {
			t.Errorf("a card number in the manifest: %s", e.Error)
		}
	}
	if len(progress) != 7 || progress[0] != "1/8 version.json" {
		t.Errorf("progress %q", progress)
	}
	// The same again makes the same bytes.
	o.File += "2"
	if again, err := Write(t.Context(), o); err != nil || again.SHA256 != r.SHA256 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

func TestWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Write(ctx, Options{File: filepath.Join(dir, "b.tar.gz"), Parts: []Part{
		{Name: "a", Make: func(context.Context, io.Writer) error { cancel(); return nil }}, {Name: "b", Make: text("x")}}})
	left, _ := os.ReadDir(dir)
	if !errors.Is(err, context.Canceled) || len(left) != 0 {
		t.Errorf("%v, left %v", err, left)
	}
	if _, err := Write(t.Context(), Options{File: "/proc/nowhere/b"}); err == nil {
		t.Error("written to /proc")
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"6222020200112233446":             "622202*********3446",
		"x6222020200112233446x":           "x622202*********3446x",
		"00006222020200112233446":         "0000622202*********3446",
		`{"n":6222020200112233446}`:       `{"n":6222020000000003446}`,
		`{"n":"6222020200112233446"}`:     `{"n":"622202*********3446"}`,
		"6222020200112233447":             "6222020200112233447", // fails the check
		"4000000000006":                   "400000***0006",
		"1724374800123 898000000000001":   "1724374800123 898000000000001",
		"2026-08-23T09:00:00.123+08:00 x": "2026-08-23T09:00:00.123+08:00 x",
	} {
		t.Run(in, func(t *testing.T) {
			if got := string(Mask([]byte(in))); got != want {
				t.Errorf("%s: %s, want %s", in, got, want)
			}
		})
	}
}

// TestWriteLeavesTheStoreItsRoom: where the disk fills while a bundle grows, nothing of
// it stays.
func TestWriteLeavesTheStoreItsRoom(t *testing.T) {
	dir := t.TempDir()
	noise := make([]byte, 4*lookEvery)
	if _, err := rand.Read(noise); err != nil { // nothing to compress
		t.Fatal(err)
	}
	capture := filepath.Join(dir, "pos.raw")
	if err := os.WriteFile(capture, noise, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, looks := range []int{0, 1, 3, 99} {
		t.Run(fmt.Sprint(looks), func(t *testing.T) {
			left := looks
			if err := os.MkdirAll(filepath.Join(dir, "out"), 0o700); err != nil {
				t.Fatal(err)
			}
			o := Options{File: filepath.Join(dir, "out", "b.tar.gz"), Folder: "b", Now: made, Parts: []Part{{Name: "pos.raw", Path: capture}},
				Low: func() bool { left--; return left < 0 }}
			_, err := Write(t.Context(), o)
			names, _ := filepath.Glob(filepath.Join(dir, "out", "*"))
			if full := looks < 99; errors.Is(err, ErrLow) != full || (len(names) == 0) != full {
				t.Errorf("full after %d looks: %v, %v", looks, err, names)
			}
		})
	}
}

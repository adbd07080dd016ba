package ledger

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A power cut loses what was written and not synced. TestKillPowerCuts runs the script
// under strace, replays what it wrote up to a random moment, and leaves out, tears at
// 512 bytes or keeps whatever had not been synced by then. What the child had printed
// by that moment is what had been confirmed.

// ioEvent is one call of the kernel that changes files, or prints.
type ioEvent struct {
	name string // as in the trace
	path string // below the store's parent folder
	to   string // of a rename
	off  int64  // -1: at the end; of a truncation: the size
	data []byte
	trim bool // of an open: O_TRUNC
}

// TestKillPowerCuts cuts the power. YUANLU_SOAK=1: 500 times, else a tenth.
func TestKillPowerCuts(t *testing.T) {
	needStrace(t)
	n, seed := 50, uint64(1)
	if os.Getenv(soakEnv) != "" {
		n, seed = 500, uint64(time.Now().UnixNano())
	}
	t.Logf("%d cuts, seed %d", n, seed)
	r := rand.New(rand.NewPCG(seed, 9))
	root := t.TempDir()
	trace := filepath.Join(root, "trace")
	if out, err := runChild(t, filepath.Join(root, "s"), "script", "", "strace", "-f", "-qq", "-y", "-xx", "-s", "1000000",
		"-o", trace, "-e", "trace=open,openat,pwrite64,write,fdatasync,fsync,ftruncate,renameat,unlink,unlinkat,mkdirat"); err != nil {
		t.Fatal(out, err)
	}
	events := readTrace(t, trace, root)
	replaysWhole(t, events, root)
	first := slices.IndexFunc(events, func(e ioEvent) bool { return e.name == "mkdirat" })
	for i := range n {
		at := first + 1 + r.IntN(len(events)-first)
		disk := newDisk()
		for _, e := range events[:at] {
			disk.do(e)
		}
		mode := []string{"nothing", "everything", "some", "torn"}[r.IntN(4)]
		dir := filepath.Join(t.TempDir(), "disk")
		disk.cut(t, r, mode, dir)
		if t.Run(fmt.Sprintf("%d-%s-%d", i, mode, at), func(t *testing.T) {
			checkScript(t, filepath.Join(dir, "s"), disk.printed.String())
		}); t.Failed() {
			t.Fatalf("cut %d", i)
		}
	}
}

// replaysWhole checks the replay itself: with nothing lost it has the files that are there.
func replaysWhole(t *testing.T, events []ioEvent, root string) {
	t.Helper()
	disk := newDisk()
	for _, e := range events {
		disk.do(e)
	}
	for name, f := range disk.names {
		if f == nil {
			continue
		}
		want, err := os.ReadFile(filepath.Join(root, name))
		if got := f.after(nil, "everything"); err != nil || !bytes.Equal(got, want) && filepath.Base(name) != "ballast" {
			t.Fatalf("replayed %s: %d bytes, want %d (%v)", name, len(got), len(want), err)
		}
	}
}

// pseudoFile is a file of the disk that a trace writes.
type pseudoFile struct {
	durable []byte
	pending []ioEvent
	size    int64
}

// pseudoDisk is the disk: names and contents as they are after a power cut, and what
// may come on top of them. Any sync makes the changes of names before it durable, as
// a journalling file system does.
type pseudoDisk struct {
	names   map[string]*pseudoFile // nil: a folder
	durable map[string]*pseudoFile
	changes []func(map[string]*pseudoFile) // since the last sync
	printed bytes.Buffer
}

func newDisk() *pseudoDisk {
	return &pseudoDisk{names: map[string]*pseudoFile{}, durable: map[string]*pseudoFile{}}
}

func (d *pseudoDisk) change(f func(map[string]*pseudoFile)) {
	f(d.names)
	d.changes = append(d.changes, f)
}

func (d *pseudoDisk) do(e ioEvent) {
	f := d.names[e.path]
	switch e.name {
	case "print":
		d.printed.Write(e.data)
	case "mkdirat":
		d.change(func(m map[string]*pseudoFile) { m[e.path] = nil })
	case "openat":
		if f == nil {
			made := &pseudoFile{}
			d.change(func(m map[string]*pseudoFile) { m[e.path] = made })
		} else if e.trim {
			f.write(ioEvent{name: "ftruncate"})
		}
	case "unlink":
		d.change(func(m map[string]*pseudoFile) { delete(m, e.path) })
	case "renameat":
		d.change(func(m map[string]*pseudoFile) { m[e.to] = m[e.path]; delete(m, e.path) })
	case "sync":
		if f != nil {
			for _, w := range f.pending {
				f.durable = overlay(f.durable, w, 0, len(w.data))
			}
			f.pending = nil
		}
		d.durable, d.changes = maps.Clone(d.names), nil
	default:
		if f != nil {
			f.write(e)
		}
	}
}

func (f *pseudoFile) write(e ioEvent) {
	if e.name == "ftruncate" {
		f.size = e.off
	} else {
		if e.off < 0 {
			e.off = f.size
		}
		f.size = max(f.size, e.off+int64(len(e.data)))
	}
	f.pending = append(f.pending, e)
}

// overlay puts the bytes from..to of a write, or a truncation, into a file.
func overlay(b []byte, e ioEvent, from, to int) []byte {
	end := int(e.off) + to
	if e.name == "ftruncate" {
		end = int(e.off)
		b = b[:min(len(b), end)]
	}
	if len(b) < end {
		b = append(b, make([]byte, end-len(b))...)
	}
	if e.name != "ftruncate" {
		copy(b[int(e.off)+from:end], e.data[from:to])
	}
	return b
}

// cut writes the disk as the power cut leaves it.
func (d *pseudoDisk) cut(t *testing.T, r *rand.Rand, mode, dir string) {
	t.Helper()
	names := maps.Clone(d.durable)
	kept := r.IntN(len(d.changes) + 1)
	switch mode {
	case "nothing":
		kept = 0
	case "everything":
		kept = len(d.changes)
	}
	for _, f := range d.changes[:kept] {
		f(names)
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		path := filepath.Join(dir, name)
		f := names[name]
		if f == nil {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if strings.HasSuffix(name, "-shm") {
			continue // memory of the running system
		}
		if err := os.WriteFile(path, f.after(r, mode), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// after returns what a file holds after a cut.
func (f *pseudoFile) after(r *rand.Rand, mode string) []byte {
	b := slices.Clone(f.durable)
	for _, w := range f.pending {
		switch {
		case mode == "nothing", mode != "everything" && r.IntN(2) == 0:
		case mode != "torn" || w.name == "ftruncate":
			b = overlay(b, w, 0, len(w.data))
		default:
			for from := 0; from < len(w.data); from += 512 {
				if r.IntN(2) == 0 {
					b = overlay(b, w, from, min(from+512, len(w.data)))
				}
			}
		}
	}
	return b
}

var (
	callLine = regexp.MustCompile(`^(\d+)\s+(?:<\.\.\. )?(\w+)`)
	fdPath   = regexp.MustCompile(`^\d+<((?:\\x[0-9a-f]{2})+|[^>]*)>`)
	callEnd  = regexp.MustCompile(`\)\s+= (-?\d+)\b`)
	quoted   = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

// readTrace reads the calls about files below root, in the order in which they ended.
func readTrace(t *testing.T, trace, root string) []ioEvent {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	var out []ioEvent
	open := map[string]string{} // by thread: a call that has not ended
	for s := bufio.NewReader(bytes.NewReader(b)); ; {
		line, err := s.ReadString('\n')
		if err != nil {
			return out
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil || strings.Contains(line, "--- SIG") || strings.Contains(line, "+++ ") {
			continue
		}
		if cut, unfinished := strings.CutSuffix(strings.TrimSpace(line), "<unfinished ...>"); unfinished {
			open[m[1]] = cut
			continue
		}
		if strings.Contains(line, "<... ") {
			_, rest, _ := strings.Cut(line, "resumed>")
			line = open[m[1]] + rest
		}
		if e, ok := readCall(m[2], line, root); ok {
			out = append(out, e)
		}
	}
}

// readCall reads one call that ended well.
func readCall(name, line, root string) (ioEvent, bool) {
	e := ioEvent{name: name, off: -1}
	_, args, _ := strings.Cut(line, "(")
	end := callEnd.FindStringSubmatchIndex(args)
	if end == nil || args[end[2]:end[3]] == "-1" {
		return e, false
	}
	args = args[:end[0]]
	var texts []string
	for _, q := range quoted.FindAllStringSubmatch(args, 2) {
		texts = append(texts, unhex(q[1]))
	}
	below := func(p string) string {
		rel, err := filepath.Rel(root, p)
		if err != nil || strings.HasPrefix(rel, "..") {
			return ""
		}
		return rel
	}
	if f := fdPath.FindStringSubmatch(args); f != nil {
		e.path = below(unhex(f[1]))
	}
	last := func() int64 {
		n, _ := strconv.ParseInt(strings.TrimSpace(args[strings.LastIndex(args, ",")+1:]), 10, 64)
		return n
	}
	switch name {
	case "write", "pwrite64":
		e.data = []byte(texts[0])
		if name == "pwrite64" {
			e.off = last()
		}
		if strings.HasPrefix(args, "1<") {
			e.name = "print"
			return e, true
		}
	case "ftruncate":
		e.off = last()
	case "fdatasync", "fsync":
		e.name = "sync"
	case "open", "openat":
		e.name = "openat"
		e.path, e.trim = below(texts[0]), strings.Contains(args, "O_TRUNC")
		return e, e.path != "" && strings.Contains(args, "O_CREAT")
	case "renameat":
		e.path, e.to = below(texts[0]), below(texts[1])
	case "unlink", "unlinkat", "mkdirat":
		e.path = below(texts[0])
		e.name = strings.TrimSuffix(name, "at")
		if name == "mkdirat" {
			e.name = name
		}
	}
	return e, e.path != ""
}

// unhex reads the text of a trace, where every byte is written as \xNN.
func unhex(s string) string {
	if !strings.HasPrefix(s, `\x`) {
		return s
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s
	}
	return string(b)
}

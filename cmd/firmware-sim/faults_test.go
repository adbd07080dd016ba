package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/firmware-sim/wire"
)

// listener reads a pty as an agent would, under whatever name it comes back.
type listener struct {
	mu   sync.Mutex
	read []byte
	stop chan struct{}
	wg   sync.WaitGroup
}

func listen(link string) *listener {
	e := &listener{stop: make(chan struct{})}
	e.wg.Go(func() {
		buf := make([]byte, 4096)
		for {
			f, err := os.OpenFile(link, os.O_RDWR, 0)
			for err == nil {
				var n int
				if n, err = f.Read(buf); n == 0 {
					f.Close()
					break
				}
				e.mu.Lock()
				e.read = append(e.read, buf[:n]...)
				e.mu.Unlock()
			}
			select {
			case <-e.stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	return e
}

func (e *listener) end() []byte {
	close(e.stop)
	e.wg.Wait()
	return e.read
}

// day runs firmware-sim with a fault and returns what stood on the line, the places it was found at, and how long it took.
func day(t *testing.T, fault string) (line []byte, places int, took time.Duration) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	link := filepath.Join(dir, "pos")
	e := listen(link)
	args := []string{"run", "--terminal", "traditional", "--seed", "3", "--speed", "0", "--count", "40", "--symlink", link, "--hold",
		"--start", "2026-08-01", "--json", "--journal", filepath.Join(dir, "journal")}
	if fault != "" {
		args = append(args, "--fault", fault)
	}
	var out, errs bytes.Buffer
	begin := time.Now()
	code := dispatch(context.Background(), args, strings.NewReader(""), &out, &errs)
	took = time.Since(begin)
	line = e.end()
	if code != exitOK {
		t.Fatalf("%s: exit %d: %s", fault, code, errs.String())
	}
	seen := map[string]bool{}
	for l := range strings.Lines(out.String()) {
		var found struct{ Event, Place string }
		if json.Unmarshal([]byte(l), &found) == nil && found.Event == "found" {
			places++
			seen[found.Place] = true
		}
	}
	return line, places, took
}

// whole counts the frames with a right check byte, and those that repeat a record.
func whole(line []byte) (frames, again int) {
	for i := 0; i < len(line); {
		n := 0
		for j := i + 6; j <= len(line) && j <= i+1200 && line[i] == 0x02; j++ {
			if wire.HoldsSTX(line[i:j]) {
				n = j - i
				break
			}
		}
		if n == 0 {
			i++
			continue
		}
		frames++
		if bytes.Contains(line[i:i+n], []byte{0x9F, 0x01, 0, 1, 15}) || bytes.Contains(line[i:i+n], []byte{0x9F, 0x01, 0, 1, 16}) {
			again++
		}
		i += n
	}
	return frames, again
}

// TestEachFaultThroughAPTY: every fault that cli.md names does to the line what it is called, and only that.
func TestEachFaultThroughAPTY(t *testing.T) {
	calm, _, _ := day(t, "")
	all, printed := whole(calm)
	if all < 40 || printed != 0 {
		t.Fatalf("%d frames on a calm line, %d printed again", all, printed)
	}
	same := func(line []byte, _ int, _ time.Duration) bool { return bytes.Equal(line, calm) }
	for fault, as := range map[string]func(line []byte, places int, took time.Duration) bool{
		"split=1": same,
		"merge=1": same,
		"stall=1:20ms": func(line []byte, _ int, took time.Duration) bool {
			return bytes.Equal(line, calm) && took >= time.Duration(all)*20*time.Millisecond
		},
		"drop=0.01": func(line []byte, _ int, _ time.Duration) bool {
			n, _ := whole(line)
			return len(line) < len(calm) && n > 0 && n < all
		},
		"flip=1e-3": func(line []byte, _ int, _ time.Duration) bool {
			n, _ := whole(line)
			return len(line) == len(calm) && !bytes.Equal(line, calm) && n > 0 && n < all
		},
		"repeat=1": func(line []byte, _ int, _ time.Duration) bool {
			n, _ := whole(line)
			return n == 2*all && len(line) == 2*len(calm)
		},
		"baud@9": func(line []byte, _ int, _ time.Duration) bool {
			n, _ := whole(line)
			return n == all-1 && len(line) > len(calm)
		},
		"unplug@9": func(line []byte, places int, _ time.Duration) bool {
			n, _ := whole(line)
			return n == all-1 && places == 2 && len(line) < len(calm)
		},
		"power@9": func(line []byte, places int, _ time.Duration) bool {
			n, again := whole(line)
			return n > all && again > 0 && places == 2
		},
	} {
		line, places, took := day(t, fault)
		for try := 0; try < 2 && !as(line, places, took); try++ { // a busy kernel may lose the end of a line that closes
			line, places, took = day(t, fault)
		}
		if !as(line, places, took) {
			n, again := whole(line)
			t.Errorf("%s: %d of %d bytes, %d of %d frames whole, %d printed again, %d places, %v", fault, len(line), len(calm), n, all, again, places, took)
		}
	}
}

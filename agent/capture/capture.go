// Package capture keeps what a link receives in a file for support: sanitised before it
// is written, capped in size and time, with a description beside it of what
// it is and why it ended.
//
// A Recorder is fed by the goroutine that reads the port and never makes it wait:
// what the disk does not take in time is left out, counted, and noted in the description.
//
// Files: DIR/LINK-TIME.raw, which `yuanlu replay` reads, and DIR/LINK-TIME.json
// (Info). The newest maxKept captures are kept. Source: cli.md, capture.
package capture

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"
)

// Limits of a capture.
const (
	DefaultBytes = 16 << 20
	MaxBytes     = 256 << 20
	DefaultFor   = time.Hour
	MaxFor       = 24 * time.Hour

	maxKept   = 8
	maxQueued = 512       // pieces that wait for the disk
	lookEvery = 256 << 10 // bytes written between two looks at the disk
)

// Dir returns the folder of the captures of a store.
func Dir(storeDir string) string { return filepath.Join(storeDir, "captures") }

// Cleaner makes of bytes what may be kept. *sanitise.Sanitiser is one.
type Cleaner interface {
	// Clean appends to dst what may be kept by now.
	Clean(dst, p []byte) []byte
	// Rest appends what is left: nothing comes for now.
	Rest(dst []byte) []byte
}

// Info describes a capture.
type Info struct {
	Link     string    `json:"link"`
	Wire     string    `json:"wire"`
	File     string    `json:"file"`
	Started  time.Time `json:"started"`
	Until    time.Time `json:"until"` // at the latest
	Ended    time.Time `json:"ended,omitzero"`
	Bytes    int64     `json:"bytes"`
	MaxBytes int64     `json:"max_bytes"`
	LeftOut  int64     `json:"left_out"` // bytes that the disk did not take in time
	Running  bool      `json:"running"`
	Reason   string    `json:"reason,omitempty"` // why it ended: stopped, size, time, disk (almost full), or an error
}

// Options of a Recorder. All but Low and Log are needed.
type Options struct {
	Dir, Link, Wire string
	Cleaner         Cleaner
	MaxBytes        int64         // 0: DefaultBytes
	For             time.Duration // 0: DefaultFor
	Now             func() time.Time
	Low             func() bool // whether the disk is too full for captures; nil: never
	Log             *slog.Logger
}

// Classes of errors. ErrLimit: MaxBytes or For is out of range. ErrLow: Low returned true.
var (
	ErrLimit = errors.New("capture: limit out of range")
	ErrLow   = errors.New("capture: the disk is almost full; the store needs what is left")
)

// Recorder is one capture under way. Its methods may be called by anybody.
type Recorder struct {
	opt    Options
	file   *os.File
	pieces chan []byte // nil: nothing comes for now
	stop   chan struct{}
	ended  chan struct{}
	once   sync.Once
	looked int64 // bytes written at the last look at the disk; of run alone

	mu   sync.Mutex // guards info
	info Info
}

// Start makes the files and begins. The caller feeds Bytes and Rest, and calls Stop.
// Errors: ErrLimit, ErrLow, those of the file system.
func Start(o Options) (*Recorder, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultBytes
	}
	if o.For == 0 {
		o.For = DefaultFor
	}
	if o.MaxBytes < 1 || o.MaxBytes > MaxBytes || o.For < time.Second || o.For > MaxFor {
		return nil, fmt.Errorf("%w: want at most %d bytes and from a second to %v", ErrLimit, MaxBytes, MaxFor)
	}
	if o.Low == nil {
		o.Low = func() bool { return false }
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	if err := prune(o.Dir); err != nil {
		return nil, err
	}
	if o.Low() {
		return nil, ErrLow
	}
	now := o.Now()
	name := filepath.Join(o.Dir, o.Link+"-"+now.UTC().Format("20060102T150405.000")+".raw")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	r := &Recorder{opt: o, file: file, pieces: make(chan []byte, maxQueued), stop: make(chan struct{}), ended: make(chan struct{}),
		info: Info{Link: o.Link, Wire: o.Wire, File: name, Started: now, Until: now.Add(o.For), MaxBytes: o.MaxBytes, Running: true}}
	if err := r.describe(); err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(name))
	}
	go r.run()
	return r, nil
}

// Bytes takes what the link received. It never waits.
func (r *Recorder) Bytes(p []byte) { r.add(append([]byte(nil), p...)) }

// Rest reports that the link is silent, or its port was closed.
func (r *Recorder) Rest() { r.add(nil) }

func (r *Recorder) add(p []byte) {
	select {
	case <-r.ended:
	case r.pieces <- p:
	default:
		r.mu.Lock()
		r.info.LeftOut += int64(len(p))
		r.mu.Unlock()
	}
}

// Info returns how it goes.
func (r *Recorder) Info() Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info
}

// Stop ends the capture and waits for its file.
func (r *Recorder) Stop() Info {
	r.once.Do(func() { close(r.stop) })
	<-r.ended
	return r.Info()
}

func (r *Recorder) run() {
	defer close(r.ended)
	limit := time.NewTimer(r.opt.For)
	defer limit.Stop()
	reason, err := "", error(nil)
	var out []byte
	for reason == "" && err == nil {
		select {
		case p := <-r.pieces:
			if out = out[:0]; p == nil {
				out = r.opt.Cleaner.Rest(out)
			} else {
				out = r.opt.Cleaner.Clean(out, p)
			}
			reason, err = r.write(out)
		case <-limit.C:
			reason = "time"
		case <-r.stop:
			reason = "stopped"
		}
	}
	if err == nil && reason != "size" && reason != "disk" {
		_, err = r.write(r.opt.Cleaner.Rest(r.drain()))
	}
	if err == nil {
		err = r.file.Sync()
	}
	err = errors.Join(err, r.file.Close())
	if err != nil {
		reason = err.Error()
	}
	r.mu.Lock()
	r.info.Running, r.info.Ended, r.info.Reason = false, r.opt.Now(), reason
	r.mu.Unlock()
	if err := r.describe(); err != nil {
		r.opt.Log.Warn("capture.description", "link", r.opt.Link, "err", err)
	}
	r.opt.Log.Info("capture.ended", "link", r.opt.Link, "reason", reason, "bytes", r.Info().Bytes)
}

// drain returns what was taken and still waits.
func (r *Recorder) drain() (out []byte) {
	for {
		select {
		case p := <-r.pieces:
			if p == nil {
				out = r.opt.Cleaner.Rest(out)
			} else {
				out = r.opt.Cleaner.Clean(out, p)
			}
		default:
			return out
		}
	}
}

// write writes as much as there is room for.
func (r *Recorder) write(b []byte) (reason string, err error) {
	written := r.Info().Bytes
	if written+int64(len(b))-r.looked > lookEvery {
		if r.looked = written; r.opt.Low() {
			return "disk", nil
		}
	}
	if room := r.opt.MaxBytes - written; int64(len(b)) >= room {
		b, reason = b[:room], "size"
	}
	n, err := r.file.Write(b)
	r.mu.Lock()
	r.info.Bytes += int64(n)
	r.mu.Unlock()
	return reason, err
}

// describe writes the description beside the capture.
func (r *Recorder) describe() error {
	b, err := json.MarshalIndent(r.Info(), "", "  ")
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	name := strings.TrimSuffix(r.file.Name(), ".raw") + ".json"
	f, err := os.CreateTemp(r.opt.Dir, ".describe-*.new") // exclusive, mode 0600
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("capture: %w", err), os.Remove(f.Name()))
	}
	return nil
}

// List describes the captures in a folder, oldest first. One whose daemon died is
// not running, and has no end. A folder that is not there has none.
func List(dir string) ([]Info, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	var all []Info
	for _, name := range names {
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
		var i Info
		if json.Unmarshal(b, &i) != nil || i.File == "" {
			continue // not one of ours
		}
		if file, err := os.Stat(i.File); err == nil {
			i.Bytes = file.Size()
		}
		i.Running = false
		all = append(all, i)
	}
	sort.Slice(all, func(a, b int) bool { return all[a].Started.Before(all[b].Started) })
	return all, nil
}

// prune makes room for one more.
func prune(dir string) error {
	all, err := List(dir)
	if err != nil {
		return err
	}
	for len(all) >= maxKept {
		raw := filepath.Join(dir, filepath.Base(all[0].File))
		err := errors.Join(removeIfThere(raw), removeIfThere(strings.TrimSuffix(raw, ".raw")+".json"))
		if err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		all = all[1:]
	}
	return nil
}

func removeIfThere(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

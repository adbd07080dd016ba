// Package bundle writes the archive that a terminal hands to the support desk: one
// tar.gz, readable by its owner alone, its parts in a fixed order, with a manifest of
// their checksums at the end.
//
// A part that cannot be made does not keep the others from being made: the manifest
// states why. Whatever a part holds, runs of digits that could be a card number are
// masked in it; what the parts may hold in the first place is their maker's to decide.
//
// Source: cli.md, support-bundle.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"yuanlu/agent/newfile"
	"yuanlu/protocol/cardnumber"
)

// MaxPart is the most that a part may hold, in bytes; the rest is cut off. It does not
// bound files.
const MaxPart = 4 << 20

// partTime is how long the making of one part may take.
const partTime = 30 * time.Second

// Part is one file of the archive: what Make writes, or the file at Path as it is.
type Part struct {
	Name string // in the archive, "status.json"
	Make func(ctx context.Context, w io.Writer) error
	Path string // a file that is sanitised already; "": Make
}

// Entry is what the manifest states about a part.
type Entry struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	Cut    bool   `json:"cut,omitempty"`   // it was longer than MaxPart
	Error  string `json:"error,omitempty"` // why it is not there, or not whole
}

// Manifest is the last file of the archive, manifest.json.
type Manifest struct {
	Made    time.Time `json:"made"`
	Program string    `json:"program"`
	Parts   []Entry   `json:"parts"`
}

// Result is the archive that was written.
type Result struct {
	File   string   `json:"file"`
	Bytes  int64    `json:"bytes"`
	SHA256 string   `json:"sha256"`
	Parts  int      `json:"parts"`
	Failed []string `json:"failed"` // names of parts that could not be made
	// Missing are the same with the reason, and what would be needed.
	Missing []Entry `json:"-"`
}

// Options are what to write.
type Options struct {
	File    string // where; nothing may be there yet
	Folder  string // that the parts lie in inside the archive
	Program string // name and version
	Now     time.Time
	Parts   []Part
	// Low reports whether the disk is too full for a bundle; it is asked again and again
	// while the bundle grows. nil: never.
	Low func() bool
	// Progress is called after each part; may be nil.
	Progress func(step, steps int, what string)
}

// ErrLow: Options.Low returned true.
var ErrLow = errors.New("the disk is almost full; the store needs what is left")

// lookEvery is how many bytes are written between two looks at the disk.
const lookEvery = 256 << 10

// Write writes the archive; its folder must be there. Errors: ctx's, ErrLow, those of the file system; then
// nothing is left behind.
func Write(ctx context.Context, o Options) (r Result, err error) {
	if o.Low == nil {
		o.Low = func() bool { return false }
	}
	if o.Low() {
		return r, fmt.Errorf("bundle: %w", ErrLow)
	}
	file, err := newfile.Create(o.File)
	if err != nil {
		return r, fmt.Errorf("bundle: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("bundle: %w", err), file.Discard())
		}
	}()
	sum := sha256.New()
	size := &counter{low: o.Low}
	missing, err := o.archive(ctx, io.MultiWriter(size, file, sum))
	if err == nil {
		err = file.Keep()
	}
	if err != nil {
		return r, err
	}
	r = Result{File: o.File, Bytes: size.n, SHA256: hex.EncodeToString(sum.Sum(nil)), Parts: len(o.Parts) + 1, Failed: []string{}, Missing: missing}
	for _, e := range missing {
		r.Failed = append(r.Failed, e.Name)
	}
	return r, nil
}

// counter counts what is written to it, and ends it where the disk fills.
type counter struct {
	n, looked int64
	low       func() bool
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	if c.n-c.looked > lookEvery {
		if c.looked = c.n; c.low() {
			return 0, ErrLow
		}
	}
	return len(p), nil
}

func (o *Options) archive(ctx context.Context, w io.Writer) (missing []Entry, err error) {
	zipped, err := gzip.NewWriterLevel(w, gzip.BestSpeed) // a terminal has better things to do
	if err != nil {
		return nil, err
	}
	out := tar.NewWriter(zipped)
	manifest := Manifest{Made: o.Now.UTC().Truncate(time.Second), Program: o.Program}
	for i, p := range o.Parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := o.put(ctx, out, p)
		if err != nil {
			return nil, err
		}
		if manifest.Parts = append(manifest.Parts, e); e.Error != "" {
			missing = append(missing, e)
		}
		if o.Progress != nil {
			o.Progress(i+1, len(o.Parts)+1, p.Name)
		}
	}
	b, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return nil, err
	}
	if _, err := o.write(out, "manifest.json", int64(len(b)), bytes.NewReader(b)); err != nil {
		return nil, err
	}
	return missing, errors.Join(out.Close(), zipped.Close())
}

// put makes one part. The error is the archive's; the part's own is in the entry.
func (o *Options) put(ctx context.Context, out *tar.Writer, p Part) (e Entry, err error) {
	if p.Path != "" {
		return o.putFile(out, p)
	}
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	e.Name = p.Name
	room := &bounded{left: MaxPart}
	if err := p.Make(ctx, room); err != nil && !errors.Is(err, errFull) {
		e.Error = string(Mask([]byte(err.Error())))
	}
	b := Mask(room.b.Bytes())
	e.Cut, e.Bytes = room.left < 0, int64(len(b))
	if e.Error != "" && len(b) == 0 {
		return e, nil
	}
	e.SHA256, err = o.write(out, p.Name, e.Bytes, bytes.NewReader(b))
	return e, err
}

func (o *Options) putFile(out *tar.Writer, p Part) (e Entry, err error) {
	e.Name = p.Name
	file, err := os.Open(p.Path)
	if err != nil {
		e.Error = err.Error()
		return e, nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		e.Error = "not a file that can be read"
		return e, nil
	}
	e.Bytes = info.Size() // it may grow meanwhile
	e.SHA256, err = o.write(out, p.Name, e.Bytes, io.LimitReader(file, e.Bytes))
	return e, err
}

func (o *Options) write(out *tar.Writer, name string, size int64, r io.Reader) (sum string, err error) {
	head := &tar.Header{Typeflag: tar.TypeReg, Name: o.Folder + "/" + name, Size: size, Mode: 0o600,
		ModTime: o.Now.UTC().Truncate(time.Second), Format: tar.FormatUSTAR}
	if err := out.WriteHeader(head); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(out, h), r, size); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// errFull ends the making of a part that is long enough.
var errFull = errors.New("bundle: the part is full")

// bounded takes up to left bytes.
type bounded struct {
	b    bytes.Buffer
	left int // negative: there was more
}

func (w *bounded) Write(p []byte) (int, error) {
	if len(p) > w.left {
		w.b.Write(p[:max(w.left, 0)])
		w.left = -1
		return 0, errFull
	}
	w.left -= len(p)
	return w.b.Write(p)
}

// Mask hides the middle of every run of 13 to 19 digits that begins like a card number
// (3 to 6, 9) and passes the Luhn check; longer runs hide every such number in them. In
// a number of JSON zeros stand for what is hidden, so that it stays one.
func Mask(b []byte) []byte {
	b = bytes.Clone(b)
	for i := 0; i < len(b); {
		end := i
		for end < len(b) && b[end] >= '0' && b[end] <= '9' {
			end++
		}
		switch run := b[i:end]; {
		case len(run) < 13:
		case isNumber(b, i, end):
			if len(run) <= 19 && cardnumber.Like(run) {
				hide(run, '0')
			}
		default:
			maskRun(run)
		}
		i = end + 1
	}
	return b
}

// isNumber reports whether the digits are a number of JSON by themselves.
func isNumber(b []byte, from, to int) bool {
	before := bytes.TrimRight(b[:from], " ")
	return len(before) > 0 && before[len(before)-1] == ':' && to < len(b) && bytes.IndexByte([]byte(",}]\n"), b[to]) >= 0
}

func maskRun(run []byte) {
	for at := 0; at+13 <= len(run); at++ {
		for n := min(19, len(run)-at); n >= 13; n-- {
			if cardnumber.Like(run[at : at+n]) {
				hide(run[at:at+n], '*')
				break
			}
		}
	}
}

func hide(number []byte, with byte) {
	for k := 6; k < len(number)-4; k++ {
		number[k] = with
	}
}

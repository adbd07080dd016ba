package bundle

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/config"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
	"yuanlu/protocol/printable"
)

const (
	// MostLines is how many lines that the daemon has in memory go into a bundle.
	MostLines = 500

	fileLines    = 2000 // of the log files
	mostEntries  = 500  // of the outbox
	mostCases    = 100  // the newest
	journalLines = 500
	unit         = "yuanlu"         // of systemd
	checkWithin  = 15 * time.Second // of the store's quick_check
	captureBytes = 64 << 20         // of captures, the newest first
)

// Source is where a bundle gets what its maker alone knows: the daemon of itself, or a verb
// by asking it.
type Source struct {
	Version func(context.Context) (any, error) // of the program
	Doctor  func(context.Context) []health.Checkup
	Links   func(context.Context) (any, error) // the ports, as links list shows them
	Status  func(context.Context) (any, error)
	Log     func(context.Context) ([]logbook.Line, error) // at most MostLines that the daemon has in memory
	Ports   func() any                                    // settings, holders and counters of each tty
	Shapes  func(context.Context) (any, error)            // what bytes that are not understood look like
	// Cases writes cases for people, newest first.
	Cases func(w io.Writer, all []ledger.CaseDetail) error
}

// Order is one bundle to make.
type Order struct {
	Source
	InForce  desired.InForce
	Broken   error // why there is no configuration: then the bundle has what goes without
	Captures bool  // the sanitised captures too
	File     string
	Program  string // name and version
	Now      time.Time
	Low      func() bool                        // as Options.Low
	Progress func(step, steps int, what string) // as Options.Progress
}

// Make writes the archive. Errors are those of Write.
func Make(ctx context.Context, o Order) (Result, error) {
	return Write(ctx, Options{File: o.File, Folder: prefix + o.InForce.Terminal.ID, Program: o.Program, Now: o.Now,
		Parts: o.parts(), Low: o.Low, Progress: o.Progress})
}

// parts lists what goes into a bundle, in its order. Of records there are only the cases
// that they belong to, with their accounts masked, as the back office has them.
func (o *Order) parts() []Part {
	c := o.InForce.Config
	parts := []Part{
		asJSON("version.json", o.Version),
		{Name: "doctor.txt", Make: func(ctx context.Context, w io.Writer) error {
			return writeCheckups(printable.NewWriter(w, nil), o.Doctor(ctx))
		}},
		asJSON("system.json", func(context.Context) (any, error) { return machine.Facts(c.Store.Dir), nil }),
		asJSON("links.json", o.Links),
		asJSON("ports.json", func(context.Context) (any, error) { return o.Ports(), nil }),
		asJSON("network.json", func(ctx context.Context) (any, error) { return machine.NetworkFacts(ctx, c.MQTT.URLs), nil }),
		{Name: "kernel.txt", Make: func(_ context.Context, w io.Writer) error {
			lines, err := machine.KernelMessages(portNames(c))
			return errors.Join(err, writeText(w, lines))
		}},
		output("unit.txt", func(ctx context.Context) ([]byte, error) { return machine.UnitState(ctx, unit) }),
		output("journal.txt", func(ctx context.Context) ([]byte, error) { return machine.UnitJournal(ctx, unit, journalLines) }),
	}
	if o.Broken != nil {
		return append(parts, Part{Name: "config-errors.txt", Make: func(_ context.Context, w io.Writer) error {
			_, err := fmt.Fprintln(w, o.Broken)
			return err
		}})
	}
	ofFiles := func(name string, q logbook.Query) Part {
		return Part{Name: name, Make: func(_ context.Context, w io.Writer) error {
			lines, err := q.FromFiles(c.Log.Path(), c.Log.Keep)
			return errors.Join(err, writeLines(w, lines))
		}}
	}
	parts = append(parts,
		Part{Name: "config.toml", Make: func(_ context.Context, w io.Writer) error {
			_, err := fmt.Fprintf(w, "# %s, version %d, digest %s\n%s", o.InForce.Origin(), o.InForce.Version, o.InForce.Digest, c.TOML())
			return err
		}},
		asJSON("status.json", o.Status),
		Part{Name: "log.txt", Make: func(ctx context.Context, w io.Writer) error {
			lines, err := o.Log(ctx)
			return errors.Join(err, writeLines(w, lines))
		}},
		ofFiles("log-file.txt", logbook.Query{Lines: fileLines, Level: -8}),
		ofFiles("log-cases.txt", logbook.Query{Lines: fileLines, Level: -8, Cases: true}),
		casesPart("cases.txt", c, o.Cases),
		fromStore("cases.json", c, func(ctx context.Context, db *ledger.DB) (any, error) { return newestCases(ctx, db) }),
		asJSON("unread.json", o.Shapes),
		fromStore("outbox-stat.json", c, func(ctx context.Context, db *ledger.DB) (any, error) { return db.OutboxStat(ctx) }),
		fromStore("outbox-list.json", c, outboxFacts),
		fromStore("store.json", c, func(ctx context.Context, db *ledger.DB) (any, error) { return storeFacts(ctx, c, db) }),
		asJSON("captures.json", func(context.Context) (any, error) { return capture.List(capture.Dir(c.Store.Dir)) }),
	)
	if o.Captures {
		parts = append(parts, captureParts(capture.Dir(c.Store.Dir))...)
	}
	return parts
}

// asJSON is a part that is one JSON value, readable.
func asJSON(name string, read func(context.Context) (any, error)) Part {
	return Part{Name: name, Make: func(ctx context.Context, w io.Writer) error {
		v, err := read(ctx)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		out := json.NewEncoder(&b)
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		if err := out.Encode(v); err != nil {
			return err
		}
		_, err = w.Write(b.Bytes())
		return err
	}}
}

// fromStore is a part that is read from the store, whether the daemon has it open or not.
func fromStore(name string, c *config.Config, read func(context.Context, *ledger.DB) (any, error)) Part {
	return asJSON(name, func(ctx context.Context) (v any, err error) {
		db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return read(ctx, db)
	})
}

// casesPart is the cases for people.
func casesPart(name string, c *config.Config, write func(io.Writer, []ledger.CaseDetail) error) Part {
	return Part{Name: name, Make: func(ctx context.Context, w io.Writer) (err error) {
		db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		all, err := newestCases(ctx, db)
		if err != nil {
			return err
		}
		return write(printable.NewWriter(w, nil), all)
	}}
}

// newestCases returns the newest cases, each with its verdict, what the rules found, both
// sides and its evidence.
func newestCases(ctx context.Context, db *ledger.DB) ([]ledger.CaseDetail, error) {
	rows, err := db.Cases(ctx, ledger.CaseFilter{Limit: mostCases})
	if err != nil {
		return nil, err
	}
	all := make([]ledger.CaseDetail, 0, len(rows))
	for i := range rows {
		one, err := db.Case(ctx, rows[i].CaseID)
		if errors.Is(err, ledger.ErrNotFound) {
			continue // retention has removed it meanwhile
		}
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// portNames returns the names of the ports of a configuration.
func portNames(c *config.Config) []string {
	var all []string
	for _, l := range c.Links {
		all = append(all, l.Port)
	}
	return all
}

// output is a part that is what a program has written.
func output(name string, read func(context.Context) ([]byte, error)) Part {
	return Part{Name: name, Make: func(ctx context.Context, w io.Writer) error {
		out, err := read(ctx)
		if _, failed := printable.NewWriter(w, nil).Write(out); failed != nil {
			err = errors.Join(err, failed)
		}
		return err
	}}
}

func writeText(w io.Writer, lines []string) error {
	out := printable.NewWriter(w, nil)
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return err
		}
	}
	return nil
}

func writeCheckups(w io.Writer, all []health.Checkup) error {
	for _, one := range all {
		if _, err := fmt.Fprintf(w, "%-7s %s: %s\n", one.Level, one.Name, one.Text); err != nil {
			return err
		}
		if one.Remedy != "" && one.Level != health.Fine {
			if _, err := fmt.Fprintf(w, "        -> %s\n", one.Remedy); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeLines(w io.Writer, lines []logbook.Line) error {
	out := bufio.NewWriter(w)
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return err
		}
	}
	return out.Flush()
}

// outboxFacts lists what waits without its content: kind, age, size, and the code of a
// refusal, but not the text that the back office gave with it.
func outboxFacts(ctx context.Context, db *ledger.DB) (any, error) {
	rows, err := db.OutboxList(ctx, mostEntries)
	all := append([]ledger.OutboxRow{}, rows...) // [] where there is none
	for i := range all {
		all[i].Message = ""
	}
	return all, err
}

func storeFacts(ctx context.Context, c *config.Config, db *ledger.DB) (any, error) {
	look, cancel := context.WithTimeout(ctx, checkWithin)
	defer cancel()
	f, err := db.Facts(look)
	if err != nil {
		return nil, err
	}
	counts, err := db.Counts(ctx, time.Now().In(c.Time.Location()))
	if err != nil {
		return nil, err
	}
	return struct {
		ledger.Facts
		Stream string `json:"stream"`
		Counts any    `json:"counts"`
		Files  any    `json:"files"`
	}{f, db.Stream(), counts, fileFacts(c.Store.Dir)}, nil
}

// fileFact is one file of the store's folder. No content is read.
type fileFact struct {
	Name  string    `json:"name"`
	Mode  string    `json:"mode"`
	Bytes int64     `json:"bytes"`
	Time  time.Time `json:"time"`
}

func fileFacts(dir string) []fileFact {
	all := []fileFact{}
	// What may not be looked at is left out: the list is for orientation.
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || len(all) >= 500 {
			return filepath.SkipDir
		}
		if info, err := entry.Info(); err == nil && !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			all = append(all, fileFact{name, info.Mode().String(), info.Size(), info.ModTime().UTC()})
		}
		return nil
	})
	return all
}

// captureParts returns the files of the captures, the newest as far as there is room.
// They were sanitised when they were written.
func captureParts(dir string) []Part {
	all, err := capture.List(dir)
	if err != nil {
		return []Part{{Name: "captures/error.txt", Make: func(context.Context, io.Writer) error { return err }}}
	}
	var parts []Part
	room := int64(captureBytes)
	for i := len(all) - 1; i >= 0; i-- {
		raw := filepath.Join(dir, filepath.Base(all[i].File))
		if room -= all[i].Bytes; room < 0 {
			break
		}
		info := strings.TrimSuffix(raw, ".raw") + ".json"
		parts = append(parts, Part{Name: "captures/" + filepath.Base(raw), Path: raw}, Part{Name: "captures/" + filepath.Base(info), Path: info})
	}
	return parts
}

package main

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
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/bundle"
	"yuanlu/agent/capture"
	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/machine"
	"yuanlu/protocol/printable"
)

const (
	bundleFileLines = 2000             // of the log files
	bundleEntries   = 500              // of the outbox
	bundleCheck     = 15 * time.Second // of the store's quick_check
	bundleCaptures  = 64 << 20         // bytes of captures, the newest first
)

// bundleParts lists what goes into a bundle, in its order. Records, verdicts and what
// is said of them do not: not even masked.
func (p *program) bundleParts(o bundleOrder) []bundle.Part {
	c := o.f.Config
	parts := []bundle.Part{
		asJSON("version.json", func(context.Context) (any, error) {
			b := buildInfo()
			b.Schemas = schemaIDs()
			return b, nil
		}),
		{Name: "doctor.txt", Make: func(ctx context.Context, w io.Writer) error {
			return sayDoctor(printable.NewWriter(w, nil), o.source.doctor(ctx))
		}},
		asJSON("system.json", func(context.Context) (any, error) { return systemFacts(c.Store.Dir), nil }),
		asJSON("links.json", func(context.Context) (any, error) { return linkFacts(c) }),
	}
	if o.broken != nil {
		return append(parts, bundle.Part{Name: "config-errors.txt", Make: func(_ context.Context, w io.Writer) error {
			_, err := fmt.Fprintln(w, o.broken)
			return err
		}})
	}
	parts = append(parts,
		bundle.Part{Name: "config.toml", Make: func(_ context.Context, w io.Writer) error {
			_, err := fmt.Fprintf(w, "# %s, version %d, digest %s\n%s", o.f.Origin(), o.f.Version, o.f.Digest, c.TOML())
			return err
		}},
		asJSON("status.json", o.source.status),
		bundle.Part{Name: "log.txt", Make: func(ctx context.Context, w io.Writer) error {
			lines, err := o.source.log(ctx)
			return errors.Join(err, sayLines(w, lines))
		}},
		bundle.Part{Name: "log-file.txt", Make: func(_ context.Context, w io.Writer) error {
			lines, err := logbook.Query{Lines: bundleFileLines, Level: -8}.FromFiles(c.Log.Path(), c.Log.Keep)
			return errors.Join(err, sayLines(w, lines))
		}},
		bundle.Part{Name: "log-cases.txt", Make: func(_ context.Context, w io.Writer) error {
			lines, err := logbook.Query{Lines: bundleFileLines, Level: -8, Cases: true}.FromFiles(c.Log.Path(), c.Log.Keep)
			return errors.Join(err, sayLines(w, lines))
		}},
		fromStore("outbox-stat.json", c, func(ctx context.Context, db *ledger.DB) (any, error) { return db.OutboxStat(ctx) }),
		fromStore("outbox-list.json", c, outboxFacts),
		fromStore("store.json", c, func(ctx context.Context, db *ledger.DB) (any, error) { return storeFacts(ctx, c, db) }),
		asJSON("captures.json", func(context.Context) (any, error) { return capture.List(capture.Dir(c.Store.Dir)) }),
	)
	if o.captures {
		parts = append(parts, captureParts(capture.Dir(c.Store.Dir))...)
	}
	return parts
}

// asJSON is a part that is one JSON value, readable.
func asJSON(name string, give func(context.Context) (any, error)) bundle.Part {
	return bundle.Part{Name: name, Make: func(ctx context.Context, w io.Writer) error {
		v, err := give(ctx)
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

// fromStore is a part that the store tells, whether the daemon has it open or not.
func fromStore(name string, c *config.Config, give func(context.Context, *ledger.DB) (any, error)) bundle.Part {
	return asJSON(name, func(ctx context.Context) (v any, err error) {
		db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, db.Close()) }()
		return give(ctx, db)
	})
}

func sayDoctor(w io.Writer, all []health.Checkup) error {
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

func sayLines(w io.Writer, lines []logbook.Line) error {
	out := bufio.NewWriter(w)
	for _, l := range lines {
		if _, err := fmt.Fprintln(out, l); err != nil {
			return err
		}
	}
	return out.Flush()
}

// outboxFacts lists what waits without what it says: kind, age, size, and the code of
// a refusal, but not the back office's own words.
func outboxFacts(ctx context.Context, db *ledger.DB) (any, error) {
	rows, err := db.OutboxList(ctx, bundleEntries)
	if err != nil {
		return nil, err
	}
	all := make([]outboxEntry, 0, len(rows))
	for _, one := range rows {
		n := one.Notice
		all = append(all, outboxEntry{Entry: n.Entry, State: one.State, Sequence: n.Sequence, Type: n.Type, Subject: n.Subject, Time: n.Time,
			Attempt: n.Attempt, Next: one.Next, Bytes: len(n.Data), Code: one.Code})
	}
	return all, nil
}

func storeFacts(ctx context.Context, c *config.Config, db *ledger.DB) (any, error) {
	look, cancel := context.WithTimeout(ctx, bundleCheck)
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

// linkFacts lists the ports as links list does.
func linkFacts(c *config.Config) (any, error) {
	links := map[string]string{}
	for _, l := range c.Links {
		links[l.Port] = l.Name
		if node, err := filepath.EvalSymlinks(l.Port); err == nil {
			links[node] = l.Name
		}
	}
	serial, err := serialDevices(links)
	usb, usbErr := usbDevices(links)
	if serial == nil && usb == nil {
		return nil, errors.Join(err, usbErr)
	}
	return append(serial, usb...), nil
}

// captureParts returns the files of the captures, the newest as far as there is room.
// They were sanitised when they were written.
func captureParts(dir string) []bundle.Part {
	all, err := capture.List(dir)
	if err != nil {
		return []bundle.Part{{Name: "captures/error.txt", Make: func(context.Context, io.Writer) error { return err }}}
	}
	var parts []bundle.Part
	room := int64(bundleCaptures)
	for i := len(all) - 1; i >= 0; i-- {
		raw := filepath.Join(dir, filepath.Base(all[i].File))
		if room -= all[i].Bytes; room < 0 {
			break
		}
		info := strings.TrimSuffix(raw, ".raw") + ".json"
		parts = append(parts, bundle.Part{Name: "captures/" + filepath.Base(raw), Path: raw}, bundle.Part{Name: "captures/" + filepath.Base(info), Path: info})
	}
	return parts
}

// systemFacts tells what the program stands on.
func systemFacts(store string) any {
	var u unix.Utsname
	kernel := ""
	if unix.Uname(&u) == nil {
		kernel = strings.Join([]string{unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]),
			unix.ByteSliceToString(u.Version[:]), unix.ByteSliceToString(u.Machine[:])}, " ")
	}
	disk := map[string]any{"dir": store, "free_bytes": machine.DiskFree(store)}
	var st unix.Statfs_t
	if unix.Statfs(store, &st) == nil {
		disk["bytes"], disk["inodes_free"] = int64(st.Blocks)*int64(st.Bsize), st.Ffree
		disk["read_only"] = st.Flags&unix.ST_RDONLY != 0
	}
	var clock unix.Timex
	state, err := unix.Adjtimex(&clock)
	return map[string]any{
		"kernel": kernel, "go": runtime.Version(), "cpus": runtime.NumCPU(), "uid": os.Geteuid(),
		"os_release": firstLines("/etc/os-release", 20), "memory": firstLines("/proc/meminfo", 5), "load": firstLines("/proc/loadavg", 1),
		"uptime": firstLines("/proc/uptime", 1), "model": firstLines("/proc/device-tree/model", 1), "mounts": mountsOf(store), "disk": disk,
		"clock": map[string]any{"now": time.Now(), "adjtimex": state, "unsynchronised": err != nil || clock.Status&unix.STA_UNSYNC != 0},
	}
}

// firstLines returns the beginning of a small file of the system, nothing if it cannot.
func firstLines(path string, n int) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []string
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() && len(all) < n {
		all = append(all, strings.Trim(lines.Text(), "\x00"))
	}
	return all
}

// mountsOf returns the file systems that dir lies on, from the root down.
func mountsOf(dir string) []string {
	var all []string
	for _, line := range firstLines("/proc/self/mounts", 500) {
		f := strings.Fields(line)
		if len(f) >= 4 && (f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/")) {
			options, _, _ := strings.Cut(f[3], ",") // rw or ro; what follows is nobody's business
			all = append(all, strings.Join(append(f[:3:3], options), " "))
		}
	}
	return all
}

package logbook

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IsCase reports whether a line is about a case. Such lines are always logged, and kept
// in files of their own, so that a week of noise does not take their room.
func IsCase(l Line) bool { return strings.HasPrefix(l.Code, "case.") }

// CaseFile names the file that the cases of a log file are kept in: yuanlu-cases.log
// beside yuanlu.log; "" for none.
func CaseFile(path string) string {
	if path == "" {
		return ""
	}
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + "-cases" + ext
}

// caseRing is how many lines of cases are remembered: at least those that may still be
// on their way to the file.
const caseRing = queueLines + 64

func (b *Book) rememberCase(l Line) {
	if len(b.cases) >= caseRing {
		b.cases = slices.Delete(b.cases, 0, 1)
	}
	b.cases = append(b.cases, l)
}

// Cases returns up to n of the last lines that are about cases and that want accepts,
// oldest first: from the file of cases, and what is on its way there. n ≤ 0: none.
func (b *Book) Cases(n int, want func(Line) bool) ([]Line, error) {
	b.mu.Lock()
	recent := slices.DeleteFunc(slices.Clone(b.cases), func(l Line) bool { return !want(l) })
	b.mu.Unlock()
	var past []Line
	var err error
	if b.caseDisk != nil {
		past, err = Tail(Files(b.caseDisk.path, b.caseDisk.keep), n, want)
	}
	written := make(map[string]bool, len(past))
	for _, l := range past {
		written[l.Time.In(b.zone).Format(timeLayout)+l.body()] = true
	}
	for _, l := range recent {
		if !written[l.Time.Format(timeLayout)+l.body()] {
			past = append(past, l)
		}
	}
	return past[max(0, len(past)-max(n, 0)):], err
}

// Tail returns the last n lines of log files that want accepts, oldest first.
func Tail(files []string, n int, want func(Line) bool) ([]Line, error) {
	var last []Line
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return last, err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(make([]byte, 4096), 1<<20)
		for lines.Scan() {
			l, ok := ParseLine(lines.Text())
			if !ok || !want(l) {
				continue
			}
			if last = append(last, l); len(last) > 2*n+64 {
				last = append(last[:0], last[len(last)-n:]...)
			}
		}
		if err := errors.Join(lines.Err(), f.Close()); err != nil {
			return last, fmt.Errorf("log file: %w", err)
		}
	}
	return last[max(0, len(last)-n):], nil
}

package logbook

import (
	"log/slog"
	"time"
)

// Query asks for lines of the log; it is the argument of the control socket's tail.
type Query struct {
	Follow bool       `json:"follow"`
	Lines  int        `json:"lines"` // of the past
	Level  slog.Level `json:"level"` // least
	Link   string     `json:"link,omitempty"`
	Cases  bool       `json:"cases,omitempty"`
	After  time.Time  `json:"after,omitzero"` // only what was logged later
}

// Wants reports whether a line is asked for.
func (q Query) Wants(l Line) bool {
	return l.Level >= q.Level && (q.After.IsZero() || l.Time.After(q.After)) && (q.Link == "" || l.Field("link") == q.Link) && (!q.Cases || IsCase(l))
}

// Files returns the log files to look into, oldest first: those of the log at path, kept
// keep times; where only cases are asked for, the files of cases if there are any.
func (q Query) Files(path string, keep int) []string {
	if path == "" {
		return nil
	}
	if q.Cases {
		if files := Files(CaseFile(path), keep); len(files) > 0 {
			return files
		}
	}
	return Files(path, keep)
}

// FromFiles returns the last lines of those files that are asked for, oldest first.
func (q Query) FromFiles(path string, keep int) ([]Line, error) {
	return Tail(q.Files(path, keep), q.Lines, q.Wants)
}

package config

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// ErrConfig is the class of every error of this package that the text of the
// configuration causes (exit status 78).
var ErrConfig = errors.New("configuration")

// Problem is one mistake and its place. Line and Col count from 1, Col in
// characters; both are 0 where the file as a whole is meant.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Name    string `json:"path,omitempty"` // "mqtt.url", "link[2].port"
	Message string `json:"message"`
}

// String returns "file:line:col: message", as compilers do.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// Errors are all mistakes of one file, in the order of the file. As an error it
// is of class ErrConfig. It never holds the value of a secret.
type Errors []Problem

// Error returns one line per mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is(err, ErrConfig) true.
func (e Errors) Unwrap() error { return ErrConfig }

func (e Errors) sorted() Errors {
	sort.SliceStable(e, func(i, j int) bool {
		if e[i].Line != e[j].Line {
			return e[i].Line < e[j].Line
		}
		return e[i].Col < e[j].Col
	})
	return e
}

// Nearest returns the candidate that name is most likely a misspelling of, "" if
// none is near: at most one edit for every three characters (two at least), or
// the beginning of the candidate.
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, c := range candidates {
		d := distance(name, c)
		if len(name) >= 3 && strings.HasPrefix(c, name) {
			d = min(d, 2)
		}
		if d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that make a of b (optimal string alignment).
func distance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	var rows [3][65]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

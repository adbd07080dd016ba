package config

import (
	"errors"
	"fmt"
	"io/fs"
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

// FileError is what kept a file from being read. It is of class ErrConfig, and of that of
// its cause: fs.ErrNotExist, fs.ErrPermission.
type FileError struct {
	Path string
	Err  error
}

// Error names the cause, and what to do about it.
func (e *FileError) Error() string {
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		return "there is no configuration " + e.Path + ": run yuanlu setup"
	case errors.Is(e.Err, fs.ErrPermission):
		return "this user may not read " + e.Path + ": use sudo, or be of its group"
	}
	return "configuration: " + e.Err.Error()
}

// Unwrap returns the classes.
func (e *FileError) Unwrap() []error { return []error{ErrConfig, e.Err} }

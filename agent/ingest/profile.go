package ingest

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"yuanlu/agent/sanitise"
	"yuanlu/agent/spelling"
	"yuanlu/agent/tomlfile"
)

// Profile is what differs between acquirers on one wire: result codes, kinds, tags,
// windows. It is data; the zero Profile is of no wire. It does not change and may be
// shared.
type Profile struct {
	wire string
	body profileBody
}

// profileBody is what the profile of one wire holds.
type profileBody interface {
	// read takes what a file states and keeps the rest as it is.
	read(s *section)
	// finish makes what the wire needs of it, and returns what no single value shows.
	finish() error
	// wire returns a wire that reads from m what it remembers.
	wire(m Memory) Wire
	// sanitiser returns what cleans the bytes of such a link.
	sanitiser() *sanitise.Sanitiser
}

// Wire returns the name of the wire the profile is for.
func (p Profile) Wire() string { return p.wire }

// Sanitiser returns what makes of the bytes of a link with this profile, which is of a
// wire, what may be kept for support.
func (p Profile) Sanitiser() *sanitise.Sanitiser { return p.body.sanitiser() }

// DefaultProfile returns the profile embedded for a wire. Error: ErrWire.
func DefaultProfile(wire string) (Profile, error) { return LoadProfile(wire, nil) }

// LoadProfile returns the embedded profile of a wire with the changes in file, which is
// TOML: what it does not state stays as it was; the keys of a table are added to those
// there are. Errors: ErrWire; ProfileErrors (errors.Is ErrProfile) with everything
// that is wrong, each with line and column.
func LoadProfile(wire string, file []byte) (Profile, error) {
	k, err := kindOf(wire)
	if err != nil {
		return Profile{}, err
	}
	body := k.empty()
	for _, text := range [][]byte{[]byte(k.defaults), file} {
		if err := readProfile(text, body.read); err != nil {
			return Profile{}, err
		}
	}
	if err := body.finish(); err != nil {
		return Profile{}, ProfileErrors{{Line: 1, Column: 1, Message: err.Error()}}
	}
	return Profile{wire, body}, nil
}

// DefaultProfileText returns the embedded profile of a wire as TOML, with its comments.
func DefaultProfileText(wire string) (string, error) {
	k, err := kindOf(wire)
	return k.defaults, err
}

// ProfileError is one error of a profile file.
type ProfileError struct {
	Line, Column int // both from 1, the column in bytes
	Key          string
	Message      string // got and want
}

// Error returns place, key and message.
func (e ProfileError) Error() string {
	key := ""
	if e.Key != "" {
		key = e.Key + ": "
	}
	return fmt.Sprintf("%d:%d: %s%s", e.Line, e.Column, key, e.Message)
}

// ProfileErrors is everything that is wrong with a profile file, in the order of its
// lines.
type ProfileErrors []ProfileError

// Error returns one line per error.
func (e ProfileErrors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns ErrProfile.
func (e ProfileErrors) Unwrap() error { return ErrProfile }

// section is one table of a profile file while it is read. Its methods put the value
// of a key, if the file has it, into the place they get, and note what is wrong with it.
// A check returns what a value should be, "" if it is fine.
type section struct {
	errs  *ProfileErrors
	name  string // of the table with a dot behind it, "" for the file's top
	nodes map[string]*node
	known []string
}

func readProfile(text []byte, read func(*section)) error {
	var errs ProfileErrors
	root, err := parseTOML(text)
	if err != nil {
		var e ProfileError
		if !errors.As(err, &e) {
			e = ProfileError{Line: 1, Column: 1, Message: err.Error()}
		}
		return ProfileErrors{e}
	}
	top := &section{errs: &errs, nodes: root}
	read(top)
	top.unknown()
	if len(errs) == 0 {
		return nil
	}
	sort.SliceStable(errs, func(i, j int) bool {
		a, b := errs[i], errs[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return errs
}

func (s *section) fail(n *node, key, format string, args ...any) {
	*s.errs = append(*s.errs, ProfileError{n.at.Line, n.at.Byte, s.name + key, fmt.Sprintf(format, args...)})
}

// take returns the node of a key and marks the key as known; nil if the file has none.
func (s *section) take(key string, want tomlfile.Kind) *node {
	s.known = append(s.known, key)
	n := s.nodes[key]
	if n == nil {
		return nil
	}
	if n.kind != want {
		s.fail(n, key, "got %s, want %s", kindName(n.kind), kindName(want))
		return nil
	}
	return n
}

// text reads a string.
func (s *section) text(key string, into *string, check func(string) string) {
	n := s.take(key, tomlfile.Text)
	if n == nil {
		return
	}
	if want := check(n.text); want != "" {
		s.fail(n, key, "got %q, want %s", n.text, want)
		return
	}
	*into = n.text
}

// texts reads an array of strings, which replaces the one there was.
func (s *section) texts(key string, into *[]string, check func(string) string) {
	n := s.take(key, tomlfile.List)
	if n == nil {
		return
	}
	out := make([]string, 0, len(n.items))
	for _, item := range n.items {
		if item.kind != tomlfile.Text {
			s.fail(item, key, "got %s, want %s", kindName(item.kind), kindName(tomlfile.Text))
			continue
		}
		if want := check(item.text); want != "" {
			s.fail(item, key, "got %q, want %s", item.text, want)
			continue
		}
		out = append(out, item.text)
	}
	*into = out
}

// flag reads true or false.
func (s *section) flag(key string, into *bool) {
	if n := s.take(key, tomlfile.Flag); n != nil {
		*into = n.text == "true"
	}
}

// number reads a whole number from low to high.
func (s *section) number(key string, into *int64, low, high int64) {
	n := s.take(key, tomlfile.Integer)
	if n == nil {
		return
	}
	if n.number < low || n.number > high {
		s.fail(n, key, "got %d, want %d to %d", n.number, low, high)
		return
	}
	*into = n.number
}

// table reads a table by a function that is only called if the file has it.
func (s *section) table(key string, read func(*section)) {
	n := s.take(key, tomlfile.Table)
	if n == nil {
		return
	}
	t := &section{errs: s.errs, name: s.name + key + ".", nodes: n.table}
	read(t)
	t.unknown()
}

// names reads a table whose keys are data, such as codes: name and text of each go
// into the map, where an empty text takes the name out of it.
func (s *section) names(key string, into map[string]string, checkName, checkText func(string) string) {
	s.table(key, func(t *section) {
		for name, n := range t.nodes {
			t.known = append(t.known, name)
			switch want := checkName(name); {
			case want != "":
				t.fail(n, name, "the key is not %s", want)
			case n.kind != tomlfile.Text:
				t.fail(n, name, "got %s, want %s", kindName(n.kind), kindName(tomlfile.Text))
			case n.text == "":
				delete(into, name)
			default:
				if want := checkText(n.text); want != "" {
					t.fail(n, name, "got %q, want %s", n.text, want)
					continue
				}
				into[name] = n.text
			}
		}
	})
}

// unknown notes the keys that are no member of a profile.
func (s *section) unknown() {
	for key, n := range s.nodes {
		if !slices.Contains(s.known, key) {
			s.fail(n, key, "unknown key%s", didYouMean(key, s.known))
		}
	}
}

// didYouMean returns the known key nearest to a wrong one, if it is near.
func didYouMean(key string, known []string) string {
	if near := spelling.Nearest(key, known); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ""
}

// oneOf accepts the given texts.
func oneOf(texts ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(texts, s) {
			return ""
		}
		return "one of " + strings.Join(texts, ", ") + didYouMean(s, texts)
	}
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Entry is one setting as it is in force. Value is written as in the file.
// No setting holds a secret itself: passwords and private keys are named by
// their file, and a URL with a password in it is refused.
type Entry struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default bool   `json:"default"` // not set in the file
	Line    int    `json:"line,omitempty"`
}

// Schema lists every name there is, with its default and meaning.
func Schema(o Options) []Setting { return settings(o) }

// Effective lists every setting in force, in the order of Schema.
func (c *Config) Effective() []Entry {
	var all []Entry
	for _, s := range settings(Options{}) {
		n, _ := c.elements(s.table)
		for i := range n {
			name := s.Name
			if s.list() {
				name = element(s.table, i, s.key)
			}
			at, given := c.given[name]
			all = append(all, Entry{Name: name, Value: s.literal(c, i), Default: !given, Line: at.Line})
		}
	}
	return all
}

// TOML writes the settings in force as a file that reads back to the same.
func (c *Config) TOML() string {
	var b strings.Builder
	table, index := "", -1
	write := func(s *Setting, i int) {
		if s.table != table || s.list() && i != index {
			table, index = s.table, i
			header := "\n[" + table + "]\n"
			if s.list() {
				header = "\n[[" + table + "]]\n"
			}
			b.WriteString(header)
		}
		fmt.Fprintf(&b, "%s = %s\n", s.key, s.literal(c, i))
	}
	all := settings(Options{})
	for i := range all {
		s := &all[i]
		if !s.list() {
			write(s, 0)
		}
	}
	for _, table := range []string{"link", "backoffice.key", supervisors} {
		n, _ := c.elements(table)
		for i := range n {
			writeElement(all, table, i, write)
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

func writeElement(all []Setting, table string, i int, write func(*Setting, int)) {
	for k := range all {
		if all[k].table == table {
			write(&all[k], i)
		}
	}
}

// Digest names the settings in force: equal settings, however written, have
// equal digests. First 8 bytes of a SHA-256, in hexadecimal.
func (c *Config) Digest() string {
	h := sha256.New()
	for _, e := range c.Effective() {
		fmt.Fprintf(h, "%s=%s\n", e.Name, e.Value)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Changed lists the names whose values differ between c and d.
func (c *Config) Changed(d *Config) []string {
	before := map[string]string{}
	for _, e := range c.Effective() {
		before[e.Name] = e.Value
	}
	var names []string
	for _, e := range d.Effective() {
		if v, ok := before[e.Name]; !ok || v != e.Value {
			names = append(names, e.Name)
		}
		delete(before, e.Name)
	}
	for _, e := range c.Effective() {
		if _, gone := before[e.Name]; gone {
			names = append(names, e.Name)
		}
	}
	return names
}

package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestForPeople: every verb that prints for people escapes what is not seen; JSON, and
// what is always for machines, stays as it is.
func TestForPeople(t *testing.T) {
	const name = "张\u00ad三\u200b \x1b[31m"
	for _, v := range verbs() {
		for _, json := range []bool{false, true} {
			var out, errs bytes.Buffer
			p := &program{stdout: &out, stderr: &errs, env: func(string) string { return "" }, json: json}
			p.forPeople(v)
			if _, err := p.stdout.Write([]byte(name)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.stderr.Write([]byte(name)); err != nil {
				t.Fatal(err)
			}
			if raw := out.String() == name; raw != (json || v.machine) {
				t.Errorf("%s, json %v: %q", v.name, json, out.String())
			}
			if !v.ownSignals && strings.Contains(errs.String(), "\u00ad") {
				t.Errorf("%s: standard error %q", v.name, errs.String())
			}
		}
	}
}

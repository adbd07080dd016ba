package notices

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// several are modules whose files offer a choice or name one thing twice.
var several = map[string]string{
	"github.com/eclipse/paho.mqtt.golang": "EPL-2.0 OR BSD-3-Clause",
}

// licenceOf names the licence of a text; "" is one that was not looked at, "-" a text
// that is to be shown and is no licence.
func licenceOf(name, text string) string {
	has := func(s string) bool { return strings.Contains(strings.Join(strings.Fields(text), " "), s) }
	switch {
	case strings.HasPrefix(strings.ToUpper(name), "NOTICE"), strings.Contains(name, "3RD-PARTY"), strings.Contains(name, "LOGO"):
		return "-"
	case has("Eclipse Public License - v 2.0"):
		return "EPL-2.0"
	case has("Apache License") && has("Version 2.0"):
		return "Apache-2.0"
	case has("Permission is hereby granted, free of charge"):
		return "MIT"
	case has("Redistribution and use in source and binary forms") && (has("Neither the name") || has("may not be used to endorse") || has("may be used to endorse")):
		return "BSD-3-Clause"
	case has("Redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("public domain"):
		return "blessing"
	}
	return ""
}

func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

// gather reads the licences of every module that is linked into one of the programs, for
// every kind of build, from the modules themselves.
func gather(t *testing.T) gathered {
	dirs := map[string]string{"std": strings.TrimSpace(run(t, nil, "go", "env", "GOROOT"))}
	const format = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}`
	for _, env := range [][]string{{"CGO_ENABLED=1"}, {"CGO_ENABLED=0"}, {"CGO_ENABLED=0", "GOARCH=arm64"}, {"CGO_ENABLED=0", "GOARCH=arm"}} {
		for line := range strings.Lines(run(t, env, "go", "list", "-deps", "-f", format, "yuanlu/cmd/...")) {
			if path, dir, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
				dirs[path] = dir
			}
		}
	}
	g := gathered{Modules: map[string]module{}}
	var names []string
	for name := range dirs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		entries, err := os.ReadDir(dirs[name])
		if err != nil {
			t.Fatal(err)
		}
		m, licences := module{}, []string{}
		for _, e := range entries {
			upper := strings.ToUpper(e.Name())
			if e.IsDir() || !slices.ContainsFunc([]string{"LICEN", "COPYING", "NOTICE", "PATENTS", "EDL-", "EPL-"}, func(p string) bool { return strings.HasPrefix(upper, p) }) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dirs[name], e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			switch l := licenceOf(e.Name(), string(text)); {
			case l == "" && strings.HasPrefix(upper, "PATENTS"), l == "-":
			case l == "" && several[name] == "":
				t.Errorf("%s: %s is a licence that is not known here", name, e.Name())
			case !slices.Contains(licences, l):
				licences = append(licences, l)
			}
			at := slices.Index(g.Texts, string(text))
			if at < 0 {
				at = len(g.Texts)
				g.Texts = append(g.Texts, string(text))
			}
			m.Texts = append(m.Texts, at)
		}
		if m.Licence = several[name]; m.Licence == "" {
			m.Licence = strings.Join(licences, " AND ")
		}
		if m.Licence == "" {
			t.Errorf("%s has no licence", name)
		}
		g.Modules[name] = m
	}
	return g
}

// TestTextsAreCurrent: the texts that are built in are those of the modules that are
// linked in, no more and no fewer, as they are now.
func TestTextsAreCurrent(t *testing.T) {
	want := gather(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err == nil {
			_, err = z.Write(raw)
		}
		if err = errors.Join(err, z.Close(), os.WriteFile("texts.json.gz", b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		packed = b.Bytes()
	}
	got, err := unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		for name, m := range want.Modules {
			if g, ok := got.Modules[name]; !ok || g.Licence != m.Licence {
				t.Errorf("%s: has %q, want %q", name, g.Licence, m.Licence)
			}
		}
		t.Error("the licences that are built in are not those of the modules: UPDATE_GOLDEN=1 go test ./protocol/notices gathers them")
	}
}

func TestPartsOfAProgram(t *testing.T) {
	info := &debug.BuildInfo{GoVersion: runtime.Version(), Deps: []*debug.Module{
		{Path: "modernc.org/sqlite", Version: "v1", Sum: "h1:x"}, {Path: "github.com/eclipse/paho.mqtt.golang", Version: "v2"}}}
	list, err := parts(info)
	if err != nil || len(list) != 3 || list[0].Licence != "EPL-2.0 OR BSD-3-Clause" || len(list[0].Texts) < 3 || list[2].Name != "std" || list[2].Licence != "BSD-3-Clause" {
		t.Errorf("%v, %v", list, err)
	}
	info.Deps = append(info.Deps, &debug.Module{Path: "example.com/new", Version: "v1"})
	if _, err := parts(info); !errors.Is(err, ErrUnknown) {
		t.Errorf("a part without a licence: %v", err)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// fieldHead is the first line of a .want file.
type fieldHead struct {
	Head struct {
		Now    string   `json:"now"`
		Status []int    `json:"status"`
		Left   []string `json:"left"`
	} `json:"_"`
}

// What terminals and platforms really sent and an earlier edition of the wires read
// wrongly: records, verdicts, exit status and what is left out, through the whole program.
func TestFieldInputs(t *testing.T) {
	files, err := filepath.Glob("testdata/field/*.want")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d inputs, %v", len(files), err)
	}
	for _, file := range files {
		stem := strings.TrimSuffix(file, ".want")
		t.Run(filepath.Base(stem), func(t *testing.T) { fieldInput(t, stem) })
	}
}

func fieldInput(t *testing.T, stem string) {
	captures, err := filepath.Glob(stem + ".*.hex")
	if err != nil || len(captures) != 1 {
		t.Fatalf("%d captures, %v", len(captures), err)
	}
	wire := strings.TrimPrefix(filepath.Ext(strings.TrimSuffix(captures[0], ".hex")), ".")
	text, err := os.ReadFile(stem + ".want")
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	var head fieldHead
	if err := json.Unmarshal([]byte(first), &head); err != nil {
		t.Fatal(err)
	}
	isVerdict := func(o any) bool { return o.(map[string]any)["type"] != nil }
	var records, verdicts []any
	for _, o := range objects(t, rest) {
		if isVerdict(o) {
			verdicts = append(verdicts, o)
		} else {
			records = append(records, o)
		}
	}
	capture := captureFile(t, hexFile(t, captures[0]))
	args := []string{"replay", "--wire", wire, "--now", head.Head.Now}
	code, out, errs := yl(t, "", append(args, "--records", capture)...)
	if !slices.Contains(head.Head.Status, code) {
		t.Errorf("exit %d: %s", code, errs)
	}
	sameLines(t, "record", records, objects(t, out))
	var left []string
	for line := range strings.Lines(errs) {
		if strings.HasPrefix(line, "left out: ") {
			left = append(left, strings.TrimSuffix(line, "\n"))
		}
	}
	if head.Head.Left != nil && !slices.Equal(left, head.Head.Left) {
		t.Errorf("left out %q, want %q", left, head.Head.Left)
	}
	if len(verdicts) == 0 {
		return
	}
	_, out, _ = yl(t, "", append(args, "--final", capture)...)
	got := slices.DeleteFunc(objects(t, out), func(o any) bool { return !isVerdict(o) })
	sameLines(t, "verdict", verdicts, got)
}

func sameLines(t *testing.T, what string, want, got []any) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d %ss, want %d: %v", len(got), what, len(want), got)
		return
	}
	for i := range want {
		for _, wrong := range differs(want[i], got[i], fmt.Sprintf("%s %d", what, i+1)) {
			t.Error(wrong)
		}
	}
}

// differs returns what of want is not in got: only members that want names count, null is
// nothing said, codes are those of the findings in their order, times are instants.
func differs(want, got any, path string) (out []string) {
	switch w := want.(type) {
	case nil:
		if said(got) {
			out = append(out, fmt.Sprintf("%s: got %v, want nothing", path, got))
		}
	case map[string]any:
		g, _ := got.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(w)) {
			switch {
			case k == "codes":
				codes := []any{}
				findings, _ := g["findings"].([]any)
				for _, f := range findings {
					codes = append(codes, f.(map[string]any)["code"])
				}
				out = append(out, differs(w[k], codes, path+" codes")...)
			case !strings.HasPrefix(k, "_"):
				out = append(out, differs(w[k], g[k], path+" "+k)...)
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(w) != len(g) {
			return []string{fmt.Sprintf("%s: got %v, want %v", path, got, want)}
		}
		for i := range w {
			out = append(out, differs(w[i], g[i], fmt.Sprintf("%s[%d]", path, i))...)
		}
	default:
		if (want == "" || want == false || want == 0.0) && !said(got) || sameMoment(want, got) || reflect.DeepEqual(want, got) {
			return nil
		}
		out = append(out, fmt.Sprintf("%s: got %v, want %v", path, got, want))
	}
	return out
}

// said reports whether a value states something.
func said(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != "" && v != "none" && v != "unknown"
	case bool:
		return v
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0 && !(v["scheme"] == "none" && v["also"] == nil)
	}
	return true
}

func sameMoment(a, b any) bool {
	x, _ := a.(string)
	y, _ := b.(string)
	t, err := time.Parse(time.RFC3339, x)
	u, err2 := time.Parse(time.RFC3339, y)
	return err == nil && err2 == nil && t.Equal(u)
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBillsShared runs the cases of bills.md: standard output to the byte, what was refused
// and where, the exit status, and what may stand nowhere.
func TestBillsShared(t *testing.T) {
	root, err := filepath.Abs("bills/testdata/shared")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := filepath.Glob(filepath.Join(root, "*", "cmd"))
	if err != nil || len(cases) < 13 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, file := range cases {
		dir := filepath.Dir(file)
		text := func(name string) string {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return string(b)
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Chdir(dir)
			r := run1("", append([]string{"bills"}, strings.Fields(text("cmd"))...)...)
			if r.out != text("want.jsonl") {
				t.Errorf("standard output\n%s\nwant\n%s", r.out, text("want.jsonl"))
			}
			places, code := "", 0
			for line := range strings.Lines(r.errors) {
				place, code, _ := strings.Cut(line, ": ")
				code, _, _ = strings.Cut(code, ": ")
				places += place + ": " + code + "\n"
			}
			if text("errors") != "" {
				code = exitData
			}
			if places != text("errors") || r.code != code {
				t.Errorf("exit %d, standard error\n%s\nwant\n%s", r.code, r.errors, text("errors"))
			}
			for secret := range strings.Lines(text("secrets")) {
				if strings.Contains(r.out+r.errors, strings.TrimSuffix(secret, "\n")) {
					t.Error("a secret was printed")
				}
			}
		})
	}
}

// TestBillsUsage: what is wrong usage, what is not there, and the texts in both languages.
func TestBillsUsage(t *testing.T) {
	bill, err := filepath.Abs("bills/testdata/shared/c01-wechat-all/bill.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		code int
	}{
		{"", 2}, {"check", 2}, {"look x", 2}, {"check --day 2026-08-23 x", 2}, {"check --terminal-days x x", 2}, {"match", 2}, {"match --day 2026-08-23 --bills " + bill, 2},
		{"match --day 2026-08-32 --terminal-days " + bill + " --bills " + bill, 2}, {"match --day 2026-08-23 --terminal-days " + bill, 2}, {"check --lang fr x", 2}, {"--help", 0}, {"check none", 65}, {"check " + bill, 0}, {"check .", 65},
	} {
		t.Run(tc.args, func(t *testing.T) {
			if r := run1("", append([]string{"bills"}, strings.Fields(tc.args)...)...); r.code != tc.code || (r.code != 0) != (r.errors != "") {
				t.Errorf("exit %d, want %d: %s", r.code, tc.code, r.errors)
			}
		})
	}
	en, zh := run1("", "bills", "check", "none"), run1("", "bills", "check", "none", "--lang", "zh")
	if !strings.HasPrefix(en.errors, "none:0:0: unreadable: the file") || !strings.HasPrefix(zh.errors, "none:0:0: unreadable: 文件") {
		t.Errorf("%s%s", en.errors, zh.errors)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.csv"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "a.csv.sha1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if r := run1("", "bills", "check", filepath.Join(dir, "a.csv")); !strings.HasPrefix(r.errors, "a.csv:0:0: hash_mismatch: ") {
		t.Error(r.errors)
	}
}

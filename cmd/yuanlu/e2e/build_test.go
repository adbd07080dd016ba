package e2e

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copyTree copies what git knows of this repository, as it stands now, to dir.
func copyTree(t *testing.T, dir string) {
	t.Helper()
	list, err := exec.Command("git", "-C", "../../..", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		from := filepath.Join("../../..", name)
		info, err := os.Lstat(from)
		if os.IsNotExist(err) || strings.Contains(name, "testdata/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o755)
		}
		if err == nil {
			err = os.WriteFile(to, b, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestE2EReproducibleBuild: the Makefile builds the same bytes in two folders, with USB and
// without, and what it puts beside each program fits it. In full (YUANLU_SOAK=1) each has
// a build cache of its own.
func TestE2EReproducibleBuild(t *testing.T) {
	programs := []string{"yuanlu", "firmware-sim", "yuanlu-desk", "yuanlu-static"}
	sums := map[string][sha256.Size]byte{}
	for _, place := range []string{"a", "another/and/longer"} {
		dir := filepath.Join(t.TempDir(), place)
		copyTree(t, dir)
		build := exec.Command("make", "-C", dir, "build", "static", "VERSION=1.2.3", "COMMIT=0123456789ab", "DATE=2026-11-25T02:52:23Z")
		build.Env = append(os.Environ(), "GOFLAGS=-trimpath", "MAKEFLAGS=")
		if os.Getenv("YUANLU_SOAK") == "1" {
			build.Env = append(build.Env, "GOCACHE="+t.TempDir())
		}
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, p := range programs {
			bin := filepath.Join(dir, "bin", p)
			b, err := os.ReadFile(bin)
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(b); place == "a" {
				sums[p] = sum
			} else if sums[p] != sum {
				t.Errorf("%s differs between two folders", p)
			}
			if bytes.Contains(b, []byte(dir)) {
				t.Errorf("%s holds the folder that it was built in", p)
			}
			checkNotices(t, bin)
		}
	}
}

// checkNotices holds the notices and the bill of materials beside a program against what
// is linked into it.
func checkNotices(t *testing.T, bin string) {
	t.Helper()
	info, err := buildinfo.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(bin + ".THIRD_PARTY.txt")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(bin + ".cdx.json")
	var bom struct {
		BOMFormat, SpecVersion string
		Components             []struct{ Name, Version, PURL string }
	}
	if err == nil {
		err = json.Unmarshal(raw, &bom)
	}
	if err != nil || bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" {
		t.Fatalf("%s: %v, %s %s", bin, err, bom.BOMFormat, bom.SpecVersion)
	}
	listed := map[string]bool{}
	for _, c := range bom.Components {
		listed[c.Name+" "+c.Version] = true
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s: purl %s", bin, c.PURL)
		}
	}
	for _, d := range info.Deps {
		if !listed[d.Path+" "+d.Version] || !bytes.Contains(text, []byte("\n"+d.Path+" "+d.Version+"  (")) {
			t.Errorf("%s: %s %s is linked in and not listed", bin, d.Path, d.Version)
		}
	}
	if len(listed) != len(info.Deps)+1 || !listed["std "+strings.TrimPrefix(info.GoVersion, "go")] {
		t.Errorf("%s: %d parts listed, %d modules and Go's library linked in", bin, len(listed), len(info.Deps))
	}
	for _, said := range []string{"Permission is hereby granted, free of charge", "Redistribution and use in source and binary forms", "Apache License"} {
		if !strings.HasSuffix(bin, "firmware-sim") && !bytes.Contains(text, []byte(said)) {
			t.Errorf("%s: no licence with %q", bin, said)
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"yuanlu/agent/config"
	"yuanlu/drivers/usbport"
	"yuanlu/protocol/notices"
	"yuanlu/protocol/topics"
)

// Set by the linker: -X main.version=… -X main.commit=… -X main.buildDate=…
// (RFC 3339). Without them the build information that Go records is used.
var version, commit, buildDate string

// build is what is known about this program.
type build struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit"`
	Date    time.Time `json:"date"`
	Go      string    `json:"go"`
	OS      string    `json:"os"`
	Arch    string    `json:"arch"`
	Schemas []string  `json:"schemas"`
	Wires   []string  `json:"wires"`
	USB     bool      `json:"usb"` // it can open USB devices
}

func buildInfo() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Wires: wireNames(), USB: usbport.Built}
	b.Date, _ = time.Parse(time.RFC3339, buildDate)
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision" && b.Commit == "":
				b.Commit = s.Value
			case s.Key == "vcs.time" && b.Date.IsZero():
				b.Date, _ = time.Parse(time.RFC3339, s.Value)
			}
		}
	}
	if b.Version == "" {
		b.Version = "0.0.0-dev"
	}
	return b
}

// schemaIDs lists the schemas of what this version sends.
func schemaIDs() []string {
	all, err := topics.Schemas()
	if err != nil {
		return nil
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = topics.SchemaURN(s.Name)
	}
	return ids
}

func versionVerb() *verb {
	return &verb{name: "version", usage: "[--json | --licences | --sbom]", en: "version, commit, schema ids; licences of what is in it", zh: "版本、提交、模式标识；所含软件的许可证",
		run: (*program).version}
}

func (p *program) version(_ context.Context, args []string) error {
	v := versionVerb()
	f := p.flags(v)
	licences := f.Bool("licences", false, p.lang.T("the software of others in this program, with its licences", "所含第三方软件及其许可证"))
	sbom := f.Bool("sbom", false, p.lang.T("its bill of materials (CycloneDX 1.6, JSON)", "软件物料清单（CycloneDX 1.6，JSON）"))
	if _, err := p.parse(v, f, args, 0, 0); err != nil {
		return err
	}
	b := buildInfo()
	switch {
	case *licences:
		return notices.Write(p.stdout)
	case *sbom:
		return notices.SBOM(p.stdout, "yuanlu", b.Version)
	}
	b.Schemas = schemaIDs()
	if p.json {
		return p.printJSON(b)
	}
	fmt.Fprintf(p.stdout, "yuanlu %s\n", b.Version)
	if b.Commit != "" {
		fmt.Fprintf(p.stdout, "commit %s\n", b.Commit)
	}
	if !b.Date.IsZero() {
		fmt.Fprintf(p.stdout, "date   %s\n", b.Date.UTC().Format(time.RFC3339))
	}
	fmt.Fprintf(p.stdout, "%s %s/%s\n", b.Go, b.OS, b.Arch)
	if !b.USB {
		fmt.Fprintln(p.stdout, p.lang.T("built without USB", "未包含 USB 支持"))
	}
	for _, w := range b.Wires {
		fmt.Fprintf(p.stdout, "wire   %s\n", w)
	}
	for _, id := range b.Schemas {
		fmt.Fprintf(p.stdout, "schema %s\n", id)
	}
	return nil
}

// printJSON prints a value as one line of JSON.
func (p *program) printJSON(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(append(b, '\n'))
	return err
}

// configOptions returns what a configuration is checked against.
func configOptions() config.Options { return config.Options{Wires: wireNames()} }

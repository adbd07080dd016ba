package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
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
	Store   int       `json:"store_version"` // the newest schema of a store that it can read
	Wires   []string  `json:"wires"`
	USB     bool      `json:"usb"` // it can open USB devices
}

func buildInfo() build {
	b := build{Version: version, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, Wires: wireNames(), USB: usbport.Built, Store: ledger.SchemaVersion()}
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
	return &verb{name: "version", usage: "[--json | --schemas | --licences | --sbom]", en: "version, commit, schema ids; licences of what is in it", zh: "版本、提交、模式标识；所含软件的许可证",
		run: (*program).version}
}

func (p *program) version(_ context.Context, args []string) error {
	v := versionVerb()
	f := p.flags(v)
	schemas := f.Bool("schemas", false, p.lang.T("the ids of the schemas of what it publishes", "所发布报文的模式标识"))
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
	switch {
	case p.json:
		return p.printJSON(b)
	case *schemas:
		for _, id := range b.Schemas {
			fmt.Fprintln(p.stdout, id)
		}
		return nil
	}
	return p.printVersion(&b)
}

// printVersion prints what a person asks for: four lines.
func (p *program) printVersion(b *build) error {
	fmt.Fprintf(p.stdout, "yuanlu %s\n", b.Version)
	commit := b.Commit
	if !b.Date.IsZero() {
		commit += " " + b.Date.UTC().Format(time.RFC3339)
	}
	if commit != "" {
		fmt.Fprintf(p.stdout, "%s %s\n", p.lang.T("commit", "提交"), commit)
	}
	usb := p.lang.T("with USB", "含 USB 支持")
	if !b.USB {
		usb = p.lang.T("built without USB", "未包含 USB 支持")
	}
	fmt.Fprintf(p.stdout, "%s %s/%s, %s\n", b.Go, b.OS, b.Arch, usb)
	_, err := fmt.Fprintf(p.stdout, p.lang.T("wires %s; %d schemas (--schemas)\n", "协议 %s；%d 个模式（--schemas）\n"), strings.Join(b.Wires, ", "), len(b.Schemas))
	return err
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

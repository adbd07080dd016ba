// Package notices owns what a program must state about the parts of others that are in it:
// their licences, and a bill of materials (CycloneDX 1.6). Which parts those are it takes
// from the running program itself; their texts were gathered from the modules by
// TestTextsAreCurrent (UPDATE_GOLDEN=1 gathers them again).
package notices

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

//go:embed texts.json.gz
var packed []byte

// ErrUnknown: something is linked in whose licence was not gathered.
var ErrUnknown = errors.New("notices: no licence was gathered")

// Part is a module of others that is in the program.
type Part struct {
	Name    string // module path; "std" is Go's own library
	Version string
	Sum     string // of the module as go.sum has it; "" of std
	Licence string // SPDX expression
	Texts   []string
}

// gathered is the form of texts.json: the texts once, and the modules that use them.
type gathered struct {
	Modules map[string]module `json:"modules"`
	Texts   []string          `json:"texts"`
}

type module struct {
	Licence string `json:"licence"`
	Texts   []int  `json:"texts"` // places in gathered.Texts
}

func unpack(packed []byte) (g gathered, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		err = json.NewDecoder(z).Decode(&g)
	}
	if err != nil {
		return g, fmt.Errorf("notices: texts: %w", err)
	}
	return g, nil
}

// Parts lists what is linked into the running program, by name, with Go's library last.
// Errors: ErrUnknown, or that the program has no build information.
func Parts() ([]Part, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil, errors.New("notices: built without build information")
	}
	return parts(info)
}

func parts(info *debug.BuildInfo) ([]Part, error) {
	g, err := unpack(packed)
	if err != nil {
		return nil, err
	}
	var list []Part
	add := func(p Part) error {
		m, ok := g.Modules[p.Name]
		if !ok {
			return fmt.Errorf("%w: %s", ErrUnknown, p.Name)
		}
		p.Licence = m.Licence
		for _, i := range m.Texts {
			if i < 0 || i >= len(g.Texts) {
				return fmt.Errorf("notices: texts: no text %d of %s", i, p.Name)
			}
			p.Texts = append(p.Texts, g.Texts[i])
		}
		list = append(list, p)
		return nil
	}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		if err := add(Part{Name: d.Path, Version: d.Version, Sum: d.Sum}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b Part) int { return cmp.Compare(a.Name, b.Name) })
	return list, add(Part{Name: "std", Version: strings.TrimPrefix(cmp.Or(info.GoVersion, runtime.Version()), "go")})
}

// Write writes the notices of the running program: every part with its licence, then
// every text once.
func Write(w io.Writer) error {
	list, err := Parts()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	var texts []string
	users := map[string][]string{}
	b.WriteString("This program contains the following software of others.\n\n")
	for _, p := range list {
		fmt.Fprintf(&b, "%s %s  (%s)\n", p.Name, p.Version, p.Licence)
		for _, text := range p.Texts {
			if users[text] == nil {
				texts = append(texts, text)
			}
			users[text] = append(users[text], p.Name)
		}
	}
	b.WriteString("\nWhere it can open USB devices it uses the system's libusb-1.0 (LGPL-2.1-or-later), which is not part of it.\n")
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 78), strings.Join(users[text], "\n"), strings.TrimRight(text, "\n"))
	}
	_, err = w.Write(b.Bytes())
	return err
}

// SBOM writes the bill of materials of the running program, which calls itself program
// and version, as CycloneDX 1.6 in JSON. It is the same for the same program: it has
// neither a time nor a random number.
func SBOM(w io.Writer, program, version string) error {
	list, err := Parts()
	if err != nil {
		return err
	}
	type object = map[string]any
	self := "pkg:generic/" + program + "@" + version
	var components []object
	var needs []string
	for _, p := range list {
		ref := "pkg:golang/" + p.Name + "@" + p.Version
		c := object{"type": "library", "bom-ref": ref, "name": p.Name, "version": p.Version, "purl": ref, "licenses": []object{{"expression": p.Licence}}}
		if p.Sum != "" {
			c["properties"] = []object{{"name": "go:sum", "value": p.Sum}}
		}
		components, needs = append(components, c), append(needs, ref)
	}
	doc, err := json.MarshalIndent(object{
		"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata": object{"component": object{"type": "application", "bom-ref": self, "name": program, "version": version,
			"licenses": []object{{"expression": "Apache-2.0"}}}},
		"components":   components,
		"dependencies": []object{{"ref": self, "dependsOn": needs}},
	}, "", " ")
	if err != nil {
		return fmt.Errorf("notices: bill of materials: %w", err)
	}
	_, err = w.Write(append(doc, '\n'))
	return err
}

package desired

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
)

// Origins of a configuration, as up/config names them.
const (
	OriginFile       = "file"
	OriginBackOffice = "backoffice"
)

// InForce is the configuration that counts, and where it comes from.
type InForce struct {
	*config.Config
	File      *config.Config // the terminal's own
	Version   int64          // of the back office's; 0: the terminal's own file
	Probation bool           // the version has yet to reach the broker
	Left      time.Duration  // of running time that it has for that
	Digest    string         // of Config
}

func leftOf(p *Probation) time.Duration {
	if p == nil {
		return 0
	}
	return p.Left
}

// ownFile returns the terminal's own file in force.
func ownFile(file *config.Config) InForce {
	return InForce{Config: file, File: file, Digest: file.Digest()}
}

// Origin returns OriginFile or OriginBackOffice.
func (f InForce) Origin() string {
	if f.Version > 0 {
		return OriginBackOffice
	}
	return OriginFile
}

// Describe returns where the configuration comes from, for people.
func (f InForce) Describe() config.Text {
	switch {
	case f.Probation:
		return text("version %d of the back office, on trial: undone by itself after %s more without the broker; yuanlu config revert undoes it now",
			"后台下发的版本 %d，试用中：再有 %s 连不上服务器则自动撤销；yuanlu config revert 立即撤销", f.Version, f.Left.Round(time.Second))
	case f.Version > 0:
		return text("version %d of the back office", "后台下发的版本 %d", f.Version)
	}
	return catalogue.Same(f.File.File)
}

func text(en, zh string, args ...any) config.Text {
	return catalogue.Textf(en, zh, args...)
}

// Files reads what a configuration stands on.
type Files struct {
	Path string // of the terminal's own file
	// Read reads the terminal's own file. Errors: config.Errors, or what kept it from
	// being read.
	Read func(path string) (*config.Config, error)
	// Profile reads the profile file of a wire, "" the embedded one, and reports what is
	// wrong with it.
	Profile func(wire, path string) error
	Options config.Options // what a configuration is checked against
}

// InForce reads the terminal's own file and what came from the back office, and returns
// what counts. note is for people, empty where there is nothing to add. Without
// the right to read what came from the back office the file counts, and note reports it.
func (r Files) InForce() (f InForce, note config.Text, err error) {
	file, err := r.Read(r.Path)
	if err != nil {
		return InForce{}, note, err
	}
	f = ownFile(file)
	s, err := Read(file.Store.Dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return f, text("who is not root and not the daemon's user cannot see whether the back office has sent a configuration",
			"非 root 且非守护进程用户，无法查看后台是否下发了配置"), nil
	case err != nil:
		return f, catalogue.Translated(err.Error()), nil
	}
	f, err = r.choose(file, s)
	if err != nil {
		return f, catalogue.Translated(err.Error()), nil
	}
	if v := s.InForce(); v != nil && f.Version == 0 {
		note = text("version %d of the back office does not count any more: %s was changed after it came", "后台下发的版本 %d 已失效：%s 在其后被修改", v.Number, r.Path)
	}
	if a := s.Answer(); a != nil {
		note = text("version %d of the back office was refused: %s", "后台下发的版本 %d 被拒绝：%s", a.Number, problemText(a.Problems))
	}
	return f, note, nil
}

// choose returns the configuration that counts with a file and a state. On an error the
// file counts.
func (r Files) choose(file *config.Config, s State) (InForce, error) {
	own := ownFile(file)
	v := s.InForce()
	if v == nil || s.Base != file.Sum() {
		return own, nil
	}
	c, err := r.check(v.Number, v.Text, file)
	if err != nil {
		return own, err
	}
	return InForce{Config: c, File: file, Version: v.Number, Probation: s.Probation != nil, Left: leftOf(s.Probation), Digest: c.Digest()}, nil
}

// check reads the text of a version against the terminal's own file. The error is a
// config.Errors.
func (r Files) check(version int64, text string, file *config.Config) (*config.Config, error) {
	c, err := config.Desired(fmt.Sprintf("dn/config version %d", version), []byte(text), file, r.Options)
	if err != nil {
		return nil, err
	}
	var errs config.Errors
	for i, l := range c.Links {
		// What is wrong in a file of the terminal does not leave the terminal.
		if err := r.Profile(l.Wire, l.Profile); err != nil {
			errs = append(errs, config.Problem{File: c.File, Name: fmt.Sprintf("link[%d].profile", i+1), Message: "the profile cannot be used: see config check on the terminal"})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// mostNamed bounds the mistakes that a note for people names.
const mostNamed = 8

func problemText(all []Problem) string {
	if len(all) == 0 {
		return "?"
	}
	var texts []string
	for _, one := range all[:min(len(all), mostNamed)] {
		text := one.Message
		if one.Line > 0 {
			text = fmt.Sprintf("%d:%d: %s: %s", one.Line, one.Col, one.Path, one.Message)
		}
		texts = append(texts, text)
	}
	if n := len(all) - len(texts); n > 0 {
		texts = append(texts, fmt.Sprintf("+%d", n))
	}
	return strings.Join(texts, "; ")
}

// problemsOf turns the errors of a version into what is kept and published.
func problemsOf(err error) []Problem {
	var errs config.Errors
	if !errors.As(err, &errs) {
		return []Problem{{Message: err.Error()}}
	}
	all := make([]Problem, len(errs))
	for i, one := range errs {
		all[i] = Problem{Path: one.Name, Line: one.Line, Col: one.Col, Message: one.Message}
	}
	return all
}

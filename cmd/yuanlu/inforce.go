package main

import (
	"errors"
	"fmt"
	"io/fs"

	"yuanlu/agent/config"
	"yuanlu/agent/desired"
	"yuanlu/protocol/topics"
)

// inForce is the configuration that counts, and where it comes from.
type inForce struct {
	*config.Config
	file    *config.Config // the terminal's own
	version int64          // of the back office's; 0: the terminal's own file
	trial   bool           // the version has yet to reach the broker
	digest  string         // of Config
}

// ownFile is the terminal's own file in force.
func ownFile(file *config.Config) inForce {
	return inForce{Config: file, file: file, digest: file.Digest()}
}

// origin names where it comes from, as up/config does.
func (f inForce) origin() string {
	if f.version > 0 {
		return topics.ConfigBackoffice
	}
	return topics.ConfigFile
}

// describe says it for people.
func (f inForce) describe(t func(en, zh string) string) string {
	switch {
	case f.trial:
		return fmt.Sprintf(t("version %d of the back office, on trial", "后台下发的版本 %d，试用中"), f.version)
	case f.version > 0:
		return fmt.Sprintf(t("version %d of the back office", "后台下发的版本 %d"), f.version)
	}
	return f.file.File
}

// choose returns the configuration that counts with a file and what came from the back
// office. The state has been asked whether it still stands on the file. On an error
// the file counts.
func choose(file *config.Config, s desired.State) (inForce, error) {
	own := ownFile(file)
	v := s.InForce()
	if v == nil || s.Base != file.Sum() {
		return own, nil
	}
	c, err := readDesired(v.Number, v.Text, file)
	if err != nil {
		return own, err
	}
	return inForce{Config: c, file: file, version: v.Number, trial: s.Trial != nil, digest: c.Digest()}, nil
}

// readDesired checks a configuration from afar against the terminal's own. The error
// is a config.Errors.
func readDesired(version int64, text string, file *config.Config) (*config.Config, error) {
	c, err := config.Desired(fmt.Sprintf("dn/config version %d", version), []byte(text), file, configOptions())
	if err != nil {
		return nil, err
	}
	var errs config.Errors
	for i, l := range c.Links {
		// What is wrong in a file of the terminal is not told to whoever is far away.
		if _, err := readProfile(l.Wire, l.Profile); err != nil {
			errs = append(errs, config.Problem{File: c.File, Name: fmt.Sprintf("link[%d].profile", i+1), Message: "the profile cannot be used: see config check on the terminal"})
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return c, nil
}

// configInForce reads the terminal's own file and what came from the back office, and
// gives what counts. Who may not read the latter gets the file: note says so.
func (p *program) configInForce(path string) (f inForce, note string, err error) {
	file, err := p.readConfig(path)
	if err != nil {
		return inForce{}, "", err
	}
	f = ownFile(file)
	s, err := desired.Read(file.Store.Dir)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return f, p.lang.t("who is not root and not the daemon's user cannot see whether the back office has sent a configuration", "非 root 且非守护进程用户，无法查看后台是否下发了配置"), nil
	case err != nil:
		return f, err.Error(), nil
	}
	f, err = choose(file, s)
	if err != nil {
		return f, err.Error(), nil
	}
	if v := s.InForce(); v != nil && f.version == 0 {
		note = fmt.Sprintf(p.lang.t("version %d of the back office does not count any more: %s was changed after it came", "后台下发的版本 %d 已失效：%s 在其后被修改"), v.Number, path)
	}
	if r := s.Answer(); r != nil {
		note = fmt.Sprintf(p.lang.t("version %d of the back office was refused: %s", "后台下发的版本 %d 被拒绝：%s"), r.Number, problemText(r.Problems))
	}
	return f, note, nil
}

func problemText(all []desired.Problem) string {
	if len(all) == 0 {
		return "?"
	}
	text := all[0].Message
	if one := all[0]; one.Line > 0 {
		text = fmt.Sprintf("%d:%d: %s: %s", one.Line, one.Col, one.Path, one.Message)
	}
	if n := len(all) - 1; n > 0 {
		text += fmt.Sprintf(" (+%d)", n)
	}
	return text
}

// problemsOf turns the errors of a configuration from afar into what is kept and told.
func problemsOf(err error) []desired.Problem {
	var errs config.Errors
	if !errors.As(err, &errs) {
		return []desired.Problem{{Message: err.Error()}}
	}
	all := make([]desired.Problem, len(errs))
	for i, one := range errs {
		all[i] = desired.Problem{Path: one.Name, Line: one.Line, Col: one.Col, Message: one.Message}
	}
	return all
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/tomlfile"
)

// Desired checks the text of a configuration that came from afar, a whole file.
// base is the terminal's own configuration: the terminal's own settings
// (Setting.Local) may be left out and are base's; with another value they are an
// error with its reason. Three things beyond them are refused: taking the broker away,
// a profile that no link of base uses, since its path would have the terminal read any
// file, and filling the disk (MostLog, MostOutbox). KeyProblems checks whether the keys may be changed.
func Desired(path string, text []byte, base *Config, o Options) (*Config, error) {
	c, err := parse(path, text, base, o)
	if err != nil {
		return nil, err
	}
	c.File = base.File
	return c, nil
}

// Sum is the SHA-256 of the text that c was read from, in hexadecimal.
func (c *Config) Sum() string { return c.sum }

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

// inherit takes the terminal's own settings from base.
func (l *loader) inherit() {
	if l.base == nil {
		return
	}
	for i := range l.settings {
		s := &l.settings[i]
		if s.Local == "" || s.list() {
			continue
		}
		switch to, from := s.field(l.c, 0), s.field(l.base, 0); to := to.(type) {
		case *string:
			take(to, from)
		case *[]string:
			take(to, from)
		case *bool:
			take(to, from)
		case *int:
			take(to, from)
		case *int64:
			take(to, from)
		case *time.Duration:
			take(to, from)
		}
		if _, given := l.base.given[s.Name]; given {
			l.given[s.Name] = tomlfile.Place{}
		}
	}
}

// take copies the value that from points to.
func take[T any](to *T, from any) {
	if p, ok := from.(*T); ok {
		*to = *p
	}
}

// checkLocal notes which of the terminal's own settings an entry would change.
func (l *loader) checkLocal(s *Setting, e entry) {
	if l.base == nil || s.Local == "" {
		return
	}
	_, given := l.base.given[s.Name]
	if s.literal(l.c, 0) == s.literal(l.base, 0) || e.value.Text == "" && len(e.value.List) == 0 && !given {
		return
	}
	l.problem(e.value.At, s.Name, "%s is changed only in the terminal's own file (%s): leave it out", s.Name, s.Local)
}

// checkDesired looks at what may not come from afar although parts of it may.
func (l *loader) checkDesired() {
	if l.base == nil {
		return
	}
	if len(l.c.MQTT.URLs) == 0 && len(l.base.MQTT.URLs) > 0 {
		l.problem(l.where("mqtt", 0, "url"), "mqtt.url", "the broker may be changed from afar, but not taken away: nothing could come from afar any more")
	}
	for i, link := range l.c.Links {
		if link.Profile == "" || slices.ContainsFunc(l.base.Links, func(own Link) bool { return own.Profile == link.Profile && own.Wire == link.Wire }) {
			continue
		}
		name := element("link", i, "profile")
		l.problem(l.where("link", i, "profile"), name, "profile is a file of the terminal, and no link of the terminal's own file has it for this wire")
	}
}

// MostLog and MostOutbox bound what a configuration from afar may let grow, in bytes,
// unless the terminal's own file allows more: all files of the log together, and the
// outbox.
const (
	MostLog    = 64 << 20
	MostOutbox = 256 << 20
)

// checkAmounts looks at what would fill the disk.
func (l *loader) checkAmounts() {
	if l.base == nil {
		return
	}
	if most := max(MostLog, l.base.Log.most()); l.c.Log.most() > most {
		name := "log.max_bytes"
		if _, given := l.given[name]; !given {
			name = "log.keep"
		}
		l.problem(l.where("log", 0, strings.TrimPrefix(name, "log.")), name, "the files of the log may grow to %s together (max_bytes for each of keep + 1); from afar it is at most %s",
			sizeText(l.c.Log.most()), sizeText(most))
	}
	if most := max(MostOutbox, l.base.Delivery.MaxBytes); l.c.Delivery.MaxBytes > most {
		l.problem(l.where("delivery", 0, "max_bytes"), "delivery.max_bytes", "from afar it is at most %s", sizeText(most))
	}
}

// most is how many bytes all files of the log may take.
func (l Log) most() int64 { return l.MaxBytes * int64(l.Keep+1) }

// KeyProblems returns what is wrong with the back office's keys in c, which came from
// afar, where inForce holds the keys that count now and signedBy is the id of the key
// that c came signed with ("": unsigned). Keys change only by a signed message, and
// the key that signed it stays: so the back office always holds one that works, and
// no one else can take its place.
func (c *Config) KeyProblems(inForce []Key, signedBy string) Errors {
	var errs Errors
	note := func(name, message string) {
		at := c.given[name]
		errs = append(errs, Problem{c.File, at.Line, at.Column, name, message})
	}
	if len(inForce) == 0 {
		for i := range c.Backoffice.Keys {
			note(element("backoffice.key", i, "id"), "the first key is written into the terminal's own file: a message that is not signed cannot bring one")
		}
		return errs
	}
	at := slices.IndexFunc(inForce, func(k Key) bool { return k.ID == signedBy })
	switch {
	case at < 0:
		note("backoffice.key", "it is not signed with a key of the terminal")
	case len(c.Backoffice.Keys) == 0:
		note("backoffice.key", "there is no [[backoffice.key]]: the keys of the terminal may be changed from afar, but not taken away")
	case !slices.Contains(c.Backoffice.Keys, inForce[at]):
		note("backoffice.key", "the key "+signedBy+" that signed this message must stay: add the new key first, then sign with it to take the old one away")
	}
	return errs
}

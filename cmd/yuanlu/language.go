package main

import (
	"errors"
	"strings"

	"yuanlu/agent/config"
)

// language is English or Chinese; it is also the value of the flag --lang.
type language string

const (
	english language = "en"
	chinese language = "zh"
)

// languageOf takes the language from the environment, as POSIX orders it.
func languageOf(env func(string) string) language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return chinese
			}
			return english
		}
	}
	return english
}

// t returns the text in the language.
func (l language) t(en, zh string) string {
	if l == chinese {
		return zh
	}
	return en
}

// text returns a text in the language.
func (l language) text(t config.Text) string { return l.t(t.EN, t.ZH) }

// String implements flag.Value.
func (l *language) String() string {
	if l == nil {
		return ""
	}
	return string(*l)
}

// Set implements flag.Value.
func (l *language) Set(v string) error {
	switch language(v) {
	case english, chinese:
		*l = language(v)
		return nil
	}
	return errors.New("want en or zh")
}

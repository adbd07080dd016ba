package screen

import (
	"errors"
	"strings"

	"yuanlu/agent/config"
)

// Language is English or Chinese; it is also the value of the flag --lang.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// LanguageOf returns the language of an environment, as POSIX orders it.
func LanguageOf(env func(string) string) Language {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(v, "zh") {
				return Chinese
			}
			return English
		}
	}
	return English
}

// T returns the text in the language.
func (l Language) T(en, zh string) string {
	if l == Chinese {
		return zh
	}
	return en
}

// Text returns a text in the language.
func (l Language) Text(t config.Text) string { return l.T(t.EN, t.ZH) }

// String implements flag.Value.
func (l *Language) String() string {
	if l == nil {
		return ""
	}
	return string(*l)
}

// Set implements flag.Value.
func (l *Language) Set(v string) error {
	switch Language(v) {
	case English, Chinese:
		*l = Language(v)
		return nil
	}
	return errors.New("want en or zh")
}

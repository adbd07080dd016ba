package catalogue

import (
	"fmt"
	"slices"
	"strings"
)

// Text is a sentence in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// In returns the sentence in Chinese or in English.
func (t Text) In(chinese bool) string {
	if chinese {
		return t.ZH
	}
	return t.EN
}

// Both is a sentence in both languages.
func Both(en, zh string) Text { return Text{EN: en, ZH: zh} }

// Same is what is no language: a path, a number, a name.
func Same(text string) Text { return Text{EN: text, ZH: text} }

// Translated is an English text with its Chinese, which is the English where the catalogue
// does not have it.
func Translated(en string) Text { return Text{EN: en, ZH: Chinese(en)} }

// Textf formats a sentence in both languages with the same arguments. A Text among them is
// put into each in its own language, an error or a sentence into the Chinese in Chinese.
func Textf(en, zh string, args ...any) Text {
	in := func(format string, chinese bool) string {
		all := slices.Clone(args)
		for i, a := range all {
			switch a := a.(type) {
			case Text:
				all[i] = a.In(chinese)
			case error:
				if chinese {
					all[i] = Chinese(a.Error())
				}
			case string: // a name has no blank, a sentence has
				if chinese && strings.Contains(a, " ") {
					all[i] = Chinese(a)
				}
			}
		}
		return fmt.Sprintf(format, all...)
	}
	return Text{EN: in(en, false), ZH: in(zh, true)}
}

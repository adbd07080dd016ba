package printable

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// TestInvisibleCharactersAreEscaped: the examples of each kind, by name.
func TestInvisibleCharactersAreEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"plain 原路 ≠ √ ‼":           "plain 原路 ≠ √ ‼",
		"全角　空格":                    "全角　空格",
		"a\u00adb":                 `a\u00adb`, // soft hyphen
		"a\u200bb\u200c\u200d":     `a\u200bb\u200c\u200d`,
		"\ufeffa":                  `\ufeffa`,
		"a\u2060b\u2064":           `a\u2060b\u2064`,
		"a\u034fb":                 `a\u034fb`, // combining grapheme joiner
		"\u115f\u1160\u3164\uffa0": `\u115f\u1160\u3164\uffa0`,
		"a\ufe0fb":                 `a\ufe0fb`,
		"a\U000e0100b":             `a\U000e0100b`, // variation selector
		"a\U000e0041b":             `a\U000e0041b`, // tag
		"\u180b\u180e\u17b4":       `\u180b\u180e\u17b4`,
		"\u202eabc\u2066":          `\u202eabc\u2066`,
		"a\u00a0b\u2007c\u2800d":   `a\u00a0b\u2007c\u2800d`,
		"\x1b[2J\x07\u0085\r\n\t":  `\x1b[2J\x07\u0085\r\n\t`,
		"\u2028\u2029":             `\u2028\u2029`,
		"\xff\xfe":                 `\xff\xfe`,
		"\ue000\U0001d173":         `\ue000\U0001d173`,
	} {
		t.Run(text, func(t *testing.T) {
			if got := Text(text); got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
		})
	}
}

// TestAllDefaultIgnorable: each code point of Unicode's Default_Ignorable_Code_Point
// (DerivedCoreProperties: Other_Default_Ignorable, Cf and Variation_Selector, less white
// space, interlinear annotations and the like), and each control.
func TestAllDefaultIgnorable(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		hidden := unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.Zl, unicode.Zp)
		if hidden && Shown(r) {
			t.Errorf("%U is shown", r)
		}
		if !utf8.ValidRune(r) || Shown(r) {
			continue
		}
		back, err := strconv.Unquote(`"` + Text(string(r)) + `"`)
		if err != nil || back != string(r) {
			t.Fatalf("%U is written %s: %v", r, Text(string(r)), err)
		}
	}
}

func TestWriterKeepsLinesAndColours(t *testing.T) {
	var out strings.Builder
	raw := false
	w := NewWriter(&out, func() bool { return raw })
	const text = "\x1b[1;31mred\x1b[0m\ta\u200bb\n\x1b[2J"
	if n, err := w.Write([]byte(text)); n != len(text) || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if got, want := out.String(), "\x1b[1;31mred\x1b[0m\ta\\u200bb\n\\x1b[2J"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	raw = true
	out.Reset()
	if _, err := w.Write([]byte(text)); err != nil || out.String() != text {
		t.Errorf("raw: %q, %v", out.String(), err)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\u00adb\xff")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Text(text) {
			if !Shown(r) {
				t.Fatalf("%U is left in %q", r, Text(text))
			}
		}
	})
}

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/catalogue"
)

// typed is a right file; each row puts something wrong into it.
const typed = `[terminal]
id = "t-1"
[[link]]
name = "pos"
wire = "mispos"
port = "/dev/ttyS1"
baud = 9600
parity = "none"
`

// TestTyping: what keyboards and editors put in place of TOML's characters is one error,
// named by its character, with the line as it should be, in both languages, and the line so
// repaired is right.
func TestTyping(t *testing.T) {
	o := Options{Wires: []string{"mispos", "smart"}}
	for _, tt := range []struct{ name, old, new, en, zh string }{
		{"byte order mark", "[terminal]", "\uFEFF[terminal]", `f:1:1: the file begins with a byte order mark (U+FEFF), which some editors write: save it as UTF-8 without one, or: sed -i '1s/^\xEF\xBB\xBF//' f`, "BOM"},
		{"curly quotes", `"t-1"`, "“t-1”", `f:2:6: “ (U+201C) is a curly quote: write "; the line should be: id = "t-1"`, "弯引号：应写 \"；该行应为：id = \"t-1\""},
		{"one curly quote", `"t-1"`, "\"t-1”", `f:2:10: ” (U+201D) is a curly quote: write "; the line should be: id = "t-1"`, "弯引号"},
		{"single curly quotes", `"t-1"`, "‘t-1’", `f:2:6: ‘ (U+2018) is a curly quote: write '; the line should be: id = 't-1'`, "弯引号"},
		{"corner brackets", `"t-1"`, "「t-1」", `f:2:6: 「 (U+300C) is a corner bracket: write "; the line should be: id = "t-1"`, "直角引号"},
		{"full-width equals", `id = `, "id ＝ ", `f:2:4: ＝ (U+FF1D) is a full-width character: write =; the line should be: id = "t-1"`, "全角字符"},
		{"full-width digits", `9600`, "９６００", `f:7:8: ９ (U+FF19) is a full-width character: write 9; the line should be: baud = 9600`, "全角字符"},
		{"full-width brackets", `[terminal]`, "【terminal】", `f:1:1: 【 (U+3010) is a full-width bracket: write [; the line should be: [terminal]`, "全角括号"},
		{"ideographic blank", `id = `, "id\u3000= ", `f:2:3: U+3000 is a blank of another width: write a blank; the line should be: id = "t-1"`, "其他宽度的空格"},
		{"not seen", `id = `, "id\u200B = ", `f:2:3: U+200B is a character that is not seen: write a blank; the line should be: id  = "t-1"`, "不可见字符"},
		{"full-width comment", `9600`, "9600 ＃慢", `f:7:13: ＃ (U+FF03) is a full-width character: write #; the line should be: baud = 9600`, "全角字符"},
		{"baud = fast", `9600`, "fast", `f:7:8: baud wants a whole number, not text; write for example: baud = 9600`, "baud 应为整数，而不是文本；应写如：baud = 9600"},
		{"text without quotes", `"none"`, "even # as on the label", `f:8:10: even is text, which needs quotes: write parity = "even"`, "even 是文本，需加引号：应写 parity = \"even\""},
		{"UTF-16", "[terminal]", "\xFF\xFE[\x00", "f:1:1: the file is UTF-16, which some editors call Unicode: save it as UTF-8", "UTF-16"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(strings.Replace(typed, tt.old, tt.new, 1)), o)
			if err == nil || err.Error() != tt.en {
				t.Fatalf("got  %v\nwant %s", err, tt.en)
			}
			zh := catalogue.Chinese(err.(Errors)[0].Message)
			if !strings.Contains(zh, tt.zh) || strings.Contains(zh, " is ") {
				t.Errorf("Chinese: %s", zh)
			}
			_, line, ok := strings.Cut(err.Error(), "the line should be: ")
			if ok {
				if _, err := Parse("f", []byte(strings.Replace(typed, strings.Split(typed, "\n")[err.(Errors)[0].Line-1], line, 1)), o); err != nil {
					t.Errorf("the repaired line %q: %v", line, err)
				}
			}
		})
	}
	// Right where it stands: in comments and between straight quotes.
	if _, err := Parse("f", []byte(typed+"# “全角”＝是\n[mqtt]\nca_file = '/路径/“证书”'\n"), o); err != nil {
		t.Error(err)
	}
	// A secret in the wrong place is not printed.
	_, err := Parse("f", []byte(typed+"[mqtt]\npassword = “hunter2”\n"), o)
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "U+201C") {
		t.Error(err)
	}
}

func TestUnreadable(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "yuanlu.toml")
	_, err := Read(missing, Options{})
	if !errors.Is(err, ErrConfig) || !errors.Is(err, fs.ErrNotExist) || err.Error() != "there is no configuration "+missing+": run yuanlu setup" {
		t.Error(err)
	}
	err = &FileError{Path: "/x", Err: &fs.PathError{Op: "open", Path: "/x", Err: os.ErrPermission}}
	if !errors.Is(err, ErrConfig) || !errors.Is(err, fs.ErrPermission) || catalogue.Chinese(err.Error()) != "当前用户无权读取 /x：请用 root 运行，或加入其所属组" {
		t.Error(err, catalogue.Chinese(err.Error()))
	}
}

// FuzzTyping: mending keeps every line and column, and what was right is not changed.
func FuzzTyping(f *testing.F) {
	f.Add(typed)
	f.Add("id = “t”\n'a' = ‘b\"\n\"\"\"“\"\"\"")
	f.Add("\uFEFFa＝1 # “")
	f.Fuzz(func(t *testing.T, text string) {
		m := mend("f", []byte(text))
		trimmed := strings.TrimPrefix(text, byteOrderMark)
		if strings.Count(string(m.text), "\n") != strings.Count(trimmed, "\n") {
			t.Errorf("%q became %q", text, m.text)
		}
		if len(m.errs) == 0 && len(m.bare) == 0 && string(m.text) != text {
			t.Errorf("%q became %q without a word", text, m.text)
		}
	})
}

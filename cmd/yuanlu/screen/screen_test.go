package screen

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/logbook"
	"yuanlu/protocol/printable"
)

func TestTableEscapes(t *testing.T) {
	var out bytes.Buffer
	s := Screen{W: &out}
	s.Table([][]string{{"operator", "x"}, {"张\u00ad三\u200b \x1b[31m", "y"}})
	if text := out.String(); printable.Text(strings.ReplaceAll(text, "\n", "")) != strings.ReplaceAll(text, "\n", "") || !strings.Contains(text, `张\u00ad三\u200b \x1b[31m  y`) {
		t.Errorf("table %q", text)
	}
}

func TestWidths(t *testing.T) {
	if columns("退货ab") != 6 || padTo("退货", 6) != "退货  " {
		t.Error("Chinese characters take two columns")
	}
	if got := (&Screen{}).Span(26*time.Hour + time.Minute); got != "1d2h" {
		t.Error(got)
	}
}

func TestColours(t *testing.T) {
	for _, tc := range []struct {
		name   string
		screen Screen
		want   string
	}{
		{"a terminal", Screen{Colour: true}, "\x1b[31mfailing\x1b[0m"}, {"a file", Screen{}, "failing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.screen.level("failing", "failing"); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestTailTellsAProblemInOneLanguage: "no link {}", of a link that is not configured, is not
// taken for the text of this problem.
func TestTailTellsAProblemInOneLanguage(t *testing.T) {
	s := Screen{Lang: Chinese, Zone: time.UTC}
	text := strings.Join(s.LineLines(logbook.Line{Code: "problem.begins", Fields: `code=no_link about="" text="no link is connected: refunds are not seen"`}, time.Time{}), "\n")
	if strings.Contains(text, "connected") || strings.Contains(text, "refunds") {
		t.Error(text)
	}
}

// TestTailNamesFilesInChinese: what a file is for stands in the language of the reader.
func TestTailNamesFilesInChinese(t *testing.T) {
	s := Screen{Lang: Chinese, Zone: time.UTC}
	for what, want := range map[string]string{"the store's folder": "数据目录", "the folder of the password file": "密码文件所在目录", "the configuration": "配置文件",
		"the private key": "私钥", "the profile of link pos": "链路 pos 的差异文件", "the log file (log.file)": "日志文件（log.file）"} {
		for _, code := range []string{"file.open_to_others", "file.in_the_way"} {
			text := strings.Join(s.LineLines(logbook.Line{Code: code, Fields: `what="` + what + `"`}, time.Time{}), "\n")
			if !strings.Contains(text, "what="+want) {
				t.Errorf("%s: %s, want %s", code, text, want)
			}
		}
	}
}

func TestLanguageOfTheEnvironment(t *testing.T) {
	for _, tc := range []struct {
		name string
		env  map[string]string
		want Language
	}{
		{"nothing", nil, English}, {"LANG", map[string]string{"LANG": "zh_CN.UTF-8"}, Chinese},
		{"LC_ALL goes first", map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, English},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := LanguageOf(func(name string) string { return tc.env[name] }); got != tc.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

package catalogue

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"yuanlu/agent/catalogue/cataloguetest"
)

// TestChinese: whole texts, what stands in gaps, chains of causes, and what is no language.
func TestChinese(t *testing.T) {
	for _, tc := range []struct{ en, zh string }{
		{"permission denied", "权限不足"},
		{"open /dev/ttyS1: permission denied", "打开 /dev/ttyS1：权限不足"},
		{"the daemon is not running (/run/yuanlu.sock)", "守护进程未运行（/run/yuanlu.sock）"},
		{"ledger: the store is not available: open /x/yuanlu.db: read-only file system", "数据库不可用：打开 /x/yuanlu.db：文件系统只读"},
		{"baud wants a whole number, not text", "baud 应为整数，而不是文本"},
		{`unknown name "bauds" in [link]; did you mean "baud"?`, `[link] 中没有名称 "bauds"；是否想用 "baud"？`},
		{"/etc/yuanlu.toml:3:1: mqtt.url ends after the port", "/etc/yuanlu.toml:3:1：mqtt.url 在端口之后不应有内容"},
		{"open /dev/ttyS1: serial port in use by pid 12 (yuanlu, locked)", "打开 /dev/ttyS1：串口被占用：进程 12（yuanlu，已加锁）"},
		{"mqtt: tls: the certificate of h:1 was valid until 2026-01-02; renew it on the broker (or set the clock: here it is 2026-02-03)",
			"MQTT：TLS：h:1 的证书已于 2026-01-02 到期；请在服务器上更新证书（或设置时钟：本机为 2026-02-03）"},
		{"/dev/ttyS1: no such file or directory", "/dev/ttyS1：没有此文件或目录"},
		{"lines or blanks", "lines 或 blanks"},
		{"/dev/ttyS1", "/dev/ttyS1"},
		{"已是中文", "已是中文"},
		{"no catalogue has such a thing", "no catalogue has such a thing"},
	} {
		t.Run(tc.en, func(t *testing.T) {
			if got := Chinese(tc.en); got != tc.zh {
				t.Errorf("got %s\nwant %s", got, tc.zh)
			}
		})
	}
}

func TestTextf(t *testing.T) {
	text := Textf("%s: %v", "%s：%v", Both("store", "数据库"), fmt.Errorf("write: %w", errors.New("permission denied")))
	if text.EN != "store: write: permission denied" || text.ZH != "数据库：write：权限不足" {
		t.Error(text)
	}
}

// TestEntries: no line of the catalogue is lost, double, empty, or has a language in the
// wrong place; a gap of the one is a gap of the other.
func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for line := range strings.Lines(chinese) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		en, zh, ok := strings.Cut(line, " → ")
		if !ok || en == "" || zh == "" {
			t.Errorf("no entry: %q", line)
			continue
		}
		key, name, named := strings.Cut(en, " = ")
		if !named || !isCode(key) {
			key, name = en, en
		}
		if seen[key] {
			t.Errorf("twice: %q", key)
		}
		seen[key] = true
		if wrong := cataloguetest.Foreign(name, false); wrong != "" {
			t.Errorf("%q: %s", key, wrong)
		}
		gaps := strings.Count(en, "{}")
		plain := zh
		for n := 1; n <= gaps; n++ {
			gap := fmt.Sprintf("{%d}", n)
			if !strings.Contains(zh, gap) {
				t.Errorf("%q: %s is not in the Chinese", key, gap)
			}
			plain = strings.ReplaceAll(plain, gap, "1")
		}
		if strings.ContainsAny(plain, "{}") {
			t.Errorf("%q: a gap that the English does not have: %s", key, zh)
		}
		if wrong := cataloguetest.Foreign(plain, true); wrong != "" && key != zh {
			t.Errorf("%q: %s: %s", key, wrong, zh)
		}
	}
	if len(seen) < 400 {
		t.Errorf("%d entries", len(seen))
	}
}

// FuzzChinese: whatever a lower room reports, translating it ends, and no part of it that
// is data is lost.
func FuzzChinese(f *testing.F) {
	for _, s := range []string{"", ": : :", "a: b; c, d (e (f))", "open x: no such file or directory", "{} is missing", "x is missing is missing", strings.Repeat("a: ", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 300 {
			return
		}
		if zh := Chinese(s); (zh == "") != (s == "") {
			t.Errorf("%q became %q", s, zh)
		}
	})
}

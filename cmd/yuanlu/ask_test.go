package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestFenOf(t *testing.T) {
	for text, want := range map[string]int64{"3.50": 350, "3.5": 350, "12": 1200, "0.01": 1, "0": 0} {
		if got, ok := fenOf(text); !ok || got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", ".5", "1.234", "-1", "1e2", "1,5", "1234567890123"} {
		if got, ok := fenOf(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestOriginalOf(t *testing.T) {
	for number, want := range map[string]string{"260822000101": "map[rrn:260822000101]", "000101": "map[stan:000101]", "O-1": "map[order_no:O-1]",
		"4200000000202608010001000001": "map[channel_txn:4200000000202608010001000001]"} {
		if got := fmt.Sprint(originalOf(number)); got != want {
			t.Errorf("%s: %s", number, got)
		}
	}
}

// TestAskAndHoldWithoutADaemon: what they say, and their exit codes; a PIN stands nowhere.
func TestAskAndHoldWithoutADaemon(t *testing.T) {
	config, _ := storeAt(t)
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"ask"}, exitUsage, "--refund-of names the sale"},
		{"", []string{"ask", "--refund-of", "1", "--amount", "1.234"}, exitUsage, "--amount the yuan"},
		{"", []string{"ask", "--refund-of", "260822000101", "--amount", "3.50"}, exitNotFound, "not running"},
		{"", []string{"hold", "list"}, exitOK, "nothing is held"},
		{"", []string{"hold", "list", "--lang", "zh"}, exitOK, "没有暂停的退款"},
		{"628401\n", []string{"hold", "release", "a-1", "--by", "s-1", "--reason", "1"}, exitNotFound, "not running"},
		{"", []string{"hold", "release", "a-1"}, exitUsage, "release needs --by and --reason"},
		{"", []string{"hold", "relaese", "a-1"}, exitUsage, `did you mean "release"`},
		{"", []string{"hold", "cancel", "a-1"}, exitNotFound, "not running"},
		{"", []string{"practice"}, exitOK, "no cashier has practised"},
		{"", []string{"practice", "--lang", "zh"}, exitOK, "没有收银员做过退款练习"},
		{"", []string{"practice", "01"}, exitUsage, ""},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errs := yl(t, c.stdin, append(c.args, "--config", config)...)
			if code != c.code || !strings.Contains(out+errs, c.want) || strings.Contains(out+errs, "628401") {
				t.Errorf("%d %s%s", code, out, errs)
			}
		})
	}
}

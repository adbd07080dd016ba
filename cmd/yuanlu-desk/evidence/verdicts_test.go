package evidence_test

import (
	"strings"
	"testing"
)

// TestVerdictsAgain: terminal and office state together what the tokens do not show, and sign all of it.
// Leaf 26 is the verdict on record 18 (leaf 25), whose original is record 10 (leaf 11).
func TestVerdictsAgain(t *testing.T) {
	const payer, other = `"token":["k1:839f817f653c5dca3aa32fbbce6d1608"]`, `"token":["k1:cb56d56af38dc90d2f5b7d13a8fdec27"]`
	same, different := `"recipient":"same"`, `"recipient":"different"`
	edit := func(changes ...string) func(n int64, text string) string {
		return func(n int64, text string) string {
			for i := 0; i < len(changes); i += 3 {
				if changes[i] == map[int64]string{11: "sale", 25: "refund", 26: "verdict"}[n] {
					if !strings.Contains(text, changes[i+1]) {
						t.Fatalf("leaf %d has no %s: %s", n, changes[i+1], text)
					}
					text = strings.Replace(text, changes[i+1], changes[i+2], 1)
				}
			}
			return text
		}
	}
	two := func(first, second string) string { return `"token":["k1:` + first + `","k2:` + second + `"]` }
	also := func(scheme, token string) string {
		return other[:len(other)-1] + `],"also":[{"scheme":"` + scheme + `","token":["k1:` + token + `"]}]`
	}
	for _, tt := range []struct {
		name    string
		changes []string
		wrong   bool
	}{
		{"as it was", nil, false},
		{"same, and the tokens differ", []string{"refund", payer, other}, true},
		{"different, and the tokens are equal", []string{"verdict", same, different}, true},
		{"different, and the tokens differ", []string{"refund", payer, other, "verdict", same, different}, false},
		{"equal under one of two keys", []string{"refund", payer, two("00", "bb"), "sale", payer, two("11", "bb")}, false},
		{"different, and equal under one of two keys", []string{"refund", payer, two("00", "bb"), "sale", payer, two("11", "bb"), "verdict", same, different}, true},
		{"no common key", []string{"refund", payer, `"token":["k2:00"]`}, false},
		{"another scheme", []string{"refund", `"scheme":"pan"`, `"scheme":"dpan"`, "refund", payer, other}, false},
		{"weak evidence", []string{"refund", payer, other, "verdict", `"evidence":"strong"`, `"evidence":"weak"`}, false},
		{"openids of two namespaces", []string{"refund", `"scheme":"pan"`, `"scheme":"wechat_openid","namespace":"wx1"`, "refund", payer, other, "sale", `"scheme":"pan"`, `"scheme":"wechat_openid","namespace":"wx2"`}, false},
		{"openids of one namespace", []string{"refund", `"scheme":"pan"`, `"scheme":"wechat_openid","namespace":"wx1"`, "refund", payer, other, "sale", `"scheme":"pan"`, `"scheme":"wechat_openid","namespace":"wx1"`}, true},
		{"a further identifier is the payer's", []string{"refund", payer, also("dpan", "839f817f653c5dca3aa32fbbce6d1608")}, false},
		{"two of the scheme", []string{"refund", payer, also("pan", "11")}, false},
		{"a further identifier of another scheme", []string{"refund", payer, also("alipay_user_id", "11")}, true},
		{"the refund has a copy", []string{"refund", payer, other, "refund", `"seq":18,"copy_of":0`, `"seq":18,"copy_of":17`}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := story(t, forgery{leaf: edit(tt.changes...)}, nil)
			exit, wrong := check(t, s.build(), s.trust())
			all := strings.Join(wrong, "\n")
			if tt.wrong != strings.HasPrefix(all, "verdicts: ") || !tt.wrong && exit != 3 || len(wrong) > 1 {
				t.Errorf("exit %d, wrong %q", exit, all)
			}
		})
	}
}

package explain_test

import (
	"strings"
	"testing"

	"yuanlu/protocol/explain"
)

func TestMasked(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{explain.Text("000000001000"), "000000001000"},
		{explain.Text("898000000000001"), "898000*****0001"},
		{explain.Text("card 6200 0000-0000 0005 x"), "card 6200 00**-**** 0005 x"},
		{explain.Text("６２００００００００００００００５"), "６２００００*******０００５"},
		{explain.Text("oTESTa1b2c3d4e5f6g7h8i9j0k1l"), "oTES********************0k1l"},
		{explain.Text("中国银行"), "中国银行"},
		{explain.Text("a\x00b\xff"), "a?b?"},
		{explain.Text(strings.Repeat("ab ", 40)), strings.Repeat("ab ", 16) + "…"},
		{explain.Identity("6200000000000005"), "620000******0005"},
		{explain.Identity("620000******0005"), "620000******0005"},
		{explain.Identity("bocom-wallet"), "boco****llet"},
		{explain.Identity("张三"), "**"},
		{explain.Identity("张三丰的招商银行信用卡0403"), "***********0403"},
		{explain.Identity("12345678"), "********"},
		{explain.Identity(""), ""},
		{explain.Name("combine_out_trade_no_of_all"), "combine_out_trade_no_of_all"},
		{explain.Name("oTESTa1b2c3d4e5f6g7h8i9j0k1l"), "oTES********************0k1l"},
		{explain.Kind([]byte("123")), "3 digits"},
		{explain.Kind([]byte("1")), "1 digit"},
		{explain.Kind([]byte("a b")), "3 characters"},
		{explain.Kind([]byte("京东")), "2 characters of text"},
		{explain.Kind([]byte{0, 1}), "2 bytes"},
		{explain.Kind(nil), "empty"},
	} {
		t.Run(c.got, func(t *testing.T) {
			if c.got != c.want {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		})
	}
}

// A refused message keeps no value but those that are marked harmless.
func TestRefusedHidesValues(t *testing.T) {
	fields := []explain.Field{{Name: "MTI", Value: "0200"}, {Name: "F42", Value: "=2512", Kind: "5 characters"}}
	got := explain.Refused(fields, func(f *explain.Field) bool { return f.Name == "MTI" }, "F60", 78, "a greater length", "at most 999")
	if len(got) != 3 || got[0].Value != "0200" || got[1].Value != "" || got[1].Kind != "5 characters" || got[2].Became != "refused: got a greater length, want at most 999" {
		t.Errorf("got %+v", got)
	}
}

// FuzzMasked: of any text that is a card number or longer, not all is shown.
func FuzzMasked(f *testing.F) {
	f.Add("6200000000000005")
	f.Add("oTESTa1b2c3d4e5f6g7h8i9j0k1l")
	f.Fuzz(func(t *testing.T, s string) {
		digits := strings.Trim(s, "0123456789") == ""
		word := strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == ""
		if digits && len(s) >= 13 || word && len(s) >= 20 {
			if got := explain.Text("x: " + s + " y"); strings.Contains(got, s) {
				t.Fatalf("%q is shown", s)
			}
		}
		if s != "" && strings.Trim(s, "* ") != "" && explain.Identity(s) == s && strings.Trim(s, "0123456789*") != "" {
			t.Fatalf("the identity %q is shown", s)
		}
	})
}

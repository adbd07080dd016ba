package refund_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"yuanlu/agent/refund"
	"yuanlu/agent/refund/memhistory"
)

// textsOf runs a journal and returns the English and Chinese texts of its last verdict.
func textsOf(t *testing.T, records string) (en, zh []string) {
	t.Helper()
	j := memhistory.NewJournal(newJudge())
	n := 0
	for line := range strings.Lines(strings.TrimSpace(records)) {
		n++
		mustAdd(t, j, refund.Seal(parseScript(t, n, strings.TrimSpace(line)), keyring{"one"}))
	}
	verdicts := j.Store.Verdicts()
	for _, f := range verdicts[len(verdicts)-1].Verdict.Findings {
		en, zh = append(en, f.Text.EN), append(zh, f.Text.ZH)
	}
	return en, zh
}

// Texts for people of what the fourth edition brought.
func TestTextsOfTheFourthEdition(t *testing.T) {
	const wallets = "sale ch=ecny rrn=R1 id=ecny_wallet::0022010203040506\n"
	var got strings.Builder
	for _, c := range []struct{ name, records string }{
		{"e-CNY to another wallet", wallets + "refund ch=ecny o.rrn=R1 rno=N1 id=ecny_wallet::0022010203049999"},
		{"e-CNY, masks agree", "sale ch=ecny rrn=R1 id=pan_masked::002201******0506\nrefund ch=ecny o.rrn=R1 rno=N1 id=pan_masked::002201******0506"},
		{"e-CNY, masks differ", "sale ch=ecny rrn=R1 id=pan_masked::0022********0506\nrefund ch=ecny o.rrn=R1 rno=N1 id=pan_masked::0022********0507"},
		{"e-CNY back to a card", wallets + "refund o.rrn=R1 rno=N1 pan=A"},
		{"e-CNY too late", strings.Replace(wallets, "rrn", "at=2025-01-01T12:00:00+08:00 rrn", 1) + "refund ch=ecny o.rrn=R1 rno=N1"},
		{"another account", "sale ch=unknown rrn=R1 id=account::VIP-00000042\nrefund ch=unknown o.rrn=R1 rno=N1 id=account::VIP-00000043"},
		{"the same account", "sale ch=unknown rrn=R1 id=account::VIP-00000042\nrefund ch=unknown o.rrn=R1 rno=N1 id=account::VIP-00000042"},
		{"a part of a combined order, too much", "sale ch=wechat order=SO-1 txn=T1\nsale ch=wechat order=SO-2 txn=T2 amount=700\nrefund ch=wechat o.order=SO-2 rno=N1 amount=800"},
		{"void without an amount, twice", "sale rrn=R1 pan=A\nvoid amount=- rno=N1 o.rrn=R1\nvoid amount=- rno=N2 o.rrn=R1"},
		{"void without an amount or a sale", "void amount=- rno=N1 o.rrn=R9 o.date=0823"},
		{"refund without an answer or an amount", "sale rrn=R1 pan=A\nrefund amount=- rno=N1 o.rrn=R1 pan=A out=unknown"},
		{"refund without an amount", "refund amount=- rno=N1 o.rrn=R1"},
		{"repeats one without an amount", "sale rrn=R1 pan=A amount=1\nrefund amount=2 o.rrn=R1 pan=A\nrefund amount=- rno=N1 o.rrn=R1 pan=A out=unknown\nrefund amount=- rno=N2 o.rrn=R1 pan=A out=pending"},
		{"too much by a guess", "sale rrn=R1 pan=A\nrefund rno=N1 pan=A amount=900\nrefund rno=N2 o.rrn=R1 pan=A amount=200"},
	} {
		en, zh := textsOf(t, c.records)
		got.WriteString("== " + c.name + "\n" + strings.Join(append(en, zh...), "\n") + "\n")
	}
	golden := filepath.Join("testdata", "texts.golden")
	if os.Getenv("YUANLU_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

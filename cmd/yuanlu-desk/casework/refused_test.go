package casework

import (
	"fmt"
	"strings"
	"testing"
)

// verifying is a case of ann's, verifying, with a file (4) and three contacts (5 to 7) in it.
func verifying(t *testing.T, setup ...string) *bench {
	t.Helper()
	b := newBench(t, setup...)
	b.report("09:00", "1", typeOpened, refundA)
	b.do("09:01", "ann", "claim")
	b.do("09:02", "ann", `file "name":"f","type":"text/plain","size":1,"sha256":"`+strings.Repeat("a", 64)+`","kind":"letter"`)
	b.do("09:03", "ann", contactOf("payer", "out", "phone", "reached"))
	b.do("09:04", "ann", contactOf("store", "in", "phone", "confirmed"))
	b.do("09:05", "ann", contactOf("payer", "in", "phone", "confirmed"))
	return b
}

func contactOf(party, direction, channel, result string) string {
	return fmt.Sprintf(`contact "party":%q,"direction":%q,"channel":%q,"number":"138****0001","on_file":true,"result":%q,"text":"x"`, party, direction, channel, result)
}

func proposing(orders string) string { return `propose "commands":[` + orders + `],"text":"x"` }

const (
	finding0 = `{"do":"finding","wrong":["` + refundA + `"],"owed":35000}`
	reissue0 = `{"do":"reissue","amount":35000,"way":"original","number":""}`
	hand     = `"do":"open","store":"s1","text":"x","refund":{"channel":"card","amount":1,"currency":"CNY","at":"2026-08-24T08:00:00Z","number":"%s"}`
)

// TestEveryRefusal reaches every code of refusals.tsv, by the guard that names it.
func TestEveryRefusal(t *testing.T) {
	reached := map[Refusal]bool{}
	for _, c := range []struct {
		code    Refusal
		by, do  string
		start   func(*testing.T, ...string) *bench
		prepare []string // "by do" done before
	}{
		{BadInput, "ann", `note "text":""`, verifying, nil},
		{BadInput, "ann", `note "text":"x","more":1`, verifying, nil},
		{BadInput, "ann", `propose "commands":[{"do":"close","outcome":"test","into":"C-2026-000002"}],"text":"x"`, verifying, nil},
		{BadInput, "ann", `propose "commands":[{"do":"close","outcome":"duplicate"}],"text":"x"`, verifying, nil},
		{BadInput, "ann", proposing(finding0 + `,` + finding0), verifying, nil},
		{BadInput, "ann", contactOf("payer", "out", "phone", "told"), verifying, nil},
		{NeedsTwo, "cai", `close "outcome":"wrong"`, verifying, nil},
		{NeedsTwo, "nobody", `reopen`, verifying, nil},
		{ClearNumber, "nobody", `note "text":"6200 0000 6200000000000005"`, verifying, nil},
		{ClearNumber, "ann", strings.Replace(contactOf("payer", "out", "phone", "reached"), "138****0001", "1380****001 3", 1), verifying, nil},
		{UnknownPerson, "nobody", `claim`, verifying, nil},
		{NotAllowed, "cai", `claim`, verifying, nil},
		{NotFound, "lu", `claim`, verifying, nil},
		{NotOwner, "mei", `release`, verifying, nil},
		{Owned, "mei", `claim`, verifying, nil},
		{Owned, "bo", `assign "to":"ann"`, verifying, nil},
		{BadPerson, "bo", `assign "to":"lu"`, verifying, nil},
		{BadPerson, "bo", `assign "to":"chen"`, verifying, nil},
		{BadFile, "ann", `identify "method":"document","file":5`, verifying, nil},
		{BadFile, "ann", `identify "method":"callback","contact":5,"file":5`, verifying, nil},
		{BadContact, "ann", `identify "method":"callback","contact":7,"file":9`, verifying, nil},
		{BadContact, "ann", `identify "method":"document","contact":4,"file":9`, verifying, nil},
		{BadContact, "ann", proposing(`{"do":"close","outcome":"same_account","contact":5}`), verifying, nil},
		{BadFile, "ann", proposing(`{"do":"close","outcome":"test","file":5}`), verifying, nil},
		{BadFile, "ann", proposing(`{"do":"close","outcome":"authorised_other","file":4}`), verifying, nil},
		{NoEvidence, "ann", proposing(`{"do":"close","outcome":"authorised_other","contact":7}`), verifying, nil},
		{NoEvidence, "ann", proposing(`{"do":"close","outcome":"rerouted_ok"}`), verifying, nil},
		{FileType, "ann", `file "name":"f","type":"image/svg+xml","size":1,"sha256":"` + strings.Repeat("b", 64) + `","kind":"letter"`, verifying, nil},
		{FileSize, "ann", `file "name":"f","type":"text/plain","size":10485761,"sha256":"` + strings.Repeat("b", 64) + `","kind":"letter"`, verifying, nil},
		{FileThere, "cai", `file "name":"g","type":"image/png","size":2,"sha256":"` + strings.Repeat("a", 64) + `","kind":"other"`, verifying, nil},
		{Waiting, "ann", `wait "for":"bank","until":"2026-08-25T09:00:00Z","text":"x"`, verifying, []string{`ann wait "for":"bank","until":"2026-08-25T09:00:00Z","text":"x"`}},
		{NotWaiting, "ann", `resume`, verifying, nil},
		{TooManyWaits, "ann", `wait "for":"bank","until":"2026-08-25T09:00:00Z","text":"x"`, verifying, []string{
			`ann wait "for":"bank","until":"2026-08-25T09:00:00Z","text":"x"`, "ann resume", `ann wait "for":"bank","until":"2026-08-25T09:00:00Z","text":"x"`, "ann resume"}},
		{BadTime, "ann", `wait "for":"bank","until":"2026-08-24T10:00:00+08:00","text":"x"`, verifying, nil},
		{TooLong, "ann", `wait "for":"bank","until":"2026-08-27T10:00:01+08:00","text":"x"`, verifying, nil},
		{BadRefund, "ann", `count "refund":"X","as":"reissue","text":"x"`, verifying, nil},
		{BadRefund, "ann", `count "refund":"` + refundA + `","as":"reissue","text":"x"`, found0, nil},
		{BadRefund, "ann", proposing(`{"do":"finding","wrong":[],"owed":0}`), verifying, nil},
		{BadRefund, "ann", proposing(`{"do":"finding","wrong":["` + refundA + `","` + refundA + `"],"owed":0}`), verifying, nil},
		{NoChange, "ann", `count "refund":"` + refundA + `","as":"refund","text":"x"`, verifying, nil},
		{TrackState, "ann", proposing(`{"do":"close","outcome":"wrong"}`), found0, nil},
		{TrackState, "ann", `declined "contact":9`, found0, []string{"ann " + proposing(reissue0), `chen approve "proposal":7`}},
		{TrackState, "ann", proposing(`{"do":"finding","wrong":["` + refundA + `"],"owed":0}`), found0, []string{"ann " + proposing(reissue0), `chen approve "proposal":7`}},
		{VoidWindowClosed, "ann", `request "route":"void","ref":""`, found0, []string{`@ {"at":"2026-08-24T22:30:00+08:00","tick":true}`}},
		{TooMuch, "ann", proposing(`{"do":"finding","wrong":["` + refundA + `"],"owed":35001}`), verifying, nil},
		{TooMuch, "fin", `received "amount":35001,"file":7`, found0, []string{`fin file "name":"f","type":"text/plain","size":1,"sha256":"` + strings.Repeat("a", 64) + `","kind":"letter"`}},
		{NotAsApproved, "ann", `sent "amount":1,"number":"N"`, found0, []string{"ann " + proposing(reissue0), `chen approve "proposal":7`}},
		{TooFewTries, "ann", `unreachable`, found0, []string{"ann " + contactOf("payer", "out", "phone", noAnswer), "ann " + contactOf("payer", "out", "email", noAnswer), "ann " + contactOf("payer", "out", "letter", noAnswer)}},
		{EscalatedAlready, "ann", `escalate "body":"police","ref":"","text":"x"`, verifying, []string{`ann escalate "body":"police","ref":"","text":"x"`}},
		{NotEscalated, "ann", `answered "file":4,"text":"x"`, verifying, nil},
		{NotEscalated, "ann", proposing(`{"do":"close","outcome":"legal"}`), found0, nil},
		{ProposalOpen, "ann", proposing(finding0), verifying, []string{"ann " + proposing(finding0)}},
		{NotTwo, "ann", proposing(`{"do":"request","route":"void","ref":""}`), found0, nil},
		{NoProposal, "chen", `approve "proposal":3`, verifying, []string{"ann " + proposing(finding0)}},
		{NotMaker, "mei", `withdraw "proposal":8`, verifying, []string{"ann " + proposing(finding0)}},
		{SamePerson, "bo", `approve "proposal":5`, newNew, []string{"bo " + proposing(finding0)}},
		{Involved, "bo", `approve "proposal":5`, func(t *testing.T, _ ...string) *bench { return newNew(t, "office/bo") }, []string{"ann " + proposing(finding0)}},
		{NeedsSupervisor, "chen", `approve "proposal":7`, found0, []string{"ann " + proposing(`{"do":"write_off","bearer":"merchant"}`)}},
		{OutcomeOpen, "ann", proposing(reissue0), func(t *testing.T, _ ...string) *bench {
			b := found0(t)
			b.report("09:20", "2", typeRevised, refundA, "data.refund.outcome=unknown")
			return b
		}, nil},
		{Currencies, "ann", proposing(`{"do":"finding","wrong":["` + refundA + `","` + refundB + `"],"owed":0}`), func(t *testing.T, _ ...string) *bench {
			b := verifying(t)
			b.report("09:20", "2", typeOpened, refundB, "data.refund.currency=USD")
			return b
		}, nil},
		{NotIdentified, "ann", proposing(`{"do":"reissue","amount":1,"way":"other","number":""}`), found0, nil},
		{MoneyMoved, "ann", proposing(`{"do":"close","outcome":"test"}`), found0, []string{"ann " + proposing(reissue0), `chen approve "proposal":7`}},
		{WrongState, "ann", proposing(`{"do":"reopen"}`), verifying, nil},
		{WrongState, "ann", proposing(`{"do":"close","outcome":"wrong"}`), verifying, nil},
		{BadTarget, "ann", proposing(`{"do":"close","outcome":"duplicate","into":"` + one + `"}`), verifying, nil},
		{NotFound, "ann", proposing(`{"do":"close","outcome":"duplicate","into":"C-2026-000009"}`), verifying, nil},
	} {
		b := c.start(t)
		for _, p := range c.prepare {
			by, do, _ := strings.Cut(p, " ")
			if by == "@" {
				b.ok("%s", do)
				continue
			}
			b.do("09:59", by, do)
		}
		b.no(c.code, "10:00", c.by, c.do)
		reached[c.code] = true
	}
	elsewhere(t, reached)
	for _, r := range Refusals() {
		if !reached[r.Code] {
			t.Errorf("%s is not reached", r.Code)
		}
	}
}

// newNew is a new case, keyed by an operator.
func newNew(t *testing.T, operator ...string) *bench {
	t.Helper()
	b := newBench(t)
	b.report("09:00", "1", typeOpened, refundA, "data.refund.operator=\""+strings.Join(operator, "")+"\"")
	return b
}

// elsewhere reaches what needs more than one case, or none.
func elsewhere(t *testing.T, reached map[Refusal]bool) {
	b := newBench(t)
	no := func(code Refusal, line string, args ...any) {
		t.Helper()
		b.refused(code, line, args...)
		reached[code] = true
	}
	no(Nothing, `@09:00 "by":"ann","do":"take"`)
	no(Self, `@09:00 "by":"adm","do":"person","person":{"id":"adm","staff":"8","roles":["admin"],"stores":[],"operators":[],"active":true}`)
	no(RolesConflict, `@09:00 "by":"adm","do":"person","person":{"id":"x","staff":"x","roles":["admin","manager"],"stores":[],"operators":[],"active":true}`)
	no(StaffTaken, `@09:00 "by":"adm","do":"person","person":{"id":"ann","staff":"33","roles":["analyst"],"stores":[],"operators":[],"active":true}`)
	no(NotFound, `@09:00 "by":"mei",`+strings.Replace(hand, "s1", "s2", 1), "N1")
	no(BadInput, `@09:00 "by":"mei",`+hand, "")
	b.ok(`@09:00 "by":"mei",`+hand, "N1")
	no(Exists, `@09:00 "by":"ann",`+hand, "N1")
	b.ok("@09:01 \"by\":\"ann\",%s", b.on(one, "claim"))
	no(Stale, `@09:02 "by":"ann","do":"release","case":"%s","expect":2`, one)
	no(Stale, `@09:02 "by":"ann","do":"release","case":"%s","expect":4`, one)
	b.ok(`@09:03 "by":"ann","do":"note","case":"%s","text":"x","key":"k"`, one)
	no(KeyReused, `@09:04 "by":"ann","do":"note","case":"%s","text":"y","key":"k"`, one)
	if a := b.ok(`@09:05 "by":"ann","do":"note","key":"k","text":"x","case":"%s","expect":77`, one); a.Again == 0 || len(a.Events) > 0 {
		t.Errorf("the same key again: %+v", a)
	}
	b.report("09:06", "1", typeOpened, refundA) // another sale: a case of its own
	b.report("09:06", "2", typeOpened, refundB, "data.refund.merchant_id=M3", "data.original=null", "data.refund.party=null")
	third := "C-2026-000003"
	no(NotSame, `@09:07 "by":"ann",%s`, b.on(third, proposing(`{"do":"close","outcome":"duplicate","into":"C-2026-000002"}`)))
	b.ok(`@09:08 "by":"ann",%s`, b.on(third, proposing(`{"do":"close","outcome":"duplicate","into":"`+one+`"}`)))
	b.ok(`@09:09 "by":"bo",%s`, b.on(third, `approve "proposal":4`))
	no(Merged, `@09:10 "by":"ann",%s`, b.on(third, `claim`))
	b.ok(`@09:10 "by":"ann",%s`, b.on(third, `note "text":"x"`))
	if v := b.see(one); len(v.Refunds) != 2 || v.Refunds[1].ID != refundB || strings.Join(v.Stores, " ") != "s1 s3" {
		t.Errorf("merged: %+v", v)
	}

	b = found0(t)
	b.do("10:00", "ann", proposing(reissue0))
	b.do("10:01", "chen", `approve "proposal":7`)
	b.do("10:02", "ann", `sent "amount":35000,"number":"N"`)
	b.do("10:02", "ann", `file "name":"f","type":"text/plain","size":1,"sha256":"`+strings.Repeat("a", 64)+`","kind":"letter"`)
	b.do("10:03", "ann", `settled "file":11`)
	no(NotInformed, `@10:05 "by":"ann",%s`, b.on(one, proposing(`{"do":"write_off","bearer":"merchant"},{"do":"close","outcome":"wrong"}`)))
}

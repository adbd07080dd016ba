package casework

import (
	"fmt"
	"strings"
	"testing"
)

func TestHomes(t *testing.T) {
	t.Run("one sale is one open case, by the first key that both state", func(t *testing.T) {
		for name, c := range map[string]struct {
			changes string
			same    bool
		}{
			"rrn, terminal and day":        {"", true},
			"another day":                  {"data.original.at=2026-08-22T18:00:00+08:00", false},
			"no time is no day":            {"data.original.at=yesterday", false},
			"another merchant":             {"data.original.merchant_id=M2", false},
			"an order number of one alone": {"data.original.order_no=O1", true},
			"another outcome of the sale":  {"data.original.outcome=unknown", true},
			"no original":                  {"data.original=null", false},
		} {
			b := newBench(t)
			b.report("09:00", "1", typeOpened, refundA)
			var changes []string
			if c.changes != "" {
				changes = []string{c.changes}
			}
			a := b.report("09:01", "2", typeOpened, refundB, changes...)
			if got := !strings.Contains(whats(a), "opened"); got != c.same {
				t.Errorf("%s: same case %v, want %v", name, got, c.same)
			}
		}
	})
	t.Run("channel_txn counts with its channel, and decides", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA, "data.original.channel_txn=T1", "data.original.channel=wechat")
		a := b.report("09:01", "2", typeOpened, refundB, "data.original.channel_txn=T1", "data.original.channel=alipay")
		b.wants(a, "2:opened 2:reported 2:suggested")
	})
	t.Run("only a corrected refund goes to a closed case", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA)
		b.do("09:10", "ann", `propose "commands":[{"do":"close","outcome":"test"}],"text":"a test"`)
		b.do("09:11", "chen", `approve "proposal":4`)
		b.wants(b.report("09:20", "2", typeOpened, refundB), "2:opened 2:reported")
		b.wants(b.report("09:30", "3", typeOpened, "0000000000000000000000000C", "data.verdict.recipient=same", `data.verdict.findings=[{"code":"reissue_observed"}]`),
			"2:reported") // an open case comes first
		b.ok(`@09:31 "by":"ann",%s`, b.on("C-2026-000002", `propose "commands":[{"do":"close","outcome":"test"}],"text":"a test"`))
		b.ok(`@09:32 "by":"chen",%s`, b.on("C-2026-000002", `approve "proposal":5`))
		b.wants(b.report("09:40", "4", typeFollowed, refundA, "data.what=refund_after", "data.refund_case=0000000000000000000000000D", "data.verdict.recipient=equivalent"),
			"2:reported 2:advised")
	})
	t.Run("a follow-up waits, with what waits for it", func(t *testing.T) {
		b := newBench(t)
		b.wants(b.ok(`@08:00 "event":%s`, eventOf("1", typeFollowed, refundB, "data.what=undone", `data.record={"kind":"reversal","stan":"1","rrn":"2"}`)), "")
		b.wants(b.report("08:01", "2", typeFollowed, refundA, "data.what=refund_after", "data.refund_case="+refundB, "data.verdict.recipient=same"), "")
		b.wants(b.report("08:02", "3", typeOpened, refundA), "1:opened 1:reported 1:reported 1:undone")
		if v := b.see(one); len(v.Refunds) != 2 || v.Refunds[1].Role != roleReissue {
			t.Errorf("%+v", v.Refunds)
		}
	})
	t.Run("an original once known stays known", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA)
		b.report("09:01", "2", typeCleared, refundA, "data.original=-", "data.decision=pass", "data.severity=none")
		b.wants(b.report("09:02", "3", typeOpened, refundB), "1:reported")
	})
}

func TestOrderOfReports(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		taken         bool
	}{
		"a greater sequence":                {"", "", true},
		"a smaller rev with a later number": {"data.verdict.seq=7,data.verdict.rev=2", "data.verdict.seq=7,data.verdict.rev=1", false},
		"seq 0 is none":                     {"data.verdict.seq=0,data.verdict.rev=2", "data.verdict.seq=0,data.verdict.rev=1", true},
		"another record":                    {"data.verdict.seq=7,data.verdict.rev=2", "data.verdict.seq=8,data.verdict.rev=1", true},
		"another source":                    {"sequence=00000000000000000099", "source=urn:yuanlu:terminal:t-2", true},
		"an earlier sequence":               {"sequence=00000000000000000099", "", false},
		"a later stream":                    {"sequence=00000000000000000099", "stream=S0", true},
	} {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA, strings.Split(c.first+",data.evidence=[]", ",")...)
		a := b.report("09:01", "2", typeRevised, refundA, strings.Split("data.verdict.evidence=weak,"+c.second+",data.evidence=[]", ",")...)
		if got := whats(a) == "1:reported"; got != c.taken {
			t.Errorf("%s: taken %v, want %v", name, got, c.taken)
		}
	}
}

// A fact that changes lapses a proposal; a report that repeats the last does not.
func TestWhatLapsesAProposal(t *testing.T) {
	proposal := `propose "commands":[{"do":"close","outcome":"record_error"}],"text":"x"`
	for name, c := range map[string]struct {
		line   string
		events string
	}{
		"a repeated report": {`@09:20 "event":` + eventOf("2", typeRevised, refundA), "1:reported"},
		"a changed one":     {`@09:20 "event":` + eventOf("2", typeRevised, refundA, "data.verdict.evidence=weak"), "1:reported 1:lapsed"},
		"a note":            {`@09:20 "by":"cai","do":"note","case":"` + one + `","text":"x"`, "1:noted"},
		"the count":         {`@09:20 "by":"ann","do":"count","case":"` + one + `","expect":4,"refund":"` + refundA + `","as":"reissue","text":"x"`, "1:counted 1:lapsed"},
	} {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA)
		b.do("09:10", "ann", proposal)
		if got := whats(b.ok("%s", "@"+strings.TrimPrefix(c.line, "@"))); got != c.events {
			t.Errorf("%s: %q, want %q", name, got, c.events)
		}
	}
}

// The clock runs on while due things happen: no event stands before the one before it.
func TestWhatComesDueWhenAProposalExpires(t *testing.T) {
	b := newBench(t)
	b.report("09:00", "1", typeOpened, refundA, "data.refund.terminal_id=T9")
	b.do("09:00", "ann", "claim")
	b.do("17:00", "ann", `propose "commands":[{"do":"close","outcome":"record_error"}],"text":"x"`)
	a := b.ok(`@28T09:00 "tick":true`)
	b.wants(a, "1:overdue 1:lapsed 1:overdue")
	var got []string
	for _, e := range a.Events {
		got = append(got, e.At[8:16]+" "+string(e.Data))
	}
	want := []string{`25T12:00 {"step":"approve","due":"2026-08-25T12:00:00+08:00"}`, `25T17:00 {"proposal":4,"why":"expired"}`,
		`25T17:00 {"step":"decide","due":"2026-08-24T18:00:00+08:00"}`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestMoney(t *testing.T) {
	t.Run("an approval is used once, and lapses", func(t *testing.T) {
		b := found0(t)
		b.do("10:00", "ann", `propose "commands":[{"do":"reissue","amount":10000,"way":"original","number":"N1"}],"text":"x"`)
		b.do("10:01", "chen", `approve "proposal":7`)
		b.no(NotAsApproved, "10:02", "ann", `sent "amount":35000,"number":"N1"`)
		b.no(NotAsApproved, "10:02", "ann", `sent "amount":10000,"number":"N2"`)
		b.do("10:02", "ann", `sent "amount":10000,"number":"N1"`)
		b.no(TrackState, "10:03", "ann", `sent "amount":10000,"number":"N1"`)
		b.do("10:04", "ann", `propose "commands":[{"do":"reissue","amount":25000,"way":"original","number":""}],"text":"x"`)
		b.do("10:05", "chen", `approve "proposal":11`)
		b.wants(b.ok(`@25T10:05 "tick":true`), "1:reissue_lapsed")
		if v := b.see(one); v.Payer.State != trackToPay || v.Payer.Paid != 10000 {
			t.Errorf("%+v", v.Payer)
		}
	})
	t.Run("the terminal sees what was sent: it counts once", func(t *testing.T) {
		b := found0(t)
		b.do("10:00", "ann", `propose "commands":[{"do":"reissue","amount":35000,"way":"original","number":""}],"text":"x"`)
		b.do("10:01", "chen", `approve "proposal":7`)
		b.do("10:02", "ann", `sent "amount":35000,"number":"RB"`)
		b.report("10:10", "2", typeFollowed, refundA, "data.what=refund_after", "data.refund_case="+refundB, "data.refund.rrn=RB", "data.verdict.recipient=same", "data.decision=pass", "data.severity=none")
		if v := b.see(one); v.Payer.Paid != 35000 || v.Payer.State != trackSent {
			t.Errorf("%+v", v.Payer)
		}
		b.no(TrackState, "10:11", "ann", `failed "text":"x"`) // the counted one is the refund
	})
	t.Run("a wallet's refund is settled by the channel", func(t *testing.T) {
		b := found0(t)
		b.report("10:10", "2", typeFollowed, refundA, "data.what=refund_after", "data.refund_case="+refundB, "data.verdict.recipient=same", "data.refund.channel=alipay")
		v := b.see(one)
		if v.Payer.State != trackSettled || v.Payer.Settled != 35000 || strings.Join(v.Advice, " ") != "check/unapproved" {
			t.Errorf("%+v %v", v.Payer, v.Advice)
		}
	})
	t.Run("not to pay twice while the wrong refund has no result", func(t *testing.T) {
		b := newBench(t)
		b.report("09:00", "1", typeOpened, refundA, "data.refund.outcome=pending")
		b.no(OutcomeOpen, "09:10", "ann", `propose "commands":[{"do":"finding","wrong":["`+refundA+`"],"owed":35000},{"do":"reissue","amount":35000,"way":"original","number":""}],"text":"x"`)
		if b.see(one).Version != 2 {
			t.Error("a refused proposal left something behind")
		}
	})
}

func TestCalendar(t *testing.T) {
	c := DefaultCalendar()
	for _, d := range []string{"2026-10-01", "2026-10-02", "2026-10-05", "2026-10-06", "2026-10-07"} {
		n, _ := date(d)
		c.closed[n], c.last = true, max(c.last, n)
	}
	n, _ := date("2026-10-10")
	c.open[n], c.last = true, n
	for _, w := range []struct {
		from    string
		seconds int64
		want    string
	}{
		{"2026-08-28T17:50:00+08:00", 30 * minute, "2026-08-31T09:20:00+08:00"}, // Friday
		{"2026-08-28T17:30:00+08:00", 30 * minute, "2026-08-28T18:00:00+08:00"},
		{"2026-08-29T12:00:00+08:00", 9 * hour, "2026-08-31T18:00:00+08:00"}, // Saturday + 1 day
		{"2026-08-24T03:00:00+08:00", 1, "2026-08-24T09:00:01+08:00"},
		{"2026-09-30T17:45:00+08:00", 4 * hour, "2026-10-08T12:45:00+08:00"},
		{"2026-10-09T18:00:00+08:00", 9 * hour, "2026-10-10T18:00:00+08:00"}, // a Saturday that is worked
		{"2026-08-24T09:00:00+08:00", 260 * 9 * hour, "2027-08-26T18:00:00+08:00"},
	} {
		from, _ := moment(w.from)
		if got := c.Format(c.after(from, w.seconds)); got != w.want {
			t.Errorf("%s + %d s = %s, want %s", w.from, w.seconds, got, w.want)
		}
		// Day by day, without leaping over weeks.
		slow := c
		slow.last = 1 << 40
		if a, b := c.after(from, w.seconds), slow.after(from, w.seconds); a != b {
			t.Errorf("%s + %d s: %d by weeks, %d by days", w.from, w.seconds, a, b)
		}
	}
}

// Four actors; R = 100, W = 3, all of one actor with r refunds: named if 400 · r³ ≤ 100³.
func TestTrainingIsExact(t *testing.T) {
	for r, named := range map[int64]bool{13: true, 14: false} {
		f := shopFigures{map[string]int64{"a": r, "b": 30, "c": 30, "d": 40 - r}, map[string]int64{"a": 3}}
		if got := len(f.named("s", 3)) == 1; got != named {
			t.Errorf("r %d: named %v, want %v", r, got, named)
		}
	}
	for name, f := range map[string]shopFigures{
		"fewer than train_min":     {map[string]int64{"a": 10, "b": 1000}, map[string]int64{"a": 2}},
		"more wrong than counted":  {map[string]int64{"a": 2, "b": 1000}, map[string]int64{"a": 3}},
		"more wrong than the shop": {map[string]int64{"a": 3}, map[string]int64{"a": 3, "b": 1}},
	} {
		if got := f.named("s", 3); len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

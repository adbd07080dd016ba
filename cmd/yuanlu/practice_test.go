package main

import (
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
)

// TestPracticeFromTheStore: with the daemon stopped, what was held in practice is counted per
// cashier, for people and for machines.
func TestPracticeFromTheStore(t *testing.T) {
	config, dir := storeAt(t)
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`"operator":"01","ask":{"id":"a-1"}`, `"operator":"01","ask":{"id":"a-2"}`, `"operator":"07","ask":{"id":"b-1"}`} {
		a, err := refund.ParseAsk([]byte(`{"kind":"refund","training":true,"merchant_id":"M","terminal_id":"T","amount":400,"currency":"CNY","at":"2026-08-23T09:00:00+08:00",`+text+`}`), refund.AskForm{})
		if err != nil {
			t.Fatal(err)
		}
		a = refund.SealAsk(a, db.Keys())
		got, err := db.Ask(t.Context(), &a, ledger.AskHow{Link: "pos", Level: ask.HoldLevel, HoldFor: time.Hour})
		if err != nil || got.Entry.Held == nil {
			t.Fatalf("%+v %v", got, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	code, out, errs := yl(t, "", "practice", "--config", config, "--json")
	want := `{"merchant_id":"M","operator":"01","asks":2,"held":2,"corrected":0}
{"merchant_id":"M","operator":"07","asks":1,"held":1,"corrected":0}
`
	if code != exitOK || out != want || errs != "" {
		t.Errorf("%d %s%s", code, out, errs)
	}
	for lang, words := range map[string][]string{"en": {"operator", "corrected himself", "only held refunds"}, "zh": {"收银员", "自行更正", "只统计被暂停的退款"}} {
		code, out, errs := yl(t, "", "practice", "--config", config, "--lang", lang)
		for _, w := range words {
			if code != exitOK || !strings.Contains(out, w) {
				t.Errorf("%s lacks %q: %d %s%s", lang, w, code, out, errs)
			}
		}
	}
}

package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// TestTailGoesOn: tail -f shows each line once, through the end of the daemon, lines that the
// file gets meanwhile, its rotation, and the next daemon.
func TestTailGoesOn(t *testing.T) {
	config, dir := writeConfig(t, "")
	d := startDaemon(t, config)
	eventually(t, "agent.ready", d.said("agent.ready"))
	out, errs := &syncBuffer{}, &syncBuffer{}
	p := newProgram(t, out, errs, "tail", "-f", "--raw", "-n", "1000", "--config", config)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx) }()
	shown := func(what string, n int) func() bool {
		return func() bool { return strings.Count(out.String(), what) == n }
	}
	eventually(t, "the lines of the past", shown(" agent.ready", 1))
	d.stop(t)
	eventually(t, "the end of the daemon", shown(" agent.stopped", 1))

	log := dir + "/store/log/yuanlu.log"
	line := func(code string) string {
		return time.Now().Format("2006-01-02T15:04:05.000Z07:00") + " INFO " + code + "\n"
	}
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(line("before.rotation")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, []byte(line("behind.rotation")), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a line of the file that was rotated", shown(" before.rotation", 1))
	eventually(t, "a line of the new file", shown(" behind.rotation", 1))

	d = startDaemon(t, config)
	eventually(t, "the next daemon", shown(" agent.ready", 2))
	d.stop(t)
	eventually(t, "its end", shown(" agent.stopped", 2))
	cancel()
	if code := <-ended; code != 0 || errs.String() != "" {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	seen := map[string]bool{}
	for l := range strings.Lines(out.String()) {
		if seen[l] {
			t.Errorf("twice: %s", l)
		}
		seen[l] = true
	}
	if text := out.String(); strings.Count(text, "before.rotation")+strings.Count(text, "behind.rotation") != 2 {
		t.Errorf("lines of the file: %s", text)
	}
}

// TestStatusWatch: where there is no terminal one status follows the other, until it is
// ended.
func TestStatusWatch(t *testing.T) {
	config, _ := writeConfig(t, "")
	out, errs := &syncBuffer{}, &syncBuffer{}
	p := newProgram(t, out, errs, "status", "--watch", "--config", config)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx) }()
	eventually(t, "a second status", func() bool { return strings.Count(out.String(), "terminal t-1") > 1 })
	cancel()
	if code := <-ended; code != 0 || errs.String() != "" {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}

// TestShortIDs: the beginning of an id names a case; where several begin so, all are named.
func TestShortIDs(t *testing.T) {
	config, dir := writeConfig(t, "")
	fillStore(t, dir+"/store")
	_, out, _ := yl(t, "", "cases", "list", "--config", config, "--json")
	ids := objects(t, out)
	if len(ids) < 3 {
		t.Fatalf("%d cases", len(ids))
	}
	id := ids[0].(map[string]any)["case_id"].(string)
	if code, out, errs := yl(t, "", "cases", "show", strings.ToLower(id[:12]), "--config", config); code != 0 || !strings.Contains(out, id) {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if code, _, errs := yl(t, "", "cases", "show", "ZZ", "--config", config); code != 3 || !strings.Contains(errs, "no case begins with ZZ") {
		t.Errorf("exit %d: %s", code, errs)
	}
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir + "/store", Judge: newJudge(refund.DefaultSettings()), Now: time.Now, Grace: -1})
	if err != nil {
		t.Fatal(err)
	}
	for n := 101; n < 201; n += 2 { // more cases than there are characters to begin with
		var two []refund.Sighting
		for i, kind := range []refund.Kind{refund.KindSale, refund.KindRefund} {
			two = append(two, sightingOf(db, kind, n+i, refund.ChannelCard, refund.Party{Scheme: refund.SchemePAN, ID: refund.NewSecret(identities[i])}))
		}
		if _, err := db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: two}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	several := 0
	for _, c := range "0123456789ABCDEFGHJKMNPQRSTVWXYZ" {
		if _, _, errs := yl(t, "", "cases", "show", string(c), "--config", config); strings.Contains(errs, "several cases begin with "+string(c)+": "+string(c)) {
			several++
		}
	}
	if several == 0 {
		t.Error("50 cases, and no two begin alike")
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/rules"
	"yuanlu/cmd/yuanlu-desk/desktest"
	"yuanlu/protocol/mqtt/brokertest"
)

// Numbers of the journal that is followed: a card sale, a refund of it to another card, its
// reversal, the refund made again to the payer, the settlement, and the payer's next sale.
var putRight = []string{
	`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"01","channel":"card","entry":"chip","amount":1000,"currency":"CNY","at":"2026-08-22T10:15:30+08:00","stan":"000101","batch":"000007","rrn":"260822000101","party":{"scheme":"pan","id":"6200000000000005"}}`,
	`{"v":1,"kind":"refund","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"01","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:00:00+08:00","stan":"000102","batch":"000008","rrn":"260823000102","original":{"rrn":"260822000101","date":"0822"},"party":{"scheme":"pan","id":"6205500000000000004"}}`,
	`{"v":1,"kind":"reversal","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"01","channel":"card","amount":350,"currency":"CNY","at":"2026-08-23T09:01:00+08:00","stan":"000102","batch":"000008"}`,
	`{"v":1,"kind":"refund","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"01","channel":"card","entry":"swipe","amount":350,"currency":"CNY","at":"2026-08-23T09:05:00+08:00","stan":"000103","batch":"000008","rrn":"260823000103","original":{"rrn":"260822000101","date":"0822"},"party":{"scheme":"pan","id":"6200000000000005"}}`,
	`{"v":1,"kind":"settlement","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","at":"2026-08-23T22:00:00+08:00","stan":"000104","batch":"000008","totals":{"debit_amount":0,"debit_count":0,"credit_amount":350,"credit_count":1}}`,
	`{"v":1,"kind":"sale","outcome":"approved","merchant_id":"M1","terminal_id":"10000001","operator":"02","channel":"card","entry":"contactless","amount":2000,"currency":"CNY","at":"2026-08-24T10:00:00+08:00","stan":"000105","batch":"000009","rrn":"260824000105","party":{"scheme":"pan","id":"6200000000000005"}}`,
}

// seedStore makes an agent's store that has taken these records, each in a transaction.
func seedStore(t *testing.T, dir string, lines []string) {
	t.Helper()
	db, err := ledger.Open(t.Context(), ledger.Options{Dir: dir, Terminal: "t-1", Judge: refund.NewJudge(refund.DefaultSettings(), rules.All())})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, line := range lines {
		r, err := refund.ParseRecord([]byte(line), refund.Reject)
		if err != nil {
			t.Fatal(err)
		}
		s := refund.Sighting{Record: refund.Seal(r, db.Keys()), Received: time.Now(), ClockSynced: true}
		if _, err := db.Apply(t.Context(), []refund.Arrival{{Link: "pos", Sightings: []refund.Sighting{s}}}); err != nil {
			t.Fatal(err)
		}
	}
}

// A wrong refund is reversed and made again to the payer, its batch is settled and the payer
// comes back: the case at the desk has all of it, through a real agent and a real broker.
func TestE2EFollowedCase(t *testing.T) {
	dir := t.TempDir()
	seedStore(t, filepath.Join(dir, "store"), putRight)
	broker := brokertest.Start(t, brokertest.Options{})
	config := filepath.Join(dir, "yuanlu.toml")
	text := fmt.Sprintf("[terminal]\nid = \"t-1\"\n[store]\ndir = %q\n[[link]]\nname = \"pos\"\nwire = \"smart\"\nport = %q\n[mqtt]\nurl = %q\nallow_plaintext = true\n[backoffice]\nhost = \"desk\"\n",
		filepath.Join(dir, "store"), filepath.Join(dir, "absent"), broker.URL())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	place, desks := filepath.Join(dir, "desk.db"), &address{}
	clerk := hiredClerks(t, place, desks, "supervisor-1")[0]
	desk := newDesk(t, "--broker", broker.URL(), "--allow-plaintext", "--store", place)
	desk.startDesk()
	desks.set(desk.api)
	agent := newProcess(t, func() *exec.Cmd {
		cmd := exec.Command(binary(t, "yuanlu"), "run", "--config", config)
		cmd.Env = append(os.Environ(), "LANG=C", "JOURNAL_STREAM=")
		return cmd
	})
	agent.start()
	no := fmt.Sprintf("C-%d-000001", time.Now().UTC().Add(8*time.Hour).Year())
	var journal []string
	desktest.Eventually(t, time.Minute, "what became of the case", func() bool {
		journal = clerk.journal(t, no)
		return slices.Contains(journal, "payer_seen")
	})
	for _, want := range []string{"opened", "reported", "undone", "void_closed", "payer_seen"} {
		if !slices.Contains(journal, want) {
			t.Errorf("the journal has no %s: %q", want, journal)
		}
	}
	c := clerk.shown(t, no)
	if len(c.Refunds) != 2 || !c.Refunds[0].Cancelled || c.Refunds[0].Recipient != "none" ||
		c.Refunds[1].Role != "reissue" || c.Refunds[1].Recipient != "same" || c.Refunds[1].Cancelled {
		t.Errorf("the case is %+v", c)
	}
	if code := agent.stop(); code != exitOK {
		t.Errorf("the agent ended with %d", code)
	}
}

// shownCase is what the test reads of a case (casework.md § 10).
type shownCase struct {
	Refunds []struct {
		Role, Recipient string
		Cancelled       bool
	}
}

func (c *clerk) read(t *testing.T, path string, to any) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.desks.get()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Cookie", c.cookie)
	rsp, err := c.client.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rsp.Body.Close()
	if rsp.StatusCode == http.StatusOK {
		err = json.NewDecoder(rsp.Body).Decode(to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// journal returns what happened in a case, in order; nothing where there is no such case yet.
func (c *clerk) journal(t *testing.T, no string) (whats []string) {
	t.Helper()
	var answer struct{ Events []struct{ What string } }
	c.read(t, "/v1/work/cases/"+no+"/journal?after=0", &answer)
	for _, e := range answer.Events {
		whats = append(whats, e.What)
	}
	return whats
}

func (c *clerk) shown(t *testing.T, no string) (is shownCase) {
	t.Helper()
	var answer struct{ Case shownCase }
	c.read(t, "/v1/work/cases/"+no, &answer)
	return answer.Case
}

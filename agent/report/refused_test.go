package report_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the reader any technician's sqlite3 is

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/mqtt/brokertest"
	"yuanlu/protocol/topics"
)

// contents is what nothing that is refused may change: every row of the store but
// the events that tell of refusals, and what was sent, which is saved with the next
// commit together with the number of the newest entry (it is that of its row); and every
// other file.
func contents(t *testing.T, dir string) string {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "yuanlu.db")+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var out strings.Builder
	for _, table := range rowsOf(t, db, `SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE 'sqlite_%' ORDER BY name`) {
		where := ""
		switch table {
		case "[outbox]":
			where = " WHERE type NOT LIKE 'dn.%'"
		case "[meta]":
			where = " WHERE name NOT IN ('outbox.events', 'outbox.dropped', 'outbox.sent', 'outbox.last')"
		}
		for _, row := range rowsOf(t, db, "SELECT * FROM "+strings.Trim(table, "[]")+where) {
			out.WriteString(table + row + "\n")
		}
	}
	// The number of the newest case, wherever it stands.
	for _, row := range rowsOf(t, db, `SELECT max(coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'outbox.last'), 0),
 coalesce((SELECT max(entry) FROM outbox WHERE type NOT LIKE 'dn.%'), 0)) AS newest`) {
		out.WriteString(row + "\n")
	}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), "yuanlu.db") || e.Name() == "lock" { // the lock counts commits
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(&out, "%s %d %x\n", strings.TrimPrefix(path, dir), len(b), b[:min(len(b), 256)])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// rowsOf returns every row of a query as text.
func rowsOf(t *testing.T, db *sql.DB, query string) (all []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		cells, into := make([]any, len(names)), make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(cells))
	}
	return all
}

// office is the back office's signing side, and everybody else's.
type office struct {
	t        *testing.T
	mine     ed25519.PrivateKey
	stranger ed25519.PrivateKey
}

func newOffice(t *testing.T) *office {
	return &office{t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, 32))}
}

// signed wraps body for topic and terminal.
func (o *office) signed(key ed25519.PrivateKey, kid, topic, to, id string, body []byte) []byte {
	o.t.Helper()
	b, err := topics.Sign(key, kid, topic, to, id, time.Now(), body)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// good is a payload as it should be.
func (o *office) good(topic, id string, body []byte) []byte {
	return o.signed(o.mine, "k1", topic, terminal, id, body)
}

// changed is a payload of which one member was replaced.
func changed(payload []byte, member string, value any) []byte {
	m := map[string]any{}
	_ = json.Unmarshal(payload, &m)
	m[member] = value
	b, _ := json.Marshal(m)
	return b
}

// timed is a command said at another time.
func timed(id string, at time.Time, ttl int) []byte {
	return fmt.Appendf(nil, `{"id":%q,"ts":%q,"ttl_s":%d}`, id, at.UTC().Format(time.RFC3339), ttl)
}

// refusal is one message that may change nothing.
type refusal struct {
	name    string
	topic   string
	payload []byte
}

// refusals are forged, replayed, retained, oversized, malformed and mis-signed
// messages on every topic that comes down. stream is the store's, seq its newest.
func (o *office) refusals(stream string, seq int64) []refusal {
	ack := fmt.Appendf(nil, `{"stream":%q,"acked_seq":%d}`, stream, seq)
	nack := fmt.Appendf(nil, `{"stream":%q,"nack":[{"seq":1,"code":"schema"}]}`, stream)
	config, _ := json.Marshal(topics.DesiredConfig{Version: 99, Expected: 0, Config: "[terminal]\nid = \"t-00423\"\n"})
	var all []refusal
	for topic, body := range map[string][]byte{names.Ack(): ack, names.Cmd("act"): command("c", 60, ""), names.DesiredConfig(): config} {
		right := o.good(topic, "right", body)
		add := func(name string, payload []byte) {
			all = append(all, refusal{name + " on " + topic, topic, payload})
		}
		add("unsigned", body)
		add("forged with a stranger's key", o.signed(o.stranger, "k1", topic, terminal, "f1", body))
		add("signed with a key nobody knows", o.signed(o.mine, "k9", topic, terminal, "f2", body))
		add("meant for another terminal", o.signed(o.mine, "k1", topic, "t-other", "f3", body))
		add("made out to us on its way", changed(o.signed(o.mine, "k1", topic, "t-other", "f4", body), "terminal", terminal))
		add("signed for another topic", o.good(names.Cmd("ping"), "f5", body))
		add("with another body", changed(right, "body", "e30="))
		add("with another time", changed(right, "ts", "2031-01-01T00:00:00.000Z"))
		add("with another id", changed(right, "id", "other"))
		add("of version 2", changed(right, "v", 2))
		add("with half a signature", bytes.Replace(right, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1))
		add("any bytes", []byte("\xff\x00\x80 nonsense"))
		add("half of it", right[:len(right)/2])
		add("nested a thousand deep", bytes.Repeat([]byte("["), 1000))
		add("100 KiB of it", append(bytes.Clone(right), bytes.Repeat([]byte(" "), 100<<10)...))
		add("signed nonsense", o.good(topic, "f6", []byte(`{"stream":1,"id":[],"version":"x"}`)))
		add("signed garbage", o.good(topic, "f7", []byte("\xff\x00")))
	}
	return append(all,
		refusal{"a forged refusal of a case", names.Ack(), nack},
		refusal{"an expired command", names.Cmd("act"), o.good(names.Cmd("act"), "e1", timed("e1", time.Now().Add(-time.Hour), 60))},
		refusal{"a command from before the start", names.Cmd("act"), o.good(names.Cmd("act"), "e2", timed("e2", time.Now().Add(-time.Minute), 3600))},
		refusal{"a command from tomorrow", names.Cmd("act"), o.good(names.Cmd("act"), "e3", timed("e3", time.Now().Add(24*time.Hour), 60))},
		refusal{"a command of no name", names.Cmd("Act"), o.good(names.Cmd("Act"), "n1", command("n1", 60, ""))},
		refusal{"something below a command", names.Cmd("act") + "/x", o.good(names.Cmd("act")+"/x", "n2", command("n2", 60, ""))},
		refusal{"another topic", root + "/v1/" + terminal + "/dn/other", o.good(root+"/v1/"+terminal+"/dn/other", "n3", ack)},
	)
}

// TestRefusedMessagesChangeNothing: real reporter, real store, real broker. Every
// forged, replayed, retained, oversized, malformed or mis-signed message is refused
// and counted, and not a row of the store is another afterwards.
func TestRefusedMessagesChangeNothing(t *testing.T) {
	b := brokertest.Start(t, brokertest.Options{Unchecked: true})
	dir := filepath.Join(t.TempDir(), "store")
	db, o := openLedgerIn(t, dir), newOffice(t)
	wrongRefunds(t, db, 0, 5)
	before := contents(t, dir)
	anybody, err := mqtt.Dial(t.Context(), mqtt.Options{URL: b.URL(), ClientID: "anybody"})
	if err != nil {
		t.Fatal(err)
	}
	defer anybody.Close(context.Background())
	say := func(m refusal, retained bool) {
		t.Helper()
		if err := anybody.Publish(t.Context(), m.topic, 1, retained, m.payload); err != nil {
			t.Fatal(err)
		}
	}
	// What is retained comes as such to those who subscribe later.
	say(refusal{topic: names.Ack(), payload: o.good(names.Ack(), "r1", fmt.Appendf(nil, `{"stream":%q,"acked_seq":5}`, db.Stream()))}, true)
	say(refusal{topic: names.Cmd("act"), payload: o.good(names.Cmd("act"), "r2", command("r2", 60, ""))}, true)
	var done atomic.Int64
	r := runReporter(t, db, mqtt.Options{URL: b.URL(), ClientID: terminal}, func(ro *report.Options) {
		ro.Keys = []topics.Key{{ID: "k1", Public: o.mine.Public().(ed25519.PublicKey)}}
		g := &rig{names: []string{"act"}, take: func(topics.DesiredConfig, string) { done.Add(1) },
			do: func(context.Context, report.Command) (any, error) { done.Add(1); return nil, nil }}
		ro.Commands, ro.Config, ro.Terminal = g, g, storing{still{out: db}, db, t}
	})
	quiet(t, db, r)
	eventually(t, 20*time.Second, "the retained ones refused", func() bool { return r.Status().Refused == 2 })
	if after := contents(t, dir); after != before || done.Load() != 0 {
		t.Errorf("a retained message has changed the store:\n%s", difference(before, after))
	}
	for _, m := range o.refusals(db.Stream(), 5) {
		refused := r.Status().Refused
		say(m, false)
		eventually(t, 20*time.Second, m.name+" refused", func() bool { return r.Status().Refused > refused })
		if got := r.Status().Refused - refused; got != 1 || done.Load() != 0 {
			t.Errorf("%s: counted %d times, %d commands done", m.name, got, done.Load())
		}
		if after := contents(t, dir); after != before {
			t.Fatalf("%s has changed the store:\n%s", m.name, difference(before, after))
		}
	}
	// What is over 256 KiB ends the connection, and nothing else; a retained message
	// comes again with the next one, and is refused again.
	reconnects := r.Status().Reconnects
	huge := exec.Command("mosquitto_pub", "-p", fmt.Sprint(b.Port), "-q", "1", "-t", names.Ack(), "-s") // our own client sends nothing so large
	huge.Stdin = bytes.NewReader(bytes.Repeat([]byte("x"), 300<<10))
	if out, err := huge.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	eventually(t, 20*time.Second, "another connection", func() bool { return r.Status().Reconnects > reconnects && r.Status().Connected })
	quiet(t, db, r)
	if after := contents(t, dir); after != before || done.Load() != 0 {
		t.Errorf("300 KiB have changed the store:\n%s", difference(before, after))
	}
	// The right one of each is taken, and once: a replay is answered and does nothing.
	act := o.good(names.Cmd("act"), "a1", command("a1", 60, ""))
	for range 3 {
		say(refusal{topic: names.Cmd("act"), payload: act}, false)
	}
	for range 2 {
		say(refusal{topic: names.Ack(), payload: o.good(names.Ack(), "a2", fmt.Appendf(nil, `{"stream":%q,"acked_seq":4}`, db.Stream()))}, false)
	}
	eventually(t, 20*time.Second, "the right acknowledgement and command", func() bool { return stat(t, db).AckedSeq == 4 && done.Load() > 0 })
	if done.Load() != 1 {
		t.Errorf("the right command was done %d times", done.Load())
	}
}

// storing is a terminal that stores its events.
type storing struct {
	still
	db *ledger.DB
	t  *testing.T
}

func (s storing) Event(typ, subject string, attrs ...slog.Attr) {
	data := map[string]any{}
	for _, a := range attrs {
		data[a.Key] = a.Value.Any()
	}
	raw, _ := json.Marshal(data)
	if err := s.db.AddEvent(context.Background(), refund.Notice{Type: typ, Subject: subject, Time: time.Now(), Data: raw}); err != nil {
		s.t.Error(err)
	}
}

// quiet waits until all that waits has been sent and its PUBACKs are in the store.
func quiet(t *testing.T, db *ledger.DB, r *report.Reporter) {
	t.Helper()
	eventually(t, 20*time.Second, "everything sent", func() bool {
		s := stat(t, db)
		return r.Status().Connected && s.SentSeq == s.LastSeq
	})
}

func stat(t *testing.T, db *ledger.DB) refund.OutboxStat {
	t.Helper()
	s, err := db.OutboxStat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// difference returns the lines that only one of two texts has.
func difference(before, after string) string {
	var out strings.Builder
	for sign, pair := range map[string][2]string{"- ": {before, after}, "+ ": {after, before}} {
		for line := range strings.Lines(pair[0]) {
			if !strings.Contains(pair[1], line) {
				out.WriteString(sign + line[:min(len(line), 300)] + "\n")
			}
		}
	}
	return out.String()
}

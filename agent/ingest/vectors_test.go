package ingest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// defaultNow is the time of reception of vectors without a NAME.now.
const defaultNow = "2026-08-23T12:00:00+08:00"

// wanted is one expected record of a vector, with its clear test identifier.
type wanted struct {
	Kind          refund.Kind      `json:"kind"`
	Outcome       refund.Outcome   `json:"outcome"`
	ResponseCode  string           `json:"response_code"`
	Copy          refund.Copy      `json:"copy"`
	Training      bool             `json:"training"`
	MerchantID    string           `json:"merchant_id"`
	TerminalID    string           `json:"terminal_id"`
	Operator      string           `json:"operator"`
	Channel       refund.Channel   `json:"channel"`
	Funding       string           `json:"funding"`
	Entry         refund.Entry     `json:"entry"`
	Amount        int64            `json:"amount"`
	PayerAmount   *int64           `json:"payer_amount"`
	Currency      string           `json:"currency"`
	At            string           `json:"at"`
	Stan          string           `json:"stan"`
	Batch         string           `json:"batch"`
	RRN           string           `json:"rrn"`
	AuthCode      string           `json:"auth_code"`
	OrderNo       string           `json:"order_no"`
	ChannelTxn    string           `json:"channel_txn"`
	RefundNo      string           `json:"refund_no"`
	ChannelRefund string           `json:"channel_refund"`
	Original      wantedOriginal   `json:"original"`
	Party         *wantedParty     `json:"party"`
	RefundRoute   refund.Route     `json:"refund_route"`
	Ask           string           `json:"ask"`
	Signature     string           `json:"signature"`
	Totals        *refund.Totals   `json:"totals"`
	Coverage      *refund.Coverage `json:"journal"`

	V         int      `json:"v"`
	Undecided []string `json:"_undecided"`
	Optional  bool     `json:"_optional"`
	Received  bool     `json:"_received"`
	MMDD      string   `json:"_mmdd"`
}

type wantedOriginal struct {
	Stan       string `json:"stan"`
	Batch      string `json:"batch"`
	Date       string `json:"date"`
	RRN        string `json:"rrn"`
	AuthCode   string `json:"auth_code"`
	OrderNo    string `json:"order_no"`
	ChannelTxn string `json:"channel_txn"`
	TerminalID string `json:"terminal_id"`
}

type wantedParty struct {
	Scheme    refund.Scheme `json:"scheme"`
	Namespace string        `json:"namespace"`
	ID        string        `json:"id"`
	Shown     string        `json:"shown"`
	PAR       string        `json:"par"`
	Text      string        `json:"text"`
	Also      []wantedParty `json:"also"`
}

// vector is one capture with everything that is expected of it.
type vector struct {
	name    string // without the wire
	wire    string
	bytes   []byte
	want    []wanted
	now     time.Time
	secrets []string
	refused string // exit statuses allowed
	left    string // the lines "left out: N WHAT", if the vector has them
	hasLeft bool
	profile []byte // of the acquirer; nil: the embedded one
}

func loadVectors(t testing.TB, wire string) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "vectors", "*."+wire+".hex"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors of wire %s: %v", wire, err)
	}
	var out []vector
	for _, f := range files {
		stem := strings.TrimSuffix(f, "."+wire+".hex")
		v := vector{name: filepath.Base(stem), wire: wire, bytes: hexFile(t, f), want: loadWanted(t, stem+".want.jsonl"), refused: "0"}
		now := defaultNow
		if s := optional(t, stem+".now"); s != "" {
			now = s
		}
		if v.now, err = time.Parse(time.RFC3339, now); err != nil {
			t.Fatal(err)
		}
		if s := optional(t, stem+".status"); s != "" {
			v.refused = s
		}
		if _, err := os.Stat(stem + ".left"); err == nil {
			v.left, v.hasLeft = optional(t, stem+".left"), true
		}
		if p := optional(t, stem+".profile.toml"); p != "" {
			v.profile = []byte(p)
		}
		v.secrets = strings.Fields(optional(t, stem+".secrets"))
		out = append(out, v)
	}
	return out
}

func hexFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func optional(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func loadWanted(t testing.TB, name string) []wanted {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []wanted
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.DisallowUnknownFields()
		var w wanted
		if err := d.Decode(&w); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out = append(out, w)
	}
	return out
}

// result is what a replay has returned.
type result struct {
	records []ingest.Decoded
	refused []error
	stats   frame.Stats
	left    []ingest.LeftOutCount
}

func replay(t testing.TB, v vector, clock ingest.Clock) result {
	t.Helper()
	p, err := ingest.LoadProfile(v.wire, v.profile)
	if err != nil {
		t.Fatal(err)
	}
	w, err := ingest.NewWire(v.wire, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	var r result
	// One byte at a time: nothing may depend on how the bytes arrive.
	read, err := ingest.Replay(context.Background(), iotest.OneByteReader(bytes.NewReader(v.bytes)), w, clock,
		func(d ingest.Decoded) error { r.records = append(r.records, d); return nil },
		func(err error) { r.refused = append(r.refused, err) })
	if err != nil {
		t.Fatal(err)
	}
	r.stats, r.left = read.Stats, read.LeftOut
	return r
}

// TestVectors does what testdata's compare.py does with a program.
func TestVectors(t *testing.T) {
	for _, wire := range ingest.Wires() {
		for _, v := range loadVectors(t, wire) {
			t.Run(v.name+"."+wire, func(t *testing.T) {
				r := replay(t, v, ingest.Clock{Now: v.now, HasNow: true})
				compareRecords(t, v, r.records)
				status := "0"
				if len(r.refused) > 0 {
					status = "65"
				}
				if !strings.Contains(" "+v.refused+" ", " "+status+" ") {
					t.Errorf("%d messages refused, want status %s: %v", len(r.refused), v.refused, r.refused)
				}
				if got := leftLines(r.left); v.hasLeft && got != v.left {
					t.Errorf("left out:\n%s\nwant:\n%s", got, v.left)
				}
				noSecrets(t, v, r)
			})
		}
	}
}

// TestVectorsWithoutNow: records without a time of their own get none.
func TestVectorsWithoutNow(t *testing.T) {
	for _, wire := range ingest.Wires() {
		for _, v := range loadVectors(t, wire) {
			r := replay(t, v, ingest.Clock{Now: v.now})
			for i, d := range r.records {
				if i < len(v.want) && v.want[i].Received && (d.Record.At != "" || d.AtFromClock) {
					t.Errorf("%s: record %d has at %q", v.name, i+1, d.Record.At)
				}
			}
		}
	}
}

func leftLines(left []ingest.LeftOutCount) string {
	lines := make([]string, len(left))
	for i, l := range left {
		lines[i] = fmt.Sprintf("left out: %d %s", l.N, l.What)
	}
	return strings.Join(lines, "\n")
}

func compareRecords(t *testing.T, v vector, got []ingest.Decoded) {
	t.Helper()
	i := 0
	for _, w := range v.want {
		if i >= len(got) {
			if !w.Optional {
				t.Errorf("record %d (%s %s) is missing", i+1, w.Kind, w.Stan)
			}
			continue
		}
		want, have := expected(t, w, v.now), actual(got[i].Record, w.Undecided)
		if !reflect.DeepEqual(want, have) {
			if w.Optional {
				continue
			}
			t.Errorf("record %d:\n got %s\nwant %s", i+1, mustJSON(have), mustJSON(want))
		}
		if got[i].AtFromClock != w.Received {
			t.Errorf("record %d: AtFromClock is %t", i+1, got[i].AtFromClock)
		}
		if got[i].YearFromClock != (w.MMDD != "" && w.At != "") {
			t.Errorf("record %d: YearFromClock is %t", i+1, got[i].YearFromClock)
		}
		i++
	}
	if i < len(got) {
		t.Errorf("%d records too many, first: %s", len(got)-i, mustJSON(actual(got[i].Record, nil)))
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// expected returns a wanted record as plain members, absent and empty ones left out.
func expected(t *testing.T, w wanted, now time.Time) map[string]any {
	t.Helper()
	if w.Received {
		w.At = now.Format(time.RFC3339)
	}
	if w.MMDD != "" && w.At != "" {
		w.At = latest(t, w.MMDD, now) + w.At[10:]
	}
	undecided := w.Undecided
	w.V, w.Undecided, w.Optional, w.Received, w.MMDD = 0, nil, false, false, ""
	return normal(w, undecided)
}

// latest is the rule for dates without a year, by trying days backwards.
func latest(t *testing.T, mmdd string, now time.Time) string {
	t.Helper()
	zone := time.FixedZone("", 8*3600)
	for d := now.In(zone).AddDate(0, 0, 1); d.Year() > now.Year()-9; d = d.AddDate(0, 0, -1) {
		if d.Format("0102") == mmdd {
			return d.Format(time.DateOnly)
		}
	}
	t.Fatalf("no day %s", mmdd)
	return ""
}

func actual(r refund.Record, undecided []string) map[string]any {
	w := wanted{
		Kind: r.Kind, Outcome: r.Outcome, ResponseCode: r.ResponseCode, Copy: r.Copy, Training: r.Training,
		MerchantID: r.MerchantID, TerminalID: r.TerminalID, Operator: r.Operator, Channel: r.Channel, Funding: r.Funding,
		Entry: r.Entry, Amount: r.Amount, Currency: r.Currency, At: r.At, Stan: r.Stan, Batch: r.Batch, RRN: r.RRN,
		AuthCode: r.AuthCode, OrderNo: r.OrderNo, ChannelTxn: r.ChannelTxn, RefundNo: r.RefundNo, ChannelRefund: r.ChannelRefund,
		Original: wantedOriginal(r.Original), RefundRoute: r.RefundRoute, Ask: r.Ask, Signature: r.Signature, Totals: r.Totals, Coverage: r.Coverage,
	}
	if r.HasPayerAmount {
		w.PayerAmount = &r.PayerAmount
	}
	if r.Party != nil {
		p := partyOf(*r.Party)
		w.Party = &p
	}
	return normal(w, undecided)
}

// partyOf returns a party with its clear identifiers and with what Seal shows of them.
func partyOf(p refund.Party) wantedParty {
	sealed := refund.Seal(refund.Record{Party: &p}, noTokens{}).Party
	w := wantedParty{Scheme: p.Scheme, Namespace: p.Namespace, ID: p.ID.Reveal(), Shown: sealed.Shown, PAR: p.PAR.Reveal(), Text: p.Text}
	for _, a := range p.Also {
		w.Also = append(w.Also, partyOf(a))
	}
	return w
}

// clear is the party with its clear identifiers.
func (w wantedParty) clear() refund.Party {
	p := refund.Party{Scheme: w.Scheme, Namespace: w.Namespace, ID: refund.NewSecret(w.ID), Text: w.Text}
	if w.PAR != "" {
		p.PAR = refund.NewSecret(w.PAR)
	}
	for _, a := range w.Also {
		p.Also = append(p.Also, a.clear())
	}
	return p
}

// noTokens is a Tokenizer for tests that look at masked forms only.
type noTokens struct{}

func (noTokens) Tokens(string, string) []string { return []string{"k1:00"} }

// normal makes equal what compare.py takes as equal.
func normal(w wanted, undecided []string) map[string]any {
	if w.PayerAmount != nil && *w.PayerAmount == w.Amount {
		w.PayerAmount = nil
	}
	if w.Entry == refund.EntryNone {
		w.Entry = ""
	}
	if w.Channel == refund.ChannelUnknown {
		w.Channel = ""
	}
	w.Signature = strings.ToLower(w.Signature)
	if at, err := time.Parse(time.RFC3339, w.At); err == nil {
		w.At = at.Format(time.RFC3339Nano)
	}
	if w.Party != nil && (w.Party.Scheme == "" || w.Party.Scheme == refund.SchemeNone) && w.Party.ID == "" {
		w.Party = nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(mustJSON(w)), &m); err != nil {
		return map[string]any{"error": err.Error()}
	}
	for _, path := range undecided {
		drop(m, path)
	}
	return pruned(m).(map[string]any)
}

func drop(m map[string]any, path string) {
	head, rest, deep := strings.Cut(path, ".")
	if !deep {
		delete(m, head)
	} else if inner, ok := m[head].(map[string]any); ok {
		drop(inner, rest)
	}
}

// pruned leaves out what is absent, empty, zero or false, but a payer_amount of 0.
func pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			switch x = pruned(x); x {
			case nil, "", false:
				delete(v, k)
			case 0.0:
				if k != "payer_amount" {
					delete(v, k)
				}
			default:
				v[k] = x
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		if len(v) == 0 {
			return nil
		}
		for i := range v {
			v[i] = pruned(v[i])
		}
		return mustJSON(v)
	}
	return v
}

// secretsOf returns the clear identifiers, tracks and PIN blocks of a vector.
func secretsOf(v vector) (secrets []string) {
	all := append([]string(nil), v.secrets...)
	for _, w := range v.want {
		if w.Party == nil {
			continue
		}
		for _, p := range append([]wantedParty{*w.Party}, w.Party.Also...) {
			switch p.Scheme {
			case refund.SchemeAccountText, refund.SchemeMerchantAccount, refund.SchemeAlipayLogon, refund.SchemePANMasked:
			default:
				all = append(all, p.ID)
			}
			all = append(all, p.PAR)
		}
	}
	for _, s := range all {
		if len(s) >= 8 && !strings.Contains(s, "*") {
			secrets = append(secrets, s)
		}
	}
	return secrets
}

// noSecrets looks for the secrets of a vector in what an operator could see of its
// replay: sealed records, errors, records printed by mistake.
func noSecrets(t *testing.T, v vector, r result) {
	t.Helper()
	var seen strings.Builder
	for _, l := range r.left {
		seen.WriteString(string(l.What) + "\n")
	}
	for _, err := range r.refused {
		seen.WriteString(err.Error() + "\n")
	}
	for _, d := range r.records {
		sealed := refund.Seal(d.Record, noTokens{})
		seen.WriteString(mustJSON(sealed) + mustJSON(d.Record) + "\n")
	}
	low := strings.ToLower(seen.String())
	for _, s := range secretsOf(v) {
		if strings.Contains(seen.String(), s) || strings.Contains(low, hex.EncodeToString([]byte(s))) {
			t.Errorf("a clear identifier of %d characters is visible", len(s))
		}
	}
}

package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/protocol/frame"
)

// publicCase is a conversation of testdata/public: messages in the shapes that the
// platforms publish, with the records that the contract makes of them.
type publicCase struct {
	vector
	stated  []bool // of each wanted record: it states an amount
	refusal []string
	heads   []string // of the messages
}

// loadPublic reads the files: "> SRC BODY", "= RECORD", "! REFUSAL", "left out: …".
func loadPublic(t testing.TB) []publicCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "public", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var out []publicCase
	for _, f := range files {
		c := publicCase{vector: vector{name: strings.TrimSuffix(filepath.Base(f), ".txt"), wire: "smart", hasLeft: true}}
		if c.now, err = time.Parse(time.RFC3339, defaultNow); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			c.line(t, strings.TrimSpace(line))
		}
		out = append(out, c)
	}
	return out
}

func (c *publicCase) line(t testing.TB, line string) {
	t.Helper()
	mark, rest, _ := strings.Cut(line, " ")
	switch mark {
	case ">":
		src, body, _ := strings.Cut(rest, " ")
		c.heads = append(c.heads, src)
		n := len(c.heads)
		b, err := frame.AppendSmart(c.bytes, frame.Frame{ID: byte(n), Data: []byte(fmt.Sprintf(
			`{"v":1,"id":"%s-%d","src":"%s","terminal_id":"SM000001","merchant_id":"898000000000001","operator":"01","training":false,"copy":"","body":%s}`,
			c.name, n, src, body))})
		if err != nil {
			t.Fatal(err)
		}
		c.bytes = b
	case "=":
		var w wanted
		var has struct {
			Amount *int64 `json:"amount"`
		}
		d := json.NewDecoder(strings.NewReader(rest))
		d.DisallowUnknownFields()
		if err := d.Decode(&w); err != nil || json.Unmarshal([]byte(rest), &has) != nil {
			t.Fatalf("%s: %s: %v", c.name, rest, err)
		}
		w.TerminalID, w.MerchantID, w.Operator = "SM000001", "898000000000001", "01"
		c.want, c.stated = append(c.want, w), append(c.stated, has.Amount != nil)
	case "!":
		c.refusal = append(c.refusal, rest)
	case "left":
		c.left = strings.TrimPrefix(c.left+"\n"+line, "\n")
	}
}

// What the platforms publish becomes what the contract says.
func TestSmartPublicShapes(t *testing.T) {
	for _, c := range loadPublic(t) {
		t.Run(c.name, func(t *testing.T) {
			r := replay(t, c.vector, ingest.Clock{Now: c.now, HasNow: true})
			compareRecords(t, c.shown(), r.records)
			for i, d := range r.records {
				if i < len(c.stated) && d.Record.HasAmount != c.stated[i] {
					t.Errorf("record %d: states an amount: %t", i+1, d.Record.HasAmount)
				}
			}
			if len(r.refused) != len(c.refusal) {
				t.Errorf("refused %v, want %v", r.refused, c.refusal)
			}
			for i, err := range r.refused {
				if i < len(c.refusal) && !strings.Contains(err.Error(), c.refusal[i]) {
					t.Errorf("refused %v, want %s", err, c.refusal[i])
				}
			}
			if got := leftLines(r.left); got != c.left {
				t.Errorf("left out:\n%s\nwant:\n%s", got, c.left)
			}
			noSecrets(t, c.vector, r)
		})
	}
}

// shown is the vector with the masked forms, which follow from the identifiers.
func (c *publicCase) shown() vector {
	v := c.vector
	v.want = append([]wanted(nil), c.want...)
	for i := range v.want {
		if p := v.want[i].Party; p != nil {
			q := partyOf(p.clear())
			v.want[i].Party = &q
		}
	}
	return v
}

// A sanitised capture of any of these has no clear identifier and is read as the same.
func TestSanitisedSmartShapes(t *testing.T) {
	all := loadVectors(t, "smart")
	for _, c := range loadPublic(t) {
		all = append(all, c.vector)
	}
	p, err := ingest.DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, v := range all {
		s := p.Sanitiser()
		clean := v
		clean.bytes = s.Rest(s.Clean(nil, v.bytes))
		for _, secret := range secretsOf(v) {
			looked++
			if bytes.Contains(clean.bytes, []byte(secret)) {
				t.Errorf("%s: a clear identifier of %d characters is still there", v.name, len(secret))
			}
		}
		clock := ingest.Clock{Now: v.now, HasNow: true}
		got, want := replay(t, clean, clock), replay(t, v, clock)
		if leftLines(got.left) != leftLines(want.left) || len(got.refused) != len(want.refused) || len(got.records) != len(want.records) {
			t.Errorf("%s: %d records, refused %v, %v; want %d, %d, %v", v.name, len(got.records), got.refused, got.left,
				len(want.records), len(want.refused), want.left)
			continue
		}
		for i := range want.records {
			if g, w := withoutIdentifiers(got.records[i].Record), withoutIdentifiers(want.records[i].Record); g != w {
				t.Errorf("%s, record %d:\n got %s\nwant %s", v.name, i+1, g, w)
			}
		}
	}
	if looked < 100 {
		t.Errorf("only %d identifiers were looked for", looked)
	}
}

// withoutIdentifiers returns what must be the same in a sanitised capture: all but the identifiers
// themselves, and numbers of orders that look like those of cards.
func withoutIdentifiers(r refund.Record) string {
	var who strings.Builder
	if r.Party != nil {
		for _, p := range append([]refund.Party{*r.Party}, r.Party.Also...) {
			fmt.Fprint(&who, p.Scheme, p.Namespace, len(p.ID.Reveal()), " ")
		}
	}
	r.Party = nil
	for _, n := range []*string{&r.OrderNo, &r.RefundNo, &r.ChannelTxn, &r.ChannelRefund, &r.Original.OrderNo, &r.Original.ChannelTxn} {
		*n = fmt.Sprint(len(*n))
	}
	return mustJSON(r) + who.String()
}

// The PIN of a supervisor is blank in a capture, and the ask's card is another.
func TestSanitisedGuardMessages(t *testing.T) {
	p, err := ingest.DefaultProfile("smart")
	if err != nil {
		t.Fatal(err)
	}
	s := p.Sanitiser()
	const pin, card, openid = "739154", "6200000000000005", "oTESTpresented00000000000001"
	line, err := frame.AppendSmart(nil, frame.Frame{ID: 1, Data: []byte(
		`{"v":1,"id":"1","src":"guard.release","body":{"ask":"a-17","by":"s-1","pin":"` + pin + `","old":{"pin":` + pin + `},"reason":"other","presented":{"scheme":"wechat_openid","id":"` + openid + `"},"party":{"id":"` + card + `"}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	clean := string(s.Rest(s.Clean(nil, line)))
	if strings.Contains(clean, card) || strings.Contains(clean, openid) || strings.Contains(clean, pin) || !strings.Contains(clean, `"pin":"xxxxxx"`) || !strings.Contains(clean, `"pin":111111`) || !strings.Contains(clean, `"reason":"other"`) || !strings.Contains(clean, `"ask":"a-17"`) {
		t.Error(clean)
	}
}

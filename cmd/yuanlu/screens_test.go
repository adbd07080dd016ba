package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/width"

	"yuanlu/agent/catalogue/cataloguetest"
	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/screen"
)

// moment is when the screens were looked at.
func moment() time.Time { return time.Date(2026, 8, 23, 14, 3, 20, 0, time.FixedZone("", 8*3600)) }

// aBadDay is a terminal with three links, of which one is good, and problems.
func aBadDay(t *testing.T) (*config.Config, *health.Snapshot) {
	t.Helper()
	text := `[terminal]
id = "t-00423"
merchant_id = "898000000000001"
[store]
dir = "/var/lib/yuanlu"
[mqtt]
url = "tls://broker.example:8883"
`
	for _, l := range []string{"pos mispos /dev/ttyS1", "card cup8583 /dev/ttyS2", "qr smart /dev/ttyUSB0"} {
		f := strings.Fields(l)
		text += fmt.Sprintf("[[link]]\nname = %q\nwire = %q\nport = %q\n", f[0], f[1], f[2])
	}
	c, err := config.Parse("/etc/yuanlu/yuanlu.toml", []byte(text), config.Options{Wires: []string{"mispos", "cup8583", "smart"}})
	if err != nil {
		t.Fatal(err)
	}
	now := moment()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	link := func(l ingest.LinkHealth) health.Link {
		if l.Since.IsZero() {
			l.Since = ago(29 * time.Minute)
		}
		l.Verdict = cmp.Or(l.Verdict, ingest.VerdictOf(&l, now))
		return health.LinkIn(&l, now.Location())
	}
	s := &health.Snapshot{Terminal: "t-00423", PID: 812, Build: health.Build{Version: "1.4.0"}, Config: c.Digest(), At: now, Uptime: 29*time.Minute + 5*time.Second,
		Ready: true, Memory: 24 << 20, DiskFree: 300 << 20, Clock: health.Clock{Synced: true},
		Links: []health.Link{
			link(ingest.LinkHealth{Name: "pos", Wire: "mispos", Port: "/dev/ttyS1", State: ingest.StateOnline, FramesGood: 267, LastFrame: ago(time.Second), Records: 120,
				Recent:     ingest.Recent{Until: ago(time.Second), Bytes: 4000, Frames: 20, Messages: 20, Ever: true},
				LastRecord: &ingest.LastRecord{Kind: refund.KindSale, Outcome: refund.Approved, Amount: 1200, Currency: "CNY", At: ago(15 * time.Second)}}),
			link(ingest.LinkHealth{Name: "card", Wire: "cup8583", Port: "/dev/ttyS2", State: ingest.StateOnline, SkippedBytes: 4100, Verdict: ingest.VerdictNoFrame,
				Recent: ingest.Recent{Until: ago(time.Second), Bytes: 4100, Noise: 4100, Unread: 4100, UnreadSince: ago(20 * time.Minute)},
				Fit:    &ingest.Fit{Wire: "mispos", Baud: 9600, Framing: "8N1"}}),
			link(ingest.LinkHealth{Name: "qr", Wire: "smart", Port: "/dev/ttyUSB0", State: ingest.StateAbsent, Verdict: ingest.VerdictNoPort, Reason: "open /dev/ttyUSB0: no such serial port (no such file or directory)"}),
		},
		MQTT:   &health.Broker{Connected: true, Since: ago(28 * time.Minute), Address: "broker.example:8883", Problems: []health.BrokerProblem{{Code: "unacknowledged", Since: ago(20 * time.Minute), Text: "a case was sent 3 times and taken by the broker, but nobody acknowledged it: check the back office and the broker's access list"}}},
		Outbox: health.Outbox{Waiting: 21, Bytes: 72 << 10, LimitBytes: 16 << 20, LastSeq: 21, SentSeq: 21, Oldest: ago(28 * time.Minute), Open: map[string]int{"critical": 2, "medium": 19}},
		Counts: ledger.Counts{RecordsToday: 401, RefundsToday: 65, CasesToday: 21, Records: 401, Refunds: 65, Cases: 21},
	}
	s.Problems = health.Problems(s, c)
	(&health.Onsets{}).Date(ago(20*time.Minute), s.Problems)
	s.Verdict = health.Verdict(s.Problems)
	return c, s
}

// someCases are cases as a real store judged them; what is drawn by lot there is fixed.
func someCases(t *testing.T) []ledger.CaseDetail {
	t.Helper()
	dir := t.TempDir()
	fillStore(t, dir)
	db, err := ledger.OpenReadOnly(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Cases(t.Context(), ledger.CaseFilter{})
	if err != nil || len(rows) < 3 {
		t.Fatalf("%d cases, %v", len(rows), err)
	}
	var all []ledger.CaseDetail
	ids := []string{"1VSE99RDQG9E12XB9CY2D7M6A4", "2ZRHCXHEJR99M3VCCS7DC459FQ", "00HT4N0T82T67RE312X4VT67GA"}
	for seq := int64(1); seq < 10; seq++ { // cases of one moment have no order of their own
		for _, row := range rows {
			if row.Seq != seq {
				continue
			}
			one, err := db.Case(t.Context(), row.CaseID)
			if err != nil {
				t.Fatal(err)
			}
			n := len(all)
			one.CaseID, one.Opened, one.Changed = ids[n], moment().Add(-time.Duration(n)*time.Minute), moment().Add(-time.Duration(n)*time.Minute)
			for i := range one.Sightings {
				one.Sightings[i].Received, one.Sightings[i].FrameMAC = moment(), "k1:5cf57919399545c8563c30bc0dcb7326"
			}
			all = append(all, one)
		}
	}
	return all
}

const someLog = `2026-08-23T13:34:15.000+08:00 INFO agent.ready
2026-08-23T13:34:15.100+08:00 INFO link.online link=pos port=/dev/ttyS1
2026-08-23T13:34:15.120+08:00 WARN link.absent link=qr reason="open /dev/ttyUSB0: no such serial port (no such file or directory)"
2026-08-23T13:35:20.300+08:00 WARN mqtt.unreachable err="mqtt: network: broker.example:8883 refuses the connection; check that the broker runs and listens on this port"
2026-08-23T14:03:05.000+08:00 INFO record.stored link=pos kind=sale outcome=approved amount=1200 currency=CNY channel=card shown=620000******2227 number=260823000101
2026-08-23T14:03:06.000+08:00 INFO record.stored link=pos kind=sale outcome=approved amount=4350 currency=CNY channel=wechat shown=oUpF********************eS6o number=4200001
2026-08-23T14:03:19.000+08:00 INFO record.stored link=pos kind=refund outcome=approved amount=350 currency=CNY channel=card shown=620550*********3346 number=260823000102 recipient=different
2026-08-23T14:03:19.001+08:00 WARN case.opened case=1VSE99RDQG9E12XB9CY2D7M6A4 refund=260823000102 recipient=different shown=620550*********3346 amount=350 currency=CNY payer=620000******2227 finding=recipient_mismatch severity=critical kind=refund link=pos
2026-08-23T14:03:19.500+08:00 ERROR store.unavailable err="ledger: the store is not available: open /var/lib/yuanlu/yuanlu.db: read-only file system"
`

// drawScreens draws every screen.
func drawScreens(t *testing.T, lang screen.Language, columns, lines int) map[string]string {
	t.Helper()
	c, s := aBadDay(t)
	cases := someCases(t)
	out := map[string]string{}
	draw := func(name string, height int, put func(*screen.Screen) error) {
		var b bytes.Buffer
		if err := put(&screen.Screen{W: &b, Lang: lang, Zone: moment().Location(), Now: moment(), Width: columns, Height: height}); err != nil {
			t.Fatal(err)
		}
		out[fmt.Sprintf("%s-%dx%d.%s", name, columns, lines, lang)] = b.String()
	}
	draw("status", lines, func(at *screen.Screen) error {
		return at.Status(&screen.State{Snapshot: *s, Running: true, Origin: config.Text{EN: "/etc/yuanlu/yuanlu.toml", ZH: "/etc/yuanlu/yuanlu.toml"}})
	})
	draw("doctor", 0, func(at *screen.Screen) error {
		e := health.Examination{Config: c, Chinese: lang == screen.Chinese, Snapshot: s}
		at.Checkups(e.Run(t.Context(), nil, "daemon", "disk", "links", "clock", "backoffice", "rest"))
		return nil
	})
	draw("cases-list", 0, func(at *screen.Screen) error {
		rows := make([]ledger.CaseRow, len(cases))
		for i := range cases {
			rows[i] = cases[i].CaseRow
		}
		return at.Cases(rows)
	})
	draw("cases-show", 0, func(at *screen.Screen) error {
		at.Case(&cases[0])
		return nil
	})
	draw("tail", 0, func(at *screen.Screen) error {
		for line := range strings.Lines(someLog) {
			l, ok := logbook.ParseLine(strings.TrimSuffix(line, "\n"))
			if !ok {
				t.Fatalf("no line: %s", line)
			}
			if err := at.Line(l, moment()); err != nil {
				return err
			}
		}
		return nil
	})
	return out
}

// TestScreens: every screen as it stands in testdata/screens, of which the README shows
// some: within the columns and lines of the terminal, and in one language.
func TestScreens(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)<!-- screen ([a-z0-9.-]+) -->\n```text\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		shown[m[1]] = m[2]
	}
	for _, size := range [][2]int{{80, 24}, {132, 43}} {
		for _, lang := range []screen.Language{screen.English, screen.Chinese} {
			for name, got := range drawScreens(t, lang, size[0], size[1]) {
				t.Run(name, func(t *testing.T) {
					checkScreen(t, name, got, lang, size[0], size[1])
					if block, ok := shown[name]; ok && block != got {
						t.Errorf("the README shows another screen:\n%s", block)
					}
					delete(shown, name)
				})
			}
		}
	}
	for name := range shown {
		t.Errorf("the README shows %s, which is no screen", name)
	}
	if strings.Count(string(readme), "<!-- screen ") < 4 {
		t.Error("the README shows fewer than four screens")
	}
}

func checkScreen(t *testing.T, name, got string, lang screen.Language, columns, lines int) {
	t.Helper()
	file := filepath.Join("testdata", "screens", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
	for line := range strings.Lines(got) {
		line = strings.TrimSuffix(line, "\n")
		n := 0
		for _, c := range line {
			if k := width.LookupRune(c).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
				n++
			}
			n++
		}
		if n > columns {
			t.Errorf("%d columns: %s", n, line)
		}
		if wrong := cataloguetest.Foreign(line, lang == screen.Chinese, "pos", "card", "qr", "unacknowledged"); wrong != "" {
			t.Errorf("%s: %s", wrong, line)
		}
	}
	if n := strings.Count(got, "\n"); strings.HasPrefix(name, "status") && n >= lines {
		t.Errorf("%d lines, and the prompt needs one", n)
	}
	if strings.HasPrefix(name, "cases-list") && strings.Count(got, "\n") != 4 {
		t.Errorf("a case is not one line:\n%s", got)
	}
}

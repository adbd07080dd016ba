package page

import (
	"bytes"
	"encoding/json"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/casework"
)

func newPage(t *testing.T) *Page {
	t.Helper()
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBrokenTextsAreRefused: a text without one of its languages keeps the page from being made.
func TestBrokenTextsAreRefused(t *testing.T) {
	for name, table := range map[string]string{"no Chinese": "key\ten\tzh\na\tb\t\n", "no English": "key\ten\tzh\na\t\tb\n", "twice": "key\ten\tzh\na\tb\tc\na\tb\tc\n", "two columns": "key\ten\tzh\na\tb\n"} {
		t.Run(name, func(t *testing.T) {
			if _, err := readTexts(table); err == nil {
				t.Error("it is taken")
			}
		})
	}
}

// used are the keys that templates and code name, and the beginnings of those that they put
// together.
func used(t *testing.T) (keys, beginnings, sources []string) {
	t.Helper()
	err := fs.WalkDir(files, "templates", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".html") {
			b, err := files.ReadFile(path)
			sources = append(sources, string(b))
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list {
		if !strings.HasSuffix(name, "_test.go") {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, string(b))
		}
	}
	key := regexp.MustCompile(`\b(?:t|plain|fill) "([a-zA-Z0-9_.]+)"|\.(?:text|html)\("([a-z]+[a-zA-Z0-9_.]*[a-z0-9])"[,)]|"Label" "([a-zA-Z_.]+)"|Note = "([a-zA-Z_.]+)"`)
	beginning := regexp.MustCompile(`print "([a-zA-Z_.]+\.)"|(?:text|html)\("([a-zA-Z_.]+\.)"\s*\+`)
	for _, s := range sources {
		for _, m := range key.FindAllStringSubmatch(s, -1) {
			keys = append(keys, strings.Join(m[1:], ""))
		}
		for _, m := range beginning.FindAllStringSubmatch(s, -1) {
			beginnings = append(beginnings, strings.Join(m[1:], ""))
		}
	}
	return keys, beginnings, sources
}

// TestEveryTextIsThere: no key that is used is missing in either language, none is there for
// nothing, and both languages have the same names to fill in.
func TestEveryTextIsThere(t *testing.T) {
	p := newPage(t)
	keys, beginnings, sources := used(t)
	if len(keys) < 200 || len(beginnings) < 5 {
		t.Fatalf("%d keys, %d beginnings: the search finds too little", len(keys), len(beginnings))
	}
	for _, k := range keys {
		if _, ok := p.texts.of[k]; !ok && k != "r" { // a text of its own, for refusals
			t.Errorf("%s: no text", k)
		}
	}
	name := regexp.MustCompile(`\{[a-z_]+\}`)
	for k, text := range p.texts.of {
		inEnglish, inChinese := name.FindAllString(text.en, -1), name.FindAllString(text.zh, -1)
		slices.Sort(inEnglish)
		slices.Sort(inChinese)
		if !slices.Equal(inEnglish, inChinese) {
			t.Errorf("%s: %v in English, %v in Chinese", k, inEnglish, inChinese)
		}
		if regexp.MustCompile(`\p{Han}`).MatchString(text.en) && !strings.HasPrefix(k, "lang.") {
			t.Errorf("%s: Chinese in the English text", k)
		}
		begins := func(b string) bool { return strings.HasPrefix(k, b) }
		named := func(source string) bool { return strings.Contains(source, `"`+k+`"`) }
		if !slices.ContainsFunc(sources, named) && !slices.ContainsFunc(beginnings, begins) && !slices.ContainsFunc([]string{"v.", "order.", "what.", "do."}, begins) {
			t.Errorf("%s: used nowhere", k)
		}
	}
}

// TestEveryValueHasAName: each value that a form offers, each step, list, refusal.
func TestEveryValueHasAName(t *testing.T) {
	p := newPage(t)
	has := func(key string) {
		t.Helper()
		if _, ok := p.texts.of[key]; !ok {
			t.Errorf("%s: no text", key)
		}
	}
	groups := []string{"party", "direction", "cchannel", "result", "method", "for", "route", "body", "role", "way", "bearer", "close", "filekind", "channel", "personrole"}
	for _, g := range groups {
		if len(options(g)) == 0 {
			t.Errorf("%s: no values", g)
		}
		for _, v := range options(g) {
			has("v." + g + "." + v)
		}
	}
	for _, l := range casework.ListNames() {
		has("list." + l)
		has("list.empty." + l)
	}
	for _, step := range []string{"claim", "wait", "decide", "approve", "request", "chase", "decide_loss", "contact_payer", "pay", "send", "arrive", "close", "body"} {
		has("v.step." + step)
		has("v.reason." + step)
	}
	for _, r := range casework.Refusals() {
		for _, lang := range []string{en, zh, both} {
			if got := string(p.texts.speaker(lang).refusal(r.Code)); !strings.Contains(got, "<code") || !strings.Contains(got, string(r.Code)) {
				t.Errorf("%s: %s", r.Code, got)
			}
		}
	}
}

// journals are the events of all journals of the case desk's tests.
func journals(t *testing.T) (all []casework.Event) {
	t.Helper()
	list, err := filepath.Glob("../casework/testdata/*.want.jsonl")
	if err != nil || len(list) < 25 {
		t.Fatal(len(list), err)
	}
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var one struct{ Events []casework.Event }
			if err := json.Unmarshal(line, &one); err != nil {
				t.Fatal(err)
			}
			all = append(all, one.Events...)
		}
	}
	for what, data := range map[string]string{"counted": `{"refund":"A","as":"reissue","text":"x"}`, "withdrawn": `{"proposal":4}`, "rejected": `{"proposal":4,"text":"x"}`,
		"reissue_lapsed": `{"approved":9}`, "bill_link": `{"result":"missing_on_bill","key":"","refund":"A","row":"","bill":"","line":0,"amount":0,"bill_status":"","settled_at":"","certain":true,"transition":"R14","fact":""}`, "declined": `{"contact":5}`, "failed": `{"text":"x"}`, "escalated": `{"body":"12315","ref":"","answer_by":"2026-08-31","text":"x"}`,
		"contacted": `{"party":"payer","direction":"out","channel":"in_person","number":"","on_file":false,"result":"no_answer","text":"x"}`} {
		all = append(all, casework.Event{What: what, Data: []byte(data)})
	}
	for _, end := range []string{`"R3","fact":"received"}`, `"","fact":""}`} {
		all = append(all, casework.Event{What: "bill_link", Data: []byte(`{"result":"recovered","key":"rrn","refund":"A","row":"00","bill":"00","line":4,"amount":100,"bill_status":"success","settled_at":"","certain":true,"transition":` + end)})
	}
	return all
}

// TestEveryEventHasWords: each event of the journals becomes a sentence of each language in
// which nothing is left to fill in, and no value stands by its name in the program.
func TestEveryEventHasWords(t *testing.T) {
	p := newPage(t)
	kinds := map[string]bool{}
	bare := regexp.MustCompile(`\{[a-z_]+\}|\bwhat\.|\border\.|[a-z]+_[a-z]+`)
	tag := regexp.MustCompile(`<span class="mono">[^<]*</span>|<[^>]+>`)
	for _, e := range journals(t) {
		kinds[e.What] = true
		for _, lang := range []string{en, zh, both} {
			got := p.texts.speaker(lang).entry(e, "CNY")
			for _, said := range append([]template.HTML{got.Says}, got.Orders...) {
				words := tag.ReplaceAllString(string(said), "")
				if found := bare.FindString(words); found != "" || strings.TrimSpace(words) == "" {
					t.Errorf("%s in %s: %q of %s: %q", e.What, lang, found, e.Data, said)
				}
				if lang == en && regexp.MustCompile(`\p{Han}`).MatchString(words) {
					t.Errorf("%s: Chinese in English: %s", e.What, words)
				}
			}
		}
	}
	if len(kinds) < 40 {
		t.Errorf("%d kinds of events: the journals show too little", len(kinds))
	}
}

// TestNoInlineScriptOrStyle: the policy of casework.md § 13 would not run it.
func TestNoInlineScriptOrStyle(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|<script(?: defer)?>|https?://`)
	err := fs.WalkDir(files, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		if m := inline.Find(b); m != nil {
			t.Errorf("%s: %s", path, m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	script, err := files.ReadFile("static/desk.js")
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://`).Find(script); m != nil {
		t.Errorf("desk.js: %s", m)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{{35000, "CNY", "CNY 350.00"}, {5, "", "CNY 0.05"}, {0, "CNY", "CNY 0.00"}, {123456789012, "CNY", "CNY 1,234,567,890.12"}, {1500, "JPY", "JPY 1,500"},
		{1500, "KWD", "KWD 1.500"}, {-350, "USD", "USD -3.50"}, {99999, "HKD", "HKD 999.99"}, {100000, "HKD", "HKD 1,000.00"}} {
		if got := strings.ReplaceAll(plainMoney(c.minor, c.currency), "\u00a0", " "); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.minor, c.currency, got, c.want)
		}
	}
}

func TestTimesShowDateWeekdayTimeAndOffset(t *testing.T) {
	p := newPage(t)
	tags := regexp.MustCompile(`<[^>]+>`)
	for lang, want := range map[string]string{en: "2026-08-24 Mon 09:05:00 +08:00", zh: "2026-08-24 周一 09:05:00 +08:00", both: "2026-08-24 周一 Mon 09:05:00 +08:00"} {
		if got := tags.ReplaceAllString(string(p.texts.speaker(lang).when("2026-08-24T09:05:00+08:00")), ""); got != want {
			t.Errorf("%s: %s, want %s", lang, got, want)
		}
	}
	if got := p.texts.speaker(en).when("<b>"); got != "&lt;b&gt;" {
		t.Errorf("no time: %s", got)
	}
}

// TestSidesAreCompared: what differs is marked, what is equal is kept, and accounts are
// compared by what stands for them.
func TestSidesAreCompared(t *testing.T) {
	p := newPage(t)
	side := func(shown, token string, amount int64) casework.Side {
		return casework.Side{Channel: "card", MerchantID: "M", Amount: amount, Currency: "CNY", Shown: shown, Token: token, RRN: "1"}
	}
	for _, c := range []struct {
		name             string
		original, refund casework.Side
		recipient        string
		account, note    string
		amount           string
	}{
		{"two accounts", side("6200****2227", "a", 100), side("6205****3346", "b", 100), "different", differs, "", equals},
		{"one mask, two accounts", side("6200****2227", "a", 100), side("6200****2227", "b", 50), "different", differs, "sides.sameMask", differs},
		{"two numbers, one account", side("6200****2227", "a", 100), side("6205****3346", "b", 100), "equivalent", equals, "sides.equivalent", equals},
		{"the same", side("6200****2227", "a", 100), side("6200****2227", "a", 100), "same", equals, "", equals},
		{"masks alone", side("6200****2227", "", 100), side("6200****2228", "", 100), "doubtful", differs, "", equals},
		{"one side", side("", "", 100), side("6200****2228", "b", 100), "unverifiable", oneOnly, "", equals},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := p.texts.speaker(en).beside(casework.RefundView{Recipient: c.recipient}, casework.Sides{Refund: casework.RefundSide{Side: c.refund}, Original: &c.original, Event: "e"}, nil, nil)
			if got := b.Fields[0]; got.Compare != c.account || got.Note != c.note {
				t.Errorf("account %s %s, want %s %s", got.Compare, got.Note, c.account, c.note)
			}
			if got := b.Fields[1].Compare; got != c.amount {
				t.Errorf("amount %s, want %s", got, c.amount)
			}
		})
	}
}

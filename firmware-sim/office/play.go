package office

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Refund is a refund of a terminal whose case the office may work. The demo knows from the terminal's truth whether it
// went wrong; the people do not.
type Refund struct {
	CaseID, TerminalID, Number, At string // Number: as the terminal printed it; At: RFC 3339
	Wrong                          bool   // for certain, and the money is out
	Undone                         bool   // it went wrong, and the terminal reversed it
}

// Options are what the office needs.
type Options struct {
	URL       string            // of the desk's API
	Passwords map[string]string // first ones, by login: SetUp
	Refunds   []Refund          // whose cases have come, in the order in which they are to be tried
	Now       func() time.Time
	Line      func(format string, args ...any) // prints one line
}

// Login is a person who may log in at the desk's page.
type Login struct{ ID, Title, Password string }

// Day is what came out.
type Day struct {
	Logins  []Login
	Money   []Money
	Closed  []Closed
	Refused int
	Differ  []string // one sentence for each difference from the script
}

// Closed is a case and how it ended.
type Closed struct {
	Case    string `json:"case"`
	Title   string `json:"title"`
	Outcome string `json:"outcome"`
	Amount  int64  `json:"amount"` // fen
}

// fact is what is known of the case of one story.
type fact struct {
	no, id, number, at string
	amount, stake      int64
	second             string           // id of the second refund
	latest             map[string]int64 // contacted, filed, proposed: seq
	seen               map[string]int64 // by person: the version on his screen
}

// office is the day at work.
type office struct {
	o     Options
	seats map[string]*seat
	facts map[string]*fact
	keys  int
	day   Day
}

// Work lets the people work their day and compares what came out with the script. An error means that the desk did not
// answer, or a case that the script needs has not come; what differs from the script is in Day.Differ.
func Work(ctx context.Context, o Options) (*Day, error) {
	f := &office{o: o, seats: map[string]*seat{}, facts: map[string]*fact{}}
	begun := o.Now()
	for _, p := range staff() {
		s, password, err := sit(ctx, o.URL, p.id, o.Passwords[p.id])
		if err != nil {
			return nil, fmt.Errorf("%s cannot log in: %w", p.id, err)
		}
		f.seats[p.id] = s
		f.day.Logins = append(f.day.Logins, Login{p.id, p.title, password})
	}
	if err := f.choose(ctx); err != nil {
		return nil, err
	}
	for _, one := range day() {
		if err := f.step(ctx, &one); err != nil {
			return nil, err
		}
	}
	return &f.day, f.check(ctx, begun)
}

// choose finds a new case for each story that is about a refund of a terminal.
func (f *office) choose(ctx context.Context) error {
	used := map[string]bool{}
	for _, s := range stories() {
		one := &fact{latest: map[string]int64{}, seen: map[string]int64{}}
		f.facts[s.name] = one
		for _, r := range f.o.Refunds {
			if one.no != "" || s.terminal == "" {
				break
			}
			if used[r.CaseID] || r.TerminalID != s.terminal || r.Wrong != s.wrong || r.Undone != s.undone || r.Number == "" {
				continue
			}
			c, err := f.fits(ctx, r.CaseID, &s)
			if err != nil {
				return err
			}
			if c == nil {
				continue
			}
			used[r.CaseID] = true
			one.take(c, &r)
		}
		if one.no == "" && s.terminal != "" {
			return fmt.Errorf("the story %q needs a new case of terminal %s (wrong: %t, reversed there: %t, then there: %q); none came", s.name, s.terminal, s.wrong, s.undone, s.more)
		}
	}
	return nil
}

// take keeps what the story needs of a case and its first refund.
func (one *fact) take(c *shown, r *Refund) {
	one.no, one.id, one.number, one.at, one.amount = c.No, r.CaseID, r.Number, r.At, c.Refunds[0].Amount
	for _, part := range c.Refunds {
		if part.Role == "refund" {
			one.stake += part.Amount
		}
	}
	if len(c.Refunds) > 1 {
		one.second = c.Refunds[1].ID
	}
}

// fits looks at the case of a refund; nil if it holds anything but that refund and those of the same amount that the story
// has besides.
func (f *office) fits(ctx context.Context, id string, s *story) (*shown, error) {
	var list struct {
		Cases []string `json:"cases"`
	}
	if err := f.seats[owner].get(ctx, "/v1/work/find?text="+url.QueryEscape(id), &list); err != nil {
		return nil, err
	}
	if len(list.Cases) != 1 {
		return nil, nil
	}
	c, err := f.look(ctx, owner, list.Cases[0])
	if err != nil {
		return nil, err
	}
	roles := append([]string{"refund"}, strings.Fields(s.more)...)
	if c.State != "new" || len(c.Refunds) != len(roles) || c.Refunds[0].ID != id || c.Refunds[0].Amount == 0 {
		return nil, nil
	}
	for i, r := range c.Refunds {
		if r.Role != roles[i] || r.Outcome != "approved" || r.Cancelled != (s.undone && i == 0) || r.Amount != c.Refunds[0].Amount || r.Currency != "CNY" {
			return nil, nil
		}
	}
	return c, nil
}

// look shows a case to a person.
func (f *office) look(ctx context.Context, who, no string) (*shown, error) {
	var got struct {
		Case shown `json:"case"`
	}
	if err := f.seats[who].get(ctx, "/v1/work/cases/"+no, &got); err != nil {
		return nil, err
	}
	return &got.Case, nil
}

// step sends one command and compares the answer with the script.
func (f *office) step(ctx context.Context, s *step) error {
	one := f.facts[s.story]
	if one.no != "" && !s.old {
		c, err := f.look(ctx, s.who, one.no)
		if err != nil {
			return err
		}
		one.seen[s.who] = c.Version
	}
	f.keys++
	key := "day-" + strconv.Itoa(f.keys)
	got, err := f.command(ctx, s, key)
	if err != nil {
		return err
	}
	if got.Error.Code != s.refused {
		f.differ("%s: %s by %s was answered %q, want %q", s.story, s.do, s.who, got.Error.Code, s.refused)
	}
	if got.Error.Code != "" {
		f.day.Refused++
		f.o.Line("%-6s %-9s %-14s refused: %s", s.who, s.do, one.no, got.Error.Code)
		return nil
	}
	if s.again {
		if err := f.repeat(ctx, s, key, got); err != nil {
			return err
		}
	}
	if one.no = got.Case.No; s.do == "open" && len(got.Case.Refunds) > 0 {
		one.amount = got.Case.Refunds[0].Amount
	}
	one.seen[s.who] = got.Case.Version
	for _, raw := range got.Events {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			return fmt.Errorf("an event of %s: %w", one.no, err)
		}
		if e.Case == one.no {
			one.latest[e.What] = e.Seq
		}
	}
	return nil
}

// repeat sends a command once more with its key, as a page does that got no answer.
func (f *office) repeat(ctx context.Context, s *step, key string, first *answer) error {
	second, err := f.command(ctx, s, key)
	if err != nil {
		return err
	}
	same := func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }
	if !slices.EqualFunc(second.Events, first.Events, same) {
		f.differ("%s: %s by %s, sent again with its key, was answered differently (%q)", s.story, s.do, s.who, second.Error.Code)
	}
	return nil
}

// command sends a command of the script, once.
func (f *office) command(ctx context.Context, s *step, key string) (*answer, error) {
	one, with := f.facts[s.story], f.filled(s)
	got := &answer{}
	if s.do == "file" {
		kind, name, _ := strings.Cut(with, " ")
		q := url.Values{"case": {one.no}, "kind": {kind}, "name": {name}}
		body := fmt.Appendf(nil, "%s: %s of refund %s, CNY %d.%02d\n", one.no, kind, one.number, one.amount/100, one.amount%100)
		_, err := f.seats[s.who].send(ctx, http.MethodPost, "/v1/work/file?"+q.Encode(), key, "text/plain", body, got)
		return got, err
	}
	members := with
	if s.do != "open" {
		members = fmt.Sprintf(`"case":%q,"expect":%d`, one.no, one.seen[s.who])
		if with != "" {
			members += "," + with
		}
	}
	_, err := f.seats[s.who].send(ctx, http.MethodPost, "/v1/work/"+s.do, key, "application/json", []byte("{"+members+"}"), got)
	return got, err
}

// filled puts the facts of the stories into what a step sends.
func (f *office) filled(s *step) string {
	var pairs []string
	for name, one := range f.facts {
		for what, value := range map[string]string{"case": one.no, "id": one.id, "number": one.number, "at": one.at, "amount": strconv.FormatInt(one.amount, 10),
			"stake": strconv.FormatInt(one.stake, 10), "second": one.second} {
			pairs = append(pairs, "{"+name+"."+what+"}", value)
			if name == s.story {
				pairs = append(pairs, "{"+what+"}", value)
			}
		}
	}
	for what, of := range map[string]string{"contact": "contacted", "file": "filed", "proposal": "proposed"} {
		pairs = append(pairs, "{"+what+"}", strconv.FormatInt(f.facts[s.story].latest[of], 10))
	}
	return strings.NewReplacer(pairs...).Replace(s.with)
}

func (f *office) differ(format string, args ...any) {
	f.day.Differ = append(f.day.Differ, "office: "+fmt.Sprintf(format, args...))
}

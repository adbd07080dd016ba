package office

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Money is a row of the statistics, in fen: casework.md § 9.
type Money struct {
	Currency  string `json:"currency"`
	Stake     int64  `json:"stake"`
	Recovered int64  `json:"recovered"`
	Lost      int64  `json:"lost"`
	Repaid    int64  `json:"repaid"`
	Payable   int64  `json:"payable"`
}

// event is what is read of an event of a journal: casework.md § 1.
type event struct {
	Case string `json:"case"`
	Seq  int64  `json:"seq"`
	By   string `json:"by"`
	What string `json:"what"`
	Prev string `json:"prev"`
	Hash string `json:"hash"`
}

// check compares the cases, their journals and the money with the script.
func (f *office) check(ctx context.Context, begun time.Time) error {
	want := Money{Currency: "CNY"}
	outcomes := map[string]int64{}
	for _, s := range stories() {
		one := f.facts[s.name]
		if one.no == "" {
			f.differ("%s: no case", s.name)
			continue
		}
		if err := f.checkCase(ctx, &s, one); err != nil {
			return err
		}
		if s.into == "" {
			outcomes[s.outcome]++
		}
		if s.stake {
			want.Stake += one.stake
			want.Repaid += one.amount
		}
		switch {
		case s.recovered:
			want.Recovered += one.stake
		case s.stake:
			want.Lost += one.stake
		}
	}
	return f.checkStats(ctx, begun, want, outcomes)
}

// checkCase compares one case and its journal with its story.
func (f *office) checkCase(ctx context.Context, s *story, one *fact) error {
	c, err := f.look(ctx, owner, one.no)
	if err != nil {
		return err
	}
	into := ""
	if s.into != "" {
		into = f.facts[s.into].no
	}
	if c.State != "closed" || c.Outcome != s.outcome || c.MergedInto != into {
		f.differ("%s: case %s is %s, outcome %q, merged into %q; want closed, %q, %q", s.name, one.no, c.State, c.Outcome, c.MergedInto, s.outcome, into)
	}
	f.day.Closed = append(f.day.Closed, Closed{Case: c.No, Title: s.title, Outcome: c.Outcome, Amount: one.amount})
	var journal struct {
		Events []json.RawMessage `json:"events"`
	}
	if err := f.seats[owner].get(ctx, "/v1/work/cases/"+one.no+"/journal", &journal); err != nil {
		return err
	}
	did, last, err := read(journal.Events)
	if err != nil {
		f.differ("%s: journal of %s: %v", s.name, one.no, err)
	}
	if last.Hash != c.Hash || last.Seq != c.Version {
		f.differ("%s: the journal of %s ends at version %d, the case is at %d, or their hashes differ", s.name, one.no, last.Seq, c.Version)
	}
	if did != s.journal {
		f.differ("%s: in the journal of %s people did\n  %s\nwant\n  %s", s.name, one.no, did, s.journal)
	}
	return nil
}

// read checks that a journal is a chain without a gap (casework.md § 1) and lists what people did.
func read(journal []json.RawMessage) (did string, last event, err error) {
	last.Hash = strings.Repeat("0", 2*sha256.Size)
	people := staff()
	var list []string
	for _, raw := range journal {
		var e event
		if err := json.Unmarshal(raw, &e); err != nil {
			return "", last, fmt.Errorf("after %d: %w", last.Seq, err)
		}
		bare := bytes.Replace(raw, []byte(`,"hash":"`+e.Hash+`"`), nil, 1)
		if e.Seq != last.Seq+1 || e.Prev != last.Hash || e.Hash != sum(string(bare)) {
			return "", last, fmt.Errorf("event %d does not follow event %d, or its hash is not its own", e.Seq, last.Seq)
		}
		last = e
		if slices.ContainsFunc(people, func(p hired) bool { return p.id == e.By }) {
			list = append(list, e.By+":"+e.What)
		}
	}
	return strings.Join(list, " "), last, nil
}

// sum is the hash of an event as it stands without it.
func sum(bare string) string {
	h := sha256.Sum256([]byte(bare))
	return hex.EncodeToString(h[:])
}

// checkStats compares the statistics of the day with what the stories must have made of the money.
func (f *office) checkStats(ctx context.Context, begun time.Time, want Money, outcomes map[string]int64) error {
	zone := time.FixedZone("", 8*3600) // the desk's: setup
	date := func(t time.Time) string { return t.In(zone).Format(time.DateOnly) }
	var stats struct {
		Outcomes []struct {
			Outcome string `json:"outcome"`
			Cases   int64  `json:"cases"`
		} `json:"outcomes"`
		Money []Money `json:"money"`
	}
	if err := f.seats[owner].get(ctx, "/v1/work/stats?from="+date(begun)+"&to="+date(f.o.Now()), &stats); err != nil {
		return err
	}
	f.day.Money = stats.Money
	if !slices.Equal(stats.Money, []Money{want}) {
		f.differ("the money is %+v, want %+v", stats.Money, want)
	}
	for _, o := range stats.Outcomes {
		if outcomes[o.Outcome] != o.Cases {
			f.differ("%d cases ended as %s, want %d", o.Cases, o.Outcome, outcomes[o.Outcome])
		}
		delete(outcomes, o.Outcome)
	}
	for outcome, n := range outcomes {
		f.differ("no case ended as %s, want %d", outcome, n)
	}
	return nil
}

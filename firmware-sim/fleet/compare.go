package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answerTime is how long the desk may take for one page.
const answerTime = 30 * time.Second

// Found is what the desk has.
type Found struct {
	Events  int `json:"events"`  // of the fleet
	Others  int `json:"others"`  // of other terminals
	Ordered int `json:"ordered"` // sequences that are there, in the order of their streams
	Cases   int `json:"cases"`   // whose state is the one that they ended in
	Sunk    int `json:"sunk"`    // events of up/event that the broker took and did not deliver: topics.md rule 4 is about cases
	Twice   int `json:"twice"`
	Missing int `json:"missing"`
}

// place is where an event belongs.
type place struct{ terminal, id string }

// compare asks the desk for all it has of the fleet: none lost, none twice, the order of each stream kept.
func (f *fleet) compare(ctx context.Context, r *Report) error {
	d := &asking{url: strings.TrimSuffix(f.o.Desk, "/"), token: f.o.Token, client: http.Client{Timeout: answerTime}}
	r.Desk = &Found{}
	want := map[place]*Event{}
	for _, t := range f.terminals {
		for i := range t.truth.Events {
			e := &t.truth.Events[i]
			want[place{t.id, e.ID}] = e
		}
	}
	if err := f.compareEvents(ctx, d, r, want); err != nil {
		return err
	}
	for at, e := range want { // what is left did not come
		if e.Seq == 0 {
			r.Desk.Sunk++
			continue
		}
		r.Desk.Missing++
		r.differ("%s: event %s, sequence %d of stream %s, is not at the desk", at.terminal, at.id, e.Seq, e.Stream)
	}
	if err := f.compareStreams(ctx, d, r); err != nil {
		return err
	}
	return f.compareCases(ctx, d, r)
}

// compareEvents takes from want what the desk has.
func (f *fleet) compareEvents(ctx context.Context, d *asking, r *Report, want map[place]*Event) error {
	seen := map[place]bool{}
	type row struct {
		Terminal string `json:"terminal"`
		Event    struct {
			ID       string          `json:"id"`
			Stream   string          `json:"stream"`
			Sequence string          `json:"sequence"`
			Type     string          `json:"type"`
			Data     json.RawMessage `json:"data"`
		} `json:"event"`
	}
	return pages(ctx, d, "/v1/events", "events", func(e *row) {
		at := place{e.Terminal, e.Event.ID}
		have, ours := want[at], strings.HasPrefix(e.Terminal, f.o.Prefix+"-")
		switch {
		case !ours:
			r.Desk.Others++
		case seen[at]:
			r.Desk.Twice++
			r.differ("%s: event %s is there twice", at.terminal, at.id)
		case have == nil:
			r.differ("%s: event %s was never made", at.terminal, at.id)
		default:
			sequence := ""
			if have.Seq > 0 {
				sequence = fmt.Sprintf("%020d", have.Seq)
			}
			if e.Event.Stream != have.Stream || e.Event.Sequence != sequence || e.Event.Type != have.Type || sum(e.Event.Data) != have.Sum {
				r.differ("%s: event %s is not as it was made", at.terminal, at.id)
			}
			r.Desk.Events++
			seen[at] = true
			delete(want, at)
		}
	})
}

// compareStreams looks whether each stream is whole up to its end.
func (f *fleet) compareStreams(ctx context.Context, d *asking, r *Report) error {
	last := map[place]int64{}
	for _, t := range f.terminals {
		for _, e := range t.truth.Events {
			at := place{t.id, e.Stream}
			last[at] = max(last[at], e.Seq)
		}
	}
	type row struct {
		Terminal string            `json:"terminal"`
		Stream   string            `json:"stream"`
		Settled  int64             `json:"settled"`
		Highest  int64             `json:"highest"`
		Reused   int64             `json:"reused"`
		Gaps     []json.RawMessage `json:"gaps"`
		Holes    []json.RawMessage `json:"holes"`
	}
	err := pages(ctx, d, "/v1/gaps?all=1", "streams", func(s *row) {
		at := place{s.Terminal, s.Stream}
		if !strings.HasPrefix(s.Terminal, f.o.Prefix+"-") {
			return
		}
		if s.Settled != last[at] || s.Highest != last[at] || s.Reused+int64(len(s.Gaps)+len(s.Holes)) > 0 {
			r.differ("%s: stream %s is settled up to %d of %d, the greatest is %d, with %d gaps and %d holes", s.Terminal, s.Stream, s.Settled, last[at], s.Highest, len(s.Gaps), len(s.Holes))
		} else {
			r.Desk.Ordered += int(last[at])
		}
		delete(last, at)
	})
	for at, n := range last {
		if n > 0 {
			r.differ("%s: the desk does not know stream %s, of %d events", at.terminal, at.id, n)
		}
	}
	return err
}

// compareCases looks whether each case is in the state of its newest event: the order within a stream decides that.
func (f *fleet) compareCases(ctx context.Context, d *asking, r *Report) error {
	want := map[place]string{}
	for _, t := range f.terminals {
		for _, one := range t.open {
			want[place{t.id, one.id}] = one.state
		}
	}
	type row struct {
		Terminal string `json:"terminal"`
		CaseID   string `json:"case_id"`
		State    string `json:"state"`
		Severity string `json:"severity"`
	}
	err := pages(ctx, d, "/v1/cases", "cases", func(c *row) {
		at := place{c.Terminal, c.CaseID}
		state, ours := want[at]
		if !ours {
			return
		}
		if (state == "") != (c.State == "cleared") || state != "" && c.Severity != state {
			r.differ("%s: case %s is %s, %s; want %q", c.Terminal, c.CaseID, c.State, c.Severity, state)
		} else {
			r.Desk.Cases++
		}
		delete(want, at)
	})
	for at := range want {
		r.differ("%s: case %s is not at the desk", at.terminal, at.id)
	}
	return err
}

// asking is the desk's API.
type asking struct {
	url, token string
	client     http.Client
}

// pages reads a list to its end, page by page.
func pages[T any](ctx context.Context, d *asking, path, name string, each func(*T)) error {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	next := path + sep + "limit=499"
	for next != "" {
		var page map[string]json.RawMessage
		if err := d.get(ctx, next, &page); err != nil {
			return err
		}
		var list []T
		if err := json.Unmarshal(page[name], &list); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for i := range list {
			each(&list[i])
		}
		next = ""
		if err := json.Unmarshal(page["next"], &next); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// get asks a question that must be answered.
func (d *asking) get(ctx context.Context, path string, to any) error {
	u, err := url.Parse(d.url + path)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	if d.token != "" {
		q.Header.Set("Authorization", "Bearer "+d.token)
	}
	rsp, err := d.client.Do(q)
	if err != nil {
		return err
	}
	defer func() { _ = rsp.Body.Close() }() // only read
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, rsp.Status)
	}
	return json.NewDecoder(rsp.Body).Decode(to)
}

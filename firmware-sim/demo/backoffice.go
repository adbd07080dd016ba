package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// root is the first level of all topics of the demo.
const root = "yuanlu"

// caseEvent is what the back office reads of an event on up/case: topics.md.
type caseEvent struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Type        string `json:"type"`
	Sequence    string `json:"sequence"`
	Stream      string `json:"stream"`
	Attempt     int    `json:"attempt"`
	Data        struct {
		CaseID   string      `json:"case_id"`
		Ask      string      `json:"ask"`  // of yuanlu.hold.*
		What     string      `json:"what"` // of yuanlu.case.followed.v1
		Text     bothTexts   `json:"text"` // likewise
		Hold     holdState   `json:"hold"`
		Severity string      `json:"severity"`
		Verdict  caseVerdict `json:"verdict"`
		Refund   caseRecord  `json:"refund"`
		Original *caseRecord `json:"original"`
	} `json:"data"`
}

// bothTexts is a text for people.
type bothTexts struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// typeFollowed is about a case that came before, typeTally about none.
const (
	typeCleared  = "yuanlu.case.cleared.v1"
	typeFollowed = "yuanlu.case.followed.v1"
	typeTally    = "yuanlu.case.tally.v1"
)

// holdState is what the back office reads of a hold: guard.md § 6.
type holdState struct {
	State string `json:"state"`
	By    string `json:"by"`
}

type caseVerdict struct {
	Recipient string `json:"recipient"`
	Reason    string `json:"reason"`
	Decision  string `json:"decision"`
	Findings  []struct {
		Code     string `json:"code"`
		Severity string `json:"severity"`
		Text     struct {
			EN string `json:"en"`
			ZH string `json:"zh"`
		} `json:"text"`
	} `json:"findings"`
}

type caseRecord struct {
	Kind       string `json:"kind"`
	TerminalID string `json:"terminal_id"`
	Channel    string `json:"channel"`
	Amount     int64  `json:"amount"`
	At         string `json:"at"`
	Stan       string `json:"stan"`
	Batch      string `json:"batch"`
	RefundNo   string `json:"refund_no"`
	Party      struct {
		Scheme string `json:"scheme"`
		Shown  string `json:"shown"`
		Text   string `json:"text"`
	} `json:"party"`
}

// stream is what the back office knows of one stream of a terminal's store.
type stream struct {
	next    int64           // the sequence that comes next
	early   map[int64]bool  // arrived before those below them
	ids     map[string]bool // events taken
	highest int64           // of first attempts
}

// backOffice takes cases, checks their order, acknowledges, and keeps the newest verdict of each.
type backOffice struct {
	out     *output
	publish func(topic string, payload []byte) error
	outside bool // cases are taken and acknowledged by a yuanlu-desk, which reports what it has accepted

	mu       sync.Mutex
	stations map[string]*station // by the terminal's name in topics
	streams  map[string]*stream
	cases    map[string]*caseEvent // by key of the refund: the newest event
	opened   map[string]string     // key of the refund: case id
	followed map[string]followed   // by case id
	after    map[string]bool       // keys of refunds that came as refund_after
	faults   []string              // what was wrong with the delivery
	events   map[string]int        // up/event by type
	traffic  map[string][]byte     // topic: payloads, one after the other
	repeats  int
	last     time.Time // when the last case event came
	changed  chan struct{}
}

func newBackOffice(out *output) *backOffice {
	return &backOffice{out: out, stations: map[string]*station{}, streams: map[string]*stream{},
		cases: map[string]*caseEvent{}, opened: map[string]string{}, followed: map[string]followed{}, after: map[string]bool{}, events: map[string]int{},
		traffic: map[string][]byte{}, changed: make(chan struct{}, 1)}
}

// know lists the terminals for the back office.
func (b *backOffice) know(c *crew) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range c.stations {
		b.stations[s.name] = s
	}
}

// arrive takes one message; it is called by the broker, one at a time for each terminal.
func (b *backOffice) arrive(topic string, payload []byte) {
	level := strings.Split(strings.TrimPrefix(topic, root+"/v1/"), "/")
	if len(level) < 3 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.traffic[topic] = append(append(b.traffic[topic], payload...), '\n')
	switch level[2] {
	case "event":
		var e struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(payload, &e); err != nil {
			b.fault("%s: an event that is no JSON", level[0])
			return
		}
		b.events[e.Type]++
	case "case":
		if b.outside {
			return
		}
		var e caseEvent
		if err := json.Unmarshal(payload, &e); err != nil {
			b.fault("%s: a case that is no JSON", level[0])
			return
		}
		b.take(level[0], &e)
	}
}

func (b *backOffice) fault(format string, args ...any) {
	b.faults = append(b.faults, fmt.Sprintf(format, args...))
}

// take checks a case event, acknowledges it and keeps it.
func (b *backOffice) take(name string, e *caseEvent) {
	seq, err := strconv.ParseInt(e.Sequence, 10, 64)
	hold := strings.HasPrefix(e.Type, "yuanlu.hold.")
	if err != nil || len(e.Sequence) != 20 || e.SpecVersion != "1.0" || e.ID == "" || e.Stream == "" || (e.Data.CaseID == "") != (hold || e.Type == typeTally) {
		b.fault("%s: a case event without its envelope", name)
		return
	}
	s := b.streams[e.Stream]
	if s == nil {
		s = &stream{next: 1, early: map[int64]bool{}, ids: map[string]bool{}}
		b.streams[e.Stream] = s
	}
	if e.Attempt <= 1 {
		if seq <= s.highest {
			b.fault("%s: sequence %d came after %d", name, seq, s.highest)
		}
		s.highest = max(s.highest, seq)
	}
	if s.ids[e.ID] {
		b.repeats++
	} else {
		s.ids[e.ID] = true
		switch {
		case hold:
			b.out.holdCame(e)
		case e.Type == typeFollowed:
			b.follow(name, e)
		case e.Type != typeTally:
			b.keep(name, e)
		}
	}
	if seq >= s.next {
		s.early[seq] = true
	}
	for s.early[s.next] {
		delete(s.early, s.next)
		s.next++
	}
	if !b.outside {
		ack := fmt.Sprintf(`{"stream":%q,"acked_seq":%d}`, e.Stream, s.next-1)
		if err := b.publish(root+"/v1/"+name+"/dn/ack", []byte(ack)); err != nil {
			b.fault("%s: the acknowledgement could not be sent: %v", name, err)
		}
	}
	b.last = time.Now()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *backOffice) keep(name string, e *caseEvent) {
	r := &e.Data.Refund
	key := refundKey(r.TerminalID, r.Batch, r.Stan, r.RefundNo)
	if id, ok := b.opened[key]; ok && id != e.Data.CaseID {
		b.fault("%s: one refund, two case ids", name)
	}
	b.opened[key] = e.Data.CaseID
	b.cases[key] = e
	model := name
	if s := b.stations[name]; s != nil {
		model = s.model
	}
	b.out.caseCame(model, e)
}

// follow takes what became of a case, which must have come before.
func (b *backOffice) follow(name string, e *caseEvent) {
	for _, id := range b.opened {
		if id == e.Data.CaseID {
			if b.followed[id] == nil {
				b.followed[id] = followed{}
			}
			b.followed[id][e.Data.What]++
			if r := &e.Data.Refund; e.Data.What == "refund_after" {
				b.after[refundKey(r.TerminalID, r.Batch, r.Stan, r.RefundNo)] = true
			}
			model := name
			if s := b.stations[name]; s != nil {
				model = s.model
			}
			b.out.followedCame(model, e)
			return
		}
	}
	b.fault("%s: what became of a case came before the case", name)
}

// gaps counts sequences that never came.
func (b *backOffice) gaps() int {
	n := 0
	for _, s := range b.streams {
		n += int(s.highest-s.next+1) - len(s.early)
	}
	return n
}

// wait waits until every expected case has come, at most limit, and then until none has come for a while.
func (b *backOffice) wait(ctx context.Context, expected []string, limit, quiet time.Duration) {
	end := time.Now().Add(limit)
	for begin := time.Now(); ; {
		b.mu.Lock()
		missing := 0
		for _, key := range expected {
			if b.cases[key] == nil {
				missing++
			}
		}
		still := time.Since(begin)
		if !b.last.IsZero() {
			still = min(still, time.Since(b.last))
		}
		b.mu.Unlock()
		if missing == 0 && still >= quiet || time.Now().After(end) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-b.changed:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

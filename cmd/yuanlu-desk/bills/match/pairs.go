package match

import (
	"slices"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// moved is whether money moved, as one side has it.
type moved int

const (
	no moved = iota
	maybe
	yes
)

// movedAs returns whether the money of a refund moved, as its terminal knows.
func (r *Refund) movedAs() moved {
	switch {
	case r.Undone, r.Outcome == "declined", r.Outcome == "closed", r.Outcome == "abnormal":
		return no
	case r.Outcome == "approved":
		return yes
	}
	return maybe
}

// able reports whether a refund may be matched with anything.
func (r *Refund) able() bool {
	return r.Channel != "unknown" && (r.Currency == "" || r.Currency == "CNY" || r.Currency == "RMB")
}

// side is a refund or an entry while pairs are found, and what became of it.
type refundSide struct {
	*Refund
	key       string // by which the pair was found
	entry     *entrySide
	ambiguous []string // the rows hit
	out       bool     // paired or ambiguous
}

type entrySide struct {
	*Entry
	out bool
}

// game finds pairs.
type game struct {
	refunds []*refundSide
	entries []*entrySide
}

func newGame(refunds []*Refund, entries []*Entry) *game {
	g := &game{}
	for _, r := range refunds {
		g.refunds = append(g.refunds, &refundSide{Refund: r})
	}
	for _, e := range entries {
		if e.kept && !isFund(e.Format) && (e.Kind == bills.Refund || e.Kind == bills.Void) {
			g.entries = append(g.entries, &entrySide{Entry: e})
		}
	}
	return g
}

// key is one way in which a refund and an entry are the same.
type key struct {
	name string
	// refund and entry return what must be equal in one of the texts, none where the key
	// does not apply.
	refund func(*Refund) []string
	entry  func(*Entry) []string
	// same is what else must hold.
	same func(*Refund, *Entry) bool
	// moved only: not for refunds that moved no money.
	movedOnly bool
}

const sameTime = 3 * 24 * time.Hour

// apart returns how far apart two times are.
func apart(a, b time.Time) time.Duration { return a.Sub(b).Abs() }

// joined returns one text of parts that are all stated, none otherwise.
func joined(parts ...string) []string {
	all := ""
	for _, p := range parts {
		if p == "" {
			return nil
		}
		all += p + "\x1f"
	}
	return []string{all}
}

func differ(a, b string) bool { return a != "" && b != "" && a != b }

func byCard(channel string) bool { return channel == "card" || channel == "unionpay_qr" }

// keys are the keys in turn (bills.md § 6).
func keys() []key {
	return []key{
		{name: "channel_refund", refund: func(r *Refund) []string { return joined(r.ChannelRefund) }, entry: func(e *Entry) []string { return joined(e.ChannelRefund) },
			same: func(*Refund, *Entry) bool { return true }},
		{name: "refund_no", refund: func(r *Refund) []string { return joined(r.RefundNo) }, entry: func(e *Entry) []string { return joined(e.RefundNo) },
			same: func(r *Refund, e *Entry) bool {
				return !differ(r.OriginalTxn, e.Original.ChannelTxn) && !differ(r.OriginalOrder, e.Original.OrderNo)
			}},
		{name: "rrn", refund: func(r *Refund) []string { return joined(r.RRN) }, entry: func(e *Entry) []string { return joined(e.RRN) },
			same: func(r *Refund, e *Entry) bool {
				return byCard(r.Channel) && !differ(r.TerminalID, e.TerminalID) && apart(r.At, e.when) <= sameTime
			}},
		{name: "stan", refund: func(r *Refund) []string { return joined(r.TerminalID, r.Batch, r.STAN) }, entry: func(e *Entry) []string { return joined(e.TerminalID, e.Batch, e.STAN) },
			same: func(r *Refund, e *Entry) bool { return byCard(r.Channel) && apart(r.At, e.when) <= sameTime }},
		{name: "original", movedOnly: true,
			refund: func(r *Refund) []string { return append(joined("t", r.OriginalTxn), joined("o", r.OriginalOrder)...) },
			entry: func(e *Entry) []string {
				return append(joined("t", e.Original.ChannelTxn), joined("o", e.Original.OrderNo)...)
			},
			same: func(r *Refund, e *Entry) bool {
				// Where both state the channel's number it decides, else the order's does, which is equal.
				return r.Channel != "card" && r.Amount == e.Amount && apart(r.At, e.when) <= sameTime && !differ(r.OriginalTxn, e.Original.ChannelTxn)
			}},
	}
}

// play finds the pairs by all keys in turn, each first for refunds whose money may have
// moved.
func (g *game) play() {
	for _, k := range keys() {
		index := map[string][]*entrySide{}
		for _, e := range g.entries {
			for _, text := range k.entry(e.Entry) {
				index[e.Channel+"\x1f"+text] = append(index[e.Channel+"\x1f"+text], e)
			}
		}
		g.round(&k, index, false)
		if !k.movedOnly {
			g.round(&k, index, true)
		}
	}
}

// round finds all hits of one key at once: a pair is made where a refund hits one entry that
// no other refund hits; all else that is hit is ambiguous.
func (g *game) round(k *key, index map[string][]*entrySide, unmoved bool) {
	hits := map[*refundSide][]*entrySide{}
	hitBy := map[*entrySide]int{}
	for _, r := range g.refunds {
		if r.out || !r.able() || (r.movedAs() == no) != unmoved {
			continue
		}
		for _, text := range k.refund(r.Refund) {
			for _, e := range index[r.Channel+"\x1f"+text] {
				if !e.out && k.same(r.Refund, e.Entry) && !slices.Contains(hits[r], e) {
					hits[r] = append(hits[r], e)
					hitBy[e]++
				}
			}
		}
	}
	for r, found := range hits {
		r.out = true
		if len(found) == 1 && hitBy[found[0]] == 1 {
			r.key, r.entry, found[0].out = k.name, found[0], true
			continue
		}
		for _, e := range found {
			e.out = true
			r.ambiguous = append(r.ambiguous, e.Row)
		}
		slices.Sort(r.ambiguous)
	}
}

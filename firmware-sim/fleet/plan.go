package fleet

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// happening is a kind of thing that happens to a terminal.
type happening uint8

const (
	opens     happening = iota // a wrong refund: a case
	revises                    // its verdict changes
	undone                     // it is undone: cleared, and followed
	paidAgain                  // another refund of the sale goes to the payer: followed
	settles                    // the batch of the refund is settled: followed
	payerSeen                  // the payer shows the account again: followed
	tallies                    // the sums of the day's operators
	linkLost                   // the firmware's cable is out
	linkBack
	cutOff   // the terminal's network fails, for a time
	restarts // the daemon ends cleanly and starts again
	renewed  // the terminal gets a new store, once everything is acknowledged: a new stream
)

// moment is one thing that happens, of a case where it is about one.
type moment struct {
	at   time.Duration // since the fleet's start
	sim  time.Time     // by the terminal's clock
	what happening
	of   *incident     // opens to payerSeen
	last time.Duration // of cutOff
	day  int           // of tallies
}

// incident is a wrong refund and what is known of it.
type incident struct {
	n       int64 // in the terminal, from 1
	id      string
	channel string
	amount  int64 // fen
	at      time.Time
	rev     int64
	state   string // severity while open, "" when it is cleared
}

// Shares of what happens, by day or by case.
const (
	shareRevised   = 0.3
	shareUndone    = 0.4
	sharePaidAgain = 0.25
	shareSettled   = 0.5
	shareSeen      = 0.1
	shareLink      = 0.2  // of days with a link that fails
	shareCutOff    = 0.15 // of days with an outage
	shareRestart   = 0.1
	shareRenewed   = 0.02
)

// crockford are the digits of ids.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// idOf makes an id of 26 digits from what it is of.
func idOf(parts ...any) string {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, parts...) // a hash takes everything
	rng := rand.New(rand.NewPCG(h.Sum64(), uint64(len(parts))))
	out := make([]byte, 26)
	for i := range out {
		out[i] = crockford[rng.IntN(len(crockford))]
	}
	return string(out)
}

// plan makes all that happens to terminal n, in its order. The same options give the same plan.
func plan(o *Options, n int) (all []moment) {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(n)))
	number := int64(0)
	for day := range o.Days {
		add := func(part float64, m moment) {
			m.at = time.Duration((float64(day) + part) * float64(o.Day))
			m.sim = o.Begin.Add(time.Duration((float64(day) + part) * float64(24*time.Hour)))
			if m.what == opens {
				m.of.at = m.sim
			}
			all = append(all, m)
		}
		for range poisson(rng, o.Cases) {
			number++
			planCase(rng, o, n, number, add)
		}
		chance := func(share float64) bool { return rng.Float64() < share }
		if chance(shareLink) {
			part := 0.6 * rng.Float64()
			add(part, moment{what: linkLost})
			add(part+0.1*rng.Float64(), moment{what: linkBack})
		}
		if chance(shareCutOff) {
			add(0.8*rng.Float64(), moment{what: cutOff, last: time.Duration((0.01 + 0.1*rng.Float64()) * float64(o.Day))})
		}
		if chance(shareRestart) {
			add(0.9*rng.Float64(), moment{what: restarts})
		}
		if chance(shareRenewed) {
			add(0.9*rng.Float64(), moment{what: renewed})
		}
		add(0.99+0.01*rng.Float64(), moment{what: tallies, day: day})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return int(a.at - b.at) })
	return all
}

// planCase adds a wrong refund and what becomes of it on the same day.
func planCase(rng *rand.Rand, o *Options, n int, number int64, add func(float64, moment)) {
	part := 0.7 * rng.Float64()
	one := &incident{n: number, id: idOf("case", o.Seed, o.Prefix, n, number), channel: []string{"card", "wechat", "alipay", "unionpay_qr"}[rng.IntN(4)],
		amount: 1 + rng.Int64N(200_000)}
	add(part, moment{what: opens, of: one})
	for _, next := range []struct {
		share float64
		what  happening
	}{{shareRevised, revises}, {shareSeen, payerSeen}, {sharePaidAgain, paidAgain}, {shareUndone, undone}, {shareSettled, settles}} {
		if rng.Float64() < next.share {
			part += 0.05 * rng.Float64()
			add(part, moment{what: next.what, of: one})
		}
	}
}

// poisson returns a random count of this mean, which is small.
func poisson(rng *rand.Rand, mean float64) (n int) {
	for left := rng.ExpFloat64(); left < mean; left += rng.ExpFloat64() {
		n++
	}
	return n
}

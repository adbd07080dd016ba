package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// A terminal whose clock is ahead writes wrong dates into refunds: sales are not found
// on their day, windows are counted wrong. Only a trusted clock can tell
// (wires.md, Common, records_in_future).

// mostFutures is how many such terminals are kept apart; a link has a handful.
const mostFutures = 32

// clockOf names the clock that dated a record.
type clockOf struct{ link, merchant, terminal string }

// future is one terminal that dates its records ahead.
type future struct {
	clockOf
	lead  time.Duration // of its newest record
	since time.Time     // when its first such record came
}

// futures are the terminals whose newest record is dated ahead. The zero value is
// ready; it is safe for concurrent use.
type futures struct {
	mu sync.Mutex
	by map[clockOf]future
}

// take notes how far ahead a record is dated. It reports whether its terminal begins or
// ends to be a problem with it.
func (f *futures) take(by clockOf, lead time.Duration, received time.Time) (begins, ends bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, there := f.by[by]
	switch {
	case lead <= refund.FutureAfter:
		delete(f.by, by)
		return false, there
	case !there && len(f.by) >= mostFutures:
		return false, false
	case !there:
		one = future{clockOf: by, since: received}
	}
	if f.by == nil {
		f.by = map[clockOf]future{}
	}
	one.lead = lead
	f.by[by] = one
	return !there, false
}

// all returns them in the order of their names.
func (f *futures) all() []future {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.by), func(a, b future) int {
		return cmp.Or(cmp.Compare(a.link, b.link), cmp.Compare(a.merchant, b.merchant), cmp.Compare(a.terminal, b.terminal))
	})
}

// problem says it in both languages.
func (f *future) problem(add addProblem) {
	lead := f.lead.Round(time.Minute)
	name := cmp.Or(f.terminal, f.link)
	add(levelDegraded, "records_in_future", name,
		Text{fmt.Sprintf("terminal %s of merchant %s on link %s dates its records %s ahead of the clock: refunds there carry wrong dates", cmp.Or(f.terminal, "-"), cmp.Or(f.merchant, "-"), f.link, lead),
			fmt.Sprintf("链路 %s 上商户 %s 的终端 %s 记录时间比系统时钟快 %s：该处退款的日期有误", f.link, cmp.Or(f.merchant, "-"), cmp.Or(f.terminal, "-"), lead)},
		Text{"set date and time on that terminal; check time.zone", "校正该终端的日期和时间；检查 time.zone"}).Since = f.since
}

// datedAhead looks at how a record that has just come is dated. One of the past ends
// nothing: a copy, or a batch that is printed again.
func (a *Agent) datedAhead(link string, s *refund.Sighting) {
	lead, ok := s.Lead()
	if !ok || lead <= refund.FutureAfter && (s.Record.Copy != "" || lead < -refund.FutureAfter) {
		return
	}
	by := clockOf{link, s.Record.MerchantID, s.Record.TerminalID}
	begins, ends := a.future.take(by, lead, s.Received)
	log := a.log.With(slog.String("link", by.link), slog.String("merchant", by.merchant), slog.String("terminal", by.terminal))
	switch {
	case begins:
		log.Warn("records.in_future", "ahead", lead.Round(time.Second))
	case ends:
		log.Info("records.in_time")
	}
	if begins || ends {
		a.wake()
	}
}

// storedAhead looks at the newest records of a store that was opened, for what an
// earlier run has seen. One that stamped its receptions with the times of its records
// is seen through, too: nothing was received after now.
func (a *Agent) storedAhead(ctx context.Context, db *ledger.DB) {
	if !a.clock.Synced() {
		return
	}
	now := a.clock.Now()
	for r, err := range db.Latest(ctx) {
		if err != nil {
			return // the next reader meets the same error and reports it
		}
		s := refund.Sighting{Record: r.Record, Received: r.Received, ClockSynced: r.ClockSynced, AtFromClock: r.AtFromClock}
		if s.Received.After(now) {
			s.Received = now
		}
		a.datedAhead(r.Link, &s)
	}
}

package health

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/refund"
)

const (
	ntpEN = "check NTP (timedatectl), or set time.trust = \"always\" where something else keeps the clock right"
	ntpZH = "检查 NTP（timedatectl）；若由其他方式保证时钟正确，设置 time.trust = \"always\""
)

func clockProblems(p *problems, s *Snapshot, _ *config.Config) {
	if !s.Clock.Synced {
		p.add(Note, "clock_unsynced", "", both("the clock is not synchronised", "系统时钟未同步"),
			both(ntpEN+"; times may be wrong until then", ntpZH+"；在此之前时间可能不准"))
	}
}

func lookAtClock(e *Examination) {
	name := both("clock", "时钟")
	switch {
	case e.problems("clock_"):
	case e.Config.Time.Trust == config.TrustAlways:
		e.fine(name, both("trusted: time.trust = always", "可信：time.trust = always"))
	case e.Snapshot == nil && !e.m.Synced:
		e.add(Warning, name, both("not synchronised", "未同步"), both(ntpEN, ntpZH))
	default:
		e.fine(name, both("synchronised", "已同步"))
	}
	e.problems("records_")
}

// A terminal whose clock is ahead writes wrong dates into refunds: sales are not found
// on their day, windows are counted wrong. Only a trusted clock can show it
// (wires.md, Common, records_in_future).

// mostAhead is how many such terminals are kept apart; a link has a handful.
const mostAhead = 32

// Ahead is one terminal that dates its records ahead of a trusted clock.
type Ahead struct {
	Link, Merchant, Terminal string
	Lead                     time.Duration // of its newest record
	Since                    time.Time     // when its first such record came
}

// terminal names the clock that dated a record.
type terminal struct{ link, merchant, terminal string }

// AheadBook keeps the terminals whose newest record is dated ahead. The zero value is
// ready; it is safe for concurrent use.
type AheadBook struct {
	mu sync.Mutex
	by map[terminal]Ahead
}

// Take notes the newest record of a terminal: by has its Lead, and in Since when the
// record came. It reports whether the terminal begins or ends to be a problem with it.
func (b *AheadBook) Take(by Ahead) (begins, ends bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := terminal{by.Link, by.Merchant, by.Terminal}
	known, there := b.by[key]
	switch {
	case by.Lead <= refund.FutureAfter:
		delete(b.by, key)
		return false, there
	case !there && len(b.by) >= mostAhead:
		return false, false
	case there:
		by.Since = known.Since
	}
	if b.by == nil {
		b.by = map[terminal]Ahead{}
	}
	b.by[key] = by
	return !there, false
}

// All returns them in the order of their names.
func (b *AheadBook) All() []Ahead {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.by), func(a, b Ahead) int {
		return cmp.Or(cmp.Compare(a.Link, b.Link), cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Terminal, b.Terminal))
	})
}

func aheadProblems(p *problems, s *Snapshot, _ *config.Config) {
	for _, a := range s.Ahead {
		terminal, merchant, lead := cmp.Or(a.Terminal, "-"), cmp.Or(a.Merchant, "-"), a.Lead.Round(time.Minute)
		p.add(Degraded, "records_in_future", cmp.Or(a.Terminal, a.Link),
			textf("terminal %[1]s of merchant %[2]s on link %[3]s dates its records %[4]s ahead of the clock: refunds there carry wrong dates",
				"链路 %[3]s 上商户 %[2]s 的终端 %[1]s 记录时间比系统时钟快 %[4]s：该处退款的日期有误", terminal, merchant, a.Link, lead),
			both("set date and time on that terminal; check time.zone", "校正该终端的日期和时间；检查 time.zone")).Since = a.Since
	}
}

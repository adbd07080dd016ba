package fleet

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Count is what one terminal did, or all of them.
type Count struct {
	Made      int           `json:"made"`         // events
	Sent      int           `json:"sent"`         // times that an event was put on a connection
	Acked     int           `json:"acknowledged"` // case events that dn/ack covers
	Repeated  int           `json:"repeated"`     // of Sent: not for the first time
	Refused   int           `json:"refused"`      // by the back office
	Beyond    int           `json:"beyond"`       // acknowledgements of what was never sent
	Up        int           `json:"messages_up"`  // PUBLISH, presence too
	Down      int           `json:"messages_down"`
	BytesUp   int64         `json:"bytes_up"` // on the connection, all packets
	BytesDown int64         `json:"bytes_down"`
	Connects  int           `json:"connections"`
	Failed    int           `json:"attempts_failed"` // to connect
	Lost      int           `json:"connections_lost"`
	Unclean   int           `json:"ends_unclean"`    // good-byes that did not get through
	Away      time.Duration `json:"longest_away_ns"` // from a connection's end to the next
}

func (c *Count) add(o *Count) {
	c.Made, c.Sent, c.Acked, c.Repeated, c.Refused, c.Beyond = c.Made+o.Made, c.Sent+o.Sent, c.Acked+o.Acked, c.Repeated+o.Repeated, c.Refused+o.Refused, c.Beyond+o.Beyond
	c.Up, c.Down, c.BytesUp, c.BytesDown = c.Up+o.Up, c.Down+o.Down, c.BytesUp+o.BytesUp, c.BytesDown+o.BytesDown
	c.Connects, c.Failed, c.Lost, c.Unclean, c.Away = c.Connects+o.Connects, c.Failed+o.Failed, c.Lost+o.Lost, c.Unclean+o.Unclean, max(c.Away, o.Away)
}

// Event is one event that was made.
type Event struct {
	ID, Stream, Type, Sum string
	Seq                   int64
}

// Truth is what a terminal made, in its order.
type Truth struct {
	Terminal string
	Events   []Event
}

// Report is what came out.
type Report struct {
	Terminals int            `json:"terminals"`
	Seconds   float64        `json:"seconds"`
	All       Count          `json:"all"`
	Waiting   int            `json:"waiting"` // events that were never acknowledged
	Herd      int            `json:"most_connections_a_second"`
	Failed    map[string]int `json:"failed_by"` // attempts to connect
	Delay     Delay          `json:"delay"`     // from an event to its acknowledgement
	Most      Count          `json:"most"`      // of one terminal, each figure for itself
	Desk      *Found         `json:"desk,omitempty"`
	Differ    []string       `json:"differ"` // one sentence each, the first 20
	Differing int            `json:"differing"`
}

// Delay are percentiles, in milliseconds.
type Delay struct {
	P50 int64 `json:"p50_ms"`
	P95 int64 `json:"p95_ms"`
	P99 int64 `json:"p99_ms"`
	Max int64 `json:"max_ms"`
}

// mostDiffer is how many differences are listed.
const mostDiffer = 20

// differ notes a difference.
func (r *Report) differ(format string, args ...any) {
	if r.Differing++; len(r.Differ) < mostDiffer {
		r.Differ = append(r.Differ, fmt.Sprintf(format, args...))
	}
}

// Good reports whether nothing was lost, nothing came twice and the order was kept, as far as it was looked at.
func (r *Report) Good() bool { return r.Differing == 0 }

// report adds up what the terminals did; they have ended.
func (f *fleet) report() *Report {
	r := &Report{Terminals: len(f.terminals), Seconds: time.Since(f.began).Seconds(), Failed: f.failed, Differ: []string{}}
	var delays []time.Duration
	for _, t := range f.terminals {
		r.All.add(&t.count)
		r.Most.most(&t.count)
		delays = append(delays, t.delays...)
		if n := len(t.cases) + len(t.events); n > 0 {
			r.Waiting += n
			r.differ("%s: %d of %d events are not acknowledged", t.id, n, t.count.Made)
		}
		if t.count.Refused > 0 || t.count.Beyond > 0 {
			r.differ("%s: %d events were refused, %d acknowledgements are of what was never sent", t.id, t.count.Refused, t.count.Beyond)
		}
	}
	for _, n := range f.perSec {
		r.Herd = max(r.Herd, n)
	}
	slices.Sort(delays)
	at := func(percent int) int64 {
		if len(delays) == 0 {
			return 0
		}
		return delays[min(len(delays)-1, len(delays)*percent/100)].Milliseconds()
	}
	r.Delay = Delay{at(50), at(95), at(99), at(100)}
	return r
}

func (c *Count) most(o *Count) {
	c.Made, c.Sent, c.Acked, c.Repeated = max(c.Made, o.Made), max(c.Sent, o.Sent), max(c.Acked, o.Acked), max(c.Repeated, o.Repeated)
	c.Up, c.Down, c.BytesUp, c.BytesDown = max(c.Up, o.Up), max(c.Down, o.Down), max(c.BytesUp, o.BytesUp), max(c.BytesDown, o.BytesDown)
	c.Connects, c.Failed, c.Lost, c.Away = max(c.Connects, o.Connects), max(c.Failed, o.Failed), max(c.Lost, o.Lost), max(c.Away, o.Away)
}

// Table prints the report for people.
func (r *Report) Table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	each := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/float64(r.Terminals)) }
	row := func(name string, all, most int64) {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t\n", name, all, each(all), most)
	}
	fmt.Fprintf(w, "%d terminals, %.0f s\tall\tof a terminal\tmost\t\n", r.Terminals, r.Seconds)
	a, m := &r.All, &r.Most
	row("events made", int64(a.Made), int64(m.Made))
	row("sent", int64(a.Sent), int64(m.Sent))
	row("acknowledged", int64(a.Acked), int64(m.Acked))
	row("repeated", int64(a.Repeated), int64(m.Repeated))
	row("messages up", int64(a.Up), int64(m.Up))
	row("acknowledgements down", int64(a.Down), int64(m.Down))
	row("bytes up", a.BytesUp, m.BytesUp)
	row("bytes down", a.BytesDown, m.BytesDown)
	row("connections", int64(a.Connects), int64(m.Connects))
	row("connections lost", int64(a.Lost), int64(m.Lost))
	row("attempts that failed", int64(a.Failed), int64(m.Failed))
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "most connections in a second %d, longest without one %.1f s\n", r.Herd, a.Away.Seconds())
	for _, code := range slices.Sorted(maps.Keys(r.Failed)) {
		fmt.Fprintf(out, "attempts that failed: %s %d\n", code, r.Failed[code])
	}
	fmt.Fprintf(out, "from event to acknowledgement: p50 %d ms, p95 %d ms, p99 %d ms, most %d ms\n", r.Delay.P50, r.Delay.P95, r.Delay.P99, r.Delay.Max)
	if d := r.Desk; d != nil {
		fmt.Fprintf(out, "at the desk: %d events of the fleet, %d other; %d sequences in order, %d cases as they ended; %d events of up/event went down with a broker\n", d.Events, d.Others, d.Ordered, d.Cases, d.Sunk)
	}
	if r.Differing > 0 {
		_, err := fmt.Fprintf(out, "%d differences:\n  %s\n", r.Differing, strings.Join(r.Differ, "\n  "))
		return err
	}
	_, err := fmt.Fprintln(out, "no difference")
	return err
}

package consumer

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/topics"
)

// Command day-resend (bills.md § 5), and the topic of its answers.
const (
	cmdDays = "day-resend"
	rspDays = "rsp/" + cmdDays
)

// Times and bounds of asking for days.
const (
	daysEvery = time.Minute // between two looks
	daysMost  = 3           // commands of one look
	daysAgain = time.Hour   // the shortest time until a terminal is asked again; doubled while the same days lack
	daysLong  = 24 * time.Hour
	daysTTL   = 20 * time.Second
	daysBack  = 40 // bills.md § 5: a terminal sends no older day by itself
	daysTime  = 30 * time.Second
)

// dayZone is the zone of the days (bills.md § 5).
var dayZone = time.FixedZone("+08:00", 8*60*60)

// DayAsker asks terminals for the digests of closed days that lie between days that the desk knows (bills.md § 5, command
// day-resend): a few a minute, and each terminal at most once an hour. It remembers that as long as it lives. It is safe for
// concurrent use.
type DayAsker struct {
	s   Lacking
	now func() time.Time

	mu    sync.Mutex
	asked map[string]*askedDays // guarded by mu; by terminal
}

// Lacking says which days lack; store.Store is one.
type Lacking interface {
	LackingDays(ctx context.Context, from string) ([]store.LackingDays, error)
}

// askedDays is the last command to a terminal.
type askedDays struct {
	store.LackingDays
	id   string
	at   time.Time
	wait time.Duration // until it may be asked again
}

// NewDayAsker makes one that has asked no terminal yet.
func NewDayAsker(s Lacking, now func() time.Time) *DayAsker {
	return &DayAsker{s: s, now: now, asked: map[string]*askedDays{}}
}

// Look sends what is due at this moment. An error of send ends it; what was not sent is due again after an hour.
func (a *DayAsker) Look(ctx context.Context, send func(terminal string, c topics.Cmd) error) error {
	now := a.now()
	today := now.In(dayZone)
	work, cancel := context.WithTimeout(ctx, daysTime)
	defer cancel()
	lacking, err := a.s.LackingDays(work, today.AddDate(0, 0, -daysBack).Format(time.DateOnly))
	if err != nil {
		return err
	}
	sent := 0
	for _, one := range lacking {
		if yesterday := today.AddDate(0, 0, -1).Format(time.DateOnly); one.To > yesterday {
			one.To = yesterday // a day that is not over has no digest
		}
		if sent == daysMost || one.From > one.To {
			continue
		}
		c, due, err := a.due(now, one)
		if err != nil {
			return err
		}
		if due {
			sent++
			if err := send(one.Terminal, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// due makes the command for a terminal; false if it was asked not long ago.
func (a *DayAsker) due(now time.Time, one store.LackingDays) (c topics.Cmd, due bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.asked[one.Terminal]
	wait := daysAgain
	if last != nil {
		if now.Sub(last.at) < last.wait {
			return c, false, nil
		}
		if last.LackingDays == one {
			wait = min(2*last.wait, daysLong)
		}
	}
	args, err := json.Marshal(struct {
		From string `json:"from"`
		To   string `json:"to"`
	}{one.From, one.To})
	if err != nil {
		return c, false, err
	}
	next := &askedDays{LackingDays: one, id: rand.Text(), at: now, wait: wait}
	a.asked[one.Terminal] = next
	return topics.Cmd{ID: next.id, TS: topics.At(now), TTLS: int64(daysTTL / time.Second), Args: args}, true, nil
}

// Take takes an answer and returns why the terminal does not do it; "" for every other answer. One that refuses for another
// reason than that it is busy is left alone for a day.
func (a *DayAsker) Take(terminal string, payload []byte) (why string) {
	var r struct {
		ID     string `json:"id"`
		Status string `json:"status"`
		Error  struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if len(payload) > topics.MaxMessage || json.Unmarshal(payload, &r) != nil {
		return "unreadable"
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.asked[terminal]
	if last == nil || last.id != r.ID || r.Status == "accepted" || r.Status == "progress" || r.Status == "ok" {
		return ""
	}
	if r.Error.Code != "busy" {
		last.wait = daysLong
	}
	return plain(r.Error.Code, 64)
}

// days hands an answer to the command day-resend on; false for every other message.
func (c *Consumer) days(topic string, payload []byte) bool {
	rest, ok := strings.CutPrefix(topic, c.o.Root+"/v1/")
	if !ok || c.o.Days == nil {
		return false
	}
	terminal, rest, _ := strings.Cut(rest, "/up/")
	if rest != rspDays || topics.CheckPart(terminal) != nil {
		return false
	}
	if why := c.o.Days.Take(terminal, payload); why != "" {
		c.o.Log.Warn("day.not_resent", "terminal", terminal, "why", why)
	}
	return true
}

// dayAnswers is where terminals answer the command day-resend. What one desk of a group asked for, every desk gets.
func (c *Consumer) dayAnswers(up string) []filter {
	if c.o.Days == nil || c.o.Observe {
		return nil
	}
	return []filter{{up + rspDays, 1}}
}

// askDays lets terminals be asked for days on this connection, until ctx ends.
func (c *Consumer) askDays(ctx context.Context, conn Broker) {
	if c.o.Days == nil || c.o.Observe {
		return
	}
	tick := time.NewTicker(daysEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := c.o.Days.Look(ctx, func(terminal string, cmd topics.Cmd) error {
			body, err := json.Marshal(&cmd)
			if err != nil {
				return err
			}
			return c.send(conn, topics.Names{Root: c.o.Root, Terminal: terminal}.Cmd(cmdDays), terminal, false, body)
		})
		if err != nil && ctx.Err() == nil {
			c.o.Log.Warn("day.unasked", "err", err)
		}
	}
}

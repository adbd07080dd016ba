package agent

import (
	"context"
	"sync/atomic"
	"time"

	"yuanlu/agent/ask"
	"yuanlu/agent/control"
	"yuanlu/agent/guard"
	"yuanlu/agent/guard/api"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// tills is the guard as those outside see it: the firmware of each link, the local API, and
// people at the control socket.
type tills struct {
	zone  *time.Location
	store func() *ledger.DB
	links map[string]*till.Link
	tally guard.Tally
	guard atomic.Pointer[guard.Guard] // nil until the store is open
}

func newTills(zone *time.Location, store func() *ledger.DB) *tills {
	return &tills{zone: zone, store: store, links: map[string]*till.Link{}}
}

// open has a guard answer the links of these names from now on.
func (t *tills) open(g *guard.Guard, links []string) {
	for _, name := range links {
		t.links[name] = till.NewLink(name, g, t.zone, &t.tally)
	}
	t.guard.Store(g)
}

// holdChanged takes what the store reports of a hold. It never blocks.
func (t *tills) holdChanged(h ask.Held) {
	if g := t.guard.Load(); g != nil {
		g.HoldChanged(h)
	}
}

// office returns what the back office may order, nil while the store is not open.
func (t *tills) office() guard.Office {
	if g := t.guard.Load(); g != nil {
		return g
	}
	return nil
}

// guardOf returns what answers the firmware of a link, nil: nothing.
func (t *tills) guardOf(link string) ingest.Guard {
	if l := t.links[link]; l != nil {
		return l
	}
	return nil
}

// holdEnded tells the firmware that asked of the end of a hold. It never blocks.
func (t *tills) holdEnded(h ask.Held) {
	if l := t.links[h.Link]; l != nil {
		l.HoldEnded(h)
	}
}

// startAPI starts the local API.
func (a *Agent) startAPI(c *crew, s guard.Service, links []string) {
	g := &a.o.Config.Guard
	server := api.New(api.Options{Service: s, Socket: g.Socket, Group: g.Group, Listen: g.Listen, Token: g.TokenFile, Links: links,
		Merchant: a.o.Config.Terminal.MerchantID, Zone: a.tills.zone, Log: a.log, Tally: &a.tills.tally})
	c.start(layerLinks, "guard api", server.Run)
}

// verbs returns what the control socket answers about asks and holds; shown waits for the next
// card or account that a link reads.
func (t *tills) verbs(shown func(context.Context, string) (*refund.Party, error)) map[string]control.Handler {
	v := till.Verbs{Zone: t.zone, Shown: shown, Service: func() guard.Service {
		if g := t.guard.Load(); g != nil {
			return g
		}
		return nil
	}, Book: func() till.Book {
		if db := t.store(); db != nil {
			return storedAsks{db}
		}
		return nil
	}}
	return v.Handlers()
}

// storedAsks is the store as a till.Book.
type storedAsks struct{ db *ledger.DB }

// Holds implements till.Book.
func (b storedAsks) Holds(ctx context.Context, open bool) ([]ask.Held, error) {
	return b.db.Holds(ctx, open)
}

// Asks implements till.Book.
func (b storedAsks) Asks(ctx context.Context) ([]ask.Entry, error) { return b.db.Asks(ctx) }

// Entry implements till.Book.
func (b storedAsks) Entry(ctx context.Context, k ask.Key) (ask.Entry, error) {
	a, err := b.db.FindAsk(ctx, k)
	return a.Entry, err
}

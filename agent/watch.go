package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"yuanlu/agent/beat"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/machine"
)

// watch reports what changes around the agent: as log lines and events, and the reporter
// is woken.
type watch struct {
	clock  *Clock
	events *events
	log    *slog.Logger
	wake   func() // of the reporter
	sums   *sums
}

// clockState reports when the clock is set and when it becomes trusted or stops to be.
// While it is not, the clock takes in the newest time of the store.
func (w *watch) clockState(ctx context.Context, s *store) error {
	trusted := w.clock.Synced()
	if !trusted {
		w.log.Warn("clock.unsynced")
		w.events.Event("clock.unsynced", "clock")
	}
	for {
		s.timers["clock"].Add(1)
		if step := w.clock.Step(); step != 0 {
			w.log.Warn("clock.stepped", "by", step.Round(time.Millisecond))
			w.events.Event("clock.stepped", "clock", slog.Int64("by_ms", step.Milliseconds()))
			now := w.clock.Now()
			w.sums.clock(now.Add(-step), now)
		}
		if now := w.clock.Synced(); now != trusted {
			trusted = now
			name := "clock.unsynced"
			if trusted {
				name = "clock.synced"
			}
			w.log.Warn(name)
			w.events.Event(name, "clock")
			w.wake()
		}
		if db := s.db.Load(); db != nil && !trusted {
			s.sawNewest(ctx, db)
		}
		if !rest(ctx, clockEvery) {
			return nil
		}
	}
}

// logFiles logs which files are open to others, and what is in the way of the agent's own.
func (a *Agent) logFiles(exposed []health.Exposed) {
	for _, x := range exposed {
		a.log.Warn("file.open_to_others", "path", x.Path, "mode", fmt.Sprintf("%04o", health.ModeBits(x.Mode)), "what", x.What.EN, "others_may", x.May.EN)
	}
	for _, o := range machine.Obstacles(a.o.Config, uint32(os.Geteuid())) {
		text, remedy := o.Words()
		a.log.Error("file.in_the_way", "what", o.What.EN, "text", text.EN, "remedy", remedy.EN)
	}
}

// certificateEvery is how often the end of the terminal's certificate is looked at.
const certificateEvery = time.Hour

// certificate reports from thirty days ahead that the terminal's certificate ends
// (event cert.expiring). The file is read each time, so a renewed certificate is seen
// without a restart.
func (w *watch) certificate(ctx context.Context, ends func() (end time.Time, ok bool)) error {
	var stages health.CertificateStages
	for {
		if end, ok := ends(); ok && stages.Next(end, w.clock.CertTime()) {
			left := end.Sub(w.clock.CertTime())
			w.log.Warn("cert.expiring", "ends", end.UTC().Format(time.RFC3339), "days", int(left.Hours()/24))
			w.events.Event("cert.expiring", "certificate", slog.Int64("days", int64(left.Hours()/24)), slog.String("ends", end.UTC().Format(time.RFC3339)))
			w.wake()
		}
		if !sleep(ctx, certificateEvery) {
			return nil
		}
	}
}

// Hotplug returns when devices have come or gone, with a function that reports whether the
// port of a configured name may be one of them.
type Hotplug func(ctx context.Context) (mayBe func(port string) bool, err error)

// A socket is where a device is plugged in: the port of a link, and what makes the
// link look for it if it has none open.
type socket struct {
	port string
	wake func()
}

// holdersEvery is how often it is looked who else has the ports open.
const holdersEvery = beat.Every

// watchHolders shows the workers which other processes have their ports open: one that
// reads along takes bytes away, and no read shows it.
func (a *Agent) watchHolders(ctx context.Context, workers []*ingest.Worker) error {
	for rest(ctx, holdersEvery) {
		byPort, open := map[string]*ingest.Worker{}, []string(nil)
		for _, w := range workers {
			if h := w.Health(); h.State == ingest.StateOnline || h.State == ingest.StateDegraded {
				byPort[h.Port] = w
				open = append(open, h.Port)
			}
		}
		if len(open) == 0 {
			continue
		}
		for port, holders := range a.o.Holders(open) {
			if w := byPort[port]; w != nil {
				w.SetHolders(holders)
			}
		}
	}
	return nil
}

// watchDevices has links without a port look for it when a device comes or goes that
// may be theirs.
func watchDevices(ctx context.Context, hotplug Hotplug, sockets []socket) error {
	for {
		mayBe, err := hotplug(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !sleep(ctx, beat.Every) {
				return nil
			}
			continue
		}
		for _, s := range sockets {
			if mayBe(s.port) {
				s.wake()
			}
		}
	}
}

package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strings"
	"time"

	"yuanlu/agent/health"
)

// clockEvery is how often the clock is looked at.
const clockEvery = 2 * time.Second

// watchClock says when the clock is set and when it becomes trusted or stops to be.
// While it is not, it takes in the newest time of the store.
func (a *Agent) watchClock(ctx context.Context) error {
	trusted := a.clock.Synced()
	if !trusted {
		a.log.Warn("clock.unsynced")
		a.Event("clock.unsynced", "clock")
	}
	for {
		a.timers["clock"].Add(1)
		if step := a.clock.Step(); step != 0 {
			a.log.Warn("clock.stepped", "by", step.Round(time.Millisecond))
			a.Event("clock.stepped", "clock", slog.Int64("by_ms", step.Milliseconds()))
		}
		if now := a.clock.Synced(); now != trusted {
			trusted = now
			name := "clock.unsynced"
			if trusted {
				name = "clock.synced"
			}
			a.log.Warn(name)
			a.Event(name, "clock")
			a.wake()
		}
		if db := a.Store(); db != nil && !trusted {
			a.sawNewest(ctx, db)
		}
		if !sleep(ctx, clockEvery) {
			return nil
		}
	}
}

// certificateEvery is how often the end of the terminal's certificate is looked at.
const certificateEvery = time.Hour

// watchCertificate reports from thirty days ahead that the terminal's certificate ends
// (event cert.expiring). The file is read each time, so a renewed certificate is seen
// without a restart.
func (a *Agent) watchCertificate(ctx context.Context) error {
	var stages health.CertificateStages
	for {
		if end, ok := a.o.CertEnds(); ok && stages.Next(end, a.clock.CertTime()) {
			left := end.Sub(a.clock.CertTime())
			a.log.Warn("cert.expiring", "ends", end.UTC().Format(time.RFC3339), "days", int(left.Hours()/24))
			a.Event("cert.expiring", "certificate", slog.Int64("days", int64(left.Hours()/24)), slog.String("ends", end.UTC().Format(time.RFC3339)))
			a.wake()
		}
		if !sleep(ctx, certificateEvery) {
			return nil
		}
	}
}

// A socket is where a device is plugged in: the port of a link, and what makes the
// link look for it if it has none open.
type socket struct {
	port string
	wake func()
}

// watchDevices has links without a port look for it when a device comes or goes that
// may be theirs.
func (a *Agent) watchDevices(ctx context.Context, sockets []socket) error {
	for {
		mayBe, err := a.o.Hotplug(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !sleep(ctx, idleTick) {
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

// counters returns the sign of life of every goroutine that must show one.
func (a *Agent) counters() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]uint64{}
	for name, n := range a.timers {
		if a.ready || name == "clock" {
			all[name] = n.Load()
		}
	}
	if db := a.Store(); db != nil {
		all["commit"] = db.Progress()
	}
	for _, w := range a.workers {
		h := w.Health()
		all["link "+h.Name] = h.Progress
	}
	if a.reporter != nil {
		all["report"] = a.reporter.Status().Progress
	}
	return all
}

// defaultWatchdog is the limit where no service manager sets one: stalls are said,
// and nobody ends the process.
const defaultWatchdog = time.Minute

// feedWatchdog tells the service manager that all is alive, while it is, and how
// things are. A goroutine that makes no progress is named, with what it was doing.
func (a *Agent) feedWatchdog(ctx context.Context) error {
	limit := a.o.Watchdog
	if limit <= 0 {
		limit = defaultWatchdog
	}
	dog := newWatchdog(limit * 3 / 4)
	said := ""
	for {
		stalled := dog.stalled(time.Now(), a.counters())
		switch now := strings.Join(stalled, ", "); {
		case now == "":
			a.o.Notify("WATCHDOG=1\nSTATUS=" + a.statusLine())
		case now != said:
			a.log.Error("watchdog.stalled", "who", now)
			a.logStacks(stalled)
		}
		said = strings.Join(stalled, ", ")
		if !sleep(ctx, limit/4) {
			return nil
		}
	}
}

// logStacks writes where the goroutines stand; function names and lines only, so
// no value of a record can be in it.
func (a *Agent) logStacks(stalled []string) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return
	}
	for i, block := range strings.Split(b.String(), "\n\n") {
		if i >= 40 {
			break
		}
		a.log.Error("watchdog.stack", "n", i, "at", framesOf(block))
	}
}

// framesOf takes the function names out of one goroutine's stack, innermost first.
func framesOf(block string) string {
	var names []string
	for line := range strings.Lines(block) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "#" {
			names = append(names, strings.Join(fields[2:], " "))
		}
	}
	return strings.Join(names[:min(len(names), 8)], " < ")
}

// statusLine is one line about everything, for `systemctl status`.
func (a *Agent) statusLine() string {
	s := a.Glance(context.Background())
	online := 0
	for _, l := range s.Links {
		if l.State == "online" {
			online++
		}
	}
	broker := "no broker configured"
	switch {
	case s.MQTT != nil && s.MQTT.Connected:
		broker = "broker connected"
	case s.MQTT != nil:
		broker = "broker offline"
	}
	return fmt.Sprintf("%s, %d/%d links, %s, outbox %d", s.Verdict, online, len(s.Links), broker, s.Outbox.Waiting)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

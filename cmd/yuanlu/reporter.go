package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/desired"
	"yuanlu/agent/health"
	"yuanlu/agent/ledger"
	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt"
	"yuanlu/protocol/topics"
)

// reporterOf returns what makes the reporter, nil where no broker is configured.
func (p *program) reporterOf(c *config.Config, m *desired.Machine, book *logbook.Book) func(*agent.Agent) (agent.Reporter, error) {
	if len(c.MQTT.URLs) == 0 {
		return nil
	}
	return func(a *agent.Agent) (agent.Reporter, error) {
		names, err := topics.NewNames(c.MQTT.Root, c.Terminal.ID)
		if err != nil {
			return nil, err
		}
		keys, err := backofficeKeys(c)
		if err != nil {
			return nil, err
		}
		box := storeOutbox{a}
		all := p.commandsOf(m, book, a)
		r, err := report.New(report.Options{
			Outbox: box, Dial: dialer(c, a.Clock()), Names: names,
			Info:   func() topics.Info { return infoOf(c, m, a) },
			Health: func() topics.Health { return healthOf(a) },
			Links:  func() []topics.LinkState { return linkStatesOf(a) },
			Config: configReport(m), OnConfig: takeConfig(m), OnReached: m.BrokerReached, OnHeard: m.BackOfficeReached,
			Ready: a.Ready, AckMode: report.AckMode(c.Delivery.Ack), AckTimeout: c.Delivery.AckTimeout, HostID: c.Backoffice.Host, Keys: keys,
			ClockSynced: a.Clock().Synced, Event: eventOf(a), Resend: box.resend, OnCommand: all.Do, Commands: all.Names(),
			Memory: command.Taken{Agent: a}, HealthEvery: c.Health.Interval, Now: a.Clock().Now, Log: book.Logger(),
		})
		if err != nil {
			return nil, err
		}
		m.OnIgnored(func(code string, why error) { r.Refused(names.DesiredConfig(), code, why) })
		return &reporter{r, book}, nil
	}
}

// reporter is the report.Reporter as the agent sees it, with the log behind it.
type reporter struct {
	*report.Reporter
	book *logbook.Book
}

// Run reports, and says lines of level warn and above on up/log.
func (r *reporter) Run(ctx context.Context) error {
	_, lines := r.book.Subscribe(0, func(l logbook.Line) bool {
		// Never about publishing itself: that would go round for ever.
		return l.Level >= slog.LevelWarn && !strings.HasPrefix(l.Code, "mqtt.") && !strings.HasPrefix(l.Code, "report.")
	})
	var sender sync.WaitGroup
	sender.Go(func() {
		for l := range lines.Lines() {
			r.SendLog(logLine(l))
		}
	})
	err := r.Reporter.Run(ctx)
	lines.Cancel()
	sender.Wait()
	return err
}

func logLine(l logbook.Line) topics.LogLine {
	level := "warn"
	if l.Level >= slog.LevelError {
		level = "error"
	}
	attrs := map[string]string{}
	for k, v := range l.Pairs() {
		attrs[k] = v
	}
	return topics.LogLine{TS: topics.At(l.Time), Level: level, Code: l.Code, Attrs: attrs}
}

// Status implements agent.Reporter.
func (r *reporter) Status() health.Broker {
	s := r.Reporter.Status()
	out := health.Broker{Connected: s.Connected, Since: s.Since, Address: s.Address, LastError: s.LastError, Reconnects: s.Reconnects, Progress: s.Progress,
		LastAck: r.LastAck()}
	if h, ok := r.Host(); ok {
		out.Host = &health.Host{Known: h.Known, Online: h.Online, At: h.At}
	}
	for _, p := range s.Problems {
		out.Problems = append(out.Problems, health.BrokerProblem{Code: p.Code, Since: p.Since.Time, Text: p.Text})
	}
	return out
}

func backofficeKeys(c *config.Config) ([]topics.Key, error) {
	var keys []topics.Key
	for _, k := range c.Backoffice.Keys {
		raw, err := base64.StdEncoding.DecodeString(k.PublicKey)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: key %s of the back office", config.ErrConfig, k.ID)
		}
		keys = append(keys, topics.Key{ID: k.ID, Public: raw})
	}
	return keys, nil
}

// dialer returns what makes one connection. Password and certificates are read again
// each time, so renewing them needs no restart.
func dialer(c *config.Config, clock *agent.Clock) func(context.Context, string, []byte) (report.Broker, error) {
	return dialTo(c, clock, mqtt.NewRoute(c.MQTT.URLs))
}

// dialTo is dialer over a way that is known: every call takes its next address.
func dialTo(c *config.Config, clock *agent.Clock, route *mqtt.Route) func(context.Context, string, []byte) (report.Broker, error) {
	return func(ctx context.Context, willTopic string, will []byte) (report.Broker, error) {
		o := mqttOptions(c, clock)
		o.WillTopic, o.WillPayload = willTopic, will
		if c.MQTT.PasswordFile != "" {
			var err error
			if o.Password, err = mqtt.ReadPassword(c.MQTT.PasswordFile); err != nil {
				return nil, fmt.Errorf("mqtt.password_file: %w", err)
			}
		}
		conn, err := route.Dial(ctx, o)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

func mqttOptions(c *config.Config, clock *agent.Clock) mqtt.Options {
	m := c.MQTT
	return mqtt.Options{
		ClientID: m.ClientID, Username: m.Username, CAFile: m.CAFile, CertFile: m.CertFile, KeyFile: m.KeyFile,
		ServerName: m.ServerName, AllowPlaintext: m.AllowPlaintext, KeepAlive: m.KeepAlive, ConnectTimeout: m.ConnectTimeout,
		Now: clock.CertTime, ClockSynced: clock.Synced,
	}
}

// certEnds returns what tells when the terminal's certificate ends, nil without one.
func certEnds(c *config.Config) func() (time.Time, bool) {
	if c.MQTT.CertFile == "" {
		return nil
	}
	return func() (time.Time, bool) {
		end, err := mqtt.CertificateExpiry(c.MQTT.CertFile)
		return end, err == nil
	}
}

// eventOf lets the reporter queue events of its own.
func eventOf(a *agent.Agent) func(string, string, map[string]any) {
	return func(name, subject string, data map[string]any) {
		attrs := make([]slog.Attr, 0, len(data))
		for k, v := range data {
			attrs = append(attrs, slog.Any(k, v))
		}
		a.Event(name, subject, attrs...)
	}
}

func infoOf(c *config.Config, m *desired.Machine, a *agent.Agent) topics.Info {
	b := buildInfo()
	info := topics.Info{Program: "yuanlu", Version: b.Version, Commit: b.Commit, Go: b.Go, OS: b.OS, Arch: b.Arch,
		Platform: platform(), Merchant: c.Terminal.MerchantID, Started: topics.At(a.Began()), Config: topics.InfoConfig{Version: m.InForce().Version, Digest: a.Digest()}}
	if db := a.Store(); db != nil {
		info.Stream = db.Stream()
	}
	for _, l := range c.Links {
		info.Links = append(info.Links, topics.InfoLink{Name: l.Name, Wire: l.Wire, Port: l.Port})
	}
	info.Clock = clockOf(a)
	return info
}

func clockOf(a *agent.Agent) topics.Clock {
	synced, offset := a.Clock().State()
	c := topics.Clock{Synced: synced, Source: "kernel"}
	if a.ClockTrusted() {
		c.Source = "configuration"
	} else if synced {
		ms := offset.Milliseconds()
		c.OffsetMS = &ms
	}
	return c
}

// platform names kernel and machine.
func platform() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// healthOf returns the agent's health, the worst problem first.
func healthOf(a *agent.Agent) topics.Health {
	s := a.Glance(context.Background())
	h := topics.Health{UptimeS: int64(s.Uptime / time.Second), Verdict: s.Verdict, Problems: []topics.Problem{}, Clock: clockOf(a),
		Links: map[string]topics.HealthLink{}, Records: s.Counts.Records, Refunds: s.Counts.Refunds, Cases: s.Counts.Cases,
		CertDays: s.CertDays, MemoryBytes: s.Memory, DiskFree: max(s.DiskFree, 0), Goroutines: s.Goroutines}
	for _, p := range s.Problems {
		h.Problems = append(h.Problems, topics.Problem{Code: p.Code, Since: topics.At(p.Since), Text: p.Text.EN})
	}
	for _, l := range s.Links {
		one := topics.HealthLink{State: l.State, FramesGood: l.FramesGood, FramesBad: l.FramesBad, Reopens: l.Reopens}
		if !l.LastFrame.IsZero() {
			ago := max(int64(s.At.Sub(l.LastFrame)/time.Second), 0)
			one.LastFrameS = &ago
		}
		h.Links[l.Name] = one
	}
	return h
}

func linkStatesOf(a *agent.Agent) []topics.LinkState {
	var all []topics.LinkState
	for _, l := range a.Links() {
		all = append(all, topics.LinkState{V: 1, Name: l.Name, State: l.State, Since: topics.At(l.Since), Reason: l.Reason,
			Wire: l.Wire, Port: l.Port, FramesGood: l.FramesGood, FramesBad: l.FramesBad})
	}
	return all
}

// storeOutbox is the outbox of the agent's store. While the store is not open
// nothing waits, and nothing can be noted.
type storeOutbox struct{ a *agent.Agent }

// Due implements report.Outbox.
func (o storeOutbox) Due(ctx context.Context, now time.Time, limit int) ([]refund.Notice, time.Time, error) {
	if db := o.a.Store(); db != nil {
		return db.Due(ctx, now, limit)
	}
	return nil, time.Time{}, nil
}

// Attempt implements report.Outbox.
func (o storeOutbox) Attempt(stream string, entry int64) int {
	if db := o.a.Store(); db != nil {
		return db.Attempt(stream, entry)
	}
	return 1
}

// Sent implements report.Outbox.
func (o storeOutbox) Sent(ctx context.Context, stream string, entries []int64, retry time.Time) error {
	if db := o.a.Store(); db != nil {
		return db.Sent(ctx, stream, entries, retry)
	}
	return ledger.ErrUnavailable
}

// Acked implements report.Outbox.
func (o storeOutbox) Acked(ctx context.Context, stream string, seq int64) (int64, error) {
	if db := o.a.Store(); db != nil {
		return db.Acked(ctx, stream, seq)
	}
	return 0, ledger.ErrUnavailable
}

// Nacked implements report.Outbox.
func (o storeOutbox) Nacked(ctx context.Context, stream string, entry int64, code, message string) error {
	if db := o.a.Store(); db != nil {
		return db.Nacked(ctx, stream, entry, code, message)
	}
	return ledger.ErrUnavailable
}

// RolledBack implements report.Outbox.
func (o storeOutbox) RolledBack(ctx context.Context, trace refund.Trace) (bool, error) {
	if db := o.a.Store(); db != nil {
		return db.RolledBack(ctx, trace)
	}
	return false, ledger.ErrUnavailable
}

// OutboxStat implements report.Outbox.
func (o storeOutbox) OutboxStat(ctx context.Context) (refund.OutboxStat, error) {
	if db := o.a.Store(); db != nil {
		return db.OutboxStat(ctx)
	}
	return refund.OutboxStat{}, ledger.ErrUnavailable
}

func (o storeOutbox) resend(ctx context.Context, from int64) (int, error) {
	if db := o.a.Store(); db != nil {
		return db.Resend(ctx, from)
	}
	return 0, ledger.ErrUnavailable
}

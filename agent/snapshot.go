package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"yuanlu/agent/ledger"
)

// Snapshot is everything about the agent at one moment: what `status` shows and
// health is made from.
type Snapshot struct {
	Terminal   string              `json:"terminal"`
	Merchant   string              `json:"merchant_id,omitempty"`
	PID        int                 `json:"pid"`
	Build      Build               `json:"build"`
	Config     string              `json:"config"` // digest
	At         time.Time           `json:"at"`
	Uptime     time.Duration       `json:"uptime_ns"`
	Ready      bool                `json:"ready"`
	Verdict    string              `json:"verdict"` // ok, degraded, failing
	Problems   []Problem           `json:"problems"`
	Clock      ClockState          `json:"clock"`
	StoreError string              `json:"store_error,omitempty"`
	StoreFull  bool                `json:"store_full,omitempty"`  // StoreError: the disk is full
	Damage     []ledger.DamageNote `json:"damage,omitempty"`      // that still lies in quarantine/
	RolledBack *ledger.Renewal     `json:"rolled_back,omitempty"` // nil: it was not, as far as is known
	Links      []LinkState         `json:"links"`
	MQTT       *ReporterStatus     `json:"mqtt,omitempty"` // nil: no broker is configured
	Outbox     Outbox              `json:"outbox"`
	Counts     Counts              `json:"counts"`
	Records    int64               `json:"records_since_start"`
	Foreign    int64               `json:"records_of_other_merchants"`
	CertDays   *int                `json:"certificate_days,omitempty"`
	Memory     int64               `json:"memory_bytes"`
	StoreBytes int64               `json:"store_bytes"`     // of the database with its WAL; 0: not open
	DiskFree   int64               `json:"disk_free_bytes"` // -1: unknown
	Goroutines int                 `json:"goroutines"`
}

// ClockState is what is known about the clock.
type ClockState struct {
	Synced bool          `json:"synced"`
	Offset time.Duration `json:"offset_ns"`
}

// LinkState is one link of the configuration.
type LinkState struct {
	Name       string    `json:"name"`
	Wire       string    `json:"wire"`
	Port       string    `json:"port"`
	State      string    `json:"state"`
	Since      time.Time `json:"since,omitzero"`
	Reason     string    `json:"reason,omitempty"`
	FramesGood uint64    `json:"frames_good"`
	FramesBad  uint64    `json:"frames_bad"`
	Skipped    uint64    `json:"skipped_bytes"`
	Refused    uint64    `json:"refused"`
	Records    uint64    `json:"records"`
	LastFrame  time.Time `json:"last_frame,omitzero"`
	Reopens    uint64    `json:"reopens"`
	Waiting    int       `json:"waiting,omitempty"` // messages in memory that are not yet stored
	Misread    string    `json:"misread,omitempty"` // how it is not understood: no_frame, refused
}

// Outbox is what waits to be delivered.
type Outbox struct {
	Stream      string         `json:"stream"`
	Waiting     int64          `json:"waiting"`
	Bytes       int64          `json:"bytes"`
	LimitBytes  int64          `json:"limit_bytes"`
	LastSeq     int64          `json:"last_seq"`
	SentSeq     int64          `json:"sent_seq"`
	AckedSeq    int64          `json:"acked_seq"`
	Unsequenced int64          `json:"unsequenced"`
	Quarantined int64          `json:"quarantined"`
	Dropped     int64          `json:"dropped"`
	Oldest      time.Time      `json:"oldest_unacked,omitzero"`
	Open        map[string]int `json:"open"` // open cases by severity
}

// Counts are numbers of the store, today and in all.
type Counts struct {
	RecordsToday int64 `json:"records_today"`
	RefundsToday int64 `json:"refunds_today"`
	CasesToday   int64 `json:"cases_today"`
	Records      int64 `json:"records"`
	Refunds      int64 `json:"refunds"`
	Cases        int64 `json:"cases"`
}

// Snapshot looks at everything. It does not wait for anything outside.
func (a *Agent) Snapshot(ctx context.Context) Snapshot { return a.snapshot(ctx, 0) }

// Glance is a Snapshot in which what the store tells may be half a second old: for
// those who look again and again.
func (a *Agent) Glance(ctx context.Context) Snapshot { return a.snapshot(ctx, glanceAge) }

func (a *Agent) snapshot(ctx context.Context, age time.Duration) Snapshot {
	c := a.o.Config
	s := Snapshot{Terminal: c.Terminal.ID, Merchant: c.Terminal.MerchantID, PID: os.Getpid(), Build: a.o.Build,
		Config: a.Digest(), At: a.clock.Now(), Uptime: time.Since(a.began).Round(time.Second),
		Memory: residentMemory(), DiskFree: DiskFree(c.Store.Dir), Goroutines: runtime.NumGoroutine(), CertDays: a.certDays()}
	s.Clock.Synced, s.Clock.Offset = a.clock.State()
	a.mu.Lock()
	s.Ready, s.Records, s.Foreign = a.ready, a.records, a.foreign
	if a.storeErr != nil {
		s.StoreError, s.StoreFull = a.storeErr.Error(), errors.Is(a.storeErr, ledger.ErrDiskFull)
	}
	a.mu.Unlock()
	s.Links, s.Damage = a.Links(), ledger.FoundDamage(c.Store.Dir)
	if db := a.Store(); db != nil {
		a.look(ctx, db, &s, age)
	}
	if a.reporter != nil {
		m := a.reporter.Status()
		s.MQTT = &m
	}
	s.Problems = a.problems(&s)
	a.health.date(s.At, s.Problems)
	s.Verdict = verdictOf(s.Problems)
	return s
}

// look fills in what the store knows, or what it told not longer than age ago.
func (a *Agent) look(ctx context.Context, db *ledger.DB, s *Snapshot, age time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s.RolledBack, s.StoreBytes = db.Renewed(), db.Size()
	a.lookMu.Lock()
	defer a.lookMu.Unlock()
	if time.Since(a.looked) >= age {
		a.outbox, a.counts, a.lookErr = Look(ctx, db, s.At.In(a.o.Config.Time.Location()))
		a.looked = time.Now()
	}
	s.Outbox, s.Counts = a.outbox, a.counts
	if a.lookErr != nil {
		s.StoreError, s.StoreFull = a.lookErr.Error(), errors.Is(a.lookErr, ledger.ErrDiskFull)
	}
}

// glanceAge is how old what the store told may be in a Glance.
const glanceAge = 500 * time.Millisecond

// Look returns what a store tells, also one that is only open for reading. now tells
// which day is today, by its location.
func Look(ctx context.Context, db *ledger.DB, now time.Time) (Outbox, Counts, error) {
	stat, err := db.OutboxStat(ctx)
	if err != nil {
		return Outbox{}, Counts{}, err
	}
	o := Outbox{Stream: stat.Stream, Waiting: stat.Waiting, Bytes: stat.Bytes, LimitBytes: stat.LimitBytes,
		LastSeq: stat.LastSeq, SentSeq: stat.SentSeq, AckedSeq: stat.AckedSeq, Unsequenced: stat.Unsequenced,
		Quarantined: stat.Quarantined, Dropped: stat.Dropped, Oldest: stat.OldestUnacked, Open: map[string]int{}}
	for severity, n := range stat.Open {
		o.Open[severity.String()] = n
	}
	n, err := db.Counts(ctx, now)
	return o, Counts{RecordsToday: n.RecordsToday, RefundsToday: n.RefundsToday, CasesToday: n.CasesToday,
		Records: n.Records, Refunds: n.Refunds, Cases: n.Cases}, err
}

// notOpenedYet is the reason of a link in the first moments; ingest.NewWorker gives
// the same one.
const notOpenedYet = "not opened yet"

// Links returns the state of every link of the configuration.
func (a *Agent) Links() []LinkState {
	a.mu.Lock()
	workers := a.workers
	a.mu.Unlock()
	all := make([]LinkState, 0, len(a.o.Links))
	for _, l := range a.o.Links {
		s := LinkState{Name: l.Config.Name, Wire: l.Config.Wire, Port: l.Config.Port, State: "absent", Reason: notOpenedYet, Since: a.began.Round(0)}
		if !l.Config.Enabled {
			s.State, s.Reason = "disabled", "enabled = false"
		}
		for _, w := range workers {
			h := w.Health()
			if h.Name != l.Config.Name {
				continue
			}
			s = LinkState{Name: h.Name, Wire: h.Wire, Port: h.Port, State: h.State, Since: h.Since, Reason: h.Reason,
				FramesGood: h.FramesGood, FramesBad: h.FramesBad, Skipped: h.SkippedBytes, Refused: h.Refused,
				Records: h.Records, LastFrame: h.LastFrame, Reopens: h.Reopens, Waiting: h.Waiting, Misread: h.Misread}
			if s.Port == "" {
				s.Port = l.Config.Port
			}
		}
		all = append(all, s)
	}
	return all
}

// Reopen has the named link close its port and open it again; false: no such link.
func (a *Agent) Reopen(link string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.workers {
		if w.Health().Name == link {
			w.Reopen()
			return true
		}
	}
	return false
}

// certDays returns the days until the terminal's certificate ends, nil without one.
func (a *Agent) certDays() *int {
	if a.o.CertEnds == nil {
		return nil
	}
	end, ok := a.o.CertEnds()
	if !ok {
		return nil
	}
	days := int(end.Sub(a.clock.CertTime()).Hours() / 24)
	return &days
}

// residentMemory reads VmRSS, in bytes; 0 if it cannot.
func residentMemory() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// DiskFree returns the bytes that may be used where dir lies (or would), -1 if unknown.
func DiskFree(dir string) int64 {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if err == nil {
			return int64(st.Bavail) * st.Bsize
		}
		up := filepath.Dir(dir)
		if err != unix.ENOENT || up == dir {
			return -1
		}
		dir = up
	}
}

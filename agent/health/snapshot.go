package health

import (
	"fmt"
	"strings"
	"time"

	"yuanlu/agent/ingest"
	"yuanlu/agent/ledger"
	"yuanlu/agent/refund"
)

// Snapshot is everything about the agent at one moment: what `status` shows and
// Problems works from.
type Snapshot struct {
	Terminal   string              `json:"terminal"`
	Merchant   string              `json:"merchant_id,omitempty"`
	PID        int                 `json:"pid"`
	Build      Build               `json:"build"`
	Config     string              `json:"config"` // digest
	At         time.Time           `json:"at"`
	Uptime     time.Duration       `json:"uptime_ns"`
	Ready      bool                `json:"ready"`
	Verdict    string              `json:"verdict"` // OK, Degraded, Failing
	Problems   []Problem           `json:"problems"`
	Clock      Clock               `json:"clock"`
	StoreError string              `json:"store_error,omitempty"`
	StoreFull  bool                `json:"store_full,omitempty"`  // StoreError: the disk is full
	Damage     []ledger.DamageNote `json:"damage,omitempty"`      // that still lies in quarantine/
	RolledBack *ledger.Renewal     `json:"rolled_back,omitempty"` // nil: it was not, as far as is known
	Links      []Link              `json:"links"`
	Guarding   *Guarding           `json:"guarding,omitempty"` // nil: no link has a guard
	Asks       *Asks               `json:"asks,omitempty"`     // nil: nothing was asked since the start
	MQTT       *Broker             `json:"mqtt,omitempty"`     // nil: no broker is configured
	Outbox     Outbox              `json:"outbox"`
	Counts     ledger.Counts       `json:"counts"`
	Records    int64               `json:"records_since_start"`
	Foreign    int64               `json:"records_of_other_merchants"`
	CertDays   *int                `json:"certificate_days,omitempty"`
	Memory     int64               `json:"memory_bytes"`
	StoreBytes int64               `json:"store_bytes"`     // of the database with its WAL; 0: not open
	DiskFree   int64               `json:"disk_free_bytes"` // -1: unknown
	Goroutines int                 `json:"goroutines"`

	StoreTrouble StoreTrouble `json:"-"` // where StoreError is set

	Ahead        []Ahead `json:"-"` // terminals whose newest record is dated ahead
	MetricsError string  `json:"-"` // why metrics are not offered, "" if they are or need not be
}

// Line returns one line about everything, for `systemctl status`.
func (s *Snapshot) Line() string {
	if s.StoreError != "" {
		return s.Verdict + ", the store cannot be used: " + strings.Join(strings.Fields(s.StoreError), " ")
	}
	good := 0
	for _, l := range s.Links {
		if l.Verdict == ingest.VerdictGood {
			good++
		}
	}
	broker := "no broker configured"
	switch {
	case s.MQTT != nil && s.MQTT.Connected:
		broker = "broker connected"
	case s.MQTT != nil:
		broker = "broker offline"
	}
	return fmt.Sprintf("%s, %d/%d links good, %s, outbox %d", s.Verdict, good, len(s.Links), broker, s.Outbox.Waiting)
}

// Build names the program.
type Build struct {
	Version string    `json:"version"`
	Commit  string    `json:"commit"`
	Date    time.Time `json:"date,omitzero"`
}

// Clock is what is known about the system's clock.
type Clock struct {
	Synced bool          `json:"synced"`
	Offset time.Duration `json:"offset_ns"`
}

// Broker is the connection to the broker as it went so far.
type Broker struct {
	Connected  bool      `json:"connected"`
	Since      time.Time `json:"since,omitzero"`       // of Connected
	Address    string    `json:"address,omitempty"`    // of the broker in use, "" where it is not known
	LastError  string    `json:"last_error,omitempty"` // why the last connection failed or ended, with its address
	Reconnects int64     `json:"reconnects"`           // connections after the first
	// LastAck is when the back office last acknowledged a case since the start.
	LastAck time.Time `json:"last_ack,omitzero"`
	Host    *Host     `json:"host,omitempty"` // nil: none is configured

	Remedy   string          `json:"-"` // for LastError, in English; "": none is known
	Session  string          `json:"-"` // of the current or last connection
	Refused  int64           `json:"-"` // payloads of the back office that were refused since the start
	Problems []BrokerProblem `json:"-"` // that the reporter has found, by code
	Progress uint64          `json:"-"` // grows at least every 30 s while nothing hangs, for the watchdog
}

// Fault returns the subscription that the broker refused, or else why the last connection
// failed; both "" where neither is known, or b is nil.
func (b *Broker) Fault() (refused, failed string) {
	if b == nil {
		return "", ""
	}
	for _, one := range b.Problems {
		if one.Code == "subscription_refused" {
			return one.Text, ""
		}
	}
	return "", b.LastError
}

// Host is what the back office last published about its own presence.
type Host struct {
	Known  bool      `json:"known"` // it has published something since the start
	Online bool      `json:"online"`
	At     time.Time `json:"at,omitzero"` // by its own clock
}

// BrokerProblem is something that is wrong with reporting, in English.
type BrokerProblem struct {
	Code  string
	Since time.Time
	Text  string
}

// Outbox is what waits to be delivered, as status shows it.
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

// OutboxOf returns the store's own figures in the form of status.
func OutboxOf(s *refund.OutboxStat) Outbox {
	o := Outbox{Stream: s.Stream, Waiting: s.Waiting, Bytes: s.Bytes, LimitBytes: s.LimitBytes,
		LastSeq: s.LastSeq, SentSeq: s.SentSeq, AckedSeq: s.AckedSeq, Unsequenced: s.Unsequenced,
		Quarantined: s.Quarantined, Dropped: s.Dropped, Oldest: s.OldestUnacked, Open: map[string]int{}}
	for severity, n := range s.Open {
		o.Open[severity.String()] = n
	}
	return o
}

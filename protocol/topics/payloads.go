package topics

import (
	"encoding/json"
	"time"
)

// Time is a moment as every payload writes it: RFC 3339 in UTC with
// milliseconds. Reading accepts any RFC 3339 time. The zero Time writes "".
type Time struct{ time.Time }

// timeLayout has milliseconds, always three digits, so that times sort as text.
const timeLayout = "2006-01-02T15:04:05.000Z"

// At makes a Time.
func At(t time.Time) Time { return Time{t} }

// MarshalJSON writes the time in UTC with milliseconds.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte(`""`), nil
	}
	b := append(make([]byte, 0, len(timeLayout)+2), '"')
	return append(t.UTC().AppendFormat(b, timeLayout), '"'), nil
}

// UnmarshalJSON reads an RFC 3339 time, or "" or null as the zero time.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == `""` || string(b) == "null" {
		*t = Time{}
		return nil
	}
	return t.Time.UnmarshalJSON(b)
}

// States of a terminal on up/state.
const (
	StateStarting = "starting"
	StateOnline   = "online"
	StateDegraded = "degraded"
	StateOffline  = "offline" // published before a clean disconnect
	StateLost     = "lost"    // the will
)

// State is the payload of up/state. A lost of another Session than the newest
// one seen is to be ignored.
type State struct {
	V       int    `json:"v"` // 1
	State   string `json:"state"`
	Session string `json:"session"`         // of one connection
	Since   Time   `json:"since,omitzero"`  // absent in the will, whose moment is not known
	Reason  string `json:"reason,omitzero"` // start, reconnect, stop, or a problem code
	TS      Time   `json:"ts,omitzero"`     // when this was published; absent in the will
}

// Info is the payload of up/info: who this is and what it can. It never holds a
// secret.
type Info struct {
	V        int        `json:"v"` // 1
	TS       Time       `json:"ts,omitzero"`
	Session  string     `json:"session,omitzero"`
	Started  Time       `json:"started,omitzero"`
	Program  string     `json:"program"` // "yuanlu"
	Version  string     `json:"version"`
	Commit   string     `json:"commit,omitzero"`
	Go       string     `json:"go,omitzero"`
	OS       string     `json:"os,omitzero"`
	Arch     string     `json:"arch,omitzero"`
	Platform string     `json:"platform,omitzero"` // kernel, model
	Merchant string     `json:"merchant_id,omitzero"`
	Stream   string     `json:"stream,omitzero"`
	Config   InfoConfig `json:"config"`
	Schemas  []string   `json:"schemas"` // ids of the payloads this version sends
	Commands []string   `json:"commands,omitzero"`
	Links    []InfoLink `json:"links"`
	Clock    Clock      `json:"clock"`
	Signed   bool       `json:"signed"` // whether dn payloads must be signed
}

// InfoConfig names the configuration in force.
type InfoConfig struct {
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

// InfoLink names one link of the configuration.
type InfoLink struct {
	Name string `json:"name"`
	Wire string `json:"wire"`
	Port string `json:"port"`
}

// Clock is what the agent knows about its own clock.
type Clock struct {
	Synced   bool   `json:"synced"`
	OffsetMS *int64 `json:"offset_ms,omitempty"` // milliseconds, if measured
	Source   string `json:"source,omitzero"`
}

// Verdicts of health.
const (
	HealthOK       = "ok"
	HealthDegraded = "degraded"
	HealthFailing  = "failing"
)

// Health is the payload of up/health. One older than three intervals means
// unknown, whatever it holds.
type Health struct {
	V           int                   `json:"v"` // 1
	TS          Time                  `json:"ts"`
	Session     string                `json:"session,omitzero"`
	IntervalS   int                   `json:"interval_s"` // seconds
	UptimeS     int64                 `json:"uptime_s"`   // seconds
	Verdict     string                `json:"verdict"`
	Problems    []Problem             `json:"problems"`
	Clock       Clock                 `json:"clock"`
	MQTT        HealthMQTT            `json:"mqtt"`
	Outbox      HealthOutbox          `json:"outbox"`
	Links       map[string]HealthLink `json:"links"`
	Records     int64                 `json:"records"`                    // in the store
	Refunds     int64                 `json:"refunds"`                    // of those, refunds and voids
	Cases       int64                 `json:"cases"`                      // ever opened
	CertDays    *int                  `json:"certificate_days,omitempty"` // until the client certificate expires
	MemoryBytes int64                 `json:"memory_bytes,omitzero"`      // resident
	DiskFree    int64                 `json:"disk_free_bytes,omitzero"`   // where the store is
	Goroutines  int                   `json:"goroutines,omitzero"`
}

// Problem is one thing that is wrong, by stable code.
type Problem struct {
	Code  string `json:"code"`
	Since Time   `json:"since,omitzero"`
	Text  string `json:"text,omitzero"`
}

// HealthMQTT is the connection to the broker as it went so far.
type HealthMQTT struct {
	Connected  bool   `json:"connected"`
	Since      Time   `json:"since,omitzero"`
	Reconnects int64  `json:"reconnects"`
	Address    string `json:"address,omitzero"` // of the broker in use
	LastError  string `json:"last_error,omitzero"`
	Refused    int64  `json:"refused"` // dn payloads refused since the start
}

// HealthOutbox is what waits to be delivered.
type HealthOutbox struct {
	Waiting     int64 `json:"waiting"`
	Bytes       int64 `json:"bytes"`
	LimitBytes  int64 `json:"limit_bytes"`
	OldestS     int64 `json:"oldest_s"` // seconds since the oldest unacknowledged entry
	LastSeq     int64 `json:"last_seq"`
	SentSeq     int64 `json:"sent_seq"`
	AckedSeq    int64 `json:"acked_seq"`
	Unsequenced int64 `json:"unsequenced"`
	Quarantined int64 `json:"quarantined"`
	Dropped     int64 `json:"dropped"`
	// QuarantinedSeqs are the sequences of the cases in quarantine, ascending, at most
	// 256: they do not come, unless a person puts them back, under a new sequence.
	QuarantinedSeqs []int64 `json:"quarantined_seqs,omitzero"`
}

// HealthLink is one link in short.
type HealthLink struct {
	State      string `json:"state"`
	LastFrameS *int64 `json:"last_frame_s,omitempty"` // seconds since the last good frame
	FramesGood uint64 `json:"frames_good"`
	FramesBad  uint64 `json:"frames_bad"`
	Reopens    uint64 `json:"reopens"`
	Verdict    string `json:"verdict,omitzero"` // as LinkState.Verdict
	// Stalls is how often reading waited for room in the buffers, StalledS how long in all,
	// in seconds; Overruns how often the driver lost bytes, nil: it does not count them.
	Stalls   uint64  `json:"stalls"`
	StalledS int64   `json:"stalled_s"`
	Overruns *uint64 `json:"overruns,omitempty"`
}

// Text is a sentence for people in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// LinkState is the payload of up/link/{name}/state. The links of a terminal
// whose state is lost are lost with it.
type LinkState struct {
	V          int    `json:"v"` // 1
	Name       string `json:"name"`
	State      string `json:"state"` // online degraded absent disabled denied, offline: the agent was stopped, or the link is no more
	Since      Time   `json:"since,omitzero"`
	Reason     string `json:"reason"`
	Wire       string `json:"wire,omitzero"`
	Port       string `json:"port"`
	FramesGood uint64 `json:"frames_good"`
	FramesBad  uint64 `json:"frames_bad"`
	Session    string `json:"session,omitzero"`
	// Verdict is what is known of the link, from what came on it in the last minutes:
	// not_opened disabled no_port no_permission port_held silent undecided no_frame refused
	// noisy good. Text is the same in words.
	Verdict      string `json:"verdict,omitzero"`
	VerdictSince Time   `json:"verdict_since,omitzero"`
	Text         *Text  `json:"text,omitempty"`
	Fits         string `json:"fits,omitzero"` // the wire that fits, where it is not this one
	Guard        string `json:"guard"`         // level: off advise hold office
}

// CaseSummary is the payload of up/case-summary: what a consumer that has just
// come needs to see whether it lacks something.
type CaseSummary struct {
	V             int            `json:"v"` // 1
	TS            Time           `json:"ts,omitzero"`
	Stream        string         `json:"stream"`
	LastSeq       int64          `json:"last_seq"`
	AckedSeq      int64          `json:"acked_seq"`
	Open          map[string]int `json:"open"` // by severity
	OldestUnacked *Time          `json:"oldest_unacked"`
	// QuarantinedSeqs are as in HealthOutbox.
	QuarantinedSeqs []int64 `json:"quarantined_seqs,omitzero"`
	// Before are the streams of this terminal that ended before Stream, the newest
	// first, at most 16.
	Before []string `json:"before,omitzero"`
	// Days is the stream of up/day; nil: no digest was made yet.
	Days *SummaryDays `json:"days,omitzero"`
}

// SummaryDays are the numbers of the stream of digests (bills.md § 5).
type SummaryDays struct {
	Stream   string `json:"stream"`
	LastSeq  int64  `json:"last_seq"`
	AckedSeq int64  `json:"acked_seq"`
}

// LogLine is the payload of up/log/{level}.
type LogLine struct {
	TS         Time              `json:"ts"`
	Level      string            `json:"level"` // warn or error
	Code       string            `json:"code"`  // stable event code
	Text       string            `json:"text,omitzero"`
	Attrs      map[string]string `json:"attrs,omitzero"`
	Suppressed int64             `json:"suppressed,omitzero"` // lines not sent since the last one
}

// Stati of an answer.
const (
	RspAccepted = "accepted"
	RspProgress = "progress"
	RspOK       = "ok"
	RspFailed   = "error"
	RspRejected = "rejected"
	RspExpired  = "expired"
)

// Rsp is the payload of up/rsp/{cmd}.
type Rsp struct {
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Data   json.RawMessage `json:"data"` // an object, {} if there is nothing to state
	Error  *RspError       `json:"error,omitempty"`
	TS     Time            `json:"ts"`
}

// RspError is why a command was not done.
type RspError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Stati of a reported configuration.
const (
	ConfigApplied         = "applied"
	ConfigRejected        = "rejected"
	ConfigRestartRequired = "restart_required"
)

// Origins of a configuration.
const (
	ConfigFile       = "file"       // the terminal's own file
	ConfigBackoffice = "backoffice" // dn/config
)

// Config is the payload of up/config: the configuration in force, and what
// became of the last desired one.
type Config struct {
	V       int           `json:"v"` // 1
	TS      Time          `json:"ts,omitzero"`
	Version int64         `json:"version"`         // in force; 0: the terminal's own file. What the next one must expect
	Origin  string        `json:"origin,omitzero"` // of what is in force
	Newest  int64         `json:"newest,omitzero"` // greatest version seen; the next one must be greater
	Digest  string        `json:"digest"`
	Status  string        `json:"status"`
	Desired int64         `json:"desired,omitzero"` // version that Status is about, if not Version
	Errors  []ConfigError `json:"errors,omitzero"`
}

// ConfigError is one error of a configuration with its place.
type ConfigError struct {
	Path    string `json:"path"`
	Line    int    `json:"line"` // from 1, 0: unknown
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// Cmd is the payload of dn/cmd/{cmd}.
type Cmd struct {
	ID   string          `json:"id"`
	TS   Time            `json:"ts"`
	TTLS int64           `json:"ttl_s"` // seconds
	Args json.RawMessage `json:"args,omitzero"`
}

// Ack is the payload of dn/ack: cumulative, or refusals of single events.
type Ack struct {
	Stream   string `json:"stream"`
	AckedSeq *int64 `json:"acked_seq,omitempty"`
	Nack     []Nack `json:"nack,omitzero"`
}

// Nack refuses one event; it goes into quarantine and the queue goes on.
type Nack struct {
	Seq     int64  `json:"seq"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// DesiredConfig is the payload of dn/config. It acts only if Version is greater
// than any seen before and Expected is the version in force.
type DesiredConfig struct {
	Version  int64  `json:"version"`
	Expected int64  `json:"expected"` // 0: the terminal's own file
	Config   string `json:"config"`   // the whole configuration file, TOML
	// TrialS is the running time, in seconds, within which the broker must be reached
	// with it; 0: the terminal's own setting remote.trial.
	TrialS int64 `json:"trial_s,omitzero"`
}

// Cosign is the payload of dn/cosign (evidence.md § 2). What goes up instead is read by
// evidence.ParseAnnouncement.
type Cosign struct {
	V          int    `json:"v"`
	Origin     string `json:"origin"`
	Checkpoint string `json:"checkpoint"` // both lines; "": none was co-signed yet
	Desk       string `json:"desk,omitzero"`
}

// MaxTimestamp is the greatest Timestamp of a HostState: the end of the year 9999.
const MaxTimestamp = 253_402_300_799_999

// HostState is the payload of {root}/v1/_host/{host}/state. Which of several counts is
// described in its schema, host-state.v1.
type HostState struct {
	Online    bool  `json:"online"`
	Timestamp int64 `json:"timestamp"` // milliseconds since 1970, up to MaxTimestamp; below LeastTimestamp seconds
}

// LeastTimestamp is the least Timestamp, of 1973, that counts as milliseconds: a lesser
// one is in seconds, as many programs count.
const LeastTimestamp = 100_000_000_000

// Millis returns Timestamp in milliseconds since 1970.
func (h HostState) Millis() int64 {
	if h.Timestamp < LeastTimestamp {
		return h.Timestamp * 1000
	}
	return h.Timestamp
}

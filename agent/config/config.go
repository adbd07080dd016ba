package config

import (
	"time"

	"yuanlu/agent/tomlfile"
)

// Config is the whole configuration, with defaults filled in. Read makes it; it
// is not changed afterwards.
type Config struct {
	File       string // the path it was read from
	Terminal   Terminal
	Store      Store
	Links      []Link
	MQTT       MQTT
	Delivery   Delivery
	Backoffice Backoffice
	Evidence   Evidence
	Remote     Remote
	Guard      Guard
	Case       Case
	Window     Window
	Day        Day
	Health     Health
	Log        Log
	Metrics    Metrics
	Control    Control
	Time       Time

	given map[string]tomlfile.Place // where each name was set
	sum   string                    // SHA-256 of the text, in hexadecimal
}

// Terminal is the name of this terminal, and its merchant.
type Terminal struct {
	ID         string
	MerchantID string // "" not stated: records of every merchant are ours
}

// Store is where the durable truth lies.
type Store struct {
	Dir       string
	Mount     string        // "" or a mount point that must be there before anything is created
	Retention time.Duration // how long records are kept
}

// Link is one connection to the payment firmware.
type Link struct {
	Name         string
	Wire         string
	Port         string // a path, or usb:VID:PID[:SERIAL]
	Baud         int    // bits per second
	DataBits     int
	Parity       string // none, odd, even, mark, space
	StopBits     string // "1", "2"
	FrameTimeout time.Duration
	Profile      string // path of a profile file, "" the embedded one
	Enabled      bool
	Guard        string // level of the guard: off, advise, hold, office
}

// MQTT is the broker and how to reach it.
type MQTT struct {
	URLs           []string // none: nothing is reported; several: addresses of one broker
	Root           string
	ClientID       string
	Username       string
	PasswordFile   string
	CAFile         string
	CertFile       string
	KeyFile        string
	ServerName     string
	AllowPlaintext bool
	KeepAlive      time.Duration
	ConnectTimeout time.Duration
}

// Delivery is when a case event counts as delivered, and how much may wait.
type Delivery struct {
	Ack        string // "backoffice" or "broker"
	AckTimeout time.Duration
	MaxBytes   int64
}

// Backoffice is the other end: its presence and the keys it signs with.
type Backoffice struct {
	Host string
	Keys []Key
}

// Evidence is about the evidence log (evidence.md § 2).
type Evidence struct {
	Cosigner string // vkey of the only co-signer that is believed; "": any is
}

// Remote is what the back office may change from afar (Desired).
type Remote struct {
	Config bool          // whether a configuration is taken from dn/config
	Trial  time.Duration // running time that a new one has to reach the broker
}

// Key is one public key of the back office.
type Key struct {
	ID        string
	PublicKey string // base64 of the 32 bytes of an Ed25519 public key
}

// The levels of a link's guard. Source: guard.md.
const (
	GuardOff    = "off"    // asks are refused
	GuardAdvise = "advise" // the answer is shown, nothing is held
	GuardHold   = "hold"   // a supervisor on site decides, or the back office
	GuardOffice = "office" // the back office decides, a supervisor if it cannot
)

// Guard is how refunds that would go wrong are held before they are made, and who may
// release them.
type Guard struct {
	HoldFor       time.Duration // running time after which a hold expires
	OfficeHoldFor time.Duration // likewise, at level office
	OfficeWait    time.Duration // that the back office has before a supervisor may release
	Socket        string        // of the local API
	Group         string        // that may use the socket, "" that of the daemon
	Listen        string        // loopback address and port of the local API, "" none
	TokenFile     string        // first line: what a client must show there
	Supervisors   []Supervisor
}

// Supervisor may release holds of operators other than himself. His PIN is in no
// configuration.
type Supervisor struct {
	ID        string
	Name      string
	Operators []string // every cashier number that he ever uses
}

// Case is when a verdict becomes a case.
type Case struct {
	MinSeverity  string // info, low, medium, high, critical
	PendingGrace time.Duration
}

// Window is how many calendar days after a sale a refund is in time, by channel.
type Window struct {
	Card, WeChat, Alipay, UnionPayQR, JD, ECNY, Cash, Unknown int
}

// Day is when what passed on a day is reported (bills.md § 5).
type Day struct {
	Report bool
	At     string // "02:00", of the day after
}

// After returns the time of day that At means. The file has been checked.
func (d Day) After() time.Duration {
	at, err := time.Parse("15:04", d.At)
	if err != nil {
		return 2 * time.Hour
	}
	return time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
}

// elements returns how many elements a table has that may stand several times, and whether
// it is one.
func (c *Config) elements(table string) (n int, list bool) {
	switch table {
	case "link":
		return len(c.Links), true
	case "backoffice.key":
		return len(c.Backoffice.Keys), true
	case supervisors:
		return len(c.Guard.Supervisors), true
	}
	return 1, false
}

// Map returns the windows by the channel names of records.md.
func (w Window) Map() map[string]int {
	return map[string]int{"card": w.Card, "wechat": w.WeChat, "alipay": w.Alipay,
		"unionpay_qr": w.UnionPayQR, "jd": w.JD, "ecny": w.ECNY, "cash": w.Cash, "unknown": w.Unknown}
}

// Health is how often health is published.
type Health struct {
	Interval time.Duration
}

// Log is what the agent writes about itself.
type Log struct {
	Level    string // debug, info, warn, error
	Format   string // text, json
	File     string // a path, or "none"
	MaxBytes int64  // per file
	Keep     int    // older files kept beside it
}

// Path returns the log file, "" where none is wanted.
func (l Log) Path() string {
	if l.File == "none" {
		return ""
	}
	return l.File
}

// Metrics is where Prometheus may ask for the figures of health.
type Metrics struct {
	Listen string // "127.0.0.1:9100", a loopback address and a port; "": nowhere
}

// Control is the local socket behind the technician's verbs.
type Control struct {
	Socket string
}

// Time is the zone of the settlement day and of times without one.
type Time struct {
	Zone  string // "+08:00"
	Trust string // "kernel", "always"
}

// TrustAlways is Time.Trust where something that the kernel does not know of keeps
// the clock: a modem, the payment firmware, a hypervisor.
const TrustAlways = "always"

// Location returns the zone as a fixed offset. The file has been checked.
func (t Time) Location() *time.Location {
	at, err := time.Parse("-07:00", t.Zone)
	if err != nil {
		return time.FixedZone("+08:00", 8*3600)
	}
	_, offset := at.Zone()
	return time.FixedZone(t.Zone, offset)
}

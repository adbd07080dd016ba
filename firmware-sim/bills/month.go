package bills

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// Options are what a month is made of.
type Options struct {
	Terminals int       // 1 to 9999
	Days      int       // 1 to 31
	Seed      uint64    // everything
	Start     time.Time // 09:00 of the first day at +08:00; 2026-08-01 if zero
}

// Merchant is the merchant of all terminals; the platforms know it as Account.
const (
	Merchant = "898000000000001"
	Account  = "1900000109"
)

// File is one bill, or what a terminal reports.
type File struct {
	Name string
	Data []byte
}

// Planted is a difference between bills and terminals: what bills.md § 6 must find of it. Refund is the id in the digest, ""
// of one that no terminal reported; then Number is its number on the bill.
type Planted struct {
	Day    string `json:"day"`
	Result string `json:"result"`
	Refund string `json:"refund"`
	Number string `json:"number"`
}

// Day is what all terminals and bills state of one date.
type Day struct {
	Date    string
	Bills   []File
	Digests [][]byte // JSON Lines of bills.md § 5, one for each terminal
}

// Month is a plan with the days that it was planted in.
type Month struct {
	Days []Day
	Plan []Planted
}

// ErrOptions is the class of options out of their ranges.
var ErrOptions = errors.New("bills")

// row is one row of a bill before it is written.
type row struct {
	wire.Record
	at       time.Time
	terminal string // its name at the agents
	id       string // of a refund, as its terminal reports it
	back     bool   // it returns money
	void     bool
	sale     wire.Record // of a refund: the sale, as the platform knows it
	status   string      // of WeChat: SUCCESS, FAIL
	route    string
	amount   int64
	left     bool // it stands on no bill
}

// New plays the terminals and plants differences in their bills.
func New(o Options) (*Month, error) {
	if o.Terminals < 1 || o.Terminals > 9999 || o.Days < 1 || o.Days > 31 {
		return nil, fmt.Errorf("%w: want 1 to 9999 terminals, 1 to 31 days", ErrOptions)
	}
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 8, 1, 9, 0, 0, 0, zone())
	}
	days := map[string][]*row{}
	for n := range o.Terminals {
		if err := play(&o, n, days); err != nil {
			return nil, err
		}
	}
	m := &Month{}
	rng := rand.New(rand.NewPCG(o.Seed, 77))
	var back []*row
	for n := range o.Days {
		date := o.Start.AddDate(0, 0, n).Format(time.DateOnly)
		rows := days[date]
		slices.SortStableFunc(rows, func(a, b *row) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.terminal, b.terminal)) })
		digests := digestsOf(&o, date, rows)
		planted, later := plant(rng, date, &rows)
		m.Plan = append(m.Plan, planted...)
		files, err := files(date, rows, back)
		if err != nil {
			return nil, err
		}
		m.Days = append(m.Days, Day{date, files, digests})
		back = later
	}
	last := o.Start.AddDate(0, 0, o.Days).Format(time.DateOnly) // what came back on the day behind, and nothing else
	files, err := files(last, nil, back)
	m.Days = append(m.Days, Day{last, files, digestsOf(&o, last, nil)})
	return m, err
}

func zone() *time.Location { return time.FixedZone("", 8*3600) }

// Name is how the n-th terminal calls itself, from 0.
func name(n int) string { return fmt.Sprintf("t-%05d", n+1) }

func identity(n int) string { return fmt.Sprintf("%08d", 10000001+n) }

// play lets one terminal's customers come, and collects what moved or was tried.
func play(o *Options, n int, days map[string][]*row) error {
	model := []string{"e-sign", "traditional", "smart", "smart"}[n%4]
	t, err := terminal.New(terminal.Options{Model: model, Seed: o.Seed*10_007 + uint64(n), MerchantID: Merchant, TerminalID: identity(n), Start: o.Start})
	if err != nil {
		return err
	}
	end := o.Start.AddDate(0, 0, o.Days).Add(-9 * time.Hour)
	sales := map[string]wire.Record{}
	made := 0
	for {
		entries, err := t.Next()
		if err != nil {
			return err
		}
		for i := range entries {
			r := &entries[i].Record
			if !r.At.IsZero() && !r.At.Before(end) {
				return nil
			}
			if one := take(&entries[i], sales); one != nil {
				made++
				one.terminal, one.id = name(n), fmt.Sprintf("S%05d%020d", n+1, made)
				date := one.at.Format(time.DateOnly)
				days[date] = append(days[date], one)
			}
		}
	}
}

// take makes a row of what a terminal did; nil of what moves no money.
func take(e *scenario.Entry, sales map[string]wire.Record) *row {
	r := e.Record
	if r.Copy != "" || r.Training || r.Channel == "" || r.Channel == "cash" || r.At.IsZero() {
		return nil
	}
	one := &row{Record: r, at: r.At.In(zone()), status: "SUCCESS", route: "ORIGINAL", amount: r.Amount}
	switch r.Kind {
	case "sale", "completion":
		if e.Step.As != "" {
			sales[e.Step.As] = r
		}
		one.left = r.Outcome != "approved"
	case "refund", "void", "completion_void":
		one.back, one.void = true, r.Kind != "refund"
		one.sale = sales[e.Step.Of]
		one.left = r.Outcome == "declined" || r.Outcome == "closed"
		if r.RefundRoute != "" {
			one.route = r.RefundRoute
		}
	default:
		return nil
	}
	return one
}

package verify

// States of a check (evidence.md § 6).
const (
	OK     = "ok"
	Wrong  = "wrong"
	Absent = "absent"
)

// Exit codes (evidence.md § 6).
const (
	ExitHolds     = 0
	ExitWrong     = 1
	ExitNoPack    = 2
	ExitUntrusted = 3
	ExitUsage     = 64
)

// Text is one for people, in both languages.
type Text struct{ EN, ZH string }

// In returns the text in a language, en or zh.
func (t Text) In(lang string) string {
	if lang == "zh" {
		return t.ZH
	}
	return t.EN
}

// Check is one line of the table of evidence.md § 6. Where and Text are about the first thing that is
// wrong; Said is what a reader should know besides.
type Check struct {
	Name  string
	State string
	Where string
	Text  Text
	Said  []Text
}

// Key is one that the pack is checked with. Kind is signer, cosigner, log or stamper.
type Key struct {
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
	Trusted     bool   `json:"trusted"`
}

// LeafTime is between when and when a leaf was made; "" where nothing shows it.
type LeafTime struct {
	Origin    string `json:"origin"`
	N         int64  `json:"n"`
	Type      string `json:"t"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
	Stamped   string `json:"stamped"`
}

// Report is the answer about one pack.
type Report struct {
	Exit   int
	Why    Text // of an exit 2 or 3
	Checks []Check
	Keys   []Key
	Leaves []LeafTime
	Facts  Facts
}

// Facts is what leaves and journal state, for printing.
type Facts struct {
	Pack, Case, Profile, For, At, By string
	Refunds                          []Refund
	Entries                          []Entry
	Sums                             []Sum
}

// Refund is a verdict with both sides as their record leaves state them.
type Refund struct {
	Origin                                string
	Seq, Rev                              int64
	Recipient, Evidence, Reason, Decision string
	Cancelled                             bool
	Refund, Original                      *Side
}

// Side is one record: of the refund, or of its original. Amount is in minor units.
type Side struct {
	Seq                                                      int64
	Kind, Outcome, Merchant, Terminal, Operator, Channel, At string
	Amount                                                   int64
	Currency, Scheme, Shown, Numbers                         string
}

// Entry is one event of the journal.
type Entry struct {
	Seq                int64
	At, By, What, Data string
	LeftOut            bool
	Anchored, Stamped  string
}

// Sum is an amount that the journal states, in minor units.
type Sum struct {
	Name   Text
	Amount int64
}

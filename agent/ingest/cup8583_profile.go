package ingest

import (
	_ "embed"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/refund"
	"yuanlu/agent/sanitise"
	"yuanlu/agent/tomlfile"
	"yuanlu/protocol/cup8583"
)

//go:embed cup8583.toml
var cup8583Defaults string

// cupIgnored is the kind of what is known and makes no record.
const cupIgnored = "ignored"

// cupProfile is a profile file of wire cup8583, and what finish makes of it.
type cupProfile struct {
	approved, unknown, reversalApproved []string
	timeoutSeconds, tpdu, head          int64
	tokenRanges                         []string
	tcpLength                           bool
	lengths                             string
	kinds, entries, fields              map[string]string

	layout  *cup8583.Layout
	timeout time.Duration
	rows    []cupRow
	ranges  []cupRange
}

// cupRow is one line of the kind table; "" is any.
type cupRow struct {
	mti, process, condition, message string
	kind                             string
}

// cupRange is a range of beginnings of card numbers, of equal length.
type cupRange struct{ low, high string }

func newCupProfile() profileBody {
	return &cupProfile{kinds: map[string]string{}, entries: map[string]string{}, fields: map[string]string{}}
}

func (p *cupProfile) wire(m Memory) Wire { return newCup(p, m) }

func (p *cupProfile) sanitiser() *sanitise.Sanitiser { return sanitise.CUP8583(p.layout) }

func (p *cupProfile) read(s *section) {
	s.texts("approved", &p.approved, isAnswerCode)
	s.texts("unknown", &p.unknown, isAnswerCode)
	s.texts("reversal_approved", &p.reversalApproved, isAnswerCode)
	s.number("response_timeout", &p.timeoutSeconds, 1, 3600)
	s.texts("token_ranges", &p.tokenRanges, isTokenRange)
	s.number("tpdu", &p.tpdu, 0, cup8583.MaxEnvelope)
	s.number("head", &p.head, 0, cup8583.MaxEnvelope)
	s.flag("tcp_length", &p.tcpLength)
	s.text("lengths", &p.lengths, oneOf("bcd", "binary"))
	s.names("kind", p.kinds, isKindKey, isKindOrIgnored)
	s.names("entry", p.entries, isTwoDigits, isEntry)
	s.table("field", func(t *section) { p.readFields(t) })
	p.conflicts(s)
}

// readFields reads the formats; one that a field cannot have is an error of its line.
func (p *cupProfile) readFields(t *section) {
	for name, n := range t.nodes {
		t.known = append(t.known, name)
		number, err := strconv.Atoi(name)
		switch {
		case err != nil || number < 2 || number > 64 || strconv.Itoa(number) != name:
			t.fail(n, name, "the key is not a number from 2 to 64")
		case n.kind != tomlfile.Text:
			t.fail(n, name, "got %s, want %s", kindName(n.kind), kindName(tomlfile.Text))
		case n.text == "":
			delete(p.fields, name)
		default:
			if _, err := cup8583.NewLayout(map[int]string{number: n.text}, cup8583.Options{}); err != nil {
				t.fail(n, name, "%v", err)
				continue
			}
			p.fields[name] = n.text
		}
	}
}

// finish makes the tables that the wire looks things up in.
func (p *cupProfile) finish() error {
	formats := map[int]string{}
	for name, format := range p.fields {
		n, _ := strconv.Atoi(name)
		formats[n] = format
	}
	layout, err := cup8583.NewLayout(formats, cup8583.Options{
		TPDU: int(p.tpdu), Head: int(p.head), TCPLength: p.tcpLength, BinaryLengths: p.lengths == "binary",
	})
	if err != nil {
		return err
	}
	p.layout, p.timeout = layout, time.Duration(p.timeoutSeconds)*time.Second
	p.rows = p.rows[:0]
	for key, kind := range p.kinds {
		part := strings.Split(strings.ReplaceAll(key, "*", ""), " ")
		p.rows = append(p.rows, cupRow{part[0], part[1], part[2], part[3], kind})
	}
	sort.Slice(p.rows, func(i, j int) bool { return fmt.Sprint(p.rows[i]) < fmt.Sprint(p.rows[j]) })
	p.ranges = p.ranges[:0]
	for _, text := range p.tokenRanges {
		low, high, isRange := strings.Cut(text, "-")
		if !isRange {
			high = low
		}
		p.ranges = append(p.ranges, cupRange{low, high})
	}
	return nil
}

// knows reports whether the table has requests of this type.
func (p *cupProfile) knows(mti string) bool {
	for i := range p.rows {
		if p.rows[i].mti == mti {
			return true
		}
	}
	return false
}

// kindOf returns the kind of a request, of which some digits may be missing (""): the
// one kind that all lines that fit agree on. F25 is asked only where F60.1 is missing,
// and then only if it is one of the table's. ok is false if no line fits, or lines of
// several kinds do.
func (p *cupProfile) kindOf(mti, process, condition, message string) (kind refund.Kind, ok bool) {
	if message != "" || !p.hasCondition(condition) {
		condition = ""
	}
	found := ""
	for i := range p.rows {
		r := &p.rows[i]
		if r.mti != mti || !fits(r.process, process) || !fits(r.condition, condition) || !fits(r.message, message) {
			continue
		}
		if found != "" && found != r.kind {
			return "", false
		}
		found = r.kind
	}
	return refund.Kind(found), found != ""
}

// hasCondition reports whether the table has an F25.
func (p *cupProfile) hasCondition(condition string) bool {
	for i := range p.rows {
		if p.rows[i].condition == condition {
			return true
		}
	}
	return false
}

// fits reports whether a value that may be missing may be the wanted one, "" any.
func fits(want, have string) bool { return want == "" || have == "" || want == have }

// isToken reports whether a card number is in the token ranges.
func (p *cupProfile) isToken(pan string) bool {
	for _, r := range p.ranges {
		if n := len(r.low); len(pan) >= n && pan[:n] >= r.low && pan[:n] <= r.high {
			return true
		}
	}
	return false
}

// entry reads F22.
func (p *cupProfile) entry(f22 string) refund.Entry {
	if len(f22) < 2 {
		return ""
	}
	if e := refund.Entry(p.entries[f22[:2]]); e != refund.EntryNone {
		return e
	}
	return ""
}

func isAnswerCode(s string) string {
	if len(s) != 2 || s[1] == ' ' {
		return "a code of two characters"
	}
	return ""
}

func isTwoDigits(s string) string {
	if len(s) != 2 || !isDigits(s) {
		return "two digits"
	}
	return ""
}

func isKindKey(s string) string {
	const want = `MTI, F3, F25 and F60.1 such as "0200 00 00 22" or "0220 * * 25"`
	part := strings.Split(s, " ")
	if len(part) != 4 || len(part[0]) != 4 || !isDigits(part[0]) || (part[0][2]-'0')%2 != 0 {
		return want
	}
	for _, x := range part[1:] {
		if x != "*" && isTwoDigits(x) != "" {
			return want
		}
	}
	return ""
}

func isKindOrIgnored(s string) string {
	if s == cupIgnored {
		return ""
	}
	if want := isKind(s); want != "" {
		return cupIgnored + " or " + want
	}
	return ""
}

func isTokenRange(s string) string {
	const want = `a beginning such as "620551" or two of equal length such as "6205510-6205519"`
	low, high, isRange := strings.Cut(s, "-")
	if low == "" || len(low) > 19 || !isDigits(low) {
		return want
	}
	if isRange && (len(high) != len(low) || !isDigits(high) || high < low) {
		return want
	}
	return ""
}

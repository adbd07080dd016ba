package ingest

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/agent/sanitise"
	"yuanlu/agent/tomlfile"
	"yuanlu/protocol/currency"
	"yuanlu/protocol/mispos"
)

//go:embed mispos.toml
var misposDefaults string

// misposProfile is a profile file of wire mispos, and what finish makes of it.
type misposProfile struct {
	currency                   string
	approved, unknown, pending []string
	kinds, copies              map[string]string    // by TransType in decimal
	channels                   map[string]*[]string // by channel: words of the issuer's name
	entries                    map[string]string
	tags                       map[string]string

	layout   *mispos.Layout
	types    [256]misposType
	outcomes map[string]refund.Outcome
	words    []misposWord // of all channels, in the order in which they are tried
}

// misposWord is one word of an issuer's name, in small letters.
type misposWord struct {
	text    string
	channel refund.Channel
}

// misposType is what one TransType means. The zero value: ignored.
type misposType struct {
	known bool
	kind  refund.Kind
	copy  refund.Copy
	again bool // its kind is that of another TransType, in tag type_again
}

// misposChannels returns the channels in the order in which their words are looked for in
// an issuer's name (wires.md, mispos, 9F09).
func misposChannels() []refund.Channel {
	return []refund.Channel{refund.ChannelECNY, refund.ChannelWeChat, refund.ChannelAlipay, refund.ChannelUnionPayQR, refund.ChannelJD,
		refund.ChannelCard, refund.ChannelUnknown}
}

func newMisposProfile() profileBody {
	p := &misposProfile{kinds: map[string]string{}, copies: map[string]string{}, channels: map[string]*[]string{}, entries: map[string]string{}, tags: map[string]string{}}
	for _, c := range misposChannels() {
		p.channels[string(c)] = new([]string)
	}
	return p
}

func (p *misposProfile) wire(Memory) Wire { return newMispos(p) }

func (p *misposProfile) sanitiser() *sanitise.Sanitiser { return sanitise.Mispos(p.layout) }

func (p *misposProfile) read(s *section) {
	s.text("currency", &p.currency, isCurrency)
	s.texts("approved", &p.approved, isCode)
	s.texts("unknown", &p.unknown, isCode)
	s.texts("pending", &p.pending, isCode)
	s.names("kind", p.kinds, isTransType, isKind)
	s.names("copy", p.copies, isTransType, oneOf(string(refund.CopyReprint), string(refund.CopyDump)))
	s.names("entry", p.entries, isCode, isEntry)
	s.table("channel", func(t *section) {
		for _, c := range misposChannels() {
			t.texts(string(c), p.channels[string(c)], isWord)
		}
	})
	s.names("tag", p.tags, isTagName, isTag)
	s.table("tag", p.sameTag)
	p.conflicts(s)
}

// sameTag notes tags of the file that another name has too.
func (p *misposProfile) sameTag(t *section) {
	for name, n := range t.nodes {
		t.known = append(t.known, name)
		for other, tag := range p.tags {
			if other != name && n.kind == tomlfile.Text && tag == n.text {
				t.fail(n, name, "got %q, which %s has too", n.text, other)
			}
		}
	}
}

// finish makes the tables that the wire looks things up in.
func (p *misposProfile) finish() error {
	p.outcomes = map[string]refund.Outcome{}
	for _, list := range []struct {
		codes   []string
		outcome refund.Outcome
	}{{p.approved, refund.Approved}, {p.unknown, refund.Unknown}, {p.pending, refund.Pending}} {
		for _, code := range list.codes {
			if other, twice := p.outcomes[code]; twice && other != list.outcome {
				return fmt.Errorf("result code %q is both %s and %s", code, other, list.outcome)
			}
			p.outcomes[code] = list.outcome
		}
	}
	p.words = p.words[:0]
	for _, c := range misposChannels() {
		for _, word := range *p.channels[string(c)] {
			p.words = append(p.words, misposWord{strings.ToLower(word), c})
		}
	}
	for code, kind := range p.kinds {
		n, _ := strconv.Atoi(code)
		p.types[n] = misposType{known: true, kind: refund.Kind(kind)}
	}
	for code, why := range p.copies {
		n, _ := strconv.Atoi(code)
		t := misposType{known: true, kind: p.types[n].kind, copy: refund.Copy(why), again: why == string(refund.CopyReprint)}
		if !t.again && t.kind == "" {
			return fmt.Errorf("trans type %s is a %s, but of no kind", code, why)
		}
		p.types[n] = t
	}
	return p.makeLayout()
}

func (p *misposProfile) makeLayout() error {
	var fields []mispos.Field
	for _, f := range mispos.Standard() {
		tag, err := strconv.ParseUint(p.tags[f.Name], 16, 16)
		if err != nil {
			continue // an empty text in the file: the terminal has no such field
		}
		f.Tag = mispos.Tag(tag)
		fields = append(fields, f)
	}
	l, err := mispos.NewLayout(fields)
	p.layout = l
	return err
}

func isCurrency(s string) string {
	if currency.Known(s) {
		return ""
	}
	return "ISO 4217 letters, such as CNY"
}

// isWord accepts a part of a name. Every name would hold an empty one.
func isWord(s string) string {
	if strings.TrimSpace(s) == "" {
		return "a word"
	}
	return ""
}

// isCode accepts what a code on the wire can be: it is compared without trailing
// spaces.
func isCode(s string) string {
	if s == "" || s[len(s)-1] == ' ' {
		return "a code without spaces behind it"
	}
	return ""
}

func isTransType(s string) string {
	if n, err := strconv.ParseUint(s, 10, 8); err != nil || strconv.FormatUint(n, 10) != s {
		return "a number from 0 to 255"
	}
	return ""
}

func isKind(s string) string {
	return oneOf(string(refund.KindSale), string(refund.KindRefund), string(refund.KindVoid), string(refund.KindReversal),
		string(refund.KindPreauth), string(refund.KindPreauthVoid), string(refund.KindCompletion),
		string(refund.KindCompletionVoid), string(refund.KindAdjust), string(refund.KindVoidRefund), string(refund.KindSettlement))(s)
}

func isEntry(s string) string {
	return oneOf(string(refund.EntryChip), string(refund.EntrySwipe), string(refund.EntryContactless), string(refund.EntryFallback),
		string(refund.EntryKeyed), string(refund.EntryQRShown), string(refund.EntryQRScanned), string(refund.EntryNone))(s)
}

func isTagName(s string) string {
	for _, f := range mispos.Standard() {
		if f.Name == s {
			return ""
		}
	}
	return "the name of a field"
}

func isTag(s string) string {
	n, err := strconv.ParseUint(s, 16, 16)
	if err != nil || n>>8 != 0x9F || mispos.Tag(n).String() != s {
		return "a tag such as 9F21, in capitals"
	}
	return ""
}

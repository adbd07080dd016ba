package ingest

import (
	"slices"
	"strconv"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/agent/tomlfile"
)

// What is wrong with a profile although each value is good by itself: two members that
// contradict each other, or one that can never count. Each is an error at the place of
// the member that the file states; what it contradicts may stand in the embedded profile.

// under returns the node of a key inside a table of the file; nil if the file has none.
func (s *section) under(table, key string) *node {
	if t := s.nodes[table]; t != nil {
		return t.table[key]
	}
	return nil
}

// conflict notes an error of a key inside a table.
func (s *section) conflict(table, key, format string, args ...any) {
	if n := s.under(table, key); n != nil {
		s.fail(n, table+"."+key, format, args...)
	}
}

// bothLists notes codes in the file's list key that stand in the list other too.
func (s *section) bothLists(key, other string, codes []string) {
	n := s.nodes[key]
	if n == nil || n.kind != tomlfile.List {
		return
	}
	for _, item := range n.items {
		if item.kind == tomlfile.Text && slices.Contains(codes, item.text) {
			s.fail(item, key, "got %q, which is in %s too", item.text, other)
		}
	}
}

// conflicts notes what members of a mispos profile contradict each other.
func (p *misposProfile) conflicts(s *section) {
	lists := []struct {
		key   string
		codes []string
	}{{"approved", p.approved}, {"unknown", p.unknown}, {"pending", p.pending}}
	for i, list := range lists {
		for k, other := range lists {
			if i != k {
				s.bothLists(list.key, other.key, other.codes)
			}
		}
	}
	reprints := false
	for code, why := range p.copies {
		reprints = reprints || why == string(refund.CopyReprint)
		switch kind := p.kinds[code]; {
		case why == string(refund.CopyDump) && kind == "":
			s.conflict("copy", code, "a dump of no kind: [kind] has no %s", code)
			if s.under("copy", code) == nil {
				s.conflict("kind", code, "taken out, but [copy] has it as a dump")
			}
		case why == string(refund.CopyReprint) && kind != "":
			s.conflict("kind", code, "never counts: [copy] has %s as a reprint, whose kind is that of the tag type_again", code)
			if s.under("kind", code) == nil {
				s.conflict("copy", code, "a reprint has the kind of the tag type_again, but [kind] has %s as %s", code, kind)
			}
		}
	}
	for _, need := range []struct {
		tag, why string
		needed   bool
	}{
		{"type", "it tells what a message is", true},
		{"result", "a message without a result is a request and makes no record", true},
		{"type_again", "[copy] has reprints, which say in it what they are of", reprints},
	} {
		if need.needed && p.tags[need.tag] == "" {
			s.conflict("tag", need.tag, "got no tag, want one: %s", need.why)
		}
	}
	p.wordConflicts(s)
}

// wordConflicts notes words of 9F09 that are never reached: each name that holds one holds
// a word of an earlier channel too.
func (p *misposProfile) wordConflicts(s *section) {
	channels := misposChannels()
	for i, c := range channels {
		n := s.under("channel", string(c))
		for _, word := range *p.channels[string(c)] {
			for _, earlier := range channels[:i] {
				list := *p.channels[string(earlier)]
				k := slices.IndexFunc(list, func(e string) bool { return strings.Contains(strings.ToLower(word), strings.ToLower(e)) })
				if k < 0 {
					continue
				}
				if n != nil {
					s.fail(itemOf(n, word), "channel."+string(c), "%q never counts: %s comes first and has %q", word, earlier, list[k])
				} else if e := s.under("channel", string(earlier)); e != nil {
					s.fail(itemOf(e, list[k]), "channel."+string(earlier), "%q takes every name with %q from %s", list[k], word, c)
				}
			}
		}
	}
}

// itemOf returns the node of a text in an array, the array's own if it is not there.
func itemOf(array *node, text string) *node {
	for _, item := range array.items {
		if item.kind == tomlfile.Text && item.text == text {
			return item
		}
	}
	return array
}

// conflicts notes what members of a cup8583 profile contradict each other.
func (p *cupProfile) conflicts(s *section) {
	s.bothLists("approved", "unknown", p.unknown)
	s.bothLists("unknown", "approved", p.approved)
	s.bothLists("unknown", "reversal_approved", p.reversalApproved)
	s.bothLists("reversal_approved", "unknown", p.unknown)
	for _, number := range []int{3, 11, 39, 41, 42} {
		if name := strconv.Itoa(number); p.fields[name] == "" {
			s.conflict("field", name, "got no form, want one: kinds, pairs and outcomes are told by it")
		}
	}
	keys := make([]string, 0, len(p.kinds))
	for key := range p.kinds {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if s.under("kind", key) == nil {
			continue
		}
		for _, other := range keys {
			// Two lines of the file are named once, at the second.
			if second := s.under("kind", other) == nil || s.under("kind", other).at.Before(s.under("kind", key).at); second && p.kinds[key] != p.kinds[other] && overlap(key, other) {
				s.conflict("kind", key, `is %s, but %q, which fits the same messages, is %s (F25 is asked only where F60.1 is missing); "" takes a line out`,
					p.kinds[key], other, p.kinds[other])
			}
		}
	}
}

// overlap reports whether two lines of the kind table fit one and the same message, so
// that its kind is not known.
func overlap(a, b string) bool {
	x, y := strings.Split(a, " "), strings.Split(b, " ")
	both := func(i int) bool { return x[i] == "*" || y[i] == "*" || x[i] == y[i] }
	// Where neither asks for F60.1, F25 distinguishes them in messages that have no F60.1.
	byCondition := x[3] == "*" && y[3] == "*" && !both(2)
	return x[0] == y[0] && both(1) && both(3) && !byCondition
}

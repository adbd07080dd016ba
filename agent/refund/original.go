package refund

import "time"

// SearchResult is how the search for an original ended (verdicts.md § 2).
type SearchResult uint8

const (
	// SearchFound: one original.
	SearchFound SearchResult = iota + 1
	// SearchFoundOfSeveral: several fit, the recipient matches all, the latest is taken.
	SearchFoundOfSeveral
	// SearchDifferentFromAll: several fit, the recipient is strongly different from all.
	SearchDifferentFromAll
	// SearchAmbiguous: several fit and nothing decides.
	SearchAmbiguous
	// SearchNoReference: the refund names no sale. This and the next are lines 1 and 3 to 7
	// of "No hit" (verdicts.md § 2); waits depends on their being the last.
	SearchNoReference
	SearchOriginalUnusable // line 3: the sale that it names took no money
	SearchOtherDay         // line 4: the number exists, on another day
	SearchOtherTerminal    // line 5: the sale may be of another terminal
	SearchHistoryGap       // line 6: the sale may be older than the journal
	SearchNoOriginal       // line 7: there is no such sale
)

// waits reports whether a verdict with this result is released only after pending_grace (verdicts.md § 2).
func (s SearchResult) waits() bool { return s >= SearchNoReference }

// Search is the way to an original and what was met on it.
type Search struct {
	Result        SearchResult
	Original      *Event // nil unless found
	FoundBy       string // a FoundBy constant, "" if not found
	OtherMerchant bool   // line 2 of "No hit"
	DateFlaw      bool   // original.date names no day
	Date          string // the day it names, YYYY-MM-DD, "" not given
	JournalFrom   string // first day of the journal, YYYY-MM-DD, for lines 6 and 7
	// Fit are the events that fit equally well, where several did; for line 3 and 4
	// those that would have fitted.
	Fit []*Event
	// leftOut are those that narrowing steps f and g left out.
	leftOut []*Event
}

// candidate is a sale or completion looked at for one refund.
type candidate struct {
	*Event
	at       time.Time
	timed    bool
	unusable bool
	own      bool // of the refund's merchant
	compared *Comparison
}

// search looks for the original of one refund or void.
type search struct {
	w      *work
	r      *Event
	made   time.Time // the refund's at
	date   day
	dated  bool
	result Search
	all    []*candidate // by seq
}

// findOriginal is verdicts.md § 2.
func (w *work) findOriginal(r *Event) (Search, error) {
	s := &search{w: w, r: r}
	s.made, _ = r.Record.Time()
	s.date, s.dated, s.result.DateFlaw = refundDate(r.Record.Original.Date, dayOf(s.made))
	if s.dated {
		s.result.Date = s.date.String()
	}
	if !hasKey(&r.Record) {
		return s.byParty()
	}
	events, err := w.find(wantedKeys(nil, &r.Record))
	if err != nil {
		return s.result, err
	}
	s.take(events)
	for _, key := range triedKeys {
		var hits []*candidate
		for _, c := range s.all {
			if c.own && !c.unusable && key.names(&r.Record, &c.Record) && (!key.byDay || s.dayFits(c) || s.compare(c).Recipient.Match()) {
				hits = append(hits, c)
			}
		}
		if len(hits) > 0 {
			return s.result, s.choose(key.name, hits)
		}
	}
	s.noHit()
	return s.result, nil
}

// take keeps of some events those that may be originals of r at all.
func (s *search) take(events []*Event) {
	for _, e := range events {
		k := e.Record.Kind
		if !k.IsSale() || e.Record.Training || s.r.Record.Kind == KindCompletionVoid && k != KindCompletion {
			continue
		}
		c := &candidate{Event: e, own: e.Record.MerchantID == s.r.Record.MerchantID, unusable: unusable(&e.Record) != ""}
		c.at, c.timed = e.Record.Time()
		s.all = append(s.all, c)
	}
}

// searchKey is one line of verdicts.md § 2's table of keys.
type searchKey struct {
	name  string
	byDay bool // a number that comes round again: the date decides too
	names func(r, sale *Record) bool
}

var triedKeys = [...]searchKey{
	{FoundByChannelTxn, false, func(r, s *Record) bool {
		return Given(r.Original.ChannelTxn) && s.ChannelTxn == r.Original.ChannelTxn
	}},
	{FoundByOrderNo, false, func(r, s *Record) bool {
		return Given(r.Original.OrderNo) && s.OrderNo == r.Original.OrderNo
	}},
	{FoundByRRN, true, func(r, s *Record) bool {
		return Given(r.Original.RRN) && s.RRN == r.Original.RRN
	}},
	{FoundByStan, true, func(r, s *Record) bool {
		o := &r.Original
		return Given(o.Stan) && s.Stan == o.Stan && s.TerminalID == originalTerminal(r) &&
			(!Given(o.Batch) || s.Batch == o.Batch)
	}},
}

// dayFits reports whether the refund states no date, or c's is at most one day off.
// What has no time fits any day.
func (s *search) dayFits(c *candidate) bool {
	return !s.dated || !c.timed || nearDay(dayOf(c.at), s.date)
}

// compare compares the refund's recipient with c's payer, once.
func (s *search) compare(c *candidate) Comparison {
	if c.compared == nil {
		x := Compare(c.Record.Party, s.r.Record.Party)
		c.compared = &x
	}
	return *c.compared
}

func strongMatch(c Comparison) bool { return c.Recipient.Match() && c.Evidence == Strong }

func strongDifference(c Comparison) bool { return c.Recipient == Different && c.Evidence == Strong }

// byParty looks for the original of a refund that names none (verdicts.md § 2, key party).
func (s *search) byParty() (Search, error) {
	tokens := s.r.Record.Party.AllTokens()
	if len(tokens) > 0 {
		events, err := s.w.payers(tokens)
		if err != nil {
			return s.result, err
		}
		s.take(events)
	}
	var hits []*candidate
	var events []*Event
	for _, c := range s.all {
		if c.own && !c.unusable && strongMatch(s.compare(c)) {
			hits, events = append(hits, c), append(events, c.Event)
		}
	}
	if err := s.w.relate(events); err != nil {
		return s.result, err
	}
	hits, err := filter(hits, func(c *candidate) (bool, error) {
		if ok, err := s.effective(c); !ok {
			return false, err
		}
		amount, _, err := s.w.amountOf(c.Event)
		return amount >= s.r.Record.Amount, err
	})
	if err != nil {
		return s.result, err
	}
	if len(hits) > 0 {
		return s.result, s.choose(FoundByParty, hits)
	}
	s.result.Result = SearchNoReference
	return s.result, nil
}

// effective reports whether the sale counts as one at the time of the refund (verdicts.md § 2, Effective).
func (s *search) effective(c *candidate) (bool, error) {
	if !moneyMayMove(c.Record.Outcome) || c.UndoneBy != 0 {
		return false, nil
	}
	v, err := s.w.voidedBy(c.Event, s.r.Seq)
	return v == nil, err
}

// filter returns the candidates for which keep returns true, in order.
func filter(cs []*candidate, keep func(*candidate) (bool, error)) ([]*candidate, error) {
	var kept []*candidate
	for _, c := range cs {
		ok, err := keep(c)
		if err != nil {
			return nil, err
		}
		if ok {
			kept = append(kept, c)
		}
	}
	return kept, nil
}

// noHit is "No hit in the same merchant", lines 2 to 7; the first that applies.
func (s *search) noHit() {
	r := &s.r.Record
	if c, key := s.otherMerchant(); c != nil {
		s.result.Result, s.result.Original, s.result.FoundBy = SearchFound, c.Event, key
		s.result.OtherMerchant = true
		return
	}
	var spoilt, otherDay []*Event
	proof := true // the recipient is strongly different from all of otherDay
	for _, c := range s.all {
		if !c.own {
			continue
		}
		for _, key := range triedKeys {
			if !key.names(r, &c.Record) {
				continue
			}
			fits := !key.byDay || s.dayFits(c)
			switch {
			case c.unusable && (fits || s.compare(c).Recipient.Match()):
				spoilt = append(spoilt, c.Event)
			case !c.unusable: // else it would be a hit
				otherDay = append(otherDay, c.Event)
				proof = proof && strongDifference(s.compare(c))
			}
		}
	}
	switch {
	case len(spoilt) > 0:
		s.result.Result, s.result.Fit = SearchOriginalUnusable, sortEvents(spoilt)
	case len(otherDay) > 0 && !proof:
		s.result.Result, s.result.Fit = SearchOtherDay, sortEvents(otherDay)
	case Given(r.Original.TerminalID) && !s.w.bounds.Covers(r.Original.TerminalID):
		s.result.Result = SearchOtherTerminal
	default:
		s.coverage()
	}
}

// otherMerchant is line 2.
func (s *search) otherMerchant() (*candidate, string) {
	r := &s.r.Record
	hits := func(names func(r, s *Record) bool, fits func(*candidate) bool) (found []*candidate) {
		for _, c := range s.all {
			if !c.own && !c.unusable && names(r, &c.Record) && fits(c) {
				found = append(found, c)
			}
		}
		return found
	}
	byTxn := hits(triedKeys[0].names, func(*candidate) bool { return true })
	if len(byTxn) > 0 {
		if len(byTxn) == 1 {
			return byTxn[0], FoundByChannelTxn
		}
		return nil, ""
	}
	if !s.dated {
		return nil, ""
	}
	byRRN := hits(triedKeys[2].names, func(c *candidate) bool { return dayOf(c.at) == s.date })
	if len(byRRN) == 0 {
		byRRN = hits(triedKeys[2].names, func(c *candidate) bool { return nearDay(dayOf(c.at), s.date) })
	}
	if len(byRRN) == 1 {
		return byRRN[0], FoundByRRN
	}
	return nil, ""
}

// coverage is lines 6 and 7.
func (s *search) coverage() {
	s.result.Result = SearchNoOriginal
	first, midnight, known := s.w.bounds.begin()
	if !known {
		first, midnight = dayOf(s.made), false
	}
	s.result.JournalFrom = first.String()
	gap := false
	if s.dated {
		gap = s.date < first || s.date == first && !midnight
	} else {
		gap = int(dayOf(s.made)-first) < s.w.j.settings.window(s.r.Record.Channel)
	}
	if gap {
		s.result.Result = SearchHistoryGap
	}
}

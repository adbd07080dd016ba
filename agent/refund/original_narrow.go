package refund

// choose narrows the hits of one key down to an original (verdicts.md § 2, a to g), or notes
// that several fit.
func (s *search) choose(key string, hits []*candidate) error {
	s.result.FoundBy = key
	left, err := s.narrow(key, hits)
	if err != nil {
		return err
	}
	if len(left) == 1 {
		s.result.Result, s.result.Original = SearchFound, left[0].Event
		return nil
	}
	matches, differs := true, true
	var events []*Event
	for _, c := range left {
		x := s.compare(c)
		matches = matches && x.Recipient.Match()
		differs = differs && strongDifference(x)
		events = append(events, c.Event)
	}
	s.result.Fit = events
	switch {
	case matches:
		s.result.Result, s.result.Original = SearchFoundOfSeveral, latest(events)
	case differs:
		s.result.Result = SearchDifferentFromAll
	default:
		s.result.Result = SearchAmbiguous
	}
	return nil
}

// narrow applies the steps in order, each only if it leaves anything.
func (s *search) narrow(key string, hits []*candidate) ([]*candidate, error) {
	if len(hits) == 1 {
		return hits, nil
	}
	r := &s.r.Record
	step := func(keep func(*candidate) bool) bool {
		kept, _ := filter(hits, func(c *candidate) (bool, error) { return keep(c), nil })
		if len(kept) > 0 {
			hits = kept
		}
		return len(kept) > 0
	}
	if s.dated && !step(func(c *candidate) bool { return dayOf(c.at) == s.date }) { // a
		step(func(c *candidate) bool { return nearDay(dayOf(c.at), s.date) })
	}
	if Given(r.Original.TerminalID) { // b
		step(func(c *candidate) bool { return c.Record.TerminalID == r.Original.TerminalID })
	}
	if channelKnown(r.Channel) { // c
		step(func(c *candidate) bool { return sameChannel(c.Record.Channel, r.Channel) })
	}
	step(func(c *candidate) bool { return !c.at.After(s.made.Add(sameClock)) }) // d
	if len(hits) == 1 {
		return hits, nil
	}
	return s.narrowByHistory(key, hits)
}

// narrowByHistory is steps e to g.
func (s *search) narrowByHistory(key string, hits []*candidate) ([]*candidate, error) {
	var events []*Event
	for _, c := range hits {
		events = append(events, c.Event)
	}
	if err := s.w.relate(events); err != nil {
		return nil, err
	}
	kept, err := filter(hits, s.effective) // e
	if err != nil {
		return nil, err
	}
	if len(kept) > 0 {
		hits = kept
	}
	var small []*candidate
	kept, err = filter(hits, func(c *candidate) (bool, error) { // f
		fits, err := s.fits(key, c)
		if !fits {
			small = append(small, c)
		}
		return fits, err
	})
	if err != nil {
		return nil, err
	}
	if len(kept) > 0 {
		hits = kept
		s.leaveOut(small)
	}
	if len(hits) > 1 && (key == FoundByParty || key == FoundByStan && !s.dated) { // g
		events = events[:0]
		for _, c := range hits {
			events = append(events, c.Event)
		}
		last := latest(events)
		for _, c := range hits {
			if c.Event == last {
				kept = []*candidate{c}
			} else {
				s.leaveOut([]*candidate{c})
			}
		}
		hits = kept
	}
	return hits, nil
}

// fits is step f: the candidate's amount is enough; where only its payer
// matches, the refund's amount must fit it too.
func (s *search) fits(key string, c *candidate) (bool, error) {
	if key != FoundByParty {
		amount, _, err := s.w.amountOf(c.Event)
		return amount >= s.r.Record.Amount, err
	}
	supposed, err := s.w.suppose(s.r, c.Event)
	return err == nil && !supposed.faulty(), err
}

// suppose returns the case of a refund or void whose original were this sale, found by its
// payer alone.
func (w *work) suppose(r, sale *Event) (*Case, error) {
	c := &Case{Refund: r, Original: sale, Search: Search{Result: SearchFound, Original: sale, FoundBy: FoundByParty}}
	c.settleRecipient()
	return c, w.money(c)
}

func (s *search) leaveOut(cs []*candidate) {
	for _, c := range cs {
		s.result.leftOut = append(s.result.leftOut, c.Event)
	}
}

// matchesLeftOut reports whether the recipient compares same or equivalent with a
// payer that steps f and g left out: then a difference is only a guess (verdicts.md § 2).
func (s *Search) matchesLeftOut(r *Event) bool {
	for _, e := range s.leftOut {
		if Compare(e.Record.Party, r.Record.Party).Recipient.Match() {
			return true
		}
	}
	return false
}

package refund

import "strconv"

// partEnd ends each part of a Key's value.
const partEnd = "\x1f"

// IsSale reports whether money came in: sales and completions, the candidates of verdicts.md § 2.
func (k Kind) IsSale() bool { return k == KindSale || k == KindCompletion }

// Pays reports whether the party of such a record is who pays: sales, completions and preauths.
func (k Kind) Pays() bool { return k.IsSale() || k == KindPreauth }

// IsVoid reports whether "void" in verdicts.md means this kind.
func (k Kind) IsVoid() bool { return k == KindVoid || k == KindCompletionVoid }

// Judged reports whether records of this kind get a verdict.
func (k Kind) Judged() bool { return k == KindRefund || k.IsVoid() }

// reversible reports whether a reversal may undo this kind (verdicts.md § 1.5).
func (k Kind) reversible() bool {
	return k.IsSale() || k.Judged() || k == KindVoidRefund || k == KindAdjust
}

// stanKey is the key of a number at a terminal. Without a batch it finds, and is
// found by, that number in every batch.
func stanKey(terminal, stan, batch string, anyBatch bool) Key {
	if anyBatch {
		return Key{Kind: KeyStan, Value: terminal + partEnd + stan + partEnd}
	}
	return Key{Kind: KeyStan, Value: terminal + partEnd + stan + partEnd + batch + partEnd}
}

func oneKey(kind KeyKind, value string) Key { return Key{Kind: kind, Value: value + partEnd} }

func refundsOfKey(seq int64) Key { return oneKey(KeyRefundsOf, strconv.FormatInt(seq, 10)) }

func batchKey(r *Record) Key {
	return Key{Kind: KeyBatch, Value: r.MerchantID + partEnd + r.TerminalID + partEnd + r.Batch + partEnd}
}

// ownKeys appends the keys by which others find this record for what it is itself.
func ownKeys(dst []Key, r *Record) []Key { return ownKeysIn(dst, r, false) }

// ownKeysIn is ownKeys; anyBatch: its number at the terminal without the batch.
func ownKeysIn(dst []Key, r *Record, anyBatch bool) []Key {
	add := func(kind KeyKind, value string) {
		if value != "" {
			dst = append(dst, oneKey(kind, value))
		}
	}
	switch {
	case r.Kind.IsSale():
		add(KeyChannelTxn, r.ChannelTxn)
		add(KeyOrderNo, r.OrderNo)
		add(KeyRRN, r.RRN)
	case r.Kind.Judged():
		add(KeyChannelRefund, r.ChannelRefund)
		add(KeyRefundNo, r.RefundNo)
		if r.Kind == KindRefund {
			add(KeyRRN, r.RRN) // a void_refund may name it by that
		}
	case r.Kind == KindSettlement:
		if r.Batch != "" {
			dst = append(dst, batchKey(r))
		}
		return dst
	case r.Kind == KindJournal:
		return dst
	}
	if r.Stan != "" {
		dst = append(dst, stanKey(r.TerminalID, r.Stan, r.Batch, anyBatch))
	}
	return dst
}

// wantedKeys appends the keys of what this record points at (verdicts.md § 2; § 1.5 for a
// void_refund; § 3 for an adjust).
func wantedKeys(dst []Key, r *Record) []Key {
	o := &r.Original
	want := func(k Key) { k.Wants = true; dst = append(dst, k) }
	switch {
	case r.Kind.Judged():
		n := len(dst)
		if Given(o.ChannelTxn) {
			want(oneKey(KeyChannelTxn, o.ChannelTxn))
		}
		if Given(o.OrderNo) {
			want(oneKey(KeyOrderNo, o.OrderNo))
		}
		if Given(o.RRN) {
			want(oneKey(KeyRRN, o.RRN))
		}
		if Given(o.Stan) {
			want(stanKey(originalTerminal(r), o.Stan, o.Batch, !Given(o.Batch)))
		}
		if len(dst) == n {
			for _, t := range r.Party.AllTokens() {
				want(oneKey(KeyParty, t))
			}
		}
	case r.Kind == KindVoidRefund:
		if Given(o.ChannelTxn) {
			want(oneKey(KeyChannelRefund, o.ChannelTxn))
		}
		if Given(o.OrderNo) {
			want(oneKey(KeyRefundNo, o.OrderNo))
		}
		fallthrough
	case r.Kind == KindAdjust:
		if Given(o.RRN) {
			want(oneKey(KeyRRN, o.RRN))
		}
		if Given(o.Stan) && Given(o.Batch) {
			want(stanKey(r.TerminalID, o.Stan, o.Batch, false))
		}
	}
	return dst
}

// originalTerminal is the terminal at which original.stan counts (verdicts.md § 2, key stan).
func originalTerminal(r *Record) string {
	if Given(r.Original.TerminalID) {
		return r.Original.TerminalID
	}
	return r.TerminalID
}

// hasKey reports whether a refund names its original by any number (verdicts.md § 2).
func hasKey(r *Record) bool {
	o := &r.Original
	return Given(o.ChannelTxn) || Given(o.OrderNo) || Given(o.RRN) || Given(o.Stan)
}

// waiterKeys appends the keys to look up for the refunds and voids that a sale may
// concern: all that point at one of its numbers, and those without any number
// whose recipient may be its payer.
func waiterKeys(dst []Key, sale *Record) []Key {
	dst = ownKeysIn(dst, sale, true) // also those that name no batch
	p := sale.Party
	if p == nil {
		return dst
	}
	add := func(tokens []string) {
		for _, t := range tokens {
			dst = append(dst, oneKey(KeyParty, t))
		}
	}
	add(p.Tokens)
	for i := range p.Also {
		add(p.Also[i].Tokens)
	}
	add(p.PARTokens)
	return dst
}

// KeysOf returns the keys that an event with this record has whatever was judged about it:
// all of those that get no verdict, but KeyBatch. A store makes keys of its records again.
func KeysOf(r *Record) []Key { return storedKeys(&Event{Record: *r}, nil) }

// KeysOfRefunds returns what to look for to find the refunds and voids whose original a sale is,
// and perhaps others: the caller compares their verdicts.
func KeysOfRefunds(sale *Event) []Key {
	return append(waiterKeys(nil, &sale.Record), refundsOfKey(sale.Seq))
}

// KeysOfBatch returns what to look for to find the settlements of a record's batch.
func KeysOfBatch(r *Record) []Key { return []Key{batchKey(r)} }

// storedKeys returns all keys of an event but KeyBatch, which depends on others.
// No search finds unusable and training records, except unusable sales, which
// explain why a refund has no original (verdicts.md § 2, line 3).
func storedKeys(e *Event, v *Verdict) []Key {
	r := &e.Record
	if r.Training {
		return nil
	}
	if unusable(r) != "" && !r.Kind.IsSale() && r.Kind != KindSettlement {
		return nil
	}
	keys := wantedKeys(ownKeys(make([]Key, 0, 6), r), r)
	if v == nil {
		return keys
	}
	if v.Original != nil && !namedForGood(r, v.Original.FoundBy) {
		k := refundsOfKey(v.Original.Seq)
		k.Wants = true
		keys = append(keys, k)
	}
	if dependsOnCoverage(v) {
		keys = append(keys, Key{Kind: KeyUnfound})
	}
	return keys
}

// namedForGood reports whether a refund or void names its original, which was found so, by a
// key that the sale owns too: then it lies beside the sale, and needs no KeyRefundsOf.
func namedForGood(r *Record, foundBy string) bool {
	switch foundBy {
	case FoundByChannelTxn, FoundByOrderNo, FoundByRRN:
		return true
	case FoundByStan:
		return Given(r.Original.Batch) // else it wants that number of any batch
	}
	return false
}

// dependsOnCoverage reports whether a verdict is one of lines 5 to 7 of "No hit":
// those a journal record may change (verdicts.md § 2).
func dependsOnCoverage(v *Verdict) bool {
	switch v.Reason {
	case ReasonOtherTerminal, ReasonHistoryGap, ReasonNoOriginal:
		return true
	}
	// A merchant account hides the reason (recipient different, verdicts.md § 2).
	return v.Original == nil && v.Recipient == Different
}

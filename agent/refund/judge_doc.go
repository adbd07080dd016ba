// # What a verdict depends on
//
// The verdict about a refund or void R (its seq is r) is a function of
//
//   - R's own event: its record as completed, and whether it is undone;
//   - the candidates: the sales and completions, of whichever merchant, that own a
//     number R points at, or, if R points at nothing, that share a token with its
//     recipient; of each its record, whether it is undone, and the adjusts that
//     name it;
//   - the refunds and voids before r whose verdict names one of those candidates as
//     original, and by which key: voids for "effective" and "voided", refunds for
//     "counted", for the corrected refund and for the reissue rules, guesses for the
//     severities;
//   - the bounds of the journal, in lines 5 to 7 of "No hit" only.
//
// Nothing in it looks at a refund or void after r. So verdicts can be judged in seq
// order, each once, and one that changes can only matter to later ones: judgeAll is
// a loop that ends, and what it leaves is the fixed point. Whether an event is undone
// depends on reversals, which nothing undoes, and on void_refunds, which only
// reversals undo: copy_undo.go settles void_refunds first and the rest after.
//
// # Which verdicts a record makes the judge look at again
//
// What depends on a sale points at one of its numbers or at nothing; so the lookup of
// the sale's own keys, with those of its party's tokens (waiterKeys), finds them all.
// That lookup is made
//
//   - for a sale that arrives, together with that for its copies: one call;
//   - for a sale that was completed, with its old and its new numbers;
//   - for a sale that is now undone, or no longer;
//   - for the sales that an adjust may name, when the adjust arrives, is completed,
//     or is undone;
//   - for the old and the new original of a refund or void whose event or verdict
//     changed, of those that come after it. Those that arrive come last, so that an
//     ordinary refund asks only for its own numbers and, once its candidates are
//     known, for what concerns them.
//
// A journal record marks the verdicts that own KeyUnfound. Nothing else reads more
// of the history than what shares a number with the record, but for a settlement,
// which reads its batch.
//
// # Where the contract leaves a choice
//
//   - data_error has no rule number: its rule is "" (verdicts.md § 5 shows a dash).
//   - § 1.2: an unusable record is no copy and has no copies; two alike
//     get a verdict each. An unusable settlement still adds up and counts once: § 6
//     has "each" of it, and what is seen again counts once. "In a copy" means a record
//     that § 1.3 finds to be one, whatever its member copy holds. A refund that was first
//     seen unknown or pending without an amount stays usable when a copy without an
//     amount approves it: it is of 0.
//   - § 1.3: "same amount": both state the same, or neither states one.
//   - § 1.3: a declined or closed event is left out before the latest of several is
//     taken, so that a second try is not hidden by the first. journal records are
//     never copies. A party of scheme none without PAR and also states nothing, so it
//     replaces none; where there was none at all, its text is taken. An amount is filled
//     before a payer_amount. A copy's own `copy` is not filled in.
//   - § 1.5: a void_refund's key 4 compares its own terminal. Of several that undo one
//     event the first by seq is named.
//   - § 2: where several fit, "compares" means the comparison of two parties, not the
//     whole table of § 4. The matches asked for after steps f and g may be weak. The
//     result "would be different" counts whatever made it so. A hit by key party adds
//     unreferenced_refund even if this turns it into "ambiguous". In line 4 "all of
//     those" are those of both keys. A date of year 0 does not exist.
//   - § 2: the grace is for refunds without a released verdict: a released verdict that
//     turns into one of lines 1 and 3 to 7 is revised at once.
//   - § 2: with several from all of whom the recipient differs, a merchant account
//     makes the evidence empty, as line 1 of § 4 does.
//   - § 3: "the last adjust" is the last by seq. An adjust whose batch and stan hit
//     nothing is looked for by rrn. Where neither original nor refund states a
//     currency, all refunds are counted. "Every counted refund" are those that are not
//     left out. loss_open is found whether or not the sum is checked.
//   - § 3, what a guess may find: over_refund or duplicate_refund is at medium if
//     without the counted guesses neither would be found. A guess of the same amount that
//     only turns over_refund into duplicate_refund does not soften it: what is too much
//     without any guess stays an alarm.
//   - § 3: a refund without an amount is of 0 in every sum, and of the same amount as
//     another without one.
//   - § 4: "refunded" for a void asks no currency.
//   - § 6: two settlements without a stan have the same stan. One whose approval or
//     totals turn up in a copy is checked then, in its place by seq, against what was
//     known when it was first seen.
//   - A verdict is revised too when only a text changed, because a text is made from
//     compared values; texts hold nothing else, so a plain copy changes none.
package refund

package refund

import "slices"

// Identified reports whether a clear identifier is one of a sealed party's; ok is false where the party has
// none that can be compared: none at all, or a masked number alone. A card number is compared with
// card numbers, an openid under the namespace of the party's own. Source: evidence.md § 1, match.
func (p *Party) Identified(clear Secret, t Tokenizer) (same, ok bool) {
	for _, one := range append([]Party{*p}, p.Also...) {
		if len(one.Tokens) == 0 || one.Scheme == SchemePANMasked {
			continue
		}
		ok = true
		for _, token := range identifierTokens(one.Scheme, one.Namespace, clear.Reveal(), t) {
			if slices.Contains(one.Tokens, token) {
				return true, true
			}
		}
	}
	return false, ok
}

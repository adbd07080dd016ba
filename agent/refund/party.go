package refund

import "slices"

// Scheme is what kind of identifier it is (records.md, scheme).
type Scheme string

const (
	SchemePAN           Scheme = "pan"
	SchemeDPAN          Scheme = "dpan"       // device token number of a phone or watch
	SchemePANMasked     Scheme = "pan_masked" // of a card or an e-CNY wallet
	SchemeWeChatOpenID  Scheme = "wechat_openid"
	SchemeAlipayUserID  Scheme = "alipay_user_id"
	SchemeAlipayOpenID  Scheme = "alipay_open_id"
	SchemeAlipayLogon   Scheme = "alipay_logon"
	SchemeUnionPayToken Scheme = "unionpay_token"
	SchemeECNYWallet    Scheme = "ecny_wallet" // number of an e-CNY wallet, in clear
	// SchemeAccount is the number or name of an account of any other way to pay, in
	// clear or masked: no card number, compared as text.
	SchemeAccount         Scheme = "account"
	SchemeAccountText     Scheme = "account_text"
	SchemeMerchantAccount Scheme = "merchant_account"
	SchemeCash            Scheme = "cash"
	SchemeNone            Scheme = "none"
)

// Party is who paid (sale, preauth, completion) or who gets the money (refund,
// void), as far as the record shows.
//
// Before Seal the identifiers stand in ID and PAR. After Seal those are empty
// and Tokens, Shown, Mask and PARTokens hold what may be kept. A Party is a
// value: nothing in this package changes one it was given.
type Party struct {
	Scheme    Scheme // "" means none
	Namespace string // the appid of an openid; else ""
	ID        Secret // clear identifier; empty once sealed
	// Tokens are keyed hashes of scheme, namespace and identifier, one per key
	// still in use, newest key first ("k2:…"); Tokens[0] is the member `token`.
	// pan and dpan hash as one scheme. An openid with a namespace has after them
	// the same once more without its namespace, because an openid whose namespace
	// the other side does not state is compared too (verdicts.md § 4). Two identifiers of one
	// scheme and namespace are equal if they share a token. Nil: no identifier.
	Tokens []string
	Shown  string // masked form for people
	// Mask is what is visible of a pan or pan_masked, for comparing masked
	// numbers; zero for other schemes and for a pan with a Flaw.
	Mask      Mask
	PAR       Secret   // clear payment account reference; empty once sealed
	PARTokens []string // as Tokens, for the PAR; nil: unknown
	Text      string   // the channel's own description of the account
	Also      []Party  // further identifiers of the same party; only Scheme, Namespace, ID, Tokens, Shown, Mask
	// Flaw is what is impossible about an identifier of scheme pan, its own or
	// one of Also (not 12 to 19 digits, check digit); "" if nothing. Set by Seal:
	// from the token it cannot be found out (verdicts.md § 1.2).
	Flaw string
}

// HasIdentifier reports whether a sealed party states any identifier that could be
// compared: its own or one of Also. none, cash, account_text and an empty
// identifier are none (verdicts.md § 4). A nil party has none. A PAR alone is none.
func (p *Party) HasIdentifier() bool {
	if p == nil {
		return false
	}
	if p.identifies() {
		return true
	}
	for i := range p.Also {
		if p.Also[i].identifies() {
			return true
		}
	}
	return false
}

// AllTokens returns every token by which a sealed party can be recognised: of its own
// identifier, of those in Also, and of the PAR. A nil party has none.
func (p *Party) AllTokens() []string {
	if p == nil {
		return nil
	}
	tokens := slices.Clone(p.Tokens)
	for i := range p.Also {
		tokens = append(tokens, p.Also[i].Tokens...)
	}
	return append(tokens, p.PARTokens...)
}

// identifies is HasIdentifier for the party's own identifier alone.
func (p *Party) identifies() bool {
	switch p.Scheme {
	case "", SchemeNone, SchemeCash, SchemeAccountText:
		return false
	}
	return len(p.Tokens) > 0
}

// Mask is the visible part of a card number: at most the first 6 and last 4 digits
// in clear, which is what a receipt shows. Digits further in are keyed tokens.
type Mask struct {
	// Lead is the number's beginning, at most 6 characters: digits, and '*' for a
	// hidden one that has a visible one behind it.
	Lead string
	// Tail is the number's end, at most 4 characters, in the same way.
	Tail string
	// Length is the number of digits of the whole card number, 0 if unknown
	// (exactly four stars hide an unknown number of digits, records.md).
	Length int
	// Middle holds the further visible digits of a masked number, as keyed
	// tokens: they compare, and do not print. A full card number has none (verdicts.md § 4: it
	// is compared with a masked one through its first 6, last 4 and length).
	Middle []MaskDigit
}

// MaskDigit is one visible digit outside the first 6 and last 4.
type MaskDigit struct {
	// Pos is the digit's place: > 0, 1-based from the left, whenever Length is
	// known or the digit stands before the first star; < 0, from the right (-1 is
	// the last), when Length is unknown and it stands after the last star.
	Pos    int
	Tokens []string // keyed hash of the digit, as Party.Tokens
}

// Tokenizer makes keyed tokens of clear identifiers. The ledger owns the keys.
type Tokenizer interface {
	// Tokens returns one token per key still in use, newest key first ("k2:<hex>").
	// label separates what must not be equal by accident (scheme and namespace).
	Tokens(label, clear string) []string
}

package refund

// Scheme says what an identifier is (records.md, party.scheme).
type Scheme string

const (
	SchemePAN             Scheme = "pan"
	SchemeDPAN            Scheme = "dpan" // device token number of a phone or watch
	SchemePANMasked       Scheme = "pan_masked"
	SchemeWeChatOpenID    Scheme = "wechat_openid"
	SchemeAlipayUserID    Scheme = "alipay_user_id"
	SchemeAlipayOpenID    Scheme = "alipay_open_id"
	SchemeAlipayLogon     Scheme = "alipay_logon"
	SchemeUnionPayToken   Scheme = "unionpay_token"
	SchemeAccountText     Scheme = "account_text"
	SchemeMerchantAccount Scheme = "merchant_account"
	SchemeCash            Scheme = "cash"
	SchemeNone            Scheme = "none"
)

// Party is who paid (sale, preauth, completion) or who gets the money (refund,
// void), as far as the record shows.
//
// Before Seal the identifiers stand in ID and PAR. After Seal those are empty
// and Tokens, Shown, Mask and PARTokens hold what may be kept.
type Party struct {
	Scheme    Scheme
	Namespace string // the appid of an openid; else ""
	ID        Secret // clear identifier; empty once sealed
	// Tokens is the keyed hash of scheme, namespace and identifier, one per key
	// still in use, newest key first ("k2:…"). pan and dpan hash as one scheme.
	// Two identifiers are equal if they share a token. Nil: no identifier.
	Tokens []string
	Shown  string // masked form for people
	// Mask is what is visible of a pan, dpan or pan_masked, for comparing masked
	// numbers; zero for other schemes.
	Mask      Mask
	PAR       Secret   // clear payment account reference; empty once sealed
	PARTokens []string // as Tokens, for the PAR; nil: unknown
	Text      string   // the channel's own description of the account
	Also      []Party  // further identifiers of the same party; only Scheme, Namespace, ID, Tokens, Shown, Mask
	// Flaw says what is impossible about the identifier (pan of 5 digits, Luhn);
	// "" if nothing. Set by Seal, because afterwards nobody can tell. § 1.2
	Flaw string
}

// Mask is the visible part of a card number: at most the first 6 and last 4 digits
// in clear, which is what Shown tells anyway.
type Mask struct {
	Lead string // digits before the first hidden one, at most 6 of them
	Tail string // digits after the last hidden one, at most 4 of them
	// Length is the number of digits of the whole card number, 0 if unknown
	// (exactly four stars hide an unknown number of digits, records.md).
	Length int
	// Middle holds the further visible digits of a masked number, as keyed
	// tokens of position and digit: they compare, and do not print.
	Middle []MaskDigit
}

// MaskDigit is one visible digit outside the first 6 and last 4.
type MaskDigit struct {
	Pos   int    // > 0: 1-based from the left; < 0: from the right, -1 the last
	Token string // keyed hash of the digit at this position
}

// Tokenizer makes keyed tokens of clear identifiers. The ledger owns the keys.
type Tokenizer interface {
	// Tokens gives one token per key still in use, newest key first ("k2:<hex>").
	// label separates what must not be equal by accident (scheme and namespace).
	Tokens(label, clear string) []string
}

// Secret is a clear identifier on its way to Seal. It cannot print, log or
// marshal itself. The zero value is "no identifier".
type Secret struct{ clear string }

// NewSecret takes a clear identifier.
func NewSecret(clear string) Secret { return Secret{clear} }

// Reveal gives the clear text. Only Seal, decoders and their tests may call it.
func (s Secret) Reveal() string { return s.clear }

// Empty reports whether there is no identifier.
func (s Secret) Empty() bool { return s.clear == "" }

package refund

import "strings"

// The values that records.md allows, member by member.
var (
	kinds = []Kind{KindSale, KindRefund, KindVoid, KindReversal, KindPreauth, KindPreauthVoid, KindCompletion,
		KindCompletionVoid, KindAdjust, KindVoidRefund, KindSettlement, KindJournal}
	outcomes = []Outcome{Approved, Declined, Unknown, Pending, Closed, Abnormal}
	copies   = []Copy{CopyReprint, CopyUpload, CopyDump}
	channels = []Channel{ChannelCard, ChannelWeChat, ChannelAlipay, ChannelUnionPayQR, ChannelJD, ChannelECNY, ChannelCash,
		ChannelUnknown}
	entries = []Entry{EntryChip, EntrySwipe, EntryContactless, EntryFallback, EntryKeyed, EntryQRShown, EntryQRScanned, EntryNone}
	routes  = []Route{RouteOriginal, RouteBalance, RouteOtherBalance, RouteOtherBankcard}
	schemes = []Scheme{SchemePAN, SchemeDPAN, SchemePANMasked, SchemeWeChatOpenID, SchemeAlipayUserID, SchemeAlipayOpenID,
		SchemeAlipayLogon, SchemeUnionPayToken, SchemeECNYWallet, SchemeAccount, SchemeAccountText, SchemeMerchantAccount, SchemeCash,
		SchemeNone}
)

// wordMode is which values besides the listed ones are taken.
type wordMode uint8

const (
	wordRequired wordMode = iota // none
	wordOptional                 // the empty one
	wordAny                      // any: what the store holds was judged when it came
)

// word reads a string that is one of the listed values.
func word[T ~string](d *reader, v *T, listed []T, mode wordMode) bool {
	at := d.At()
	b, ok := d.Quoted("a string")
	if !ok {
		return false
	}
	for _, w := range listed {
		if string(w) == string(b) {
			*v = w
			return true
		}
	}
	switch {
	case mode == wordAny, mode == wordOptional && len(b) == 0:
		*v = T(b)
		return true
	}
	names := make([]string, len(listed))
	for i, w := range listed {
		names[i] = string(w)
	}
	return d.Fail(at, safeWord(b), "one of "+strings.Join(names, ", "))
}

// safeWord returns a value that is not listed as an error may show it: only if it is
// made of a few letters, so that it cannot be a number.
func safeWord(b []byte) string {
	for _, c := range b {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return "another word"
		}
	}
	if len(b) > 20 {
		return "another word"
	}
	return `"` + string(b) + `"`
}

// required is the mode of a member that may not be empty where others may.
func required(m wordMode) wordMode {
	if m == wordOptional {
		return wordRequired
	}
	return m
}

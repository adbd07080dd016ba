package wire

import (
	"fmt"
	"strings"
)

// misposCarries returns what of a record the wire has no place for; the first such member is named.
func misposCarries(r *Record) error {
	no := func(member, why string) error { return &CannotCarry{"mispos", member, why} }
	if _, ok := transType(r); !ok {
		return no("kind", "no TransType for it")
	}
	switch {
	case r.Training:
		return no("training", "a terminal in training prints nothing")
	case r.Copy == "upload", r.Copy == "dump" && !(r.Kind == "sale" && r.Channel != "card"):
		return no("copy", "reprint, or dump of a wallet sale")
	case r.Funding != "":
		return no("funding", "no tag for it")
	case r.PayerAmount != nil:
		return no("payer_amount", "no tag for it")
	case r.Currency != "" && r.Currency != "CNY" && r.Currency != "RMB":
		return no("currency", "CNY by the acquirer's profile")
	case r.Amount < 0 || r.Amount > 999_999_999_999:
		return no("amount", "12 digits")
	case r.Journal != nil:
		return no("journal", "no tag for it")
	case (r.Totals != nil) != (r.Kind == "settlement"):
		return no("totals", "exactly in a settlement")
	case r.Channel == "cash":
		return no("channel", "card, wechat, alipay, unionpay_qr, jd, ecny, unknown")
	}
	if err := misposOutcome(r, no); err != nil {
		return err
	}
	if err := misposNumbers(r, no); err != nil {
		return err
	}
	return misposParty(r, no)
}

func misposOutcome(r *Record, no func(string, string) error) error {
	code := misposResult(r)
	read := "declined"
	switch code {
	case "00":
		read = "approved"
	case "98", "68":
		read = "unknown"
	case "P1":
		read = "pending"
	}
	if read != r.Outcome {
		return no("outcome", fmt.Sprintf("its result code reads as %s", read))
	}
	return nil
}

func misposNumbers(r *Record, no func(string, string) error) error {
	isWallet, back := wallet(r.Channel), moneyBack(r.Kind)
	switch {
	case isWallet && r.RRN != "":
		return no("rrn", "9F10 of a wallet is the channel's number")
	case !isWallet && r.ChannelTxn != "" || back && r.ChannelTxn != "":
		return no("channel_txn", "9F10 of a wallet sale only")
	case r.ChannelRefund != "" && !(isWallet && back):
		return no("channel_refund", "9F10 of a wallet's refund or void only")
	case back && r.OrderNo != "":
		return no("order_no", "9FFF of a refund or void is the original's")
	case !back && r.Original.OrderNo != "":
		return no("original.order_no", "only in refunds and voids")
	case r.Original.Batch != "":
		return no("original.batch", "no tag for it")
	case r.Original.AuthCode != "":
		return no("original.auth_code", "no tag for it")
	case r.Original.ChannelTxn != "":
		return no("original.channel_txn", "no tag for it")
	case r.Original.TerminalID != "":
		return no("original.terminal_id", "no tag for it")
	case r.Original.Stan != "" && (len(r.Original.Stan) != 6 || !digits(r.Original.Stan)):
		return no("original.stan", "six digits")
	}
	if d := strings.ReplaceAll(r.Original.Date, "-", ""); d != "" && (len(d) != 4 && len(d) != 8 || !digits(d)) {
		return no("original.date", "MMDD or YYYY-MM-DD")
	}
	return nil
}

// misposParty checks that a reader, who has only channel, account text and appid, gets the party back.
func misposParty(r *Record, no func(string, string) error) error {
	p := r.Party
	switch {
	case p.PAR != "":
		return no("party.par", "no tag for it")
	case len(p.Also) > 0:
		return no("party.also", "one account only")
	case p.Token != "" && p.ID == "":
		return no("party.token", "a wire carries identities in clear")
	}
	account := p.ID
	if account == "" {
		account = p.Text
	}
	read := misposScheme(r.Channel, account)
	if account == "" && (p.Scheme == "none" || p.Scheme == "") {
		return nil
	}
	if read != p.Scheme {
		return no("party.scheme", "the account reads as "+read)
	}
	if p.Namespace != "" && read != "wechat_openid" && read != "alipay_open_id" {
		return no("party.namespace", "only openids have one")
	}
	return nil
}

// misposScheme is how a reader takes an account text: the channel decides.
func misposScheme(channel, account string) string {
	stars := strings.Contains(account, "*")
	switch {
	case channel == "wechat":
		return "wechat_openid"
	case channel == "alipay" && len(account) == 16 && strings.HasPrefix(account, "2088") && digits(account):
		return "alipay_user_id"
	case channel == "alipay" && stars:
		return "alipay_logon"
	case channel == "alipay":
		return "alipay_open_id"
	case (channel == "jd" || channel == "unknown") && printable(account):
		return "account"
	case channel == "jd" || channel == "unknown":
		return "account_text"
	case digits(account) && channel == "ecny":
		return "ecny_wallet"
	case digits(account):
		return "pan"
	case digits(strings.ReplaceAll(account, "*", "")) || strings.Trim(account, "*") == "" && stars:
		return "pan_masked"
	case channel == "unionpay_qr":
		return "unionpay_token"
	}
	return "account_text"
}

// digits reports whether s is one or more ASCII digits and nothing else.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// printable reports whether s is printable ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

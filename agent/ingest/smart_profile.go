package ingest

import (
	_ "embed"
	"strings"

	"yuanlu/agent/refund"
	"yuanlu/agent/sanitise"
)

//go:embed smart.toml
var smartDefaults string

// smartProfile is a profile file of wire smart.
type smartProfile struct {
	wechat        smartWeChat
	wechatRefund  smartWeChatRefund
	wechatReverse struct{ errors map[string]string }
	alipay        smartAlipay
	alipayRefund  struct{ outcome, code map[string]string }
	unionpay      struct{ kind, outcome map[string]string }
	lakala        smartLakala
}

type smartWeChat struct{ outcome, errors, entry, funding map[string]string }

type smartWeChatRefund struct {
	outcome, errors map[string]string
	merchant        []string
}

type smartAlipay struct{ outcome, code, funding map[string]string }

type smartLakala struct {
	currency               string
	kind, channel, outcome map[string]string
}

func newSmartProfile() profileBody {
	p := new(smartProfile)
	for _, m := range []*map[string]string{
		&p.wechat.outcome, &p.wechat.errors, &p.wechat.entry, &p.wechat.funding,
		&p.wechatRefund.outcome, &p.wechatRefund.errors, &p.wechatReverse.errors,
		&p.alipay.outcome, &p.alipay.code, &p.alipay.funding, &p.alipayRefund.outcome, &p.alipayRefund.code,
		&p.unionpay.kind, &p.unionpay.outcome, &p.lakala.kind, &p.lakala.channel, &p.lakala.outcome,
	} {
		*m = map[string]string{}
	}
	return p
}

func (*smartProfile) finish() error { return nil }

func (p *smartProfile) wire(m Memory) Wire { return newSmart(p, m) }

func (*smartProfile) sanitiser() *sanitise.Sanitiser { return sanitise.Smart() }

func (p *smartProfile) read(s *section) {
	s.table("wechat", func(t *section) {
		t.names("outcome", p.wechat.outcome, isCode, isOutcome)
		t.names("error", p.wechat.errors, isCode, isOutcome)
		t.names("entry", p.wechat.entry, isCode, isEntry)
		t.names("funding", p.wechat.funding, isBankType, isFunding)
	})
	s.table("wechat_refund", func(t *section) {
		t.names("outcome", p.wechatRefund.outcome, isCode, isOutcome)
		t.names("error", p.wechatRefund.errors, isCode, isOutcome)
		t.texts("merchant", &p.wechatRefund.merchant, isCode)
	})
	s.table("wechat_reverse", func(t *section) { t.names("error", p.wechatReverse.errors, isCode, isOutcome) })
	s.table("alipay", func(t *section) {
		t.names("outcome", p.alipay.outcome, isCode, isOutcome)
		t.names("code", p.alipay.code, isCode, isOutcome)
		t.names("funding", p.alipay.funding, isCode, isFunding)
	})
	s.table("alipay_refund", func(t *section) {
		t.names("outcome", p.alipayRefund.outcome, isCode, isOutcome)
		t.names("code", p.alipayRefund.code, isCode, isOutcome)
	})
	s.table("unionpay", func(t *section) {
		t.names("kind", p.unionpay.kind, isTwoDigits, isKind)
		t.names("outcome", p.unionpay.outcome, isCode, isOutcome)
	})
	s.table("lakala", func(t *section) {
		t.text("currency", &p.lakala.currency, isCurrency)
		t.names("kind", p.lakala.kind, isProcCode, isKind)
		t.names("channel", p.lakala.channel, isCode, isChannel)
		t.names("outcome", p.lakala.outcome, isCode, isOutcome)
	})
}

// funding reads a bank_type: as a whole, or by what follows its last underscore.
func (p *smartWeChat) fundingOf(bank string) string {
	if f, ok := p.funding[bank]; ok {
		return f
	}
	if i := strings.LastIndexByte(bank, '_'); i > 0 {
		return p.funding["*"+bank[i:]]
	}
	return ""
}

func (p *smartAlipay) fundingOf(channel string) string {
	if f, ok := p.funding[channel]; ok {
		return f
	}
	return strings.ToLower(channel)
}

func isOutcome(s string) string {
	return oneOf(string(refund.Approved), string(refund.Declined), string(refund.Unknown),
		string(refund.Pending), string(refund.Closed), string(refund.Abnormal))(s)
}

func isChannel(s string) string {
	return oneOf(string(refund.ChannelCard), string(refund.ChannelWeChat), string(refund.ChannelAlipay),
		string(refund.ChannelUnionPayQR), string(refund.ChannelJD), string(refund.ChannelECNY), string(refund.ChannelUnknown))(s)
}

func isFunding(s string) string {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "small letters, digits and underscores, such as debit_card"
	}
	return ""
}

func isBankType(s string) string {
	const want = `a bank_type such as CFT, or the end of several such as "*_DEBIT"`
	if isCode(s) != "" {
		return want
	}
	if end, several := strings.CutPrefix(s, "*"); several && (len(end) < 2 || strings.LastIndexByte(end, '_') != 0) {
		return want
	}
	return ""
}

func isProcCode(s string) string {
	if len(s) != 6 || !isDigits(s) {
		return "six digits"
	}
	return ""
}

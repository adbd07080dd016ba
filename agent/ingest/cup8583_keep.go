package ingest

import (
	"crypto/sha256"
	"encoding/hex"

	"yuanlu/agent/refund"
	"yuanlu/protocol/cup8583"
)

// cupKeeper turns what a wire must remember of a request into what may stand in its
// Memory, and back.
type cupKeeper interface {
	// digest returns what is equal for two messages of the same bytes.
	digest(message []byte) []string
	keep(r *cupRequest, f *cupFacts)
	recall(r *cupRequest) (cupFacts, bool)
	// forget is called when r will not be recalled again.
	forget(r *cupRequest)
}

// cupKept is cupFacts without its record.
type cupKept struct {
	Process   string         `json:"f3,omitempty"`
	Condition string         `json:"f25,omitempty"`
	Message   string         `json:"f60,omitempty"`
	Voucher   string         `json:"voucher,omitempty"`
	QR        bool           `json:"qr,omitempty"`
	Device    bool           `json:"device,omitempty"`
	Source    cup8583.Source `json:"source,omitempty"`
	Secret    int            `json:"secret,omitempty"` // in a cupVault
}

func (r *cupRequest) put(f *cupFacts) {
	r.Facts = cupKept{
		Process: f.process, Condition: f.condition, Message: f.message, Voucher: f.voucher,
		QR: f.qr, Device: f.device, Source: f.source,
	}
	r.Record = refund.EncodeStored(nil, &f.record)
}

func (r *cupRequest) take() (cupFacts, bool) {
	k := &r.Facts
	f := cupFacts{
		process: k.Process, condition: k.Condition, message: k.Message, voucher: k.Voucher,
		qr: k.QR, device: k.Device, source: k.Source,
	}
	var err error
	f.record, err = refund.DecodeStored(r.Record)
	return f, err == nil
}

// cupSealer keeps card numbers and whole messages as keyed tokens.
type cupSealer struct{ tokens refund.Tokenizer }

// cupMessageLabel separates the tokens of messages from those of identifiers.
const cupMessageLabel = "cup8583 message"

func (s cupSealer) digest(message []byte) []string {
	return s.tokens.Tokens(cupMessageLabel, string(message))
}

func (s cupSealer) keep(r *cupRequest, f *cupFacts) {
	sealed := *f
	sealed.record = refund.Seal(f.record, s.tokens)
	r.put(&sealed)
}

func (s cupSealer) recall(r *cupRequest) (cupFacts, bool) { return r.take() }

func (s cupSealer) forget(*cupRequest) {}

// cupVault keeps parties in this process, so that its wire's records have them in
// clear: for a replay, which ends with its process.
type cupVault struct {
	parties map[int]*refund.Party
	last    int
}

func newCupVault() *cupVault { return &cupVault{parties: map[int]*refund.Party{}} }

func (v *cupVault) digest(message []byte) []string {
	sum := sha256.Sum256(message)
	return []string{hex.EncodeToString(sum[:])}
}

func (v *cupVault) keep(r *cupRequest, f *cupFacts) {
	bare := *f
	bare.record.Party = nil
	r.put(&bare)
	if f.record.Party != nil {
		v.last++
		v.parties[v.last] = f.record.Party
		r.Facts.Secret = v.last
	}
}

func (v *cupVault) recall(r *cupRequest) (cupFacts, bool) {
	f, ok := r.take()
	if n := r.Facts.Secret; n != 0 {
		p, have := v.parties[n]
		f.record.Party = p
		ok = ok && have
	}
	return f, ok
}

func (v *cupVault) forget(r *cupRequest) { delete(v.parties, r.Facts.Secret) }

package mispos

import (
	"errors"
	"fmt"
)

// Tag is the two bytes a field begins with; the first is always 9F.
type Tag uint16

// String returns the four hexadecimal digits ("9F02").
func (t Tag) String() string { return fmt.Sprintf("%04X", uint16(t)) }

// Role is what a field means, whatever its tag.
type Role uint8

// The roles, with their usual tags (Standard).
const (
	RoleInvalid       Role = iota
	Type                   // 9F01 TransType
	Amount                 // 9F02
	MerchantID             // 9F04
	TerminalID             // 9F05
	Operator               // 9F06
	Issuer                 // 9F09, names the channel
	Account                // 9F0B, secret
	Entry                  // 9F0C
	Batch                  // 9F0D
	Trace                  // 9F0E
	AuthCode               // 9F0F
	Reference              // 9F10
	Date                   // 9F11
	Time                   // 9F12
	Result                 // 9F14
	OriginalTrace          // 9F20
	OriginalReference      // 9F21
	OriginalDate           // 9F22
	Namespace              // 9F31
	Signature              // 9F32
	RefundNo               // 9F33
	TypeAgain              // 9F34 TransType of a record printed again
	Totals                 // 9F35
	Route                  // 9F36
	OrderNo                // 9FFF
	HostMessage            // 9F15, dropped
	Expiry                 // 9F1B, dropped
	roles                  // their number
)

// Form is what the value of a field must look like.
type Form uint8

// The forms. Empty values, after trailing spaces, count as absent and fit every
// form but Byte.
const (
	FormInvalid Form = iota
	Text             // GBK
	Digits           // ASCII digits in one of the Sizes
	Byte             // exactly one binary byte
	Binary           // anything
	Secret           // GBK, read only by Message.Secret
	Dropped          // not kept
)

// Field is one line of a layout.
type Field struct {
	Role  Role
	Name  string // in profiles
	Tag   Tag
	Form  Form
	Sizes []int // of Digits: the numbers of digits allowed
}

// Standard returns the fields with their usual tags.
func Standard() []Field {
	return []Field{
		{Role: Type, Name: "type", Tag: 0x9F01, Form: Byte},
		{Role: Amount, Name: "amount", Tag: 0x9F02, Form: Digits, Sizes: []int{12}},
		{Role: MerchantID, Name: "merchant_id", Tag: 0x9F04, Form: Text},
		{Role: TerminalID, Name: "terminal_id", Tag: 0x9F05, Form: Text},
		{Role: Operator, Name: "operator", Tag: 0x9F06, Form: Text},
		{Role: Issuer, Name: "issuer", Tag: 0x9F09, Form: Text},
		{Role: Account, Name: "account", Tag: 0x9F0B, Form: Secret},
		{Role: Entry, Name: "entry", Tag: 0x9F0C, Form: Text},
		{Role: Batch, Name: "batch", Tag: 0x9F0D, Form: Text},
		{Role: Trace, Name: "trace", Tag: 0x9F0E, Form: Text},
		{Role: AuthCode, Name: "auth_code", Tag: 0x9F0F, Form: Text},
		{Role: Reference, Name: "reference", Tag: 0x9F10, Form: Text},
		{Role: Date, Name: "date", Tag: 0x9F11, Form: Digits, Sizes: []int{4, 8}},
		{Role: Time, Name: "time", Tag: 0x9F12, Form: Digits, Sizes: []int{6}},
		{Role: Result, Name: "result", Tag: 0x9F14, Form: Text},
		{Role: OriginalTrace, Name: "original_trace", Tag: 0x9F20, Form: Digits, Sizes: []int{6}},
		{Role: OriginalReference, Name: "original_reference", Tag: 0x9F21, Form: Text},
		{Role: OriginalDate, Name: "original_date", Tag: 0x9F22, Form: Digits, Sizes: []int{4, 8}},
		{Role: Namespace, Name: "namespace", Tag: 0x9F31, Form: Text},
		{Role: Signature, Name: "signature", Tag: 0x9F32, Form: Text},
		{Role: RefundNo, Name: "refund_no", Tag: 0x9F33, Form: Text},
		{Role: TypeAgain, Name: "type_again", Tag: 0x9F34, Form: Binary},
		{Role: Totals, Name: "totals", Tag: 0x9F35, Form: Digits, Sizes: []int{62}},
		{Role: Route, Name: "refund_route", Tag: 0x9F36, Form: Text},
		{Role: OrderNo, Name: "order_no", Tag: 0x9FFF, Form: Text},
		{Role: HostMessage, Name: "host_message", Tag: 0x9F15, Form: Dropped},
		{Role: Expiry, Name: "expiry", Tag: 0x9F1B, Form: Dropped},
	}
}

// ErrLayout: the fields make no layout.
var ErrLayout = errors.New("mispos: not a layout")

// Layout defines which tag means what. It does not change and may be shared.
type Layout struct {
	fields []Field
	byTag  [256]uint8 // by the second byte of the tag: 1 + index in fields, 0 unknown
}

// NewLayout checks fields and makes a layout of them: tags begin with 9F and occur
// once, roles occur once, there is a Type. An error of class ErrLayout names what is wrong.
func NewLayout(fields []Field) (*Layout, error) {
	l := &Layout{fields: append([]Field(nil), fields...)}
	var seen [roles]bool
	for i, f := range l.fields {
		switch {
		case f.Role == RoleInvalid || f.Role >= roles || f.Form == FormInvalid || f.Form > Dropped:
			return nil, fmt.Errorf("%w: %s has no role or no form", ErrLayout, f.Name)
		case f.Tag>>8 != 0x9F:
			return nil, fmt.Errorf("%w: %s has tag %v, want 9Fxx", ErrLayout, f.Name, f.Tag)
		case seen[f.Role]:
			return nil, fmt.Errorf("%w: %s stands twice", ErrLayout, f.Name)
		case l.byTag[f.Tag&0xFF] != 0:
			return nil, fmt.Errorf("%w: %s and %s have the same tag %v", ErrLayout, l.fields[l.byTag[f.Tag&0xFF]-1].Name, f.Name, f.Tag)
		}
		seen[f.Role] = true
		l.byTag[f.Tag&0xFF] = uint8(i + 1)
	}
	if !seen[Type] {
		return nil, fmt.Errorf("%w: no field has the role of the transaction type", ErrLayout)
	}
	return l, nil
}

// Role returns what a tag means, RoleInvalid if the layout does not have it.
func (l *Layout) Role(t Tag) Role {
	if i := l.byTag[t&0xFF]; i > 0 && t>>8 == 0x9F {
		return l.fields[i-1].Role
	}
	return RoleInvalid
}

// tag returns the tag of a role, 0 if the layout has none.
func (l *Layout) tag(r Role) Tag {
	for _, f := range l.fields {
		if f.Role == r {
			return f.Tag
		}
	}
	return 0
}

package cup8583_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// twin is a second, plain decoder of the standard layout that knows nothing of the
// first: fields as hexadecimal text of their value, dropped ones and dropped tags left
// out, and the bytes that are to remain.
type twin struct {
	fields map[int]string
	kept   []byte
}

var errTwin = errors.New("refused")

// forms: kind (n left-justified, r right-justified, z track, a ASCII, b bytes), prefix
// bytes, size.
func twinForm(n int) (kind byte, prefix, size int) {
	switch n {
	case 2:
		return 'n', 1, 19
	case 3, 11, 12:
		return 'n', 0, 6
	case 4:
		return 'n', 0, 12
	case 13, 14, 15:
		return 'n', 0, 4
	case 22:
		return 'n', 0, 3
	case 23:
		return 'r', 0, 3
	case 25, 26:
		return 'n', 0, 2
	case 32, 33:
		return 'n', 1, 11
	case 5, 6: // ISO 8583 fixes the sizes of these; what stands in them is not looked at
		return 'b', 0, 6
	case 7:
		return 'b', 0, 5
	case 8, 9, 10:
		return 'b', 0, 4
	case 16, 17, 18, 19, 20, 21, 24:
		return 'b', 0, 2
	case 27:
		return 'b', 0, 1
	case 40, 50, 51:
		return 'b', 0, 3
	case 43:
		return 'b', 0, 40
	case 35:
		return 'z', 1, 37
	case 36:
		return 'z', 2, 104
	case 37:
		return 'a', 0, 12
	case 38:
		return 'a', 0, 6
	case 39:
		return 'a', 0, 2
	case 41:
		return 'a', 0, 8
	case 42:
		return 'a', 0, 15
	case 44:
		return 'b', 1, 99
	case 49:
		return 'a', 0, 3
	case 48, 60, 61:
		return 'n', 2, 999
	case 52, 64:
		return 'b', 0, 8
	case 53:
		return 'n', 0, 16
	case 54, 55, 56, 57, 58, 59, 62, 63:
		return 'b', 2, 999
	}
	return 0, 0, 0
}

func hexOf[T string | []byte](b T) string { return strings.ToUpper(hex.EncodeToString([]byte(b))) }

func twinDecode(data []byte) (tw twin, err error) {
	defer func() {
		if recover() != nil { // an index past the end
			err = errTwin
		}
	}()
	tw.fields = map[int]string{}
	mti := hexOf(data[11:13])
	if strings.Trim(mti, "0123456789") != "" || data[13]&0x80 != 0 {
		return tw, errTwin
	}
	var bitmap [8]byte
	var body []byte
	at := 21
	for n := 2; n <= 64; n++ {
		bit := byte(0x80 >> ((n - 1) % 8))
		if data[13+(n-1)/8]&bit == 0 {
			continue
		}
		begin := at
		value, next := twinField(data, at, n)
		at = next
		if n == 14 || n == 35 || n == 36 || n == 52 {
			continue
		}
		raw := data[begin:at]
		if n == 55 {
			value = twinChip(data[begin+2 : at : at])
			raw = []byte{byte(len(value)/2/1000<<4 | len(value)/2/100%10), byte(len(value)/2/10%10<<4 | len(value)/2%10)}
			chip, err := hex.DecodeString(value)
			if err != nil {
				return tw, err
			}
			raw = append(raw, chip...)
		}
		bitmap[(n-1)/8] |= bit
		body = append(body, raw...)
		tw.fields[n] = value
	}
	if at != len(data) {
		return tw, errTwin
	}
	tw.kept = append(append(append([]byte{}, data[:13]...), bitmap[:]...), body...)
	return tw, nil
}

func twinField(data []byte, at, n int) (value string, next int) {
	kind, prefix, size := twinForm(n)
	if kind == 0 {
		panic(errTwin)
	}
	if prefix > 0 {
		digits := hexOf(data[at : at+prefix])
		length := 0
		for _, c := range digits {
			if c > '9' {
				panic(errTwin)
			}
			length = 10*length + int(c-'0')
		}
		if length > size {
			panic(errTwin)
		}
		size = length
		at += prefix
	}
	bytesOf := size
	if kind == 'n' || kind == 'r' || kind == 'z' {
		bytesOf = (size + 1) / 2
	}
	raw := data[at : at+bytesOf]
	text := hexOf(raw)
	switch {
	case kind == 'a':
		for _, c := range raw {
			if c < ' ' || c > '~' {
				panic(errTwin)
			}
		}
	case kind == 'z' && size%2 == 1 && !strings.HasSuffix(text, "0") && !strings.HasSuffix(text, "F"):
		panic(errTwin)
	case kind == 'n' || kind == 'r':
		if strings.Trim(text, "0123456789") != "" {
			panic(errTwin)
		}
		if kind == 'n' && size%2 == 1 && !strings.HasSuffix(text, "0") || kind == 'r' && size%2 == 1 && text[0] != '0' {
			panic(errTwin)
		}
		if kind == 'r' {
			text = text[len(text)-size:]
		}
		text = hexOf(text[:size])
	}
	return text, at + bytesOf
}

// twinChip returns the kept tags of F55 as hexadecimal text.
func twinChip(raw []byte) string {
	kept := ""
	for i := 0; i < len(raw); {
		begin := i
		tag := hexOf(raw[i : i+1])
		if i++; raw[begin]&0x1F == 0x1F {
			for more := true; more; i++ {
				if i-begin > 3 {
					panic(errTwin)
				}
				tag += hexOf(raw[i : i+1])
				more = raw[i]&0x80 != 0
			}
		}
		size := int(raw[i])
		i++
		switch size {
		case 0x81:
			size = int(raw[i])
			i++
		case 0x82:
			size = int(raw[i])<<8 | int(raw[i+1])
			i += 2
		default:
			if size > 0x7F {
				panic(errTwin)
			}
		}
		value := raw[i : i+size]
		i += size
		if tag == "5A" {
			digits := strings.TrimRight(hexOf(value), "F")
			if len(digits) > 19 || strings.Trim(digits, "0123456789") != "" {
				panic(errTwin)
			}
		}
		if tag != "57" && tag != "5A" && tag != "5F24" && tag != "9F6B" {
			kept += hexOf(raw[begin:i])
		}
	}
	return kept
}

// agree decodes data with both and compares: refused by both, or the same fields and
// the same bytes again.
func agree(t *testing.T, l *cup8583.Layout, data []byte) {
	t.Helper()
	want, refused := twinDecode(data)
	m := new(cup8583.Message)
	err := l.Decode(m, data)
	if (err != nil) != (refused != nil) {
		t.Fatalf("%X: got %v, the twin %v", data, err, refused)
	}
	if err != nil {
		var e *cup8583.DecodeError
		if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(data) {
			t.Fatalf("%X: %v", data, err)
		}
		return
	}
	agreeInside(t, data, m, &want)
	got := map[int]string{}
	for n := 2; n <= 64; n++ {
		if !m.Has(n) {
			continue
		}
		got[n] = hexOf(m.Text(n))
		switch n {
		case 2:
			if pan, source := m.Account(); source == cup8583.SourceField || want.fields[2] == "" {
				got[n] = hexOf(pan.Reveal())
				if source != cup8583.SourceField {
					got[n] = ""
				}
			}
		case 48:
			got[n] = want.fields[n] // not available as text; Append shows it
		}
		for strings.HasSuffix(want.fields[n], "20") { // trailing spaces are lost in Text
			want.fields[n] = strings.TrimSuffix(want.fields[n], "20")
		}
	}
	if !maps.Equal(want.fields, got) {
		t.Fatalf("%X: the twin -, got +\n%s", data, cmp.Diff(want.fields, got))
	}
	again, err := l.Append(nil, m)
	if err != nil || !bytes.Equal(again, want.kept) {
		t.Fatalf("%X\nencodes to %X, %v\nwant %X", data, again, err, want.kept)
	}
	if err := l.Decode(m, again); err != nil {
		t.Fatalf("%X does not decode again: %v", again, err)
	}
}

// agreeInside compares what stands inside of F48, F55, F59, F60 and F61.
func agreeInside(t *testing.T, data []byte, m *cup8583.Message, want *twin) {
	t.Helper()
	digits := func(n, from, to int) string {
		b, _ := hex.DecodeString(want.fields[n])
		if len(b) < to {
			return ""
		}
		return string(b[from:to])
	}
	sums, code := "", byte(0)
	if len(want.fields[48]) == 2*62 {
		sums = digits(48, 0, 62)
	}
	if c := digits(48, 30, 31); c != "" {
		code = c[0]
	}
	batch, stan, date := m.Original()
	vendor := twinVendor(want.fields[59])
	par, device := twinTags(want.fields[55])
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"F60.1", m.Type(), digits(60, 0, 2)}, {"F60.2", m.Batch(), digits(60, 2, 8)},
		{"F61.1", batch, digits(61, 0, 6)}, {"F61.2", stan, digits(61, 6, 12)}, {"F61.3", date, digits(61, 12, 16)},
		{"F48", m.Sums(), sums}, {"F48[30]", m.SettlementCode(), code},
		{"F59 A3", m.Sub59("A3"), vendor["A3"]}, {"F59 A4", m.Sub59("A4"), vendor["A4"]},
		{"PAR", m.PAR().Reveal(), par}, {"device", m.DeviceToken(), device},
	} {
		if c.got != c.want {
			t.Fatalf("%X: %s is %v, the twin has %v", data, c.name, c.got, c.want)
		}
	}
}

// twinVendor reads the sub-fields of F59, in hexadecimal digits: none, if it is
// something else.
func twinVendor(text string) map[string]string {
	b, _ := hex.DecodeString(text)
	out := map[string]string{}
	for len(b) > 0 {
		var tag string
		var n int
		if len(b) < 5 || strings.Trim(string(b[2:5]), "0123456789") != "" {
			return nil
		}
		tag = string(b[:2])
		if _, err := fmt.Sscanf(string(b[2:5]), "%d", &n); err != nil || n > len(b)-5 {
			return nil
		}
		for _, c := range []byte(tag) {
			if !strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", rune(c)) || c > 0x7F {
				return nil
			}
		}
		if _, twice := out[tag]; !twice {
			out[tag] = strings.TrimRight(string(b[5:5+n]), " ")
		}
		b = b[5+n:]
	}
	return out
}

// twinTags returns the first tag 9F24 that is not empty, and whether there is a 9F19 or
// 9F6E that is not; the tags are well-formed.
func twinTags(text string) (par string, device bool) {
	b, _ := hex.DecodeString(text)
	for len(b) > 0 {
		k := 1
		if b[0]&0x1F == 0x1F {
			for k = 2; b[k-1]&0x80 != 0; k++ {
			}
		}
		tag := hexOf(b[:k])
		size, from := int(b[k]), k+1
		if size == 0x81 {
			size, from = int(b[k+1]), k+2
		} else if size == 0x82 {
			size, from = int(b[k+1])<<8|int(b[k+2]), k+3
		}
		value := strings.TrimRight(string(b[from:from+size]), " ")
		b = b[from+size:]
		if tag == "9F24" && par == "" {
			par = value
		}
		device = device || (tag == "9F19" || tag == "9F6E") && size > 0
	}
	return par, device
}

func goldens(t testing.TB) [][]byte {
	return [][]byte{unhex(t, reversal), unhex(t, settlement), unhex(t, swipe), unhex(t, chip), unhex(t, chipKept)}
}

// TestEveryByteChanged changes every bit of good messages, sets every byte to a few
// values, and cuts and lengthens them at every place.
func TestEveryByteChanged(t *testing.T) {
	l := standard(t)
	for _, good := range goldens(t) {
		agree(t, l, good)
		for i := range good {
			agree(t, l, good[:i])
			agree(t, l, append(append(append([]byte{}, good[:i]...), 0), good[i:]...))
			bad := append([]byte{}, good...)
			for bit := range 8 {
				bad[i] = good[i] ^ 1<<bit
				agree(t, l, bad)
			}
			for _, v := range []byte{0, 0x20, 0x5A, 0x99, 0x9F, 0xFF, 0xAA} {
				bad[i] = v
				agree(t, l, bad)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, good := range goldens(f) {
		f.Add(good)
	}
	for _, file := range []string{"good.hex", "malformed.hex"} {
		for _, data := range wiretest.Messages(f, file) {
			f.Add(data)
		}
	}
	l := standard(f)
	f.Fuzz(func(t *testing.T, data []byte) { agree(t, l, data) })
}

// TestErrorsHoldNoByte: no error text holds four digits of the message in a row.
func TestErrorsHoldNoByte(t *testing.T) {
	l := standard(t)
	for _, good := range goldens(t) {
		for i := range good {
			for _, v := range []byte{0, 0xFF, 0x9F, good[i] ^ 0x10} {
				bad := append([]byte{}, good...)
				bad[i] = v
				err := l.Decode(new(cup8583.Message), bad)
				if err == nil {
					continue
				}
				text := fmt.Sprintf("%v %+v", err, err)
				for _, secret := range []string{"6205", "6200", "3012", "1F2E", "88800", "1234"} {
					if strings.Contains(text, secret) {
						t.Fatalf("the error shows %s", secret)
					}
				}
			}
		}
	}
}

package mispos_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"yuanlu/protocol/mispos"
	"yuanlu/protocol/wiretest"
)

func standard(t testing.TB) *mispos.Layout {
	t.Helper()
	l, err := mispos.NewLayout(mispos.Standard())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// data is DATA built by hand: pairs of tag and value.
func data(parts ...string) []byte {
	var b []byte
	for i := 0; i < len(parts); i += 2 {
		tag, _ := hex.DecodeString(parts[i])
		b = append(b, tag...)
		b = append(b, byte(len(parts[i+1])>>8), byte(len(parts[i+1])))
		b = append(b, parts[i+1]...)
	}
	return b
}

// sale is the DATA of a sample that was published for the cashier link.
func sale(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString("9F010001029F02000C3030303030303030313030309F04000F3839383030303030303030303030319F05000831303030303030319F0B00103632303030302A2A2A2A2A2A303030359F0D00063030303030379F0E00063030303130319F0F00063132333435369F10000C3236303832323030303130319F11000832303236303832329F1200063130313533309F14000230309F190008BDBBD2D7B3C9B9A6")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGoldenMessage(t *testing.T) {
	l, in := standard(t), sale(t)
	var m mispos.Message
	if err := l.Decode(&m, in); err != nil {
		t.Fatal(err)
	}
	if code, ok := m.Byte(mispos.Type); code != 2 || !ok {
		t.Errorf("type %d, %t", code, ok)
	}
	for role, want := range map[mispos.Role]string{
		mispos.Amount: "000000001000", mispos.MerchantID: "898000000000001", mispos.TerminalID: "10000001", mispos.Batch: "000007",
		mispos.Trace: "000101", mispos.AuthCode: "123456", mispos.Reference: "260822000101", mispos.Date: "20260822",
		mispos.Time: "101530", mispos.Result: "00", mispos.Operator: "", mispos.Issuer: "", mispos.Account: "",
	} {
		t.Run(fmt.Sprint(role), func(t *testing.T) {
			if got := m.Text(role); got != want {
				t.Errorf("role %d: got %q, want %q", role, got, want)
			}
		})
	}
	if got := m.Secret().Reveal(); got != "620000******0005" {
		t.Errorf("the account has %d characters", len(got))
	}
	if out := m.Append(nil); !bytes.Equal(out, in) || m.Fields() != 13 {
		t.Errorf("encodes to %d bytes, %d fields", len(out), m.Fields())
	}
}

func TestTextIsGBK(t *testing.T) {
	l := standard(t)
	var m mispos.Message
	in := data("9F01", "\x1a", "9F09", "\xce\xa2\xd0\xc5\xd6\xa7\xb8\xb6  ", "9F06", "\xff\xff1", "9F0B", "\xbe\xa9\xb6\xab0012")
	if err := l.Decode(&m, in); err != nil {
		t.Fatal(err)
	}
	if got := m.Text(mispos.Issuer); got != "微信支付" {
		t.Errorf("got %q", got)
	}
	if got := m.Text(mispos.Operator); !strings.ContainsRune(got, '\uFFFD') || !strings.HasSuffix(got, "1") {
		t.Errorf("got %q", got)
	}
	if got := m.Secret().Reveal(); got != "京东0012" {
		t.Errorf("got %q", got)
	}
}

func TestRefusals(t *testing.T) {
	l := standard(t)
	good := "9F01"
	for _, c := range []struct {
		name   string
		in     []byte
		field  string
		offset int
	}{
		{"empty", nil, "9F01", 0},
		{"no type", data("9F02", "000000001000"), "9F01", 16},
		{"an empty type", data("9F01", ""), "9F01", 0},
		{"a type of two bytes", data("9F01", "02"), "9F01", 0},
		{"one byte left over", append(data(good, "\x02"), 0x9F), "DATA", 5},
		{"three bytes left over", append(data(good, "\x02"), 0x9F, 0x02, 0), "DATA", 5},
		{"a length past the end", append(data(good, "\x02"), 0x9F, 0x02, 0, 1), "9F02", 5},
		{"a length far past the end", append(data(good, "\x02"), 0x9F, 0x02, 0xFF, 0xFF, 1), "9F02", 5},
		{"another tag", data(good, "\x02", "5F2A", "156"), "DATA", 5},
		{"11 digits of amount", data(good, "\x02", "9F02", "00000001000"), "9F02", 5},
		{"a sign in the amount", data(good, "\x02", "9F02", "+00000001000"), "9F02", 5},
		{"a space before the amount", data(good, "\x02", "9F02", " 00000001000"), "9F02", 5},
		{"6 digits of date", data(good, "\x02", "9F11", "260822"), "9F11", 5},
		{"4 digits of time", data(good, "\x02", "9F12", "1015"), "9F12", 5},
		{"5 digits of original trace", data(good, "\x02", "9F20", "00101"), "9F20", 5},
		{"6 digits of original date", data(good, "\x02", "9F22", "260822"), "9F22", 5},
		{"61 digits of totals", data(good, "\x02", "9F35", strings.Repeat("0", 61)), "9F35", 5},
		{"a known field twice", data(good, "\x02", "9F0E", "000101", "9F0E", "000102"), "9F0E", 15},
		{"too much", append(data(good, "\x02"), make([]byte, mispos.MaxData)...), "DATA", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m mispos.Message
			err := l.Decode(&m, c.in)
			var e *mispos.DecodeError
			if !errors.Is(err, mispos.ErrMalformed) || !errors.As(err, &e) {
				t.Errorf("%s: got %v", c.name, err)
				return
			}
			if e.Field != c.field || e.Offset != c.offset || e.Got == "" || e.Want == "" {
				t.Errorf("%s: field %q offset %d, want %q %d: %v", c.name, e.Field, e.Offset, c.field, c.offset, err)
			}
			if m.Fields() != 0 || m.Text(mispos.Amount) != "" {
				t.Errorf("%s: a refused message holds something", c.name)
			}
		})
	}
}

func TestAccepted(t *testing.T) {
	l := standard(t)
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"only a type", data("9F01", "\x02")},
		{"empty values", data("9F01", "\x02", "9F02", "", "9F11", "", "9F0E", "")},
		{"spaces behind and instead of digits", data("9F01", "\x02", "9F02", "000000001000  ", "9F11", "        ", "9F22", "0822    ")},
		{"9F21 is not checked", data("9F01", "\x02", "9F21", "any thing")},
		{"unknown tags, twice", data("9F01", "\x02", "9F7A", "new", "9F7A", "", "9F7A", "new")},
		{"a memo that holds a frame", data("9F01", "\x02", "9F13", "\x02\x00\x05abcde\x03\x5f")},
		{"a type again of any length", data("9F01", "\x10", "9F34", "02")},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m mispos.Message
			if err := l.Decode(&m, c.in); err != nil {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			if out := m.Append(nil); !bytes.Equal(out, c.in) {
				t.Errorf("%s: encodes to %x, want %x", c.name, out, c.in)
			}
		})
	}
}

func TestDroppedFieldsAreGone(t *testing.T) {
	l := standard(t)
	var m mispos.Message
	in := data("9F01", "\x02", "9F1B", "3012", "9F15", "\x60track", "9F0E", "000101")
	if err := l.Decode(&m, in); err != nil {
		t.Fatal(err)
	}
	if out, want := m.Append(nil), data("9F01", "\x02", "9F0E", "000101"); !bytes.Equal(out, want) {
		t.Errorf("encodes to %x, want %x", out, want)
	}
	if m.Text(mispos.Expiry)+m.Text(mispos.HostMessage) != "" {
		t.Error("a dropped field can be read")
	}
}

func TestMessagePrintsNothing(t *testing.T) {
	l, in := standard(t), data("9F01", "\x02", "9F0B", "6200000000000005")
	m := new(mispos.Message)
	if err := l.Decode(m, in); err != nil {
		t.Fatal(err)
	}
	js, _ := json.Marshal(struct{ M any }{m}) // no field is exported today; this is for the day when one is
	for _, got := range []string{fmt.Sprint(m), fmt.Sprintf("%+v %#v %s %x %d", m, m, m, m, m), fmt.Sprintf("%+v", struct{ m *mispos.Message }{m}), string(js)} {
		t.Run(got, func(t *testing.T) {
			if strings.Contains(got, "62000000") || strings.Contains(got, "36323030") || strings.Contains(got, "54 50 48") {
				t.Errorf("a message prints as %s", got)
			}
		})
	}
}

func TestErrorsHoldNoBytes(t *testing.T) {
	l := standard(t)
	secret := "6200000000000005"
	for i := range len(secret) + 8 {
		in := data("9F01", "\x02", "9F0B", secret, "9F02", "6200000000x5")
		in[8] = byte(i) // the length of the account lies
		var m mispos.Message
		if err := l.Decode(&m, in); err != nil {
			for n := 4; n <= len(secret); n++ {
				if low := strings.ToLower(err.Error()); strings.Contains(low, secret[:n]) || strings.Contains(low, hex.EncodeToString([]byte(secret[:2]))) {
					t.Fatalf("length %d: %v", i, err)
				}
			}
		}
	}
}

func TestLayoutRefusals(t *testing.T) {
	change := func(f func([]mispos.Field) []mispos.Field) []mispos.Field { return f(mispos.Standard()) }
	for name, fields := range map[string][]mispos.Field{
		"no type":    {{Role: mispos.Amount, Name: "amount", Tag: 0x9F02, Form: mispos.Text}},
		"tag twice":  change(func(f []mispos.Field) []mispos.Field { f[3].Tag = f[4].Tag; return f }),
		"not 9F":     change(func(f []mispos.Field) []mispos.Field { f[3].Tag = 0x5F2A; return f }),
		"role twice": change(func(f []mispos.Field) []mispos.Field { f[3].Role = f[4].Role; return f }),
		"no form":    change(func(f []mispos.Field) []mispos.Field { f[3].Form = 0; return f }),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := mispos.NewLayout(fields); !errors.Is(err, mispos.ErrLayout) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

func TestMovedTag(t *testing.T) {
	fields := mispos.Standard()
	for i := range fields {
		if fields[i].Role == mispos.OriginalReference {
			fields[i].Tag = 0x9FA1
		}
	}
	l, err := mispos.NewLayout(fields)
	if err != nil {
		t.Fatal(err)
	}
	var m mispos.Message
	if err := l.Decode(&m, data("9F01", "\x04", "9F21", "other", "9FA1", "260822000101")); err != nil {
		t.Fatal(err)
	}
	if got := m.Text(mispos.OriginalReference); got != "260822000101" {
		t.Errorf("got %q", got)
	}
}

// Every byte of a good message changed to every other value: refused, or decoded to
// what those bytes hold. Never a panic, never a wrong length.
func TestEveryByteChanged(t *testing.T) {
	l, good := standard(t), sale(t)
	var m mispos.Message
	refused := 0
	for i := range good {
		in := bytes.Clone(good)
		for v := range 256 {
			in[i] = byte(v)
			if err := l.Decode(&m, in); err != nil {
				refused++
				continue
			}
			if out := m.Append(nil); !bytes.Equal(out, in) && !bytes.Contains(in, []byte{0x9F, 0x15}) && !bytes.Contains(in, []byte{0x9F, 0x1B}) {
				t.Fatalf("byte %d as %02x encodes otherwise", i, v)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// FuzzDecode: what decodes encodes to the same bytes, dropped fields apart, and every
// value read is of a field that is there.
func FuzzDecode(f *testing.F) {
	f.Add(sale(f))
	f.Add(data("9F01", "\x02"))
	f.Add(data("9F01", "\x04", "9F20", "000101", "9F22", "0822", "9F21", "260822000101"))
	f.Add(data("9F01", "\x0e", "9F35", strings.Repeat("0", 62)))
	f.Add(data("9F01", "\x10", "9F34", "\x02", "9F15", "x", "9F1B", "3012"))
	f.Add(append(data("9F01", "\x02"), 0x9F, 0x02, 0xFF, 0xFF))
	for _, file := range []string{"good.hex", "malformed.hex"} {
		for _, in := range wiretest.Messages(f, file) {
			f.Add(in)
		}
	}
	l := standard(f)
	f.Fuzz(func(t *testing.T, in []byte) {
		var m mispos.Message
		err := l.Decode(&m, in)
		var e *mispos.DecodeError
		if err != nil {
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(in) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		if out := m.Append(nil); !bytes.Equal(out, kept(in)) {
			t.Fatalf("%x encodes to %x", in, out)
		}
		if _, ok := m.Byte(mispos.Type); !ok {
			t.Fatal("decoded without a type")
		}
		for _, r := range []mispos.Role{mispos.Amount, mispos.Date, mispos.Time, mispos.Totals} {
			for _, c := range m.Bytes(r) {
				if c < '0' || c > '9' {
					t.Fatalf("role %d holds no digits", r)
				}
			}
		}
	})
}

// kept walks DATA by its own lengths and leaves out the dropped fields.
func kept(in []byte) []byte {
	var out []byte
	for len(in) > 0 {
		n := 4 + int(in[2])<<8 + int(in[3])
		if in[1] != 0x15 && in[1] != 0x1B {
			out = append(out, in[:n]...)
		}
		in = in[n:]
	}
	return out
}

func BenchmarkDecode(b *testing.B) {
	l, in := standard(b), sale(b)
	m := new(mispos.Message)
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := l.Decode(m, in); err != nil {
			b.Fatal(err)
		}
	}
}

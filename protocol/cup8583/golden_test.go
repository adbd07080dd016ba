package cup8583_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"yuanlu/protocol/cup8583"
	"yuanlu/protocol/wiretest"
)

// Messages made by hand, and sample messages that were published.
const (
	// P2: reversal of a sale, without F2 and F61.
	reversal = `6003010000 602200000000 0400 3020048002C08011 000000 000000000100 008212 0210 00 3030
		3730313131383231 313033323930303730313131313231 313536 0008 22000129 4138414230344638`
	// P6: answer to a settlement.
	settlement = `6000000002 603100310030 0510 003A000008C18010 000445 160803 0908 0908 313530393038383336303937
		3030303031313432 313233343536373839303132333435
		0062 00000000001101100000000000200210000000000000000000000000000001 313536 0011 000000062010`
	// P9b: sale by swipe, its track of odd length.
	swipe = `6000040000 602200000000 0200 302004C020C09811 000000 000000088800 100175 0210 00 12
		35 6200000000000005D301200000000000000 0 3130343231363935 383734333530333537323232343731 313536
		0000000000000000 2000000000000000 0008 22000001 3246394433453536`
	// A refund by chip in training, with all that is dropped: F14 F35 F36 F52, tags 57 5A
	// 5F24 9F6B; a card number of odd length, PAR, token requestor, F59, F61.
	chip = `6000030000 603210320000 0220 7024068038C09A39
		19 6205500000000000004 0 200000 000000000350 000104 3012 0510 0001 00
		33 6205500000000000004D3012101000000 F
		0037 6205500000000000004D30121010000000000 0
		323630383232303030313031
		3130303030303031 383938303030303030303030303031 313536
		1F2E3D4C5B6A7988 2600000000000000
		0055 9F36020015 57086200000000000005 5F2403301231 5A0A6205500000000000004F 9F6B021234
		     9F2407545354504152 31 9F1901 02 840100
		0036 41323030363031303258584134303230 3230323630383232303030303030303030353031
		0014 25000008000600 0016 0000000000000822 3546313537423431`
	// The same without them, as Append has to write it.
	chipKept = `6000030000 603210320000 0220 7020068008C08A39
		19 6205500000000000004 0 200000 000000000350 000104 0510 0001 00
		323630383232303030313031
		3130303030303031 383938303030303030303030303031 313536
		2600000000000000
		0022 9F36020015 9F2407545354504152 31 9F1901 02 840100
		0036 41323030363031303258584134303230 3230323630383232303030303030303030353031
		0014 25000008000600 0016 0000000000000822 3546313537423431`
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// serial are the options of a serial link.
func serial() cup8583.Options { return cup8583.Options{TPDU: 5, Head: 6} }

func layout(t testing.TB, o cup8583.Options) *cup8583.Layout {
	t.Helper()
	l, err := cup8583.NewLayout(wiretest.CUP8583Formats(), o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func standard(t testing.TB) *cup8583.Layout { return layout(t, serial()) }

func decode(t testing.TB, l *cup8583.Layout, data []byte) *cup8583.Message {
	t.Helper()
	m := new(cup8583.Message)
	if err := l.Decode(m, data); err != nil {
		t.Fatal(err)
	}
	return m
}

// seen is what the methods of a message return.
type seen struct {
	MTI, Account, PAR       string
	Source                  cup8583.Source
	Device, Training        bool
	Type, Batch             string
	OrigBatch, OrigStan     string
	OrigDate, Sums          string
	Code                    byte
	Voucher                 string
	Amount, Stan, F22, F23  string
	F25, F37, F38, F39, F41 string
	F42, F49                string
	Fields                  int
}

func look(m *cup8583.Message) seen {
	pan, source := m.Account()
	b, s, d := m.Original()
	return seen{
		MTI: m.MTI(), Account: pan.Reveal(), PAR: m.PAR().Reveal(), Source: source, Device: m.DeviceToken(), Training: m.Training(),
		Type: m.Type(), Batch: m.Batch(), OrigBatch: b, OrigStan: s, OrigDate: d, Sums: m.Sums(), Code: m.SettlementCode(),
		Voucher: m.Sub59("A4"), Amount: m.Text(4), Stan: m.Text(11), F22: m.Text(22), F23: m.Text(23), F25: m.Text(25),
		F37: m.Text(37), F38: m.Text(38), F39: m.Text(39), F41: m.Text(41), F42: m.Text(42), F49: m.Text(49), Fields: m.Fields(),
	}
}

func TestGoldenMessages(t *testing.T) {
	for _, c := range []struct {
		name, hex string
		want      seen
	}{
		{"reversal", reversal, seen{MTI: "0400", Type: "22", Batch: "000129", Amount: "000000000100", Stan: "008212", F22: "021", F25: "00",
			F39: "00", F41: "70111821", F42: "103290070111121", F49: "156", Fields: 11}},
		{"settlement", settlement, seen{MTI: "0510", Type: "00", Batch: "000006", Stan: "000445", F37: "150908836097",
			F41: "00001142", F42: "123456789012345", F49: "156", Code: '1',
			Sums: "00000000001101100000000000200210000000000000000000000000000001", Fields: 10}},
		{"swipe", swipe, seen{MTI: "0200", Account: "6200000000000005", Source: cup8583.SourceTrack, Type: "22", Batch: "000001",
			Amount: "000000088800", Stan: "100175", F22: "021", F25: "00", F41: "10421695", F42: "874350357222471", F49: "156", Fields: 12}},
		{"chip", chip, seen{MTI: "0220", Account: "6205500000000000004", Source: cup8583.SourceField, PAR: "TSTPAR1", Device: true, Training: true,
			Type: "25", Batch: "000008", OrigBatch: "000000", OrigStan: "000000", OrigDate: "0822", Voucher: "20260822000000000501",
			Amount: "000000000350", Stan: "000104", F22: "051", F23: "001", F25: "00", F37: "260822000101",
			F41: "10000001", F42: "898000000000001", F49: "156", Fields: 17}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := decode(t, standard(t), unhex(t, c.hex))
			if d := cmp.Diff(c.want, look(m)); d != "" {
				t.Errorf("%s: want -, got +\n%s", c.name, d)
			}
		})
	}
}

func TestWhatDecodesEncodesToTheSameBytes(t *testing.T) {
	for _, c := range []struct{ in, out string }{{reversal, reversal}, {settlement, settlement}, {chip, chipKept}, {chipKept, chipKept}} {
		t.Run(c.in, func(t *testing.T) {
			m := decode(t, standard(t), unhex(t, c.in))
			got, err := standard(t).Append([]byte{0xEE}, m)
			if err != nil || !bytes.Equal(got[1:], unhex(t, c.out)) || got[0] != 0xEE {
				t.Errorf("got  %X, %v\nwant %X", got, err, unhex(t, c.out))
			}
		})
	}
}

func TestDroppedFieldsCannotBeRead(t *testing.T) {
	m := decode(t, standard(t), unhex(t, chip))
	for _, n := range []int{14, 35, 36, 52} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			if m.Has(n) || m.Text(n) != "" {
				t.Errorf("F%d is still there", n)
			}
		})
	}
	if m.Text(2) != "" || m.Text(48) != "" || m.Text(-1) != "" || m.Text(65) != "" {
		t.Error("a card number, or what may hold one, is given as text")
	}
	for _, tag := range []string{"\x57\x08", "\x5F\x24", "\x5A\x0A", "\x9F\x6B"} {
		t.Run(tag, func(t *testing.T) {
			if strings.Contains(m.Text(55), tag) {
				t.Errorf("tag %X of F55 is still there", tag)
			}
		})
	}
	for _, text := range []string{fmt.Sprint(m), fmt.Sprintf("%+v %#v %x %d %q", m, m, m, m, m), fmt.Sprintf("%v", *decode(t, standard(t), unhex(t, reversal)))} {
		t.Run(text, func(t *testing.T) {
			for _, secret := range []string{"620550", "3012", "1F2E", "TSTPAR"} {
				if strings.Contains(text, secret) {
					t.Errorf("printing a message shows %s", secret)
				}
			}
		})
	}
}

func TestTrackIsReadUnlessEncrypted(t *testing.T) {
	for _, c := range []struct {
		name, from, to, pan string
	}{
		{"plain", "", "", "6200000000000005"},
		{"F53 digit 3 is 1", "2000000000000000", "2010000000000000", ""},
		{"F53 digit 2 is 1", "2000000000000000", "2100000000000000", "6200000000000005"},
		{"no separator", "6200000000000005D301200000000000000 0", "62000000000000051301200000000000000 0", ""},
		{"a letter before it", "6200000000000005D3", "620000000000A005D3", ""},
		{"filled with F", "35 6200000000000005D301200000000000000 0", "35 6200000000000005D301200000000000000 F", "6200000000000005"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := swipe
			if c.from != "" {
				if text = strings.Replace(swipe, c.from, c.to, 1); text == swipe {
					t.Fatal("nothing replaced")
				}
			}
			pan, _ := decode(t, standard(t), unhex(t, text)).Account()
			if pan.Reveal() != c.pan {
				t.Errorf("%s: got a number of %d digits", c.name, len(pan.Reveal()))
			}
		})
	}
}

func TestEnvelopes(t *testing.T) {
	body := strings.TrimPrefix(reversal, "6003010000 602200000000")
	for _, c := range []struct {
		name, hex string
		o         cup8583.Options
		bad       bool
	}{
		{"TCP length", "004E" + reversal, cup8583.Options{TPDU: 5, Head: 6, TCPLength: true}, false},
		{"TCP length allowed, absent", reversal, cup8583.Options{TPDU: 5, Head: 6, TCPLength: true}, false},
		{"TCP length that lies", "004D" + reversal, cup8583.Options{TPDU: 5, Head: 6, TCPLength: true}, true},
		{"TCP length not allowed", "004E" + reversal, serial(), true},
		{"neither TPDU nor HEAD", body, cup8583.Options{}, false},
		{"TPDU only", "6003010000" + body, cup8583.Options{TPDU: 5}, false},
		{"any HEAD", "FFFFFFFFFF FFFF1FFFFFFF" + body, serial(), false},
		{"empty", "", serial(), true},
		{"binary lengths", strings.Replace(strings.Replace(chipKept, "0022 9F", "0016 9F", 1), "19 62055", "13 62055", 1), cup8583.Options{TPDU: 5, Head: 6, BinaryLengths: true}, true},
		{"binary lengths everywhere", strings.NewReplacer("0022 9F", "0016 9F", "19 62055", "13 62055", "0036 41", "0024 41", "0014 25", "000E 25", "0016 0000", "0010 0000").Replace(chipKept),
			cup8583.Options{TPDU: 5, Head: 6, BinaryLengths: true}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, m := layout(t, c.o), new(cup8583.Message)
			err := l.Decode(m, unhex(t, c.hex))
			if (err != nil) != c.bad {
				t.Errorf("%s: %v", c.name, err)
				return
			}
			if got, e := l.Append(nil, m); err == nil && (e != nil || !bytes.Equal(got, unhex(t, c.hex))) {
				t.Errorf("%s: encodes to %X, %v", c.name, got, e)
			}
		})
	}
}

func TestSub59(t *testing.T) {
	for _, c := range []struct{ value, tag, want string }{
		{"A3003123A4005ABC  ", "A4", "ABC"},
		{"A3003123A4005ABC  ", "A3", "123"},
		{"A4001xA4001y", "A4", "x"},
		{"A4000", "A4", ""},
		{"A4003AB", "A4", ""},            // a length that lies
		{"A4001xA", "A4", ""},            // something left over
		{"A4+01x", "A4", ""},             // a sign is no digit
		{"\x00\x01001xA4001y", "A4", ""}, // a tag that is none
		{"vendor's own", "A4", ""},
	} {
		t.Run(c.value, func(t *testing.T) {
			hexed := fmt.Sprintf("6003010000 602200000000 0200 0000000000000020 %04d %X", len(c.value), c.value)
			if got := decode(t, standard(t), unhex(t, hexed)).Sub59(c.tag); got != c.want {
				t.Errorf("%q: got %q, want %q", c.value, got, c.want)
			}
		})
	}
}

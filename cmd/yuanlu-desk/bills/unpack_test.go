package bills

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"
)

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// member is what a zip is made of.
type member struct {
	name string
	data []byte
}

// zipped returns a zip as archive/zip writes it; names as they are.
func zipped(t testing.TB, method uint16, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		f, err := w.CreateHeader(&zip.FileHeader{Name: m.name, Method: method, NonUTF8: true})
		if err == nil && len(m.data) > 0 {
			_, err = f.Write(m.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// directory returns where the i-th entry of the central directory stands.
func directory(t testing.TB, data []byte, i int) int {
	t.Helper()
	at := int(binary.LittleEndian.Uint32(data[len(data)-6:]))
	for range i {
		at += 46 + int(binary.LittleEndian.Uint16(data[at+28:])) + int(binary.LittleEndian.Uint16(data[at+30:])) + int(binary.LittleEndian.Uint16(data[at+32:]))
	}
	return at
}

func TestGzip(t *testing.T) {
	bill := sampleOf(WechatTrade).file()
	whole := gzipped(t, bill)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-8] ^= 1 // of the CRC
	for _, tc := range []struct {
		name string
		data []byte
		want string
	}{
		{"whole", whole, ""}, {"crc", flipped, "f.gz:0:0: damaged"}, {"trailing", append(bytes.Clone(whole), "x"...), "f.gz:0:0: damaged"},
		{"nested gzip", gzipped(t, whole), "f.gz:0:0: nested"}, {"nested zip", gzipped(t, zipped(t, zip.Store)), "f.gz:0:0: nested"}, {"empty", gzipped(t, nil), "f.gz:0:0: empty"},
		{"two streams", append(gzipped(t, bill[:100]), gzipped(t, bill[100:])...), ""}, {"no bill", gzipped(t, []byte("a,b")), "f.gz:0:0: unknown_format"},
		{"bomb", gzipped(t, make([]byte, MaxFile+1)), "f.gz:0:0: too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := read("f.gz", tc.data)
			if strings.Join(got.refused, " ") != tc.want || tc.want == "" && (len(got.bills) != 1 || !got.bills[0].Complete) {
				t.Errorf("%s, want %q", got.text(), tc.want)
			}
		})
	}
	for cut := 0; cut < len(whole); cut += 5 {
		if got := read("f.gz", whole[:cut]); len(got.lines) > 0 || len(got.refused) != 1 {
			t.Errorf("cut at %d: %s", cut, got.text())
		}
	}
}

func TestHashBeside(t *testing.T) {
	bill := sampleOf(WechatTrade).file()
	packed, zip1 := gzipped(t, bill), zipped(t, zip.Deflate, member{"a.csv", bill})
	hash := func(b []byte) string { s := sha1.Sum(b); return hex.EncodeToString(s[:]) }
	for _, tc := range []struct {
		name, text string
		data       []byte
		fits       bool
	}{
		{"plain", hash(bill), bill, true}, {"upper case", strings.ToUpper(hash(bill)), bill, true}, {"line end", hash(bill) + "\r\n", bill, true}, {"name", hash(bill) + "  a b.csv\n", bill, true}, {"tab", hash(bill) + "\ta.csv", bill, true},
		{"gzip: of the unpacked", hash(bill), packed, true}, {"gzip: of the packed", hash(packed), packed, false}, {"zip: of the file", hash(zip1), zip1, true}, {"zip: of the member", hash(bill), zip1, false},
		{"different", hash(packed), bill, false}, {"empty", "", bill, false}, {"short", hash(bill)[:39], bill, false}, {"long", hash(bill) + "0", bill, false}, {"blank before", " " + hash(bill), bill, false},
		{"no hex", "g" + hash(bill)[1:], bill, false}, {"two lines", hash(bill) + "\n" + hash(bill) + "\n", bill, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &said{}
			Read(File{Name: "a", Data: tc.data, Hash: []byte(tc.text), Hashed: true}, s)
			if fits := len(s.refused) == 0; fits != tc.fits || !fits && (s.refused[0] != "a:0:0: hash_mismatch" || len(s.lines) > 0) {
				t.Error(s.text())
			}
		})
	}
}

func TestZip(t *testing.T) {
	bill := sampleOf(WechatTrade).file()
	patch := func(data []byte, at int, b ...byte) []byte {
		out := bytes.Clone(data)
		copy(out[at:], b)
		return out
	}
	two := zipped(t, zip.Deflate, member{"a.csv", bill}, member{"b.csv", bill})
	one := directory(t, two, 0)
	stored := zipped(t, zip.Store, member{"a.csv", bill})
	var many []member
	for i := range 65 {
		many = append(many, member{fmt.Sprint(i), nil})
	}
	for _, tc := range []struct {
		name string
		data []byte
		want string
		read int // bills
	}{
		{"two", two, "", 2}, {"stored", stored, "", 1}, {"none", zipped(t, zip.Store), "f.zip:0:0: empty", 0}, {"folder", zipped(t, zip.Store, member{"d/", nil}), "f.zip:0:0: empty", 0},
		{"folder counts", zipped(t, zip.Store, member{"d/", nil}, member{"d/x", []byte("x")}, member{"d/a.csv", bill}), "f.zip#2:0:0: unknown_format", 1},
		{"encrypted", patch(two, one+8, 1), "f.zip#1:0:0: encrypted", 1}, {"method", patch(two, one+10, 12), "f.zip#1:0:0: damaged", 1}, {"crc", patch(two, one+16, 0, 0, 0, 0), "f.zip#1:0:0: damaged", 1},
		{"size", patch(two, one+24, 1), "f.zip#1:0:0: damaged", 1}, {"packed size", patch(two, one+20, 0xff, 0xff, 0xff, 0x7f), "f.zip#1:0:0: damaged", 1}, {"offset", patch(two, one+42, 0xff, 0xff, 0xff, 0x7f), "f.zip#1:0:0: damaged", 1},
		{"own header", patch(two, 0, 'P', 'K', 0), "f.zip#1:0:0: damaged", 1}, {"own name", patch(two, 30, 'z'), "f.zip#1:0:0: damaged", 1}, {"own method", patch(two, 8, 0), "f.zip#1:0:0: damaged", 1},
		{"stored changed", patch(stored, 200, 'x'), "f.zip#1:0:0: damaged", 0}, {"directory", patch(two, one, 'X'), "f.zip:0:0: damaged", 0}, {"count", patch(two, len(two)-12, 1, 0), "f.zip:0:0: damaged", 0},
		{"both counts", patch(patch(two, len(two)-12, 1, 0), len(two)-14, 1, 0), "f.zip:0:0: damaged", 0}, {"trailing", append(bytes.Clone(two), 'x'), "f.zip:0:0: damaged", 0}, {"cut", two[:len(two)-1], "f.zip:0:0: damaged", 0},
		{"65", zipped(t, zip.Store, many...), "f.zip:0:0: too_large", 0},
		{"nested", zipped(t, zip.Deflate, member{"a.zip", two}, member{"b.gz", gzipped(t, bill)}, member{"c.csv", bill}), "f.zip#1:0:0: nested f.zip#2:0:0: nested", 1},
		{"refused line", zipped(t, zip.Deflate, member{"x/20260101.csv", sampleOf(WechatTrade).with(0, 13, "x").file()}), "f.zip#1:2:13: amount", 1},
		{"name day of the member", zipped(t, zip.Deflate, member{"x/INN260823ZM", sampleOf(UnionpayZM).file()}, member{"20260823/x", sampleOf(UnionpayZM).file()}), "f.zip#2:0:0: day_unknown", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := read("f.zip", tc.data)
			if strings.Join(got.refused, " ") != tc.want || len(got.bills) != tc.read {
				t.Errorf("%s, want %q and %d bills", got.text(), tc.want, tc.read)
			}
		})
	}
	for name, bad := range map[string]bool{"": true, "/a": true, `\a`: true, "c:a": true, `Z:\a`: true, "../a": true, `a\..\b`: true, "a/..": true, "a\x01": true, "a\tb": true, "a\x7f": true, "a\u0085b": true,
		"a/../b/": true, "..": true, "a/b.csv": false, "a..b": false, "...": false, "1:a": false, "\xd2\xb5\xce\xf1": false, "\xc2\x85\xd2\xb5\xce\xf1": false, "账单.csv": false} {
		t.Run("name/"+name, func(t *testing.T) {
			if badName(name) != bad {
				t.Errorf("%q: %t", name, !bad)
			}
		})
	}
	if got := read("f.zip", zipped(t, zip.Deflate, member{"../a.csv", bill}, member{"b.csv", bill})); strings.Join(got.refused, " ") != "f.zip#1:0:0: bad_name" || len(got.bills) != 1 || got.bills[0].Member != 2 {
		t.Error(got.text())
	}
}

// TestZipLimits: a member over the limit, declared as small, and members that are over it
// together; here at 250 bytes. TestGzip unpacks more than 128 MiB.
func TestZipLimits(t *testing.T) {
	deflated := func(size int64) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.Create("a")
		if err == nil {
			_, err = io.CopyN(f, zeros{}, size)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	bomb := deflated(251)
	binary.LittleEndian.PutUint32(bomb[directory(t, bomb, 0)+24:], 10) // as it declares itself
	few := &said{}
	(&unpacker{out: few, file: "f.zip", left: 250}).zip(bomb)
	few.wants(t, "f.zip#1:0:0: too_large")

	// Three members of 100 bytes that share their packed bytes, where 250 may be unpacked.
	hundred := deflated(100)
	at := directory(t, hundred, 0)
	entry, end := hundred[at:len(hundred)-22], bytes.Clone(hundred[len(hundred)-22:])
	binary.LittleEndian.PutUint16(end[8:], 3)
	binary.LittleEndian.PutUint16(end[10:], 3)
	binary.LittleEndian.PutUint32(end[12:], uint32(3*len(entry)))
	three := append(append(append(append(bytes.Clone(hundred[:at]), entry...), entry...), entry...), end...)
	few = &said{}
	(&unpacker{out: few, file: "f.zip", left: 250}).zip(three)
	few.wants(t, "f.zip#1:0:0: unknown_format", "f.zip#2:0:0: unknown_format", "f.zip#3:0:0: too_large")
	if maxAll != 2*MaxFile || MaxFile != 128<<20 {
		t.Error("not the limits of the page")
	}

	big := File{Name: "a.csv", Data: make([]byte, MaxFile+1)}
	s := &said{}
	Read(big, s)
	s.wants(t, "a.csv:0:0: too_large")
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

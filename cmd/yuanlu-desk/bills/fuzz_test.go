package bills

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// checked reads a file twice and holds what it states to what is so of every file.
func checked(t *testing.T, name string, data []byte) *said {
	t.Helper()
	got := read(name, data)
	if again := read(name, data); got.text() != again.text() {
		t.Fatalf("twice read, two results:\n%s\n%s", got.text(), again.text())
	}
	for _, line := range got.lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %q", line)
		}
	}
	physical := strings.Count(string(data), "\n") + 1
	for _, r := range got.refused {
		if rest, ok := strings.CutPrefix(r, name+":"); ok {
			var line, col int
			if _, err := fmt.Sscanf(rest, "%d:%d:", &line, &col); err != nil || line > physical || line == 0 && col > 0 {
				t.Errorf("no such place: %s", r)
			}
		}
	}
	rows := map[string]bool{}
	for _, e := range got.entries {
		if e.Amount < 0 || len(e.At) != 25 || rows[fmt.Sprint(e.Format, e.Row)] && len(got.bills) == 1 || e.Direction == "" || e.Kind == "" || e.Channel == "" {
			t.Errorf("%+v", e)
		}
		rows[fmt.Sprint(e.Format, e.Row)] = true
	}
	for _, b := range got.bills {
		if b.Rows != b.Entries+b.Refused+b.Duplicates || b.Complete && (b.Refused > 0 || len(got.refused) > 0 && b.Member == 0) || b.InCount+b.OutCount > b.Entries || b.From > b.To {
			t.Errorf("%+v", b)
		}
	}
	return got
}

// fuzzFormat reads whatever comes in place of a sound bill and of its lines.
func fuzzFormat(f *testing.F, format string) {
	s := sampleOf(format)
	f.Add(s.file())
	f.Add([]byte(strings.Join(s.lines, "\r\n")))
	f.Add([]byte(strings.Join(s.lines[:len(s.lines)-1], "\n")))
	if gbk, err := simplifiedchinese.GB18030.NewEncoder().Bytes(s.file()); err == nil {
		f.Add(gbk)
	}
	for i := range 2 {
		for col := 1; col <= 10; col++ {
			f.Add(s.with(i, col, "-0.1").file())
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) { checked(t, "INN260823", data) })
}

func FuzzWechatTrade(f *testing.F) { fuzzFormat(f, WechatTrade) }
func FuzzWechatFund(f *testing.F)  { fuzzFormat(f, WechatFund) }
func FuzzAlipayTrade(f *testing.F) { fuzzFormat(f, AlipayTrade) }
func FuzzAlipayFund(f *testing.F)  { fuzzFormat(f, AlipayFund) }
func FuzzUnionpayZM(f *testing.F)  { fuzzFormat(f, UnionpayZM) }
func FuzzAcquirerCSV(f *testing.F) { fuzzFormat(f, AcquirerCSV) }

func FuzzZip(f *testing.F) {
	bill := sampleOf(WechatTrade).file()
	f.Add(zipped(f, zip.Deflate, member{"a.csv", bill}, member{"d/", nil}, member{"../b.csv", bill})[2:])
	f.Add(zipped(f, zip.Store, member{"a.csv", bill}, member{"b.gz", gzipped(f, bill)})[2:])
	f.Add(zipped(f, zip.Store)[2:])
	f.Fuzz(func(t *testing.T, data []byte) { checked(t, "f.zip", append([]byte("PK"), data...)) })
}

func FuzzGzip(f *testing.F) {
	f.Add(gzipped(f, sampleOf(AlipayTrade).file())[2:])
	f.Add(gzipped(f, gzipped(f, nil))[2:])
	f.Fuzz(func(t *testing.T, data []byte) { checked(t, "f.gz", append([]byte("\x1f\x8b"), data...)) })
}

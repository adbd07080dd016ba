package bills

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// many returns a sound bill of n rows: WeChat's trade bill, or an acquirer's list.
func many(format string, n int) []byte {
	s := sampleOf(format)
	var b bytes.Buffer
	b.WriteString(s.lines[0] + "\n")
	for i := range n {
		row := s.lines[1]
		for _, number := range []string{"4200000001", "880001", "`O1"} {
			row = strings.Replace(row, number, fmt.Sprintf("%s%06d", number, i), 1)
		}
		b.WriteString(row + "\n")
	}
	if format == WechatTrade {
		fmt.Fprintf(&b, "%s\n`%d,`%d.00,`0.00,`0.00,`0.00000,`%d.00,`0.00\n", s.lines[3], n, 10*n, 10*n)
	}
	return b.Bytes()
}

// printer is what the program does with a bill: every line is made.
type printer struct {
	buf     []byte
	entries int
	refused int
}

func (p *printer) Entry(e *Entry)   { p.buf = e.AppendJSON(p.buf[:0]); p.entries++ }
func (p *printer) Bill(b *Bill)     { p.buf = b.AppendJSON(p.buf[:0]) }
func (p *printer) Refused(*Refusal) { p.refused++ }

// BenchmarkRows reads 100 000 rows, as rows a second and bytes of memory taken, beside a
// plain reader of CSV on the same bytes, which checks nothing.
func BenchmarkRows(b *testing.B) {
	const rows = 100_000
	for _, format := range []string{WechatTrade, AcquirerCSV} {
		data := many(format, rows)
		b.Run(format, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				p := &printer{}
				Read(File{Name: "a", Data: data}, p)
				if p.entries != rows || p.refused > 0 {
					b.Fatalf("%d entries, %d refused", p.entries, p.refused)
				}
			}
			figures(b, rows)
		})
		b.Run(format+"/plain CSV", func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				r := csv.NewReader(bytes.NewReader(data))
				r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
				n := 0
				for _, err := r.Read(); !errors.Is(err, io.EOF); _, err = r.Read() {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n < rows {
					b.Fatal(n)
				}
			}
			figures(b, rows)
		})
	}
}

func figures(b *testing.B, rows int) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(m.Sys)/1e6, "MB-of-the-process")
}

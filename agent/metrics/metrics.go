// Package metrics writes figures in Prometheus' text format, version 0.0.4:
//
//	# HELP yuanlu_link_frames_total Frames since the start of the agent.
//	# TYPE yuanlu_link_frames_total counter
//	yuanlu_link_frames_total{link="pos",result="good"} 88
//	yuanlu_link_frames_total{link="pos",result="bad"} 2
//
// It is pure. Prometheus' own library would add 4.5 MB to a program that is a tenth of
// that in memory; what is written here is read back by its parser in a test.
package metrics

import (
	"strconv"
	"strings"
)

// ContentType is the media type of the format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// Kind is what may be done with a figure.
type Kind string

// A Counter only grows, but for a restart; a Gauge goes up and down.
const (
	Counter Kind = "counter"
	Gauge   Kind = "gauge"
)

// Label is one name and value that distinguish samples of a family. Name is
// [a-zA-Z_][a-zA-Z0-9_]*; Value is any text.
type Label struct{ Name, Value string }

// Sample is one figure.
type Sample struct {
	Labels []Label // none, or as all samples of the family; no two samples have the same values
	Value  float64
}

// Family is the figures of one name, [a-zA-Z_:][a-zA-Z0-9_:]*, with what they mean.
type Family struct {
	Name, Help string
	Kind       Kind
	Samples    []Sample
}

// Append writes families to the end of dst and returns it. A family without samples is
// left out. What is no UTF-8 in a label's value becomes U+FFFD.
func Append(dst []byte, families []Family) []byte {
	help := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	value := strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
	for _, f := range families {
		if len(f.Samples) == 0 {
			continue
		}
		dst = append(dst, "# HELP "+f.Name+" "+help.Replace(f.Help)+"\n# TYPE "+f.Name+" "+string(f.Kind)+"\n"...)
		for _, s := range f.Samples {
			dst = append(dst, f.Name...)
			for i, l := range s.Labels {
				sign := byte(',')
				if i == 0 {
					sign = '{'
				}
				dst = append(append(dst, sign), l.Name+`="`+value.Replace(strings.ToValidUTF8(l.Value, "\ufffd"))+`"`...)
			}
			if len(s.Labels) > 0 {
				dst = append(dst, '}')
			}
			dst = append(strconv.AppendFloat(append(dst, ' '), s.Value, 'g', -1, 64), '\n')
		}
	}
	return dst
}

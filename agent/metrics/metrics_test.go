package metrics

import (
	"bytes"
	"math"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func parsed(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	got, err := p.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return got
}

// TestPrometheusReadsTheSame: names, help, kinds, labels and values come back from
// Prometheus' own parser as they were, whatever is in them.
func TestPrometheusReadsTheSame(t *testing.T) {
	odd := "a\"b\\c\nd{e}=,f 原路 \\n"
	values := []float64{0, 1, -1, 0.5, 1e21, 1 << 53, math.MaxFloat64, math.SmallestNonzeroFloat64, math.Inf(1), math.Inf(-1)}
	families := []Family{
		{Name: "a", Help: "Help of a:\nsecond \\line \"quoted\".", Kind: Gauge, Samples: []Sample{{Value: math.NaN()}}},
		{Name: "none", Help: "Left out.", Kind: Gauge},
		{Name: "b_total", Help: "", Kind: Counter, Samples: []Sample{
			{Labels: []Label{{"x", odd}, {"y", ""}}, Value: 3}, {Labels: []Label{{"x", "\xff"}, {"y", "2"}}, Value: 4}}},
	}
	for i, v := range values {
		families = append(families, Family{Name: "v" + strings.Repeat("_", i), Help: "h", Kind: Gauge, Samples: []Sample{{Value: v}}})
	}
	got := parsed(t, Append(nil, families))
	if len(got) != len(families)-1 {
		t.Errorf("%d families", len(got))
	}
	a, b := got["a"], got["b_total"]
	if a.GetHelp() != families[0].Help || a.GetType() != dto.MetricType_GAUGE || !math.IsNaN(a.Metric[0].Gauge.GetValue()) {
		t.Errorf("a: %v", a)
	}
	if b.GetType() != dto.MetricType_COUNTER || len(b.Metric) != 2 || b.Metric[0].Counter.GetValue() != 3 ||
		b.Metric[0].Label[0].GetValue() != odd || b.Metric[0].Label[1].GetName() != "y" || b.Metric[1].Label[0].GetValue() != "\ufffd" {
		t.Errorf("b: %v", b)
	}
	for i, v := range values {
		if m := got["v"+strings.Repeat("_", i)]; m == nil || m.Metric[0].Gauge.GetValue() != v {
			t.Errorf("%v: %v", v, m)
		}
	}
	if text := string(Append([]byte("before\n"), families[1:2])); text != "before\n" {
		t.Errorf("a family without samples: %q", text)
	}
}

func FuzzAppend(f *testing.F) {
	f.Add("help", "value", 1.5)
	f.Add("a\nb\\", "\"}\n\xff", math.Inf(1))
	f.Fuzz(func(t *testing.T, help, value string, v float64) {
		text := Append(nil, []Family{{Name: "n", Help: help, Kind: Gauge, Samples: []Sample{{Labels: []Label{{"l", value}}, Value: v}}}})
		m := parsed(t, text)["n"].Metric
		got := m[0].Gauge.GetValue()
		if len(m) != 1 || m[0].Label[0].GetValue() != strings.ToValidUTF8(value, "\ufffd") || got != v && !(math.IsNaN(got) && math.IsNaN(v)) {
			t.Errorf("%q reads as %v", text, m)
		}
	})
}

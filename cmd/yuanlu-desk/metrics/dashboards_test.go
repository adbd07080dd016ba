package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/store"
)

// exported are the metrics of a desk with one of everything, each with the labels it has.
func exported(t *testing.T) map[string]string {
	t.Helper()
	h := Handler(Options{Status: func() consumer.Status { return consumer.Status{} }, Version: "1", Log: slog.New(slog.DiscardHandler),
		Totals: func(context.Context) (store.Totals, error) {
			return store.Totals{Open: map[string]int{"high": 1}}, nil
		},
		Proofs: func(context.Context) (store.LogState, error) { return store.LogState{}, nil },
		Fleet: func(context.Context) (store.Fleet, error) {
			return store.Fleet{Presence: map[string]int64{"online": 1}, Health: map[string]int64{"ok": 1}}, nil
		}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	all := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+)(\{[^}]*\})? `).FindAllStringSubmatch(w.Body.String(), -1) {
		all[m[1]] = m[2]
	}
	if len(all) < 20 {
		t.Fatalf("only %d metrics:\n%s", len(all), w.Body)
	}
	return all
}

// amiss returns what is wrong with an expression: a metric or a label that a desk does not export.
func amiss(expr string, metrics map[string]string) error {
	names := regexp.MustCompile(`\b(?:yuanlu|process)_[a-z_]+`).FindAllString(expr, -1)
	if len(names) == 0 {
		return errors.New("no metric of ours")
	}
	labels := "instance"
	for _, name := range names {
		have, ok := metrics[name]
		if !ok {
			return errors.New("no metric " + name)
		}
		labels += have
	}
	for _, m := range regexp.MustCompile(`by \(([a-z]+)\)|([a-z]+)=~?"`).FindAllStringSubmatch(expr, -1) {
		if label := m[1] + m[2]; !strings.Contains(labels, label) {
			return errors.New("no label " + label)
		}
	}
	return nil
}

// TestDashboards: every query of the dashboards is about metrics and labels that the desk exports, and
// every metric of the desk is shown by one of them.
func TestDashboards(t *testing.T) {
	metrics := exported(t)
	shown := ""
	for _, name := range []string{"desk.json", "fleet.json"} {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var board struct {
				UID    string
				Panels []struct {
					ID      int
					Title   string
					Targets []struct{ Expr, LegendFormat string }
				}
			}
			if err := json.Unmarshal(text, &board); err != nil || board.UID == "" || len(board.Panels) == 0 {
				t.Fatalf("%v, %d panels", err, len(board.Panels))
			}
			seen := map[int]bool{}
			for _, p := range board.Panels {
				if seen[p.ID] || len(p.Targets) == 0 || !strings.Contains(p.Title, " / ") {
					t.Errorf("panel %d %q: want an id of its own, a query, a title in both languages", p.ID, p.Title)
				}
				seen[p.ID] = true
				for _, q := range p.Targets {
					if err := amiss(q.Expr, metrics); err != nil {
						t.Errorf("panel %q: %s: %v", p.Title, q.Expr, err)
					}
					shown += q.Expr + " "
				}
			}
		})
	}
	for name := range metrics {
		if strings.HasPrefix(name, "yuanlu_") && !regexp.MustCompile(name+`\b`).MatchString(shown) {
			t.Errorf("no dashboard shows %s", name)
		}
	}
	for _, bad := range []string{"sum(yuanlu_desk_event)", `yuanlu_desk_open_cases{sevrity="high"}`, "up"} {
		if amiss(bad, metrics) == nil {
			t.Errorf("%s is taken for right", bad)
		}
	}
}

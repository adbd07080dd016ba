package logbook

import "testing"

func TestQueryWants(t *testing.T) {
	l := Line{Code: "case.opened", Fields: "case=1 link=pos", Level: 4}
	for _, tc := range []struct {
		name  string
		query Query
		want  bool
	}{
		{"all", Query{}, true}, {"a higher level", Query{Level: 8}, false}, {"its link", Query{Link: "pos"}, true},
		{"another link", Query{Link: "po"}, false}, {"cases", Query{Cases: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.query.Wants(l); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

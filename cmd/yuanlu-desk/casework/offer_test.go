package casework

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestOffers: what is done was offered; what is refused whatever its arguments are was
// offered with that refusal; and to look at the offers changes nothing.
func TestOffers(t *testing.T) {
	done, same := map[string]int{}, map[Refusal]int{}
	for seed := range uint64(12) {
		d := &days{bench: &bench{Desk: New(), t: t}, rng: rand.New(rand.NewPCG(seed, 11))}
		quiet := &bench{Desk: New(), t: t}
		for _, line := range []string{shops, staff0} {
			d.line(line)
			quiet.say("%s", line)
		}
		d.at, _ = moment("2026-08-24T09:00:00+08:00")
		for range 300 {
			text := d.next()
			v, err := parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			tick := fmt.Sprintf(`{"at":%q,"tick":true}`, d.cal.Format(d.at))
			d.line(tick)
			quiet.say("%s", tick)
			by, _ := v.member("by")
			do, _ := v.member("do")
			no, _ := v.member("case")
			d.looks(by.text)
			offers := d.Offers(by.text, no.text)
			a := d.line(text)
			i := slices.IndexFunc(offers, func(o Offer) bool { return o.Do == do.text })
			switch {
			case no.text == "" || do.text == "note" || do.text == "contact" || do.text == "file":
			case a.Refused == "" && (i < 0 || offers[i].Refusal != ""):
				t.Fatalf("seed %d: %s was done; offered: %v", seed, text, offers)
			case a.Refused == "":
				done[do.text]++
			case i >= 0 && direct(do.text) && a.Refused != Stale:
				if same[a.Refused]++; offers[i].Refusal != a.Refused {
					t.Fatalf("seed %d: %s: %s, offered %v", seed, text, a.Refused, offers[i])
				}
			}
			if b := quiet.say("%s", text); string(encode(b)) != string(encode(a)) {
				t.Fatalf("seed %d: looking changed what %s is answered with:\n%s\n%s", seed, text, encode(a), encode(b))
			}
		}
	}
	if len(done) < 18 || len(same) < 3 {
		t.Errorf("the days are dull: done %v, refused %v", done, same)
	}
}

// direct commands have no arguments: their refusal is the one that was offered.
func direct(do string) bool {
	return among(do, []string{"claim", "release", "resume", "unreachable"})
}

// looks asks everything that a page shows of every case.
func (d *days) looks(by string) {
	for _, c := range d.order {
		if v, refusal := d.Foresee(by, c.No); refusal == "" && v.Proposal != nil {
			d.t.Fatalf("%s: the proposal would stay open", c.No)
		}
		d.Hands(by, c.No)
		d.Owners(c.No)
	}
	counts := d.Counts(by)
	for name, n := range counts {
		if p, ok := d.people.active(by); ok {
			if list, _ := d.list(p, name); len(list) != n {
				d.t.Fatalf("%s: %s counts %d, lists %d", by, name, n, len(list))
			}
		}
	}
}

// TestForesee: the case that is foreseen is the one that the approval makes.
func TestForesee(t *testing.T) {
	b := verifying(t)
	b.do("09:10", "ann", proposing(finding0+`,`+reissue0))
	want, refusal := b.Foresee("bo", one)
	if refusal != "" {
		t.Fatal(refusal)
	}
	b.do("09:10", "bo", fmt.Sprintf(`approve "proposal":%d`, b.cases[one].proposal.Seq))
	got, _ := b.Show(one)
	want.Hash = got.Hash // no event was written: there is none to hash
	if string(encode(got)) != string(encode(want)) {
		t.Errorf("foreseen %s\nis       %s", encode(want), encode(got))
	}
}

func TestHandsAreNamed(t *testing.T) {
	b := verifying(t)
	for by, want := range map[string]int{"cai": 1, "mei": 0, "bo": 0} {
		if got := b.Hands(by, one); len(got) != want || want == 1 && got[0] != "operator" {
			t.Errorf("%s: %v", by, got)
		}
	}
}

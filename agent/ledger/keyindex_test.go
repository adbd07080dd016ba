package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
	"yuanlu/agent/refund/randomjournal"
)

// keysOf returns every key that a store finds records by, from the table and from memory,
// without two: tokens, which no two stores have alike, and the number of a record before a
// copy filled in its batch, by which a store found it until it was opened again.
func keysOf(t testing.TB, d *DB) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	must(t, d.w.Each(`SELECT value, seq FROM key`, func(r *sqlite.Row) error { all[fmt.Sprintf("%q %d", r.View(0), r.Int(1))] = true; return nil }))
	for i := range d.index.entries {
		e := &d.index.entries[i]
		if name := fmt.Sprintf("%q %d", d.index.value(e), e.seq); e.gone {
			delete(all, name)
		} else {
			all[name] = true
		}
	}
	maps.DeleteFunc(all, func(name string, _ bool) bool {
		return strings.HasPrefix(name, `"\a`) || strings.HasPrefix(name, `"\x04`) && strings.Contains(name, `\x1f\x1f"`)
	})
	return all
}

// TestTheSameKeysWhereverTheyAre: written with every record, now and then, or never before
// the end; as they were added, and collected again when the store is opened; of records with
// copies, batches, settlements, and refunds whose keys change with their verdicts.
func TestTheSameKeysWhereverTheyAre(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(4) {
		var want map[string]bool
		for _, flush := range []int{1, 40, 1 << 20} {
			o := testOptions(t.TempDir())
			o.flushKeys = flush
			d, err := Open(ctx, o)
			must(t, err)
			for part := range slices.Chunk(randomjournal.Records(seed+700, 150), 3) {
				apply(t, d, part...)
			}
			if upTo := d.index.upTo; flush == 1 && upTo != d.now.seq || flush == 40 && upTo == 0 || (upTo == 0) != (flush == 1<<20) {
				t.Fatalf("seed %d, %d keys at once: written up to record %d of %d", seed, flush, upTo, d.now.seq)
			}
			had := keysOf(t, d)
			d.breakOff(errors.New("injected"))
			_, _, err = d.Memory(ctx, "pos", "reopen")
			must(t, err)
			if again := keysOf(t, d); !maps.Equal(again, had) {
				t.Errorf("seed %d, %d keys at once: broken off: %s", seed, flush, differ(had, again))
			}
			must(t, d.Close())
			d = openTest(t, o)
			if again := keysOf(t, d); !maps.Equal(again, had) || len(d.index.entries) > 0 {
				t.Errorf("seed %d, %d keys at once: opened again: %s; %d in memory", seed, flush, differ(had, again), len(d.index.entries))
			}
			if want == nil {
				want = had
			} else if !maps.Equal(had, want) {
				t.Errorf("seed %d, %d keys at once: %s", seed, flush, differ(want, had))
			}
		}
	}
}

// differ names what is in one of two sets alone.
func differ(want, got map[string]bool) (text string) {
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !got[k] {
			text += " misses " + k
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if !want[k] {
			text += " has " + k
		}
	}
	return text[:min(len(text), 400)]
}

// TestKeysInMemory: an index in memory finds what a list of all that happened to it would.
func TestKeysInMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	x := &keyIndex{heads: make([]int32, keyHeads)}
	type entry struct {
		value string
		seq   int64
		gone  bool
	}
	var all []entry
	for range 3000 {
		switch rng.IntN(10) {
		case 0: // a rollback
			n := max(0, len(all)-rng.IntN(5))
			x.truncate(n)
			all = all[:n]
		case 1: // taken back
			if len(all) > 0 {
				e := all[rng.IntN(len(all))]
				e.gone = true
				x.add([]byte(e.value), e.seq, true)
				all = append(all, e)
			}
		default:
			value := fmt.Sprintf("%cT%d\x1f%d\x1f%d\x1f", byte(refund.KeyStan), rng.IntN(3), rng.IntN(5), rng.IntN(3))
			if rng.IntN(2) == 0 {
				value = fmt.Sprintf("%c%d\x1f", byte(refund.KeyRRN), rng.IntN(8))
			}
			e := entry{value, rng.Int64N(6) + 1, false}
			x.add([]byte(e.value), e.seq, false)
			all = append(all, e)
		}
		ask := []byte(fmt.Sprintf("%c%d\x1f", byte(refund.KeyRRN), rng.IntN(8)))
		if rng.IntN(2) == 0 {
			ask = fmt.Appendf(nil, "%cT%d\x1f%d\x1f", byte(refund.KeyStan), rng.IntN(3), rng.IntN(5))
		}
		has := map[entry]bool{}
		for _, e := range all {
			has[entry{e.value, e.seq, false}] = !e.gone
		}
		want := map[int64]bool{}
		for e, is := range has {
			if is && bytes.HasPrefix([]byte(e.value), ask) {
				want[e.seq] = true
			}
		}
		got := map[int64]bool{}
		for _, seq := range x.find(nil, ask) {
			got[seq] = true
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%q: found %v, want %v", ask, got, want)
		}
	}
}

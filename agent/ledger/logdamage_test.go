package ledger

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"yuanlu/agent/ledger/sqlite"
)

// TestRule09_RowsOfTheLogGone: rows of the evidence log that are gone or changed in a store whose
// pages are whole never keep it from being opened, and it has a whole log afterwards.
func TestRule09_RowsOfTheLogGone(t *testing.T) {
	for name, sql := range map[string]string{
		"first leaf":       `DELETE FROM leaf WHERE n = 0`,
		"newest leaf":      `DELETE FROM leaf WHERE n = (SELECT max(n) FROM leaf)`,
		"all leaves":       `DELETE FROM leaf`,
		"changed hash":     `UPDATE leaf SET hash = zeroblob(32) WHERE n = (SELECT max(n) FROM leaf)`,
		"short hash":       `UPDATE leaf SET hash = x'00' WHERE n = (SELECT max(n) FROM leaf)`,
		"tiles":            `DELETE FROM tile`,
		"leaves of record": `UPDATE record SET leaf = NULL`,
		"short leaf":       `UPDATE record SET leaf = x'01' WHERE seq = (SELECT max(seq) FROM record)`,
		"notes":            `DELETE FROM cosigned`,
		"origin":           `DELETE FROM meta WHERE name = 'log.origin'`,
		"key":              `DELETE FROM meta WHERE name = 'log.key'`,
		"after":            `DELETE FROM meta WHERE name = 'log.after'`,
		"co-signed note":   `DELETE FROM meta WHERE name = 'log.cosigned'`,
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions(t.TempDir())
			d := openTest(t, o)
			_, err := d.Apply(context.Background(), sales(d.Keys(), 0, 300))
			if name == "tiles" {
				_, err = d.Apply(context.Background(), sales(d.Keys(), 5000, 4500))
			}
			must(t, err)
			wrongRefund(t, d, 1000)
			newDeskOf(t).answer(d)
			was, err := d.LogState(context.Background())
			must(t, err)
			if tiles, _, err := d.w.Int(`SELECT count(*) FROM tile`); err != nil || name == "tiles" && tiles == 0 {
				t.Fatalf("no tile to lose: %v", err)
			}
			must(t, d.w.Script(sql))
			d = reopened(t, d, o)
			now, err := d.LogState(context.Background())
			must(t, err)
			said := len(d.Damage()) > 0
			for _, n := range due(t, d) {
				said = said || n.Type == "log.contradicted"
			}
			if name == "tiles" && !said {
				t.Error("lost tiles are not said")
			}
			if now.Origin != was.Origin && !said {
				t.Error("a new log began, and nothing was said")
			}
			wrongRefund(t, d, 2000)
			wholeLog(t, d)
		})
	}
}

// TestTheSchemaHasSeveralPages: the root of the schema, page 1, is an inner page of its tree by now
// (kind 5), so what opens, upgrades and kills stores of today's version tries a schema of several
// pages, each with its sum.
func TestTheSchemaHasSeveralPages(t *testing.T) {
	files, out := ofVersion(t, "version1", "closed")
	dir := laidOut(t, files)
	checkScript(t, dir, out)
	t.Cleanup(func() {
		b, err := os.ReadFile(filepath.Join(dir, storeFile))
		must(t, err)
		if kind := b[100]; kind != 5 {
			t.Errorf("page 1 is of kind %d, want 5", kind)
		}
		right := binary.BigEndian.Uint32(b[108:])
		at := int64(right-1) * sqlite.PageSize
		if !sqlite.SumMatches(b[at:at+sqlite.PageSize], int64(right)) {
			t.Errorf("page %d of the schema does not match its sum", right)
		}
	})
}

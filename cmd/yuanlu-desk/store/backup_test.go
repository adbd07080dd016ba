package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"yuanlu/cmd/yuanlu-desk/store"
)

// office has a store with people who work in it; each of their commands is a new case or a
// file in one.
func (r *rig) office() {
	r.t.Helper()
	if err := r.s.SetUp(r.t.Context(), []byte(`{"stores":[{"store":"s1","merchant_id":"M1","terminals":[],"cutoff":""}]}`)); err != nil {
		r.t.Fatal(err)
	}
	r.hire("analyst-1", "analyst-2")
}

// opens opens a case by hand and files a document in it.
func opens(ctx context.Context, r *rig, by string, n int) error {
	a, done, err := r.s.Work(ctx, r.now, by, fmt.Sprintf(`"by":%q,"do":"open","store":"s1","text":"x","refund":{"channel":"card","amount":1,"currency":"CNY","at":"2026-08-24T08:00:00Z","number":"%s-%d"}`, by, by, n))
	if err != nil || a.Refused != "" {
		return fmt.Errorf("%s %w", a.Refused, err)
	}
	body := fmt.Appendf(nil, "document %d of %s\x00\xff", n, by)
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	no := done.Events[0].Case
	a, _, err = r.s.WorkFile(ctx, r.now, by, fmt.Sprintf(`"by":%q,"do":"file","case":%q,"name":"a","type":"text/plain","size":%d,"sha256":%q,"kind":"other"`, by, no, len(body), hash), hash, "text/plain", body)
	if err == nil && a.Refused != "" {
		err = errors.New(string(a.Refused))
	}
	return err
}

// journals are all events of a store by case, in order.
func journals(t *testing.T, s *store.Store) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for n := 1; ; n++ {
		no := fmt.Sprintf("C-2026-%06d", n)
		list, err := s.Journal(t.Context(), no, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, e := range list {
			all[no] = append(all[no], string(e))
		}
	}
	return all
}

func restored(t *testing.T, place string, backup []byte) (*store.Store, store.Restored) {
	t.Helper()
	got, err := store.Restore(t.Context(), place, bytes.NewReader(backup))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, got
}

// A backup that is made while people work restores to a moment of that work, on either
// database: each journal is the beginning of what it became, each file has its hash.
func TestBackupUnderLoad(t *testing.T) {
	both(t, func(r *rig) {
		r.office()
		ctx, stop := context.WithCancel(t.Context())
		begun := make(chan struct{}, 2)
		var wg sync.WaitGroup
		for _, by := range []string{"analyst-1", "analyst-2"} {
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					if err := opens(ctx, r, by, n); err != nil && ctx.Err() == nil {
						t.Error(err)
						return
					}
					if n == 6 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		<-begun
		var backups [2]bytes.Buffer
		for i := range backups {
			if _, err := r.s.Backup(t.Context(), &backups[i], r.now); err != nil {
				t.Error(err)
			}
		}
		stop()
		wg.Wait()
		now := journals(t, r.s)
		for i := range backups {
			place := filepath.Join(t.TempDir(), "restored.db")
			if i == 1 {
				place = cluster.Database(t)
			}
			s, got := restored(t, place, backups[i].Bytes())
			isPrefix(t, journals(t, s), now)
			if got.Cases < 12 || got.Files < 12 || len(got.Amiss) > 0 || s.ID() != r.s.ID() {
				t.Errorf("%d cases, %d files, %v", got.Cases, got.Files, got.Amiss)
			}
			again := &rig{t: t, s: s, now: r.now}
			if err := opens(t.Context(), again, "analyst-1", 1_000_000); err != nil { // and work goes on
				t.Error(err)
			}
		}
	})
}

// isPrefix: every journal, and the list of cases, is the beginning of what it is now.
func isPrefix(t *testing.T, then, now map[string][]string) {
	t.Helper()
	if len(then) < 12 || len(then) > len(now) {
		t.Errorf("%d cases of %d", len(then), len(now))
	}
	for no, list := range then {
		if len(list) > len(now[no]) || !slices.Equal(list, now[no][:len(list)]) {
			t.Errorf("%s: %d events are not the beginning of the %d", no, len(list), len(now[no]))
		}
	}
}

// What a backup leaves out is on purpose; everything else is in it, byte for byte.
func TestBackupHasEveryTable(t *testing.T) {
	both(t, func(r *rig) {
		r.office()
		for n := range 3 {
			if err := opens(t.Context(), r, "analyst-1", n); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.s.SetLogin(t.Context(), "analyst-1", store.Login{Hash: "h", MustChange: true}); err != nil {
			t.Fatal(err)
		}
		if err := r.s.Begin(t.Context(), store.Session{Hash: "s", Person: "analyst-1", Made: r.now}); err != nil {
			t.Fatal(err)
		}
		var first, second bytes.Buffer
		b, err := r.s.Backup(t.Context(), &first, r.now)
		if err != nil {
			t.Fatal(err)
		}
		for table, want := range map[string]int64{"work_event": 11, "work_file": 3, "work_filed": 3, "work_login": 1, "work_case": 3, "meta": 2, "desk": 2} {
			if b.Rows[table] != want {
				t.Errorf("%s: %d rows, want %d", table, b.Rows[table], want)
			}
		}
		if _, has := b.Rows["work_session"]; has {
			t.Error("an old session would open the desk")
		}
		s, _ := restored(t, filepath.Join(t.TempDir(), "restored.db"), first.Bytes())
		again, err := s.Backup(t.Context(), &second, r.now)
		if err != nil || fmt.Sprint(again.Rows) != fmt.Sprint(b.Rows) {
			t.Errorf("%v %v, want %v", err, again.Rows, b.Rows)
		}
	})
}

// A backup that was cut or changed anywhere is refused with its place, and nothing is made.
func TestDamagedBackupIsRefused(t *testing.T) {
	r := newRig(t, filepath.Join(t.TempDir(), "desk.db"))
	r.office()
	for n := range 3 {
		if err := opens(t.Context(), r, "analyst-1", n); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := r.s.Backup(t.Context(), &b, r.now); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	dir := t.TempDir()
	refused := func(what string, text []byte) {
		t.Helper()
		place := filepath.Join(dir, "restored.db")
		_, err := store.Restore(t.Context(), place, bytes.NewReader(text))
		if !errors.Is(err, store.ErrBackup) || !strings.Contains(err.Error(), "block") && !strings.Contains(err.Error(), "begin") {
			t.Errorf("%s: %v", what, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left behind %v %v", what, left, err)
		}
	}
	for at := 0; at < len(whole); at += 1 + len(whole)/12 {
		refused(fmt.Sprint("cut at byte ", at), whole[:at])
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		refused(fmt.Sprint("changed at byte ", at), changed)
	}
	refused("something behind", append(bytes.Clone(whole), 0))
	refused("another file", []byte("SQLite format 3\x00"))
	place := filepath.Join(dir, "there.db")
	if err := os.WriteFile(place, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), place, bytes.NewReader(whole)); !errors.Is(err, store.ErrNotEmpty) {
		t.Errorf("over a file: %v", err)
	}
}

// A store of an earlier version is backed up as it is, and restored as one of this version.
func TestBackupOfEarlierVersion(t *testing.T) {
	place := filepath.Join(t.TempDir(), "desk.db")
	r := newRig(t, place)
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	db, err := sql.Open("sqlite", old)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"00001_desk.sql", "00002_by_hand.sql"} {
		text, err := os.ReadFile(filepath.Join("migrations", name))
		if err == nil {
			_, err = db.Exec(string(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(`INSERT INTO meta VALUES('id', 'OLD'); INSERT INTO action VALUES(1,2,'w','x','t','s',1,1,'why',1); UPDATE desk SET n = 1`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, have, err := store.OpenAsItIs(t.Context(), old)
	if err != nil || have != 2 {
		t.Fatal(have, err)
	}
	var b bytes.Buffer
	if _, err := s.Backup(t.Context(), &b, r.now); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, have, err := store.OpenAsItIs(t.Context(), old); err != nil || have != 2 {
		t.Errorf("the backup has changed the store to version %d, %v", have, err)
	}
	got, _ := restored(t, filepath.Join(t.TempDir(), "new.db"), b.Bytes())
	list, err := got.Actions(t.Context(), "", 0, 5)
	if err != nil || len(list) != 1 || got.ID() != "OLD" {
		t.Errorf("%v %v %s", list, err, got.ID())
	}
}

// The doctor's looks: a journal that was changed is named, a file that was changed or is gone too.
func TestWhatIsNotWholeIsNamed(t *testing.T) {
	place := filepath.Join(t.TempDir(), "desk.db")
	r := newRig(t, place)
	r.office()
	for n := range 3 {
		if err := opens(t.Context(), r, "analyst-1", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.s.Close(); err != nil {
		t.Fatal(err)
	}
	change := func(q string) {
		t.Helper()
		db, err := sql.Open("sqlite", place)
		if err == nil {
			_, err = db.Exec(q)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	look := func(do func(*store.Store) error) error {
		t.Helper()
		s, _, err := store.OpenAsItIs(t.Context(), place)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return do(s)
	}
	files := func(s *store.Store) error {
		right, amiss, err := s.Files(t.Context())
		b, _ := json.Marshal(amiss)
		return errors.Join(err, fmt.Errorf("%d %s", right, b))
	}
	if err := look(func(s *store.Store) error { return errors.Join(s.Sound(t.Context())) }); err != nil {
		t.Error(err)
	}
	change(`UPDATE work_file SET body = x'00' WHERE sha256 = (SELECT sha256 FROM work_filed WHERE case_no = 'C-2026-000002');
 DELETE FROM work_file WHERE sha256 = (SELECT sha256 FROM work_filed WHERE case_no = 'C-2026-000003')`)
	if got := look(files).Error(); !strings.HasPrefix(got, `1 [{"case":"C-2026-000002"`) || !strings.Contains(got, `"gone":false},{"case":"C-2026-000003"`) || !strings.HasSuffix(got, `"gone":true}]`) {
		t.Error(got)
	}
	change(`UPDATE work_event SET body = replace(body, '"amount":1,', '"amount":2,') WHERE case_no = 'C-2026-000002' AND seq = 2`)
	err := look(func(s *store.Store) error { _, err := s.Journals(t.Context()); return err })
	if err == nil || !strings.Contains(err.Error(), "case C-2026-000002, event 2") {
		t.Errorf("a changed journal: %v", err)
	}
}

// What is read of a backup is hostile: nothing of it ends the program, and what is not whole
// makes no store.
func FuzzRestore(f *testing.F) {
	dir := f.TempDir()
	s, err := store.Open(f.Context(), filepath.Join(dir, "desk.db"))
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	var b bytes.Buffer
	if _, err := s.Backup(f.Context(), &b, noon); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte("yuanlu-desk backup 1\n\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		place := filepath.Join(t.TempDir(), "r.db")
		_, err := store.Restore(t.Context(), place, bytes.NewReader(text))
		if _, there := os.Stat(place); err != nil && !errors.Is(there, fs.ErrNotExist) {
			t.Errorf("%v, and a store was made", err)
		}
	})
}

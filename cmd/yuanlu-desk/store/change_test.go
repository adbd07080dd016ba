package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// A client that goes away ends the wait for its turn, and no transaction that has begun: what
// became of it would not be known, and with many cases it takes long to build them again.
func TestClientThatGoesAway(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "desk.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	s.work.desk = casework.New()
	ctx, cancel := context.WithCancel(t.Context())
	begun := 0
	touch := func(a *applying) error {
		begun++
		cancel()
		_, err := a.exec(`UPDATE desk SET n = n WHERE id = 2`)
		return err
	}
	if _, err := s.change(ctx, touch); err != nil || begun != 1 {
		t.Errorf("a transaction that had begun ended: %v", err)
	}
	if _, err := s.change(ctx, touch); !errors.Is(err, context.Canceled) || begun != 1 {
		t.Errorf("begun %d times, %v", begun, err)
	}
	if s.work.desk == nil {
		t.Error("the case desk is forgotten")
	}
}

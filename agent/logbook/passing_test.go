package logbook

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPassingLines: who watches sees a record at once, in its place among the others; the
// stream and the file have no line of it; on a busy link the rest is counted.
func TestPassingLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		path := filepath.Join(t.TempDir(), "yuanlu.log")
		begin := time.Now()
		var passed atomic.Int64 // milliseconds; one more each time that it is looked at
		b := Open(Options{Stream: &out, File: path, Zone: time.UTC, Now: func() time.Time { return begin.Add(time.Duration(passed.Add(1)) * time.Millisecond) }})
		log, passing := b.Logger(), b.Passing()
		log.Info("link.online", "link", "pos")
		_, sub := b.Subscribe(0, nil)
		passing.Info(RecordCode, "link", "pos", "kind", "sale")
		if l := <-sub.Lines(); l.Code != RecordCode || l.Field("kind") != "sale" {
			t.Errorf("watching: %v", l)
		}
		log.Info("link.lost", "link", "pos")
		<-sub.Lines()
		if last := b.Last(10, nil); len(last) != 3 || last[1].Code != RecordCode {
			t.Errorf("remembered %v", last)
		}
		if last := b.Last(1, nil); len(last) != 1 || last[0].Code != "link.lost" {
			t.Errorf("the last one is %v", last)
		}
		for range 300 {
			passing.Info(RecordCode, "link", "pos", "kind", "sale")
		}
		for range rateBurst - 1 {
			<-sub.Lines()
		}
		passed.Add(leftOutAfter.Milliseconds())
		if l := <-sub.Lines(); l.Code != "log.left_out" || l.Field("lines") != "291" || l.Level != slog.LevelInfo {
			t.Errorf("after that: %v", l)
		}
		sub.Cancel()
		if err := b.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		kept, err := Tail([]string{path}, 10, func(Line) bool { return true })
		if err != nil || len(kept) != 2 || strings.Contains(out.String(), RecordCode) {
			t.Errorf("file %v, %v\nstream %s", kept, err, out.String())
		}
	})
}

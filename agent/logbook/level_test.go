package logbook

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

func TestLevelRevertsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Open(Options{Level: slog.LevelInfo, Now: time.Now})
		if usual, until := b.SetLevelFor(slog.LevelDebug, time.Minute); usual != slog.LevelInfo || !until.Equal(time.Now().Add(time.Minute)) {
			t.Errorf("usual %v until %v", usual, until)
		}
		b.Logger().Debug("logged")
		<-time.After(time.Minute)
		synctest.Wait()
		b.Logger().Debug("unsaid")
		if got := b.Last(9, nil); len(got) != 2 || got[0].Code != "logged" || got[1].Code != "log.level_reverted" || b.Level() != slog.LevelInfo {
			t.Errorf("%v at %v", got, b.Level())
		}
		// Again before the end: the later one counts; the usual level ends it.
		b.SetLevelFor(slog.LevelError, time.Minute)
		<-time.After(30 * time.Second)
		b.SetLevelFor(slog.LevelDebug, time.Minute)
		<-time.After(45 * time.Second)
		synctest.Wait()
		if b.Level() != slog.LevelDebug || b.UsualLevel() != slog.LevelInfo {
			t.Errorf("level %v, usual %v", b.Level(), b.UsualLevel())
		}
		if _, until := b.SetLevelFor(slog.LevelInfo, time.Minute); !until.IsZero() || b.Level() != slog.LevelInfo {
			t.Errorf("the usual level until %v", until)
		}
		// A changed configuration ends it, and is what comes back.
		b.SetLevelFor(slog.LevelDebug, time.Minute)
		b.SetLevel(slog.LevelWarn)
		<-time.After(2 * time.Minute)
		synctest.Wait()
		if b.Level() != slog.LevelWarn {
			t.Errorf("after a reload: %v", b.Level())
		}
		b.SetLevelFor(slog.LevelDebug, time.Minute)
		if err := b.Close(t.Context()); err != nil || b.Level() != slog.LevelWarn {
			t.Errorf("closed: %v, %v", err, b.Level())
		}
		b.SetLevelFor(slog.LevelDebug, time.Hour) // nothing is left running
	})
}

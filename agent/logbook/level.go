package logbook

import (
	"log/slog"
	"time"
)

// SetLevel changes the least level that is logged, and ends SetLevelFor.
func (b *Book) SetLevel(l slog.Level) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.usual = l
	b.settle(l)
}

// SetLevelFor changes the least level that is logged for d; then the usual one, that of
// Options or SetLevel, comes back by itself. The usual one ends it at once. It returns
// the usual level and when it comes back, zero for at once.
func (b *Book) SetLevelFor(l slog.Level, d time.Duration) (usual slog.Level, until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle(l)
	if b.closed || l == b.usual {
		return b.usual, time.Time{}
	}
	turn := b.turns
	b.revert = time.AfterFunc(d, func() { b.comeBack(turn) })
	return b.usual, b.now().Add(d)
}

// settle sets the level and ends a timer. It is called with mu locked.
func (b *Book) settle(l slog.Level) {
	if b.revert != nil {
		b.revert.Stop()
		b.revert = nil
	}
	b.turns++
	b.level.Set(l)
}

func (b *Book) comeBack(turn int) {
	b.mu.Lock()
	still := turn == b.turns && !b.closed
	if still {
		b.settle(b.usual)
	}
	level := b.usual
	b.mu.Unlock()
	if still {
		b.Logger().Info("log.level_reverted", "level", LevelName(level))
	}
}

// Level returns the least level that is logged.
func (b *Book) Level() slog.Level { return b.level.Level() }

// UsualLevel returns the least level that is logged without SetLevelFor.
func (b *Book) UsualLevel() slog.Level {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.usual
}

// LevelName returns debug, info, warn or error: what ParseLevel reads.
func LevelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	case l >= slog.LevelInfo:
		return "info"
	}
	return "debug"
}

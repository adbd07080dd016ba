package logbook

import (
	"log/slog"
	"strings"
	"testing"
)

// An attribute without a value is left out: "err=<nil>" states nothing, here and on up/log.
func TestNothingIsNotSaid(t *testing.T) {
	var none error
	text := logged(t, Options{}, func(l *slog.Logger) {
		l.Warn("dn.refused", "code", "stream", "err", none, slog.Group("g", "x", nil), "before", 0)
	})
	if strings.Contains(text, "nil") || strings.Contains(text, "err=") || !strings.Contains(text, "code=stream") || !strings.Contains(text, "before=0") {
		t.Errorf("logged %q", text)
	}
}

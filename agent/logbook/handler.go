package logbook

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"yuanlu/protocol/printable"
)

// handler turns slog records into Lines. With attributes and groups it is a new
// value that shares the Book.
type handler struct {
	book   *Book
	fields []byte // of WithAttrs, already written
	prefix string // of WithGroup: "a.b."

	passing bool // lines go to those who watch only
}

func (h *handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.book.level.Level() }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	fields := append([]byte(nil), h.fields...)
	r.Attrs(func(a slog.Attr) bool {
		fields = appendAttr(fields, h.prefix, a)
		return true
	})
	l := Line{Level: r.Level, Code: code(r.Message), Fields: string(fields)}
	if h.passing {
		h.book.pass(l)
	} else {
		h.book.log(l)
	}
	return nil
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.fields = append([]byte(nil), h.fields...)
	for _, a := range attrs {
		next.fields = appendAttr(next.fields, h.prefix, a)
	}
	return &next
}

func (h *handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	next := *h
	next.prefix = h.prefix + name + "."
	return &next
}

// code makes an event code of a message: no spaces, whatever it is.
func code(message string) string {
	message = fence(message)
	if plain(message) {
		return message
	}
	return strings.Join(strings.Fields(printable.Text(strconv.Quote(message))), "_")
}

func appendAttr(dst []byte, prefix string, a slog.Attr) []byte {
	v := a.Value.Resolve()
	if a.Key == "" && v.Kind() != slog.KindGroup || v.Kind() == slog.KindAny && v.Any() == nil { // nothing to log
		return dst
	}
	switch v.Kind() {
	case slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, sub := range v.Group() {
			dst = appendAttr(dst, prefix, sub)
		}
		return dst
	case slog.KindTime:
		return appendField(dst, prefix+a.Key, v.Time().Format(time.RFC3339))
	}
	return appendField(dst, prefix+a.Key, v.String())
}

// UnderJournald reports whether standard error is read by journald: the
// environment names the device and inode of the stream (systemd.exec(5)).
func UnderJournald(env func(string) string, stderr *os.File) bool {
	stream := env("JOURNAL_STREAM")
	if stream == "" || stderr == nil {
		return false
	}
	info, err := stderr.Stat()
	return err == nil && sameStream(info, stream)
}

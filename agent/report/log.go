package report

import (
	"context"
	"log/slog"
	"strings"
	"sync"

	"yuanlu/agent/logbook"
	"yuanlu/protocol/topics"
)

// followLog publishes the log's lines of level warn and above on up/log until stop is
// called, which waits for its goroutine.
func (r *Reporter) followLog() (stop func()) {
	if r.o.Book == nil {
		return func() {}
	}
	_, lines := r.o.Book.Subscribe(0, func(l logbook.Line) bool { return l.Level >= slog.LevelWarn && !aboutPublishing(l.Code) })
	var sender sync.WaitGroup
	sender.Go(func() {
		for l := range lines.Lines() {
			r.SendLog(logLine(l))
		}
	})
	return func() {
		lines.Cancel()
		sender.Wait()
	}
}

func logLine(l logbook.Line) topics.LogLine {
	level := "warn"
	if l.Level >= slog.LevelError {
		level = "error"
	}
	attrs := map[string]string{}
	for k, v := range l.Pairs() {
		attrs[k] = v
	}
	return topics.LogLine{TS: topics.At(l.Time), Level: level, Code: l.Code, Attrs: attrs}
}

// SendLog publishes a log line of level warn or error on up/log, rate-capped: 20 at
// once, then 10 a minute. It never blocks. A line about publishing itself is left
// out: it would make the next one.
func (r *Reporter) SendLog(line topics.LogLine) {
	if aboutPublishing(line.Code) {
		return
	}
	missed, ok := r.logCap.take()
	if !ok {
		return
	}
	line.Suppressed = missed
	select {
	case r.logs <- line:
	default: // not connected for long: the log itself has it
	}
}

// aboutPublishing reports whether an event code is about what this room does.
func aboutPublishing(code string) bool {
	area, _, _ := strings.Cut(code, ".")
	switch area {
	case "mqtt", "report", "outbox", "delivery":
		return true
	}
	return false
}

func (s *session) sendLog(ctx context.Context, line topics.LogLine) {
	channel, _ := topics.ChannelOf("log")
	if payload, err := s.r.payload(channel.Schema, &line); err == nil {
		_ = s.publish(ctx, channel, s.r.o.Names.Log(line.Level), payload) // QoS 0: best effort
	}
}

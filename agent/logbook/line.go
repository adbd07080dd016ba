package logbook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"yuanlu/protocol/cardnumber"
	"yuanlu/protocol/printable"
)

// Line is one line of the log. Fields is "key=value key=value", quoted where needed.
type Line struct {
	Time   time.Time  `json:"time"`
	Level  slog.Level `json:"level"`
	Code   string     `json:"code"`
	Fields string     `json:"fields"`
	Repeat int        `json:"repeat,omitempty"` // how often by now, 0 the first time
	// LeftOut is how many lines of its code, and link, were left out since the last one
	// that was logged, because they were too many.
	LeftOut int `json:"left_out,omitempty"`
}

// timeLayout is RFC 3339 with milliseconds.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// String returns the line as it stands in the file.
func (l Line) String() string {
	return l.Time.Format(timeLayout) + " " + levelName(l.Level) + " " + l.body()
}

func (l Line) body() string {
	var b strings.Builder
	b.WriteString(l.Code)
	if l.Fields != "" {
		b.WriteByte(' ')
		b.WriteString(l.Fields)
	}
	if l.Repeat > 1 {
		b.WriteString(" repeat=")
		b.WriteString(strconv.Itoa(l.Repeat))
	}
	if l.LeftOut > 0 {
		b.WriteString(" left_out=")
		b.WriteString(strconv.Itoa(l.LeftOut))
	}
	return b.String()
}

// journal returns the line with journald's priority prefix.
func (l Line) journal() string {
	priority := 6 // info
	switch {
	case l.Level >= slog.LevelError:
		priority = 3
	case l.Level >= slog.LevelWarn:
		priority = 4
	case l.Level < slog.LevelInfo:
		priority = 7
	}
	return fmt.Sprintf("<%d>%s", priority, l.body())
}

// jsonText returns the line as one JSON object, its fields as members.
func (l Line) jsonText() string {
	var b strings.Builder
	member := func(k, v string) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(k)
		val, _ := json.Marshal(v)
		b.Write(key)
		b.WriteByte(':')
		b.Write(val)
	}
	member("time", l.Time.Format(timeLayout))
	member("level", levelName(l.Level))
	member("code", l.Code)
	for k, v := range l.Pairs() {
		member(k, v)
	}
	if l.Repeat > 1 {
		member("repeat", strconv.Itoa(l.Repeat))
	}
	if l.LeftOut > 0 {
		member("left_out", strconv.Itoa(l.LeftOut))
	}
	return "{" + b.String() + "}"
}

// Pairs returns the fields one by one, unquoted.
func (l Line) Pairs() func(yield func(k, v string) bool) {
	return func(yield func(k, v string) bool) {
		rest := l.Fields
		for rest != "" {
			key, after, ok := strings.Cut(rest, "=")
			if !ok {
				return
			}
			value := ""
			if q, err := strconv.QuotedPrefix(after); err == nil {
				value, _ = strconv.Unquote(q)
				rest = strings.TrimPrefix(after[len(q):], " ")
			} else {
				value, rest, _ = strings.Cut(after, " ")
			}
			if !yield(key, value) {
				return
			}
		}
	}
}

// Field returns the value of a field, "" if there is none.
func (l Line) Field(key string) string {
	for k, v := range l.Pairs() {
		if k == key {
			return v
		}
	}
	return ""
}

// ParseLine reads a line of the file back. ok is false for what is none.
func ParseLine(text string) (l Line, ok bool) {
	if strings.HasPrefix(text, "{") {
		return parseJSON(text)
	}
	parts := strings.SplitN(text, " ", 4)
	if len(parts) < 3 {
		return Line{}, false
	}
	at, err := time.Parse(timeLayout, parts[0])
	level, known := ParseLevel(strings.ToLower(parts[1]))
	if err != nil || !known {
		return Line{}, false
	}
	l = Line{Time: at, Level: level, Code: parts[2]}
	if len(parts) == 4 {
		l.Fields = parts[3]
	}
	return l, true
}

func parseJSON(text string) (l Line, ok bool) {
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return Line{}, false
	}
	var fields []byte
	for dec.More() {
		k, err := dec.Token()
		var v string
		if err != nil || dec.Decode(&v) != nil {
			return Line{}, false
		}
		switch k {
		case "time":
			l.Time, err = time.Parse(timeLayout, v)
		case "level":
			l.Level, ok = ParseLevel(strings.ToLower(v))
		case "code":
			l.Code = v
		default:
			key, _ := k.(string)
			fields = appendField(fields, key, v)
		}
		if err != nil {
			return Line{}, false
		}
	}
	l.Fields = string(fields)
	return l, ok && l.Code != ""
}

// ParseLevel reads debug, info, warn or error.
func ParseLevel(name string) (slog.Level, bool) {
	switch name {
	case "debug":
		return slog.LevelDebug, true
	case "info":
		return slog.LevelInfo, true
	case "warn":
		return slog.LevelWarn, true
	case "error":
		return slog.LevelError, true
	}
	return 0, false
}

func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARN"
	case l >= slog.LevelInfo:
		return "INFO"
	default:
		return "DEBUG"
	}
}

// maxValue bounds one value, in bytes: a log line is no place for a document.
const maxValue = 1024

// appendField writes " key=value" (without the blank at the beginning of dst).
func appendField(dst []byte, key, value string) []byte {
	if len(dst) > 0 {
		dst = append(dst, ' ')
	}
	dst = append(append(dst, key...), '=')
	if len(value) > maxValue {
		value = strings.ToValidUTF8(value[:maxValue], "") + "…"
	}
	value = fence(value)
	if plain(value) {
		return append(dst, value...)
	}
	return append(dst, printable.Text(strconv.Quote(value))...)
}

// plain reports whether a value needs no quotes.
func plain(v string) bool {
	if v == "" || !utf8.ValidString(v) {
		return false
	}
	for _, c := range v {
		if c == '"' || c == '=' || c == '\\' || unicode.IsSpace(c) || !printable.Shown(c) {
			return false
		}
	}
	return true
}

// fence masks runs of 14 to 19 digits that begin like a card number (3 to 6, 9)
// and pass the Luhn check, all but the first 6 and last 4.
func fence(v string) string {
	for i := 0; i < len(v); {
		if v[i] < '0' || v[i] > '9' {
			i++
			continue
		}
		end := i
		for end < len(v) && v[end] >= '0' && v[end] <= '9' {
			end++
		}
		if run := v[i:end]; len(run) >= 14 && len(run) <= 19 && cardnumber.Like(run) {
			v = v[:i+6] + strings.Repeat("*", len(run)-10) + v[end-4:]
		}
		i = end
	}
	return v
}

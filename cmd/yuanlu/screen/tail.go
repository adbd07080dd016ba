package screen

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/logbook"
	"yuanlu/agent/refund"
)

// Raw prints a line of the log as it stands in the file.
func (s *Screen) Raw(l logbook.Line) error {
	l.Time = l.Time.In(s.Zone)
	_, err := fmt.Fprintln(s.W, s.colourOf(l, l.String()))
	return err
}

// Line prints a line of the log for a person: time, level, a sentence.
func (s *Screen) Line(l logbook.Line, today time.Time) error {
	_, err := fmt.Fprintln(s.W, strings.Join(s.LineLines(l, today), "\n"))
	return err
}

// LineLines returns the lines of Line. A line of another day than today has its date.
func (s *Screen) LineLines(l logbook.Line, today time.Time) []string {
	at := l.Time.In(s.Zone)
	clock := at.Format("15:04:05")
	if at.Format(time.DateOnly) != today.In(s.Zone).Format(time.DateOnly) {
		clock = at.Format("01-02 15:04:05")
	}
	begin := clock + " " + padTo(s.levelWord(l.Level), 8)
	lines := s.hang(begin, columns(begin), s.sentence(l))
	lines[0] = strings.Replace(lines[0], s.levelWord(l.Level), s.colourOf(l, s.levelWord(l.Level)), 1)
	return lines
}

func (s *Screen) levelWord(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return s.t("ERROR", "错误")
	case level >= slog.LevelWarn:
		return s.t("warning", "警告")
	case level >= slog.LevelInfo:
		return s.t("info", "信息")
	}
	return s.t("debug", "调试")
}

// colourOf colours what matters: errors, warnings, cases.
func (s *Screen) colourOf(l logbook.Line, text string) string {
	switch {
	case l.Level >= slog.LevelError, logbook.IsCase(l) && l.Field("severity") == "critical":
		return s.red(text)
	case l.Level >= slog.LevelWarn:
		return s.yellow(text)
	case logbook.IsCase(l):
		return s.bold(text)
	}
	return text
}

// fields are the fields of a line, each taken once.
type fields struct {
	order  []string
	values map[string]string
}

func fieldsOf(l logbook.Line) *fields {
	f := &fields{values: map[string]string{}}
	for k, v := range l.Pairs() {
		if _, twice := f.values[k]; !twice {
			f.order = append(f.order, k)
		}
		f.values[k] = v
	}
	return f
}

// take returns a field and removes it; "" for none and for "-".
func (f *fields) take(key string) string {
	v := f.values[key]
	delete(f.values, key)
	if v == "-" {
		return ""
	}
	return v
}

// account is what may be shown of an account, as short as the screen asks for.
func (s *Screen) account(shown string) string {
	if s.narrow() {
		return fewStars(shown)
	}
	return shown
}

func (s *Screen) sentence(l logbook.Line) string {
	f := fieldsOf(l)
	text := ""
	switch {
	case l.Code == logbook.RecordCode:
		text = s.recordSentence(f)
	case logbook.IsCase(l):
		text = s.caseSentence(l.Code, f)
	default:
		text = s.eventSentence(l.Code, f)
	}
	if link := f.take("link"); link != "" {
		text += fmt.Sprintf(s.t(" (%s)", "（%s）"), link)
	}
	if l.Repeat > 1 {
		text += fmt.Sprintf(s.t(", %d times by now", "，已出现 %d 次"), l.Repeat)
	}
	if l.LeftOut > 0 {
		text += fmt.Sprintf(s.t("; %d more were left out before it", "；此前省略 %d 条"), l.LeftOut)
	}
	return text
}

// amountOf returns the amount that a line states in minor units, "" if it states none.
func amountOf(f *fields) string {
	currency := f.take("currency")
	minor, err := strconv.ParseInt(f.take("amount"), 10, 64)
	if err != nil {
		return ""
	}
	return refund.AmountText(minor, currency)
}

// recordSentence is about one record: what it is, how much, whose account.
func (s *Screen) recordSentence(f *fields) string {
	comma := s.t(", ", "，")
	kind := f.take("kind")
	text := s.bold(s.word(kind))
	if amount := amountOf(f); amount != "" {
		text += " " + amount
	}
	switch outcome := f.take("outcome"); outcome {
	case "", string(refund.Approved):
	case string(refund.Unknown):
		text += comma + s.t("no answer", "无应答")
	default:
		text += comma + s.name(outcome)
	}
	var of []string
	for _, one := range []string{s.word(f.take("channel")), s.account(f.take("shown"))} {
		if one != "" {
			of = append(of, one)
		}
	}
	if len(of) > 0 {
		text += comma + strings.Join(of, " ")
	}
	if number := f.take("number"); number != "" {
		text += comma + number
	}
	if f.take("again") != "" {
		text += comma + s.t("seen before", "此前已收到")
	}
	if recipient := f.take("recipient"); recipient != "" {
		answer := s.name(recipient)
		if reason := f.take("reason"); reason != "" {
			answer += s.t(": ", "：") + s.name(reason)
		}
		text += fmt.Sprintf(s.t("; recipient %s", "；收款方%s"), s.level(recipient, answer))
	}
	return text
}

// caseSentence is about one step of a case.
func (s *Screen) caseSentence(code string, f *fields) string {
	comma, colon := s.t(", ", "，"), s.t(": ", "：")
	severity := f.take("severity")
	text := s.bold(s.name(code))
	if severity != "" {
		text += comma + s.level(severity, s.name(severity))
	}
	kind := f.take("kind")
	if kind == "" {
		kind = "refund"
	}
	text += colon + s.word(kind)
	if number := f.take("refund"); number != "" {
		text += " " + number
	}
	if amount := amountOf(f); amount != "" {
		text += s.t(" of ", "，") + amount
	}
	if to := s.account(f.take("shown")); to != "" {
		text += s.t(" to ", "，退至 ") + to
	}
	finding, reason := f.take("finding"), f.take("reason")
	if finding == "" {
		finding = reason
	}
	if finding != "" {
		text += colon + s.name(finding)
	}
	if payer := s.account(f.take("payer")); payer != "" {
		text += comma + fmt.Sprintf(s.t("paid by %s", "付款方 %s"), payer)
	}
	f.take("recipient")
	if id := f.take("case"); id != "" {
		text += comma + s.t("case ", "案件 ") + id[:min(len(id), shortID)]
	}
	return text
}

// eventSentence is about anything else: the name of its code, its reason, and the
// rest as it stands in the log.
func (s *Screen) eventSentence(code string, f *fields) string {
	text := s.name(code)
	if text != code {
		text = s.bold(text)
	}
	colon := s.t(": ", "：")
	for _, key := range []string{"code", "verdict", "about", "port", "address", "file", "reason", "err", "text", "of"} {
		v := f.take(key)
		if v == "" {
			continue
		}
		told := s.english(v)
		switch {
		case key == "code", key == "verdict", key == "of":
			told = s.name(v)
		case key == "text" && s.Lang == Chinese && told == v: // its code has a name
			continue
		}
		text += colon + told
		colon = s.t(", ", "，")
	}
	for _, key := range f.order {
		if v, left := f.values[key]; left && key != "link" && v != "" {
			if key == "what" {
				v = s.english(v)
			}
			text += colon + key + "=" + v
			colon = s.t(", ", "，")
		}
	}
	return text
}

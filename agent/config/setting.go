package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/spelling"
	"yuanlu/agent/tomlfile"
)

// Text is a sentence in both languages.
type Text = catalogue.Text

// Setting is one name of the configuration file, as `config schema` lists it.
type Setting struct {
	Name     string `json:"name"` // "mqtt.url", "link[].port"
	Type     string `json:"type"` // string, string or list of strings, integer, bool, duration, size
	Default  string `json:"default"`
	Range    string `json:"range,omitempty"`
	Required bool   `json:"required,omitempty"`
	// Local is why the value is the terminal's own and may not come from the
	// back office; "": it may.
	Local string `json:"local,omitempty"`
	Doc   Text   `json:"doc"`

	table, key string
	field      func(c *Config, i int) any // pointer to where the value goes
	check      func(text string) string   // what is wrong with the value, "" nothing
	low, high  int64                      // of integers, sizes (bytes), durations (ns); both 0: any
}

// list reports whether the setting belongs to a table that may stand several times.
func (s *Setting) list() bool { return strings.Contains(s.Name, "[]") }

// store puts v where the setting belongs, or returns what is wrong with it.
func (s *Setting) store(c *Config, i int, v tomlfile.Value) string {
	switch p := s.field(c, i).(type) {
	case *string:
		return s.storeString(p, v)
	case *[]string:
		wrong, _ := s.storeList(p, v)
		return wrong
	case *bool:
		if v.Kind != tomlfile.Flag {
			return "wants true or false, not " + kindName(v)
		}
		*p = v.Text == "true"
	case *int:
		n, wrong := s.number(v)
		if wrong != "" {
			return wrong
		}
		*p = int(n)
	case *int64:
		n, wrong := s.size(v)
		if wrong != "" {
			return wrong
		}
		*p = n
	case *time.Duration:
		if v.Kind != tomlfile.Text {
			return `wants a duration such as "10m", not ` + kindName(v)
		}
		d, err := parseDuration(v.Text)
		if err != nil {
			return `wants a duration such as "500ms", "10m", "36h" or "540d"`
		}
		if int64(d) < s.low || int64(d) > s.high {
			return "is out of range: " + s.Range
		}
		*p = d
	}
	return ""
}

func (s *Setting) storeString(p *string, v tomlfile.Value) string {
	text := v.Text
	switch {
	case v.Kind == tomlfile.Text:
	case v.Kind == tomlfile.Integer && s.Type == "string or integer":
	default:
		return "wants text in quotes, not " + kindName(v)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return "holds a control character"
	}
	if s.check != nil {
		if wrong := s.check(text); wrong != "" {
			return wrong
		}
	}
	*p = text
	return ""
}

// mostInList is how many values a list may have.
const mostInList = 16

// storeList takes one text, of which an empty one is none, or a list of texts. What is
// wrong comes with the place of the value that it is wrong with.
func (s *Setting) storeList(p *[]string, v tomlfile.Value) (wrong string, at tomlfile.Place) {
	values := v.List
	switch {
	case v.Kind == tomlfile.Text && v.Text == "":
		*p = nil
		return "", v.At
	case v.Kind == tomlfile.Text:
		values = []tomlfile.Value{v}
	case v.Kind != tomlfile.List:
		return "wants text in quotes or a list of such, not " + kindName(v), v.At
	case len(values) == 0:
		return `is an empty list: write "" for none`, v.At
	case len(values) > mostInList:
		return fmt.Sprintf("has %d values, want at most %d", len(values), mostInList), v.At
	}
	all := make([]string, len(values))
	for i, one := range values {
		if wrong := s.storeString(&all[i], one); wrong != "" {
			return wrong, one.At
		}
		if slices.Contains(all[:i], all[i]) {
			return "stands twice in the list", one.At
		}
	}
	*p = all
	return "", v.At
}

func (s *Setting) number(v tomlfile.Value) (int64, string) {
	if v.Kind != tomlfile.Integer {
		return 0, "wants a whole number, not " + kindName(v)
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(v.Text, "_", ""), 0, 64)
	if err != nil || n < s.low || n > s.high {
		return 0, "is out of range: " + s.Range
	}
	if s.check != nil {
		return n, s.check(strconv.FormatInt(n, 10))
	}
	return n, ""
}

// size takes bytes as a whole number or as text with a unit.
func (s *Setting) size(v tomlfile.Value) (int64, string) {
	if v.Kind == tomlfile.Integer {
		return s.number(v)
	}
	if v.Kind != tomlfile.Text {
		return 0, `wants a size such as "16MiB", not ` + kindName(v)
	}
	n, ok := parseSize(v.Text)
	if !ok {
		return 0, `wants a size such as "512KiB", "16MiB" or a number of bytes`
	}
	if n < s.low || n > s.high {
		return 0, "is out of range: " + s.Range
	}
	return n, ""
}

func kindName(v tomlfile.Value) string {
	switch v.Kind {
	case tomlfile.Text:
		return "text"
	case tomlfile.Flag:
		return "true or false"
	case tomlfile.Integer:
		return "a whole number"
	case tomlfile.Float:
		return "a number with a point"
	case tomlfile.List:
		return "a list"
	case tomlfile.Table:
		return "a table"
	default:
		return "a date or time"
	}
}

// parseDuration reads Go's durations and whole days ("540d").
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = strconv.ErrRange
	}
	return d, err
}

var units = [...]struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

func parseSize(text string) (int64, bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 40)
		return int64(n) * u.bytes, err == nil
	}
	return 0, false
}

// literal writes the value as it would stand in the file.
func (s *Setting) literal(c *Config, i int) string {
	switch p := s.field(c, i).(type) {
	case *bool:
		return strconv.FormatBool(*p)
	case *int:
		return strconv.Itoa(*p)
	case *int64:
		return strconv.Quote(sizeText(*p))
	case *time.Duration:
		return strconv.Quote(durationText(*p))
	case *string:
		return strconv.Quote(*p)
	case *[]string:
		return listLiteral(*p)
	}
	return ""
}

// listLiteral writes a list as storeList reads it.
func listLiteral(all []string) string {
	switch len(all) {
	case 0:
		return `""`
	case 1:
		return strconv.Quote(all[0])
	}
	quoted := make([]string, len(all))
	for i, one := range all {
		quoted[i] = strconv.Quote(one)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func sizeText(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

func durationText(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Checks of text values. Each returns what is wrong, as a text that can follow the
// name of the setting, or "".

func oneOf(words ...string) func(string) string {
	return func(text string) string {
		if slices.Contains(words, text) {
			return ""
		}
		hint := ""
		if near := spelling.Nearest(text, words); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return "wants one of " + strings.Join(words, ", ") + hint
	}
}

// name checks what stands in topics and file names.
func name(text string) string {
	if len(text) < 1 || len(text) > 64 || strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "wants 1 to 64 of a-z, 0-9 and -"
	}
	return ""
}

func optional(check func(string) string) func(string) string {
	return func(text string) string {
		if text == "" {
			return ""
		}
		return check(text)
	}
}

func absolute(text string) string {
	if strings.HasPrefix(text, "/") {
		return ""
	}
	return "wants a path that begins with /"
}

package bills

import "strings"

// column is one that a format uses, under any of its names.
type column struct {
	names    []string
	optional bool
}

// columnName returns the name of a column as bills.md § 4 has it.
func columnName(cell string) string {
	name := strings.Trim(cell, "` \t")
	name = strings.NewReplacer("（", "(", "）", ")").Replace(name)
	for _, unit := range []string{"(元)", "(+元)", "(-元)"} {
		if short, ok := strings.CutSuffix(name, unit); ok {
			return strings.TrimRight(short, " \t")
		}
	}
	return name
}

// findColumns returns where the columns of a format stand, -1 for one that is absent. ok is
// false if one stands twice, at col from 1, or else one that is needed is absent: col 0.
func findColumns(head []string, want []column) (at []int, col int, ok bool) {
	first := map[string]int{}
	twice := map[string]int{}
	for i, cell := range head {
		name := columnName(cell)
		if _, seen := first[name]; !seen {
			first[name] = i
		} else if _, seen := twice[name]; !seen {
			twice[name] = i
		}
	}
	at = make([]int, len(want))
	absent := false
	for i, c := range want {
		at[i] = -1
		for _, name := range c.names {
			if j, found := first[name]; found && at[i] < 0 {
				at[i] = j
			}
			if j, found := twice[name]; found && (col == 0 || j+1 < col) {
				col = j + 1
			}
		}
		absent = absent || at[i] < 0 && !c.optional
	}
	return at, col, col == 0 && !absent
}

// row is one line, cut into cells, while a format reads it. Every method that reads a field
// notes a refusal; the leftmost stands, and of one cell the first.
type row struct {
	cells   []string
	at      []int // where each field stands, from 0; -1: nowhere
	col     int   // of the leftmost refusal, from 1; 0: none
	code    Code
	missing int // the leftmost column of what is missing, from 1; 0: nothing
}

func (r *row) has(field int) bool { return r.at[field] >= 0 }

// text returns a cell as it is, "" where the field stands nowhere.
func (r *row) text(field int) string {
	if r.at[field] < 0 {
		return ""
	}
	return r.cells[r.at[field]]
}

func (r *row) refuse(field int, code Code) {
	if col := r.at[field] + 1; r.col == 0 || col < r.col {
		r.col, r.code = col, code
	}
}

// lack notes that what a field should hold is missing.
func (r *row) lack(field int) {
	if col := r.at[field] + 1; r.missing == 0 || col < r.missing {
		r.missing = col
	}
}

// yuan returns an amount in fen; 0 of a field that stands nowhere.
func (r *row) yuan(field int) int64 {
	if !r.has(field) {
		return 0
	}
	fen, ok := parseYuan(r.text(field))
	if !ok {
		r.refuse(field, BadAmount)
	}
	return fen
}

// notNegative refuses a field whose amount is negative, and returns it.
func (r *row) notNegative(field int, fen int64) int64 {
	if fen < 0 {
		r.refuse(field, Sign)
	}
	return fen
}

// number returns what a field is numbered with; "" if that is not given.
func (r *row) number(field int) string {
	s := r.text(field)
	if s != "" && !isNumber(s) {
		r.refuse(field, Number)
		return ""
	}
	return given(s)
}

// key returns a number that must be given.
func (r *row) key(field int) string {
	s := r.number(field)
	if s == "" {
		r.lack(field)
	}
	return s
}

// free returns a number, or "" of what is none.
func (r *row) free(field int) string {
	if s := r.text(field); isNumber(s) {
		return given(s)
	}
	return ""
}

// time returns a time in RFC 3339; "" of a field that stands nowhere.
func (r *row) time(field int) string {
	if !r.has(field) {
		return ""
	}
	s := r.text(field)
	if !isTime(s) {
		r.refuse(field, BadTime)
		return ""
	}
	return rfc3339(s)
}

// timeIfGiven returns a time in RFC 3339; "" of an empty cell.
func (r *row) timeIfGiven(field int) string {
	if r.text(field) == "" {
		return ""
	}
	return r.time(field)
}

// splitCSV cuts a line at its commas. A cell that begins with a quote ends with one, and ""
// in it is one; other quotes are text. bad is the number of the first cell that does
// otherwise, from 1 (bills.md § 4, alipay_trade).
func splitCSV(line string) (cells []string, bad int) {
	cells = make([]string, 0, 1+strings.Count(line, ","))
	for {
		cell, rest := strings.TrimLeft(line, " \t"), ""
		more := false
		if strings.HasPrefix(cell, `"`) {
			inner, behind, closed := quoted(cell[1:])
			behind = strings.TrimLeft(behind, " \t")
			rest, more = strings.CutPrefix(behind, ",")
			if !closed || !more && behind != "" {
				return cells, len(cells) + 1
			}
			cell = inner
		} else {
			cell, rest, more = strings.Cut(cell, ",")
		}
		cells = append(cells, strings.Trim(cell, " \t"))
		if !more {
			return cells, 0
		}
		line = rest
	}
}

// quoted returns the text up to the quote that closes it, and what stands behind that.
func quoted(s string) (inner, behind string, closed bool) {
	from := 0
	for {
		i := strings.IndexByte(s[from:], '"')
		if i < 0 {
			return "", "", false
		}
		end := from + i
		if !strings.HasPrefix(s[end+1:], `"`) {
			return strings.ReplaceAll(s[:end], `""`, `"`), s[end+1:], true
		}
		from = end + 2
	}
}

package refund

// masksCompared is the result of comparing the visible digits of two card numbers.
type masksCompared struct {
	differ   bool // a digit visible on both sides differs, or both lengths are known and unequal
	enough   bool // at least the first 6 and the last 4 are visible on both sides
	position int  // of the first digit that differs, as Comparison.Position
	digits   int  // how many are visible on both sides
}

// compareMasks compares every digit that is visible on both sides: from the left,
// from the right, and where both lengths are known or the digit stands in the same
// way on both sides, those between the first 6 and the last 4. verdicts.md § 4
func compareMasks(a, b *Mask) masksCompared {
	length := a.Length
	if length == 0 {
		length = b.Length
	}
	m := masksCompared{enough: whole(a) && whole(b)}
	for i := range min(len(a.Lead), len(b.Lead)) {
		m.digit(a.Lead[i], b.Lead[i], i+1)
	}
	m.middle(a, b, length)
	for i := min(len(a.Tail), len(b.Tail)); i > 0; i-- {
		pos := -i
		if length >= i {
			pos = length - i + 1
		}
		m.digit(a.Tail[len(a.Tail)-i], b.Tail[len(b.Tail)-i], pos)
	}
	if a.Length != 0 && b.Length != 0 && a.Length != b.Length {
		m.differ = true
	}
	return m
}

// digit compares two digits in one place; a star is none.
func (m *masksCompared) digit(x, y byte, pos int) {
	if x == '*' || y == '*' {
		return
	}
	m.digits++
	m.note(x != y, pos)
}

// note notes the result for one place.
func (m *masksCompared) note(differ bool, pos int) {
	if differ && !m.differ {
		m.differ, m.position = true, pos
	}
}

// middle compares the digits that are kept as tokens.
func (m *masksCompared) middle(a, b *Mask, length int) {
	for _, x := range a.Middle {
		for _, y := range b.Middle {
			if place(x.Pos, length) != place(y.Pos, length) || !shareKey(x.Tokens, y.Tokens) {
				continue
			}
			m.digits++
			m.note(!share(x.Tokens, y.Tokens), place(x.Pos, length))
		}
	}
}

// place returns a digit's place from the left where the length is known, else as it is.
func place(pos, length int) int {
	if pos < 0 && length > 0 {
		return length + 1 + pos
	}
	return pos
}

// whole reports whether the first 6 and the last 4 digits are visible.
func whole(m *Mask) bool {
	return len(m.Lead) == 6 && allDigits(m.Lead) && len(m.Tail) == 4 && allDigits(m.Tail)
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

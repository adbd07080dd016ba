package consumer

// thinned decides which of many equal lines are logged: the first ten, then the 100th,
// 1000th … It belongs to one goroutine.
type thinned struct{ n, next int64 }

func (s *thinned) worth() bool {
	s.n++
	if s.n <= 10 {
		return true
	}
	if s.next == 0 {
		s.next = 100
	}
	if s.n < s.next {
		return false
	}
	s.next *= 10
	return true
}

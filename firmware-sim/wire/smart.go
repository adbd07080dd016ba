package wire

// Smart encodes records as JSON messages for the smart terminal's payment module.
type Smart struct{}

// Encode is not there yet.
func (s *Smart) Encode(r *Record) ([]Frame, error) {
	return nil, &CannotCarry{"smart", "kind", "not built"}
}

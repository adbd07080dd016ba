package wire

// Smart encodes records as JSON messages for the smart terminal's payment module.
type Smart struct{}

// Encode is not there yet.
func (s *Smart) Encode(r *Record) ([]Frame, error) {
	return nil, &CannotCarry{"smart", "kind", "not built"}
}

// HoldsSmart says whether b is one whole frame of the smart wire with a right check byte.
func HoldsSmart(b []byte) bool { return false }

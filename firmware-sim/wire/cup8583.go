package wire

// Cup8583 encodes records as UnionPay ISO 8583 requests and responses in STX frames.
type Cup8583 struct{}

// Encode is not there yet.
func (c *Cup8583) Encode(r *Record) ([]Frame, error) {
	return nil, &CannotCarry{"cup8583", "kind", "not built"}
}

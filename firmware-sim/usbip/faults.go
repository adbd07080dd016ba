package usbip

// Faults are how a device misbehaves. Its descriptors are bent by
// Config.Rewrite instead; what only a broken server could send (an answer longer
// than asked for) is not offered: Linux 6.1 trusts it and crashes.
//
// Counters go down as faults happen; a device whose counters are all zero behaves. Set them with Device.SetFaults.
type Faults struct {
	StallIn  int // so many next IN transfers find the endpoint halted, until the host clears it
	StallOut int // the same for OUT
	Babble   int // so many next IN transfers end as if the device had sent too much; no byte is lost

	MaxTransfer int // an IN transfer returns at most so many bytes. 0: no limit
	ZeroLength  int // so many next IN transfers are empty

	HangOut int // so many next OUT transfers are never answered

	StallControl  int // so many next control requests are refused
	HangControl   int // so many next control requests are never answered
	VanishControl int // the plug is pulled in the n-th next control request. 0: never
}

// take counts one fault down.
func take(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

// SetFaults replaces the device's faults, for what happens from now on.
func (d *Device) SetFaults(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
	d.pump()
}

// Faults returns what is left of them.
func (d *Device) Faults() Faults {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.faults
}

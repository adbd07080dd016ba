package wiretest

// CUP8583Formats returns the formats of the UnionPay fields by their numbers, in the
// notation of cup8583.ParseFormat, and those of the fields whose size ISO 8583:1987 fixes:
// nothing is read from these, so they are bytes. Sizes that differ between acquirers are as
// large as their prefix allows. The profile that the agent brings along has the same
// formats, which a test of agent/ingest checks. Source: wires.md § cup8583.
func CUP8583Formats() map[int]string {
	return map[int]string{
		2: "n..19", 3: "n6", 4: "n12", 5: "b6", 6: "b6", 7: "b5", 8: "b4", 9: "b4", 10: "b4", 11: "n6", 12: "n6", 13: "n4",
		14: "n4", 15: "n4", 16: "b2", 17: "b2", 18: "b2", 19: "b2", 20: "b2", 21: "b2",
		22: "n3", 23: "n3 right", 24: "b2", 25: "n2", 26: "n2", 27: "b1", 32: "n..11", 33: "n..11", 35: "z..37", 36: "z...104",
		37: "an12", 38: "an6", 39: "an2", 40: "b3", 41: "ans8", 42: "ans15", 43: "b40", 44: "ans..99",
		48: "n...999", 49: "an3", 50: "b3", 51: "b3", 52: "b8", 53: "n16", 54: "ans...999", 55: "b...999", 56: "b...999",
		57: "ans...999", 58: "b...999", 59: "b...999", 60: "n...999", 61: "n...999", 62: "b...999",
		63: "ans...999", 64: "b8",
	}
}

package guard

import "slices"

// Stranded returns those of the operators whose refunds none of the supervisors with a PIN could
// release, in their order: each of them is the same person, or the operator is empty. The back
// office is left out. Source: guard.md § 3.
func Stranded(all []Supervisor, withPIN, operators []string) []string {
	var stranded []string
	for _, o := range operators {
		can := func(s Supervisor) bool { return slices.Contains(withPIN, s.ID) && !samePerson(all, s.ID, o) }
		if o == "" || !slices.ContainsFunc(all, can) {
			stranded = append(stranded, o)
		}
	}
	return stranded
}

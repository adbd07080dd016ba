package refund

import "strings"

// share reports whether two token lists have a token in common.
func share(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// shareKey reports whether two token lists have a token made with the same key, so
// that tokens that differ prove different identifiers.
func shareKey(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if tokenKey(x) == tokenKey(y) {
				return true
			}
		}
	}
	return false
}

// tokenKey returns the name of the key that made a token: what stands before the colon.
func tokenKey(token string) string {
	key, _, _ := strings.Cut(token, ":")
	return key
}

package verify

import (
	"fmt"
	"slices"

	"yuanlu/protocol/evidence"
)

// Trust is a trust file: what its reader knows already.
type Trust struct {
	signers, cosigners, logs, stampers []string
	hasLogs                            bool
}

// maxTrust is the greatest size of a trust file in bytes.
const maxTrust = 1 << 20

// ParseTrust reads a trust file (evidence.md § 6). The order of members and white space do not matter.
// The error has the class evidence.ErrForm.
func ParseTrust(text []byte) (*Trust, error) {
	if len(text) > maxTrust {
		return nil, fmt.Errorf("%w: a trust file of more than 1 MiB", evidence.ErrForm)
	}
	v, err := evidence.Parse(text)
	if err != nil {
		return nil, err
	}
	t := &Trust{}
	if n, ok := v.Get("v").Int(); !ok || n != 1 {
		return nil, fmt.Errorf("%w: member v of a trust file is 1", evidence.ErrForm)
	}
	for _, m := range v.Members {
		list, isList := m.Value.Strings()
		valid := isList
		switch m.Name {
		case "v":
			valid = true
		case "signers":
			t.signers, valid = list, valid && !slices.ContainsFunc(list, notHash)
		case "stampers":
			t.stampers, valid = list, valid && !slices.ContainsFunc(list, notHash)
		case "cosigners":
			t.cosigners, valid = list, valid && !slices.ContainsFunc(list, notKey(evidence.KeyCosign))
		case "logs":
			t.logs, t.hasLogs, valid = list, true, valid && !slices.ContainsFunc(list, notKey(evidence.KeyLog))
		default:
			valid = false
		}
		if !valid {
			return nil, fmt.Errorf("%w: member %q of a trust file", evidence.ErrForm, m.Name)
		}
	}
	for _, name := range []string{"signers", "cosigners", "stampers"} {
		if v.Get(name).Kind == 0 {
			return nil, fmt.Errorf("%w: member %q of a trust file is missing", evidence.ErrForm, name)
		}
	}
	return t, nil
}

func notHash(text string) bool { return !isHash(text) }

func isHash(text string) bool {
	return len(text) == 64 && !slices.ContainsFunc([]byte(text), func(c byte) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}

func notKey(kind byte) func(string) bool {
	return func(text string) bool { _, err := evidence.ParseKey(text, kind); return err != nil }
}

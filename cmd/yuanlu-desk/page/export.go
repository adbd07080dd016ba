package page

import (
	"net/http"
	"slices"

	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
)

// outgoing is a case as an evidence pack hands it out (evidence.md § 5): the screen without what the profile
// leaves out.
type outgoing struct {
	*screen
	Profile    string
	LeftEvents []int64 // of the journal, by their numbers
	LeftFiles  []filed
}

// Exports reports whether the visitor may make evidence packs.
func (f *frame) Exports() bool { return f.Sees(store.MayExport()...) }

// export shows all that an evidence pack would hand out, before it does.
func (q *request) export() error {
	profile := q.r.URL.Query().Get("for")
	if profile == "" {
		profile = store.Profiles()[0]
	}
	kinds, events, known := store.LeavesOut(profile)
	if !known {
		return q.refused(casework.BadInput)
	}
	if !q.who.has(store.MayExport()...) {
		return q.refused(casework.NotAllowed)
	}
	q.whole = true
	f, c, ok, err := q.look()
	if !ok || err != nil {
		return err
	}
	f.Place = "export"
	return q.write(http.StatusOK, "export", f, leave(c, profile, kinds, events))
}

// leave takes out of a screen what a profile leaves out.
func leave(c *screen, profile string, kinds, events []string) *outgoing {
	out := &outgoing{screen: c, Profile: profile}
	out.Timeline = slices.DeleteFunc(c.Timeline, func(e entry) bool {
		left := slices.Contains(events, e.What)
		if left {
			out.LeftEvents = append(out.LeftEvents, e.Seq)
		}
		return left
	})
	if slices.Contains(events, "contacted") {
		out.Contacts = nil
	}
	var stay []filed
	for _, one := range c.Files {
		if slices.Contains(kinds, one.Kind) {
			out.LeftFiles = append(out.LeftFiles, one)
		} else {
			stay = append(stay, one)
		}
	}
	out.Files = stay
	return out
}

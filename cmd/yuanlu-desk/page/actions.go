package page

import (
	"cmp"
	"slices"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// action is a command that the visitor's role may give.
type action struct {
	Do      string
	Refusal casework.Refusal // why not now; ""
	Key     string           // of the keyboard
	Direct  bool             // it has no arguments: the button is all
}

// actions are what the visitor may do on a case: at most one suggested, others, and those
// that are refused now (casework.md § 14, 4).
type actions struct {
	Suggested *action
	Reason    string   // the step that it does; ""
	Daily     []action // contact, file, note
	Others    []action // the three first have the keys 2 to 4
	Disabled  []action
}

// daily commands stand first: they are given most often.
func daily(do string) bool { return slices.Contains([]string{"contact", "file", "note"}, do) }

// rank puts those that go on with a case before those that hand it over.
func rank(do string) int {
	return slices.Index([]string{"claim", "propose", "request", "received", "refused", "sent", "settled", "failed", "declined", "unreachable", "answered",
		"identify", "wait", "resume", "escalate", "count", "assign", "release"}, do)
}

// direct commands have no arguments.
func direct(do string) bool {
	return slices.Contains([]string{"claim", "release", "resume", "unreachable"}, do)
}

// inProposal are commands that are given where the proposal is shown.
func inProposal(do string) bool {
	return slices.Contains([]string{"approve", "reject", "withdraw"}, do)
}

// actions sorts what is offered. The suggested one does the first step that this person
// can do.
func (v *Visitor) actions(c *casework.View, offers []casework.Offer) (out actions) {
	refused := map[string]casework.Refusal{}
	for _, o := range offers {
		refused[o.Do] = o.Refusal
	}
	open := func(do string) bool { why, offered := refused[do]; return offered && why == "" }
	suggested := ""
	for _, step := range c.Steps {
		if suggested = v.toDo(step.Step, c, open); suggested != "" {
			out.Reason = step.Step
			break
		}
	}
	if suggested == "" && c.Owner == "" && open("claim") && c.Proposal == nil {
		suggested = "claim"
	}
	for _, o := range offers {
		a := action{Do: o.Do, Refusal: o.Refusal, Key: shortcut(o.Do), Direct: direct(o.Do)}
		switch {
		case inProposal(o.Do) && c.Proposal == nil, o.Do == "withdraw" && c.Proposal.Maker != v.Person.ID:
			// there is no proposal of his to speak of
		case o.Do == suggested:
			out.Suggested = &a
		case o.Refusal != "":
			out.Disabled = append(out.Disabled, a)
		case daily(o.Do):
			out.Daily = append(out.Daily, a)
		case !inProposal(o.Do):
			out.Others = append(out.Others, a)
		}
	}
	slices.SortStableFunc(out.Daily, func(a, b action) int { return cmp.Compare(a.Do, b.Do) })
	slices.SortStableFunc(out.Others, func(a, b action) int { return cmp.Compare(rank(a.Do), rank(b.Do)) })
	return out
}

// toDo is the command that does a step; "" if this person cannot do it now.
func (v *Visitor) toDo(step string, c *casework.View, open func(string) bool) string {
	first := func(of ...string) string {
		for _, do := range of {
			if open(do) {
				return do
			}
		}
		return ""
	}
	if c.Owner == "" && step != "approve" && open("claim") {
		return "claim"
	}
	switch step {
	case "claim":
		return first("claim")
	case "wait":
		return first("resume")
	case "approve":
		return first("approve")
	case "decide", "decide_loss", "pay", "close":
		return first("propose")
	case "request":
		return first("request")
	case "chase":
		return first("refused", "received", "contact")
	case "contact_payer":
		return first("contact")
	case "send":
		return first("sent")
	case "arrive":
		return first("settled", "contact")
	case "body":
		return first("answered", "file")
	}
	return ""
}

// shortcut is the key of a command (casework.md § 14, 9).
func shortcut(do string) string {
	switch do {
	case "contact":
		return "c"
	case "file":
		return "f"
	case "wait":
		return "w"
	case "approve":
		return "a"
	case "reject":
		return "x"
	}
	return ""
}

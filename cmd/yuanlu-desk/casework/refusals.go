package casework

import (
	_ "embed" // the texts of the refusals
	"strconv"
	"strings"
)

// refusalsTSV is part of the page (casework.md § 11).
//
//go:embed refusals.tsv
var refusalsTSV string

// Refusal is why a command or a question was not answered: one of the codes of
// refusals.tsv (casework.md § 11). "" means that there is none.
type Refusal string

// The codes of refusals.tsv, in its order.
const (
	BadInput         Refusal = "bad_input"
	NeedsTwo         Refusal = "needs_two"
	ClearNumber      Refusal = "clear_number"
	UnknownPerson    Refusal = "unknown_person"
	KeyReused        Refusal = "key_reused"
	NotAllowed       Refusal = "not_allowed"
	NotFound         Refusal = "not_found"
	Stale            Refusal = "stale"
	Merged           Refusal = "merged"
	WrongState       Refusal = "wrong_state"
	NotOwner         Refusal = "not_owner"
	Owned            Refusal = "owned"
	Nothing          Refusal = "nothing"
	BadPerson        Refusal = "bad_person"
	Exists           Refusal = "exists"
	BadFile          Refusal = "bad_file"
	BadContact       Refusal = "bad_contact"
	NoEvidence       Refusal = "no_evidence"
	FileType         Refusal = "file_type"
	FileSize         Refusal = "file_size"
	FileThere        Refusal = "file_there"
	Waiting          Refusal = "waiting"
	NotWaiting       Refusal = "not_waiting"
	TooManyWaits     Refusal = "too_many_waits"
	BadTime          Refusal = "bad_time"
	TooLong          Refusal = "too_long"
	BadRefund        Refusal = "bad_refund"
	NoChange         Refusal = "no_change"
	TrackState       Refusal = "track_state"
	VoidWindowClosed Refusal = "void_window_closed"
	TooMuch          Refusal = "too_much"
	NotAsApproved    Refusal = "not_as_approved"
	TooFewTries      Refusal = "too_few_tries"
	EscalatedAlready Refusal = "escalated"
	NotEscalated     Refusal = "not_escalated"
	ProposalOpen     Refusal = "proposal_open"
	NotTwo           Refusal = "not_two"
	NoProposal       Refusal = "no_proposal"
	NotMaker         Refusal = "not_maker"
	SamePerson       Refusal = "same_person"
	Involved         Refusal = "involved"
	NeedsSupervisor  Refusal = "needs_supervisor"
	Currencies       Refusal = "currencies"
	OutcomeOpen      Refusal = "outcome_open"
	NotIdentified    Refusal = "not_identified"
	NotInformed      Refusal = "not_told"
	MoneyMoved       Refusal = "money_moved"
	BadTarget        Refusal = "bad_target"
	NotSame          Refusal = "not_same"
	Self             Refusal = "self"
	RolesConflict    Refusal = "roles_conflict"
	StaffTaken       Refusal = "staff_taken"
)

// RefusalText is what a person reads about a refusal, and the status of HTTP.
type RefusalText struct {
	Code   Refusal
	HTTP   int
	EN, ZH string
}

// Refusals returns refusals.tsv (casework.md § 11), in its order.
func Refusals() []RefusalText {
	var out []RefusalText
	for line := range strings.Lines(refusalsTSV) {
		col := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if status, err := strconv.Atoi(col[min(1, len(col)-1)]); err == nil && len(col) == 4 { // the heading has no number
			out = append(out, RefusalText{Refusal(col[0]), status, col[2], col[3]})
		}
	}
	return out
}

package office

// The shop and its people. The owner serves at the smart terminal himself, the cashier at the others.
const (
	shop     = "s1"
	merchant = "898000000000001"
	eSign    = "10000001"
	older    = "10000002" // its records name no operator
	smart    = "10000003"

	owner, manager, cashier = "chen", "wang", "li"
)

// setup is what the machine of the desk is set up with.
const setup = `{"calendar":{"zone":"+08:00"}}
{"stores":[{"store":"` + shop + `","merchant_id":"` + merchant + `","terminals":[],"cutoff":"22:30"}]}
`

// hired is a person as yuanlu-desk people add makes one.
type hired struct{ id, title, staff, roles, operator string }

func staff() []hired {
	return []hired{
		{owner, "owner", "001", "checker,supervisor", merchant + "/" + smart + "/01"},
		{manager, "manager", "002", "manager,checker,supervisor", ""},
		{cashier, "cashier", "003", "cashier", merchant + "/" + eSign + "/01"},
	}
}

// story is one case that the office works: which refund it is about, and how it must end.
type story struct {
	name, title string
	terminal    string // whose refund; "": opened by hand
	more        string // further refunds that its case holds, by role: what the terminal did after the first by itself
	undone      bool   // the terminal has reversed the first
	wrong       bool   // the refund went wrong; else it is one of those that a wire does not let anyone decide
	outcome     string // casework.md § 7
	into        string // story whose case it is merged into
	stake       bool   // the amounts of its wrong refunds count as stake, that of the first as repaid
	recovered   bool   // likewise as recovered; else as lost
	journal     string // what people's events must be, in order, as person:event
}

func stories() []story {
	const (
		begin = "wang:claimed "
		found = "wang:proposed chen:approved wang:found wang:requested "
		paid  = "wang:proposed chen:approved wang:reissue_approved wang:sent "
		end   = "wang:proposed chen:approved wang:closed"
	)
	return []story{
		{name: "paid", title: "fetched back and paid again", terminal: eSign, wrong: true, outcome: "recovered_reissued", stake: true, recovered: true,
			journal: begin + "li:noted wang:merged wang:contacted wang:filed " + found + "wang:filed wang:received " + paid + "wang:contacted wang:settled " + end},
		{name: "twice", title: "entered twice, merged", outcome: "duplicate", into: "paid",
			journal: "li:opened li:reported " + begin + end},
		{name: "own", title: "keyed by the owner, fetched back and paid again", terminal: smart, wrong: true, outcome: "recovered_reissued", stake: true, recovered: true,
			journal: begin + "wang:contacted wang:proposed wang:withdrawn wang:assigned chen:claimed chen:proposed wang:approved chen:found chen:requested " +
				"chen:filed chen:received chen:proposed wang:approved chen:reissue_approved chen:sent chen:filed chen:settled chen:proposed wang:approved chen:closed"},
		{name: "till", title: "paid again at the terminal itself, then fetched back", terminal: eSign, wrong: true, more: "reissue", outcome: "recovered_reissued", stake: true, recovered: true,
			journal: begin + "wang:contacted " + found + "wang:filed wang:received wang:contacted wang:settled " + end},
		{name: "back", title: "reversed and paid again by the terminal", terminal: older, undone: true, more: "reissue", outcome: "recovered_reissued", stake: true, recovered: true,
			journal: begin + "wang:contacted wang:proposed chen:approved wang:found wang:contacted wang:settled " + end},
		{name: "astray", title: "paid wrong again, then right, and fetched back twice", terminal: older, wrong: true, more: "refund reissue", outcome: "recovered_reissued", stake: true, recovered: true,
			journal: begin + "wang:contacted " + found + "wang:filed wang:received wang:contacted wang:settled " + end},
		{name: "alarm", title: "a false alarm", terminal: eSign, outcome: "same_account",
			journal: begin + "wang:contacted " + end},
		{name: "loss", title: "written off, the payer paid all the same", terminal: eSign, wrong: true, outcome: "reissued_loss", stake: true,
			journal: begin + "wang:contacted " + found + "wang:filed wang:refused wang:proposed chen:rejected wang:contacted " +
				"wang:proposed chen:approved wang:written_off wang:reissue_approved wang:sent wang:filed wang:settled " + end},
		{name: "unclear", title: "inconclusive", terminal: eSign, outcome: "inconclusive",
			journal: begin + "wang:contacted " + end},
		{name: "consent", title: "the payer had agreed", terminal: older, outcome: "authorised_other",
			journal: begin + "wang:filed wang:filed " + end},
	}
}

// step is one command of a person and what the desk must answer. In with, {name} is a fact of the story: id, amount
// (minor units), number and at of its refund, stake (of all that went wrong), second (id of the second refund), case, and
// the latest contact, file and proposal; {story.name} is one of another story.
type step struct {
	story, who, do string
	with           string // the members beside case and expect; of a file: kind and name
	refused        string // code that is to be answered; "": the command is accepted
	old            bool   // ordered from a page that is no longer up to date
	again          bool   // sent twice with one key: the same answer
}

// What several stories need.
const (
	reached   = `"party":"payer","direction":"out","channel":"phone","number":"138****2210","on_file":true,"result":"reached","text":"He has not got the money back."`
	confirmed = `"party":"payer","direction":"out","channel":"phone","number":"138****2210","on_file":true,"result":"confirmed","text":"The money has arrived."`
	silent    = `"party":"payer","direction":"out","channel":"phone","number":"138****7702","on_file":true,"result":"no_answer","text":"Rang for a minute."`
	stranger  = `"party":"recipient","direction":"out","channel":"phone","number":"","on_file":false,"result":"refused","text":"Will not return it."`
	wrongOne  = `"commands":[{"do":"finding","wrong":["{id}"],"owed":{amount}},{"do":"request","route":"acquirer","ref":"AQ-{number}"}],"text":"It went to a card that is not the payer's."`
	payAgain  = `"commands":[{"do":"reissue","amount":{amount},"way":"original","number":""}],"text":"Pay the payer, the old way."`
	ended     = `"commands":[{"do":"close","outcome":"wrong"}],"text":"Both tracks have ended."`
	decide    = `"proposal":{proposal}`
	sent      = `"amount":{amount},"number":"PAY-{number}"`
)

// day is what the office does, in order.
func day() []step {
	var all []step
	for _, part := range [][]step{enteredTwice(), paidAgain(), keyedByOwner(), paidAtTill(), reversed(), wrongAgain(), falseAlarm(), writtenOff(), unclear(), agreed()} {
		all = append(all, part...)
	}
	return all
}

func enteredTwice() []step {
	byHand := func(number string) string {
		return `"store":"` + shop + `","text":"A customer at the counter asks where his money is.","refund":{"channel":"card","amount":{paid.amount},"currency":"CNY",` +
			`"at":"{paid.at}","number":"` + number + `","operator":"01","terminal_id":"` + eSign + `"}`
	}
	return []step{
		{story: "paid", who: cashier, do: "claim", refused: "not_allowed"},
		{story: "paid", who: manager, do: "claim"},
		{story: "twice", who: cashier, do: "open", with: byHand("{paid.number}"), refused: "exists"},
		{story: "twice", who: cashier, do: "open", with: byHand("7{paid.number}")},
		{story: "paid", who: cashier, do: "note", with: `"text":"A customer asked at the counter. I opened {twice.case} for him."`},
		{story: "paid", who: manager, do: "release", refused: "stale", old: true},
		{story: "twice", who: manager, do: "claim"},
		{story: "twice", who: manager, do: "propose", with: `"commands":[{"do":"close","outcome":"duplicate","into":"{paid.case}"}],"text":"The number has a digit too many; it is the same refund."`},
		{story: "twice", who: owner, do: "approve", with: decide},
	}
}

func paidAgain() []step {
	return []step{
		{story: "paid", who: manager, do: "contact", with: reached},
		{story: "paid", who: manager, do: "file", with: "receipt receipt.txt"},
		{story: "paid", who: manager, do: "finding", with: `"wrong":["{id}"],"owed":{amount}`, refused: "needs_two"},
		{story: "paid", who: manager, do: "propose", with: wrongOne},
		{story: "paid", who: manager, do: "approve", with: decide, refused: "same_person"},
		{story: "paid", who: cashier, do: "approve", with: decide, refused: "not_allowed"},
		{story: "paid", who: owner, do: "approve", with: decide},
		{story: "paid", who: manager, do: "sent", with: sent, refused: "track_state"},
		{story: "paid", who: manager, do: "file", with: "statement statement.txt"},
		{story: "paid", who: manager, do: "received", with: `"amount":{amount},"file":{file}`},
		{story: "paid", who: manager, do: "propose", with: payAgain},
		{story: "paid", who: owner, do: "approve", with: decide},
		{story: "paid", who: manager, do: "sent", with: `"amount":1,"number":"PAY-{number}"`, refused: "not_as_approved"},
		{story: "paid", who: manager, do: "sent", with: sent, again: true},
		{story: "paid", who: manager, do: "contact", with: confirmed},
		{story: "paid", who: manager, do: "settled", with: `"contact":{contact}`},
		{story: "paid", who: manager, do: "propose", with: ended},
		{story: "paid", who: owner, do: "approve", with: decide},
	}
}

func keyedByOwner() []step {
	return []step{
		{story: "own", who: manager, do: "claim"},
		{story: "own", who: manager, do: "contact", with: reached},
		{story: "own", who: manager, do: "propose", with: wrongOne},
		{story: "own", who: owner, do: "approve", with: decide, refused: "involved"},
		{story: "own", who: manager, do: "withdraw", with: decide},
		{story: "own", who: manager, do: "release"},
		{story: "own", who: owner, do: "propose", with: wrongOne},
		{story: "own", who: manager, do: "approve", with: decide},
		{story: "own", who: owner, do: "file", with: "statement statement.txt"},
		{story: "own", who: owner, do: "received", with: `"amount":{amount},"file":{file}`},
		{story: "own", who: owner, do: "propose", with: payAgain},
		{story: "own", who: owner, do: "approve", with: decide, refused: "same_person"},
		{story: "own", who: manager, do: "approve", with: decide},
		{story: "own", who: owner, do: "sent", with: sent},
		{story: "own", who: owner, do: "file", with: "record payment.txt"},
		{story: "own", who: owner, do: "settled", with: `"file":{file}`},
		{story: "own", who: owner, do: "propose", with: ended},
		{story: "own", who: manager, do: "approve", with: decide},
	}
}

// paidAtTill has no payment by people: the corrected refund of the terminal is the payment.
func paidAtTill() []step {
	return []step{
		{story: "till", who: manager, do: "claim"},
		{story: "till", who: manager, do: "contact", with: reached},
		{story: "till", who: manager, do: "propose", with: wrongOne},
		{story: "till", who: owner, do: "approve", with: decide},
		{story: "till", who: manager, do: "propose", with: payAgain, refused: "track_state"},
		{story: "till", who: manager, do: "file", with: "statement statement.txt"},
		{story: "till", who: manager, do: "received", with: `"amount":{amount},"file":{file}`},
		{story: "till", who: manager, do: "contact", with: confirmed},
		{story: "till", who: manager, do: "settled", with: `"contact":{contact}`},
		{story: "till", who: manager, do: "propose", with: ended},
		{story: "till", who: owner, do: "approve", with: decide},
	}
}

// reversed has no request either: the terminal took the money back and paid it to the payer, and people find out that it did.
func reversed() []step {
	return []step{
		{story: "back", who: manager, do: "claim"},
		{story: "back", who: manager, do: "contact", with: reached},
		{story: "back", who: manager, do: "propose", with: wrongOne, refused: "track_state"},
		{story: "back", who: manager, do: "propose", with: `"commands":[{"do":"finding","wrong":["{id}"],"owed":{amount}}],"text":"It went to another card; the terminal reversed it."`},
		{story: "back", who: owner, do: "approve", with: decide},
		{story: "back", who: manager, do: "contact", with: confirmed},
		{story: "back", who: manager, do: "settled", with: `"contact":{contact}`},
		{story: "back", who: manager, do: "propose", with: ended},
		{story: "back", who: owner, do: "approve", with: decide},
	}
}

// wrongAgain is a case with two wrong refunds of one sale; the payer is owed the money once.
func wrongAgain() []step {
	return []step{
		{story: "astray", who: manager, do: "claim"},
		{story: "astray", who: manager, do: "contact", with: reached},
		{story: "astray", who: manager, do: "propose", with: `"commands":[{"do":"finding","wrong":["{id}","{second}"],"owed":{amount}},{"do":"request","route":"acquirer","ref":"AQ-{number}"}],"text":"Two strangers got it, one after the other."`},
		{story: "astray", who: owner, do: "approve", with: decide},
		{story: "astray", who: manager, do: "file", with: "statement statement.txt"},
		{story: "astray", who: manager, do: "received", with: `"amount":{stake},"file":{file}`},
		{story: "astray", who: manager, do: "contact", with: confirmed},
		{story: "astray", who: manager, do: "settled", with: `"contact":{contact}`},
		{story: "astray", who: manager, do: "propose", with: ended},
		{story: "astray", who: owner, do: "approve", with: decide},
	}
}

func falseAlarm() []step {
	return []step{
		{story: "alarm", who: manager, do: "claim"},
		{story: "alarm", who: manager, do: "propose", with: `"commands":[{"do":"close","outcome":"same_account"}],"text":"Looks right."`, refused: "no_evidence"},
		{story: "alarm", who: manager, do: "contact", with: confirmed},
		{story: "alarm", who: manager, do: "propose", with: `"commands":[{"do":"close","outcome":"same_account","contact":{contact}}],"text":"Both numbers are of one card; the payer confirms it."`},
		{story: "alarm", who: owner, do: "approve", with: decide},
	}
}

func writtenOff() []step {
	return []step{
		{story: "loss", who: manager, do: "claim"},
		{story: "loss", who: manager, do: "contact", with: reached},
		{story: "loss", who: manager, do: "propose", with: wrongOne},
		{story: "loss", who: owner, do: "approve", with: decide},
		{story: "loss", who: manager, do: "file", with: "letter answer.txt"},
		{story: "loss", who: manager, do: "refused", with: `"file":{file},"text":"The acquirer cannot reach the holder of that card."`},
		{story: "loss", who: manager, do: "propose", with: `"commands":[{"do":"write_off","bearer":"merchant"}],"text":"Give it up."`},
		{story: "loss", who: owner, do: "reject", with: decide + `,"text":"Call the recipient first, and pay the customer."`},
		{story: "loss", who: manager, do: "contact", with: stranger},
		{story: "loss", who: manager, do: "propose", with: `"commands":[{"do":"write_off","bearer":"merchant"},{"do":"reissue","amount":{amount},"way":"original","number":""}],"text":"The recipient refuses; the customer is paid."`},
		{story: "loss", who: owner, do: "approve", with: decide},
		{story: "loss", who: manager, do: "sent", with: sent},
		{story: "loss", who: manager, do: "file", with: "record payment.txt"},
		{story: "loss", who: manager, do: "settled", with: `"file":{file}`},
		{story: "loss", who: manager, do: "propose", with: ended},
		{story: "loss", who: owner, do: "approve", with: decide},
	}
}

func unclear() []step {
	return []step{
		{story: "unclear", who: manager, do: "claim"},
		{story: "unclear", who: manager, do: "contact", with: silent},
		{story: "unclear", who: manager, do: "propose", with: `"commands":[{"do":"close","outcome":"inconclusive"}],"text":"Nothing more can be found out."`},
		{story: "unclear", who: owner, do: "approve", with: decide},
	}
}

func agreed() []step {
	propose := `"commands":[{"do":"close","outcome":"authorised_other","file":{file}}],"text":"The payer asked for it to go to his wife."`
	return []step{
		{story: "consent", who: manager, do: "claim"},
		{story: "consent", who: manager, do: "file", with: "receipt receipt.txt"},
		{story: "consent", who: manager, do: "propose", with: propose, refused: "bad_file"},
		{story: "consent", who: manager, do: "file", with: "consent consent.txt"},
		{story: "consent", who: manager, do: "propose", with: propose},
		{story: "consent", who: owner, do: "approve", with: decide},
	}
}

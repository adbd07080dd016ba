package terminal

import (
	"fmt"
	"slices"

	"yuanlu/firmware-sim/scenario"
)

// Programme returns a few days of seeded customers for showing: with them come refunds of every kind that the wire can
// send, right, wrong and undecidable, each at least once.
func Programme(t *Terminal, wireName string) *Source {
	return &Source{t: t, script: showcase(wireName), between: programmeCustomers, crowd: true}
}

// GuardedProgramme is a Programme for a terminal that asks before its refunds: before it comes a wrong refund for each way
// of a cashier.
func GuardedProgramme(t *Terminal, wireName string) *Source {
	return &Source{t: t, script: slices.Concat(cashierSteps(), showcase(wireName)), between: programmeCustomers, crowd: true}
}

// cashierSteps are a wrong refund for each way of a cashier, and one that a customer proves to be right.
func cashierSteps() steps {
	var out, back steps
	for i, who := range scenario.Cashiers() {
		name := fmt.Sprintf("till%d", i)
		out = append(out, scenario.Step{Do: "sale", As: name, By: fmt.Sprintf("guest%d", 50+i), Pay: "chip", Amount: int64(3000 + 100*i), Form: "clear"})
		back = append(back, scenario.Step{Do: "refund", Of: name, To: "stranger", Entry: "keyed", Form: "clear", Amount: 1500, Cashier: who})
	}
	return append(slices.Concat(out, back),
		scenario.Step{Do: "sale", As: "till-right", By: "guest60", Pay: "chip", Amount: 2500, Form: "clear"},
		scenario.Step{Do: "refund", Of: "till-right", Form: "clear", Amount: 500},
		scenario.Step{Do: "sale", As: "till-wx", By: "guest61", Pay: "wechat", Amount: 2600},
		scenario.Step{Do: "refund", Of: "till-wx", Amount: 600, Presented: "guest61"})
}

// programmeCustomers is how many seeded customers come before, between and after the steps of a programme.
const programmeCustomers = 2

// Len is the number of steps or customers of a source; 0 for customers without end.
func (s *Source) Len() int {
	n := 0
	for _, step := range s.script {
		if step.Do != "wait" && step.Do != "train" {
			n++
		}
	}
	return n * (1 + s.between)
}

// showcase is the script of a programme.
func showcase(wireName string) []scenario.Step {
	cards := cardSteps()
	switch wireName {
	case "mispos":
		return slices.Concat(cards, maskSteps(), walletSteps(wireName), shapeSteps(wireName), endSteps())
	case "cup8583":
		return slices.Concat(cards, hostSteps(), shapeSteps(wireName), endSteps())
	}
	return slices.Concat(cards, maskSteps(), walletSteps(wireName), shapeSteps(wireName), endSteps())
}

type steps = []scenario.Step

// cardSteps are refunds and voids of cards, on any wire.
func cardSteps() steps {
	out := steps{}
	for i, pay := range []string{"chip", "contactless", "swipe", "chip", "chip", "contactless", "chip", "phone"} {
		out = append(out, scenario.Step{Do: "sale", As: fmt.Sprintf("card%d", i), By: fmt.Sprintf("guest%d", i), Pay: pay,
			Amount: int64(1000 + 250*i)})
	}
	return append(out,
		scenario.Step{Do: "sale", As: "no", By: "guest9", Pay: "chip", Amount: 700, Outcome: "declined"},
		scenario.Step{Do: "void", Of: "card6"},
		scenario.Step{Do: "settle"},
		scenario.Step{Do: "wait", For: "20h"},
		scenario.Step{Do: "refund", Of: "card0", Amount: 350},
		scenario.Step{Do: "refund", Of: "card0", Amount: 650},
		scenario.Step{Do: "refund", Of: "card1", Amount: 350, To: "stranger", Entry: "keyed"},
		scenario.Step{Do: "refund", Of: "card1", Amount: 350},
		scenario.Step{Do: "refund", Of: "card2", Amount: 5000},
		scenario.Step{Do: "refund", Of: "card3"},
		scenario.Step{Do: "refund", Of: "card3", Amount: 1750},
		scenario.Step{Do: "refund", Of: "card4", Outcome: "declined", To: "stranger"},
		scenario.Step{Do: "refund", Of: "card4", Date: "typo"},
		scenario.Step{Do: "refund", Of: "card6", Amount: 2500},
		scenario.Step{Do: "refund", Of: "card7"},
		scenario.Step{Do: "refund", Of: "no"},
		scenario.Step{Do: "refund", Of: "invented", To: "stranger", Amount: 900},
		scenario.Step{Do: "refund", Of: "elsewhere", To: "guest5", Amount: 400},
		scenario.Step{Do: "refund", Of: "before", To: "guest5", Amount: 450},
		scenario.Step{Do: "refund", Of: "nothing", To: "guest5", Amount: 300},
		scenario.Step{Do: "refund", Of: "nothing", To: "stranger", By: "guest5", Amount: 200},
		scenario.Step{Do: "sale", As: "card8", By: "guest8", Pay: "chip", Amount: 1200},
		scenario.Step{Do: "void", Of: "card8", To: "stranger"})
}

// maskSteps are cards that the acquirer masks.
func maskSteps() steps {
	return steps{
		{Do: "sale", As: "mask0", By: "guest20", Pay: "chip", Amount: 800, Form: "masked"},
		{Do: "sale", As: "mask1", By: "guest21", Pay: "chip", Amount: 900, Form: "masked"},
		{Do: "sale", As: "mask2", By: "guest22", Pay: "chip", Amount: 950, Form: "masked"},
		{Do: "sale", As: "mask3", By: "guest23", Pay: "chip", Amount: 960, Form: "four"},
		{Do: "refund", Of: "mask0", Form: "masked", Entry: "chip"},
		{Do: "refund", Of: "mask1", Form: "masked", To: "guest21-twin", Entry: "chip"},
		{Do: "refund", Of: "mask2", Form: "masked", To: "stranger", Entry: "chip"},
		{Do: "refund", Of: "mask3", Form: "tail", Entry: "chip"},
	}
}

// walletSteps are refunds of wallets, by order.
func walletSteps(wireName string) steps {
	out := steps{
		{Do: "sale", As: "wx0", By: "guest30", Pay: "wechat", Amount: 2000},
		{Do: "sale", As: "wx1", By: "guest31", Pay: "wechat", Amount: 2100, Entry: "qr_scanned"},
		{Do: "sale", As: "ali0", By: "guest32", Pay: "alipay", Amount: 2200},
		{Do: "sale", As: "ali1", By: "guest33", Pay: "huabei", Amount: 2300},
		{Do: "sale", As: "up0", By: "guest34", Pay: "unionpay_qr", Amount: 2400},
		{Do: "refund", Of: "wx0", Amount: 500, Route: "ORIGINAL"},
		{Do: "refund", Of: "wx0", Amount: 600, Route: "BALANCE", Account: "none"},
		{Do: "refund", Of: "wx0", Amount: 700, Route: "OTHER_BANKCARD", Account: "none"},
		{Do: "refund", Of: "ali0", Amount: 700, Account: "none"},
		{Do: "refund", Of: "up0", Account: "none"},
		{Do: "refund", Of: "ali1", Amount: 9900, Account: "none"},
	}
	if wireName == "mispos" {
		return append(out,
			scenario.Step{Do: "refund", Of: "wx1", Amount: 300, Account: "other_app"},
			scenario.Step{Do: "refund", Of: "wx1", Amount: 400, To: "stranger"},
			scenario.Step{Do: "refund", Of: "ali1", Pay: "chip", Entry: "keyed", Ref: "order", To: "stranger", Amount: 100})
	}
	return append(out,
		scenario.Step{Do: "refund", Of: "wx1", Amount: 400, To: "merchant"})
}

// hostSteps are what only the host messages show.
func hostSteps() steps {
	return steps{
		{Do: "sale", As: "qr0", By: "guest40", Pay: "unionpay_qr", Amount: 1500},
		{Do: "sale", As: "gone", By: "guest41", Pay: "chip", Amount: 1600, Outcome: "unknown"},
		{Do: "reversal", Of: "gone"},
		{Do: "refund", Of: "qr0", Amount: 500},
		{Do: "refund", Of: "qr0", Amount: 1500},
		{Do: "refund", Of: "gone", Amount: 1600},
		{Do: "sale", As: "back", By: "guest43", Pay: "chip", Amount: 1800},   // refunded wrong, reversed, refunded right
		{Do: "sale", As: "astray", By: "guest44", Pay: "chip", Amount: 4000}, // wrong, wrong again, right
		{Do: "refund", As: "back-wrong", Of: "back", To: "stranger", Entry: "keyed", Amount: 1800},
		{Do: "reversal", Of: "back-wrong"},
		{Do: "refund", Of: "back", Amount: 1800},
		{Do: "refund", Of: "astray", To: "stranger", Entry: "keyed", Amount: 1100},
		{Do: "refund", Of: "astray", To: "guest45", Entry: "keyed", Amount: 1100},
		{Do: "refund", Of: "astray", Amount: 1100},
		{Do: "sale", As: "phone0", By: "guest42", Pay: "phone", Amount: 1700},
		{Do: "refund", Of: "phone0", Entry: "chip"},
	}
}

// endSteps close the day.
func endSteps() steps { return steps{{Do: "settle"}} }

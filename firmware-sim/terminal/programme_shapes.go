package terminal

// shapeSteps are the forms that platforms and acquirers send beside the usual ones, each at least once, with right and
// wrong refunds of each (wires.md, fourth edition).
func shapeSteps(wireName string) steps {
	switch wireName {
	case "mispos":
		return misposShapes()
	case "cup8583":
		return cupShapes()
	}
	return append(wechatShapes(), append(alipayShapes(), unionpayShapes()...)...)
}

// misposShapes are e-CNY, other ways to pay, and numbers that are filled up.
func misposShapes() steps {
	return steps{
		{Do: "sale", As: "ec0", By: "guest50", Pay: "ecny", Form: "clear", Amount: 1100},
		{Do: "sale", As: "ec1", By: "guest51", Pay: "ecny", Form: "clear", Amount: 1200, Entry: "qr_scanned"},
		{Do: "sale", As: "ec2", By: "guest52", Pay: "ecny", Form: "four", Amount: 1300},
		{Do: "sale", As: "vip0", By: "guest53", Pay: "member", Amount: 1400},
		{Do: "sale", As: "vip1", By: "guest54", Pay: "member", Amount: 1500, Entry: "qr_scanned"},
		{Do: "sale", As: "fill0", By: "guest55", Pay: "chip", Form: "clear", Amount: 1600, Shape: "filled"},
		{Do: "sale", As: "fill1", By: "guest56", Pay: "swipe", Form: "masked", Amount: 1700, Shape: "filled"},
		{Do: "refund", Of: "ec0", Form: "clear", Amount: 300},
		{Do: "refund", Of: "ec0", Form: "clear", Amount: 9900},
		{Do: "refund", Of: "ec1", Form: "clear", To: "stranger"},
		{Do: "refund", Of: "ec2", Form: "four"},
		{Do: "refund", Of: "vip0", Amount: 400},
		{Do: "refund", Of: "vip0", Amount: 4000},
		{Do: "refund", Of: "vip1", To: "stranger"},
		{Do: "refund", Of: "fill0", Form: "clear", Entry: "chip", Shape: "filled", Amount: 600},
		{Do: "refund", Of: "fill0", Form: "clear", Entry: "chip", To: "stranger", Shape: "filled", Amount: 700},
		{Do: "refund", Of: "fill1", Form: "masked", Entry: "swipe", Shape: "filled"},
	}
}

// cupShapes are a points shop, an account type in F3, and what the cardholder is charged in his own money.
func cupShapes() steps {
	return steps{
		{Do: "sale", As: "pts0", By: "guest50", Pay: "chip", Amount: 1100, Shape: "points"},
		{Do: "sale", As: "pts1", By: "guest51", Pay: "chip", Amount: 1200, Shape: "points"},
		{Do: "sale", As: "fx0", By: "guest52", Pay: "chip", Amount: 1300, Shape: "charged"},
		{Do: "sale", As: "acc0", By: "guest53", Pay: "swipe", Amount: 1400, Shape: "account"},
		{Do: "refund", Of: "pts0", Amount: 300, Shape: "points"},
		{Do: "refund", Of: "pts0", To: "stranger", Amount: 400, Shape: "points"},
		{Do: "void", Of: "pts1", Shape: "points"},
		{Do: "refund", Of: "fx0", Amount: 500, Shape: "charged"},
		{Do: "refund", Of: "fx0", To: "stranger", Amount: 500, Shape: "charged"},
		{Do: "refund", Of: "acc0", Shape: "account"},
	}
}

// wechatShapes are the older interface, combined orders, notifications and reverse.
func wechatShapes() steps {
	return steps{
		{Do: "sale", As: "wxo", By: "guest60", Pay: "wechat", Amount: 1100, Shape: "older"},
		{Do: "sale", As: "wxc", By: "guest61", Pay: "wechat", Amount: 1200, Shape: "combined"},
		{Do: "sale", As: "wxn", By: "guest62", Pay: "wechat", Amount: 1300},
		{Do: "sale", As: "wxr", By: "guest63", Pay: "wechat", Amount: 1400},
		{Do: "sale", As: "wxu", By: "guest64", Pay: "wechat", Amount: 1500, Outcome: "pending", Shape: "older"},
		{Do: "refund", Of: "wxo", As: "wxo-back", Amount: 600, Outcome: "pending", Route: "ORIGINAL", Shape: "older"},
		{Do: "query", Of: "wxo-back", Shape: "older_query"},
		{Do: "refund", Of: "wxc", Amount: 1200, Shape: "notice"},
		{Do: "refund", Of: "wxc-2", Amount: 5000, Shape: "notice"},
		{Do: "refund", Of: "wxn", As: "wxn-back", Amount: 300, Outcome: "pending"},
		{Do: "query", Of: "wxn-back", Shape: "notice"},
		{Do: "refund", Of: "wxn", To: "merchant", Amount: 400, Shape: "notice"},
		{Do: "refund", Of: "wxn", Amount: 200, Outcome: "abnormal"},
		{Do: "refund", Of: "wxn", Amount: 200},
		{Do: "void", Of: "wxr", Shape: "reverse"},
		{Do: "refund", Of: "wxr", Amount: 1400, Shape: "notice"},
		{Do: "void", Of: "wxu", Shape: "reverse"},
	}
}

// alipayShapes are notifications, the newer interface, refund queries, lost answers, refunds in full and cancel.
func alipayShapes() steps {
	return steps{
		{Do: "sale", As: "ali2", By: "guest70", Pay: "alipay", Amount: 1100, Shape: "notice"},
		{Do: "sale", As: "ali3", By: "guest71", Pay: "huabei", Amount: 1200, Shape: "newer"},
		{Do: "sale", As: "ali4", By: "guest72", Pay: "alipay", Amount: 1300},
		{Do: "sale", As: "ali5", By: "guest73", Pay: "alipay", Amount: 1400},
		{Do: "sale", As: "ali6", By: "guest74", Pay: "alipay", Amount: 1500, Shape: "notice"},
		{Do: "sale", As: "ali7", By: "guest75", Pay: "alipay", Amount: 1600},
		{Do: "sale", As: "ali8", By: "guest76", Pay: "alipay", Amount: 1700, Outcome: "pending"},
		{Do: "refund", Of: "ali2", Amount: 300, Shape: "fee"},
		{Do: "refund", Of: "ali2", Amount: 800, Shape: "asked"},
		{Do: "query", Of: "ali2", Shape: "closed"},
		{Do: "refund", Of: "ali2", Amount: 500, Shape: "fee"},
		{Do: "refund", Of: "ali3", Amount: 500, Shape: "newer"},
		{Do: "refund", Of: "ali3", Amount: 800, Shape: "newer", To: "stranger"},
		{Do: "refund", Of: "ali4", Shape: "no_number"},
		{Do: "query", Of: "ali4", Shape: "closed"},
		{Do: "refund", Of: "ali5", As: "ali5-back", Amount: 400, Shape: "lost"},
		{Do: "query", Of: "ali5-back", Shape: "again"},
		{Do: "refund", Of: "ali5", Amount: 1100, Shape: "fee"},
		{Do: "refund", Of: "ali6", Amount: 600, Shape: "notified"},
		{Do: "refund", Of: "ali6", Amount: 200, Outcome: "abnormal", Shape: "query"},
		{Do: "refund", Of: "ali6", Amount: 900, Shape: "query"},
		{Do: "void", Of: "ali7", Shape: "cancel"},
		{Do: "refund", Of: "ali7", Shape: "fee"},
		{Do: "void", Of: "ali8", Shape: "cancel"},
	}
}

// unionpayShapes are success with a defect, queries, encrypted numbers, and another way to pay by the on-device call.
func unionpayShapes() steps {
	return steps{
		{Do: "sale", As: "up1", By: "guest80", Pay: "unionpay_qr", Amount: 1100, Shape: "defect"},
		{Do: "sale", As: "up2", By: "guest81", Pay: "unionpay_qr", Amount: 1200, Outcome: "pending"},
		{Do: "query", Of: "up2", Shape: "query"},
		{Do: "sale", As: "up3", By: "guest82", Pay: "unionpay_qr", Amount: 1300, Shape: "encrypted"},
		{Do: "sale", As: "up4", By: "guest83", Pay: "unionpay_qr", Amount: 1400, Outcome: "declined", Shape: "query"},
		{Do: "sale", As: "vip2", By: "guest84", Pay: "member", Amount: 1500},
		{Do: "refund", Of: "up1", Amount: 400, Account: "none", Shape: "defect"},
		{Do: "refund", Of: "up1", Amount: 1000, Account: "none"},
		{Do: "refund", Of: "up2", Account: "none", Shape: "query"},
		{Do: "refund", Of: "up3", Shape: "encrypted"},
		{Do: "refund", Of: "up4", Amount: 1400, Account: "none"},
		{Do: "refund", Of: "vip2", Amount: 500},
		{Do: "refund", Of: "vip2", Amount: 500, To: "stranger"},
	}
}

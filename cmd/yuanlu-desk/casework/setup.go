package casework

// Settings are the limits and times of casework.md § 8.
type Settings struct {
	ClaimCriticalMin, ClaimHighMin, ClaimDays          int64
	DecideDays, ApproveMin, RequestDays, ChaseDays     int64
	WriteOffDays, ContactHours, PayHours               int64
	ArriveWalletMin, ArriveDays, CloseDays, BodyDays   int64
	ExpireDays, SendHours, AnswerDays, Waits, WaitDays int64
	FileMiB, EscalateAmount, TrainMin                  int64
}

// DefaultSettings are those of casework.md § 8.
func DefaultSettings() Settings {
	return Settings{ClaimCriticalMin: 30, ClaimHighMin: 240, ClaimDays: 1, DecideDays: 1, ApproveMin: 240, RequestDays: 2, ChaseDays: 3,
		WriteOffDays: 10, ContactHours: 24, PayHours: 72, ArriveWalletMin: 20, ArriveDays: 3, CloseDays: 7, BodyDays: 10,
		ExpireDays: 1, SendHours: 24, AnswerDays: 20, Waits: 2, WaitDays: 3, FileMiB: 10, EscalateAmount: 500_000, TrainMin: 3}
}

// named returns each setting by its name on the page.
func (s *Settings) named() map[string]*int64 {
	return map[string]*int64{"claim_critical_min": &s.ClaimCriticalMin, "claim_high_min": &s.ClaimHighMin, "claim_days": &s.ClaimDays,
		"decide_days": &s.DecideDays, "approve_min": &s.ApproveMin, "request_days": &s.RequestDays, "chase_days": &s.ChaseDays,
		"write_off_days": &s.WriteOffDays, "contact_hours": &s.ContactHours, "pay_hours": &s.PayHours,
		"arrive_wallet_min": &s.ArriveWalletMin, "arrive_days": &s.ArriveDays, "close_days": &s.CloseDays, "body_days": &s.BodyDays,
		"expire_days": &s.ExpireDays, "send_hours": &s.SendHours, "answer_days": &s.AnswerDays, "waits": &s.Waits, "wait_days": &s.WaitDays,
		"file_mib": &s.FileMiB, "escalate_amount": &s.EscalateAmount, "train_min": &s.TrainMin}
}

func settings(v value) (Settings, bool) {
	f, s := object(v), DefaultSettings()
	for name, place := range s.named() {
		if n, ok := f.maybe(name); ok {
			limit := int64(1_000_000)
			if name == "escalate_amount" {
				limit = largest
			}
			*place = f.within(n, 1, limit)
		}
	}
	return s, f.done()
}

// Place is a store: a shop of a merchant (casework.md § 2).
type Place struct {
	Store      string   `json:"store"`
	MerchantID string   `json:"merchant_id"`
	Terminals  []string `json:"terminals"`
	Cutoff     string   `json:"cutoff"`
}

// places reads the line "stores" (casework.md § 10).
func places(v value) ([]Place, bool) {
	out, ok := []Place{}, v.kind == '['
	names := map[string]bool{}
	for _, e := range v.list {
		f := object(e)
		p := Place{f.text("store", 1, 64), f.text("merchant_id", 1, 64), f.texts("terminals"), f.text("cutoff", 0, 5)}
		distinct(f, p.Terminals)
		if p.Cutoff != "" {
			_, good := clock(p.Cutoff)
			f.check(good)
		}
		ok = ok && f.done() && p.Store != everywhere && !names[p.Store]
		names[p.Store] = true
		out = append(out, p)
	}
	return out, ok
}

// staff reads the line "people" (casework.md § 10).
func staff(v value) ([]Person, bool) {
	out, ok := []Person{}, v.kind == '['
	ids, numbers := map[string]bool{}, map[string]bool{}
	for _, e := range v.list {
		p, good := person(e)
		ok = ok && good && !p.conflict() && !ids[p.ID] && !numbers[p.Staff]
		ids[p.ID], numbers[p.Staff] = true, true
		out = append(out, p)
	}
	return out, ok
}

// setup takes a line of set-up: each at most once, and never after another line.
func (d *Desk) setup(name string, v value) bool {
	if d.begun || d.given[name] {
		return false
	}
	ok := false
	switch name {
	case "settings":
		var s Settings
		if s, ok = settings(v); ok {
			d.set = s
		}
	case "calendar":
		var c Calendar
		if c, ok = calendar(v); ok {
			d.cal = c
		}
	case "stores":
		var p []Place
		if p, ok = places(v); ok {
			d.places = p
		}
	case "people":
		var p []Person
		if p, ok = staff(v); ok {
			for i := range p {
				d.people.set(p[i])
			}
		}
	}
	if ok {
		d.given[name] = true
	}
	return ok
}

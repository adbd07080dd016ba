package match

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sort"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/bills"
)

// second is bills.md § 6 read a second time: slow, over plain lists, sharing nothing with
// the matching but its input and the form of its output.
type second struct {
	day     string
	digests []*Digest
	bills   []bills.Bill
	entries [][]bills.Entry // by bill
}

type secondRow struct {
	bills.Entry
	gone bool
}

func instant(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.Unix()
}

func within(a, b, seconds int64) bool { return a-b <= seconds && b-a <= seconds }

// chosen returns the parts that count of each terminal and day.
func (s *second) chosen() (out [][]*Digest) {
	var unique []*Digest
	for _, d := range s.digests {
		again := false
		for _, u := range unique {
			again = again || u.Terminal == d.Terminal && u.Day == d.Day && u.Rev == d.Rev && u.Part == d.Part
		}
		if !again {
			unique = append(unique, d)
		}
	}
	groups := map[string][]*Digest{}
	for _, d := range unique {
		groups[d.Terminal+"|"+d.Day] = append(groups[d.Terminal+"|"+d.Day], d)
	}
	var names []string
	for n := range groups {
		names = append(names, n)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := groups[names[i]][0], groups[names[j]][0]
		return a.Terminal < b.Terminal || a.Terminal == b.Terminal && a.Day < b.Day
	})
	for _, n := range names {
		var best []*Digest
		for rev := int64(1); rev < 10; rev++ {
			var parts []*Digest
			for _, d := range groups[n] {
				if d.Rev == rev {
					parts = append(parts, d)
				}
			}
			if len(parts) > 0 && (best == nil || allThere(parts) || !allThere(best)) {
				best = parts
			}
		}
		sort.Slice(best, func(i, j int) bool { return best[i].Part < best[j].Part })
		out = append(out, best)
	}
	return out
}

func allThere(parts []*Digest) bool {
	for want := int64(1); want <= parts[0].Parts; want++ {
		found := false
		for _, p := range parts {
			found = found || p.Part == want && p.Parts == parts[0].Parts
		}
		if !found {
			return false
		}
	}
	return int64(len(parts)) == parts[0].Parts
}

// rows returns the entries of all bills, each once, and the bills that count.
func (s *second) rows() (rows []*secondRow, counted []bills.Bill, of [][]bills.Entry) {
	known := map[string]*secondRow{}
	sums := map[string]bool{}
	for i, b := range s.bills {
		if sums[b.SHA256] {
			continue
		}
		sums[b.SHA256] = true
		counted, of = append(counted, b), append(of, s.entries[i])
		for _, e := range s.entries[i] {
			have, ok := known[e.Row]
			if !ok {
				known[e.Row] = &secondRow{Entry: e}
				rows = append(rows, known[e.Row])
				continue
			}
			merged, fits := have.Entry, true
			one := func(mine *string, theirs string) {
				if *mine == "" {
					*mine = theirs
				} else if theirs != "" && theirs != *mine {
					fits = false
				}
			}
			one(&merged.TerminalID, e.TerminalID)
			one(&merged.MerchantID, e.MerchantID)
			one(&merged.RefundNo, e.RefundNo)
			one(&merged.ChannelRefund, e.ChannelRefund)
			one(&merged.RRN, e.RRN)
			one(&merged.STAN, e.STAN)
			one(&merged.Batch, e.Batch)
			one(&merged.Original.ChannelTxn, e.Original.ChannelTxn)
			one(&merged.Original.OrderNo, e.Original.OrderNo)
			one(&merged.ChannelTxn, e.ChannelTxn)
			one(&merged.OrderNo, e.OrderNo)
			one(&merged.Route, e.Route)
			fits = fits && merged.Amount == e.Amount && merged.At == e.At && merged.Kind == e.Kind && merged.Channel == e.Channel && merged.Direction == e.Direction
			if merged.Status == "processing" {
				merged.Status = e.Status
			} else if e.Status != "processing" && e.Status != merged.Status {
				fits = false
			}
			if fits {
				have.Entry = merged
			}
		}
	}
	return rows, counted, of
}

func money(status string) bool { return status == "success" || status == "processing" }

var platformOf = map[string]string{"wechat_trade": "wechat", "alipay_trade": "alipay", "unionpay_zm": "unionpay_qr"}

func covering(b bills.Bill, kind, date string) bool {
	return strings.Contains(strings.Join(b.Covers, ","), kind) && b.From != "" && b.From <= date && b.To >= date
}

type secondRefund struct {
	*Refund
	state     int // 0 no, 1 maybe, 2 yes
	able      bool
	key       string
	row       *secondRow
	hits      []*secondRow
	ambiguous bool
}

// run returns the lines.
func (s *second) run() (lines []string) {
	days := s.chosen()
	rows, counted, of := s.rows()
	var refunds []*secondRefund
	for _, parts := range days {
		for _, p := range parts {
			for _, r := range p.refunds {
				v := &secondRefund{Refund: r, state: 1, able: r.Channel != "unknown" && strings.Contains("|CNY|RMB||", "|"+r.Currency+"|")}
				if r.Outcome == "approved" {
					v.state = 2
				}
				if r.Undone || strings.Contains("|declined|closed|abnormal|", "|"+r.Outcome+"|") {
					v.state = 0
				}
				refunds = append(refunds, v)
			}
		}
	}
	sort.SliceStable(refunds, func(i, j int) bool {
		a, b := refunds[i], refunds[j]
		if a.Terminal != b.Terminal {
			return a.Terminal < b.Terminal
		}
		if !a.At.Equal(b.At) {
			return a.At.Before(b.At)
		}
		return a.ID < b.ID
	})
	var left []*secondRefund
	ids := map[string]bool{}
	for _, r := range refunds {
		if !ids[r.ID] && r.Channel != "cash" {
			left = append(left, r)
		}
		ids[r.ID] = true
	}
	refunds = left
	doubled := func(e *secondRow) bool {
		kind := strings.Replace(e.Kind, "void", "refund", 1)
		if e.Format != "acquirer_csv" || kind != "sale" && kind != "refund" {
			return false
		}
		for _, b := range counted {
			if platformOf[b.Format] == e.Channel && covering(b, kind, e.At[:10]) {
				return true
			}
		}
		return false
	}
	var game []*secondRow
	for _, e := range rows {
		if !doubled(e) && !strings.HasSuffix(e.Format, "_fund") && (e.Kind == "refund" || e.Kind == "void") {
			game = append(game, e)
		}
	}
	s.pair(refunds, game)
	for _, r := range refunds {
		if r.Day == s.day {
			if line := s.line(r, refunds, rows, game, counted, of); line != "" {
				lines = append(lines, line)
			}
		}
	}
	lines = append(lines, s.missing(refunds, game, days)...)
	return append(lines, s.sums(rows, counted, of, days, doubled)...)
}

func (s *second) pair(refunds []*secondRefund, game []*secondRow) {
	eq := func(a, b string) bool { return a != "" && a == b }
	clash := func(a, b string) bool { return a != b && a != "" && b != "" }
	for _, key := range []string{"channel_refund", "refund_no", "rrn", "stan", "original"} {
		for _, unmoved := range []bool{false, true} {
			hit := func(r *secondRefund, e *secondRow) bool {
				if r.key != "" || r.ambiguous || e.gone || !r.able || r.Channel != e.Channel || (r.state == 0) != unmoved {
					return false
				}
				near, card := within(r.At.Unix(), instant(e.At), 3*86400), r.Channel == "card" || r.Channel == "unionpay_qr"
				switch key {
				case "channel_refund":
					return eq(r.ChannelRefund, e.ChannelRefund)
				case "refund_no":
					return eq(r.RefundNo, e.RefundNo) && !clash(r.OriginalTxn, e.Original.ChannelTxn) && !clash(r.OriginalOrder, e.Original.OrderNo)
				case "rrn":
					return card && near && eq(r.RRN, e.RRN) && !clash(r.TerminalID, e.TerminalID)
				case "stan":
					return card && near && eq(r.TerminalID, e.TerminalID) && eq(r.Batch, e.Batch) && eq(r.STAN, e.STAN)
				}
				if unmoved || r.Channel == "card" || r.Amount != e.Amount || !near {
					return false
				}
				if r.OriginalTxn != "" && e.Original.ChannelTxn != "" {
					return r.OriginalTxn == e.Original.ChannelTxn
				}
				return eq(r.OriginalOrder, e.Original.OrderNo)
			}
			var hitters []*secondRefund
			times := map[*secondRow]int{}
			for _, r := range refunds {
				if r.ambiguous {
					continue // its hits are its candidates
				}
				r.hits = nil
				for _, e := range game {
					if hit(r, e) {
						r.hits = append(r.hits, e)
						times[e]++
					}
				}
				if r.hits != nil {
					hitters = append(hitters, r)
				}
			}
			for _, r := range hitters {
				if len(r.hits) == 1 && times[r.hits[0]] == 1 {
					r.key, r.row = key, r.hits[0]
				} else {
					r.ambiguous = true
				}
				for _, e := range r.hits {
					e.gone = true
				}
			}
		}
	}
}

func (s *second) line(r *secondRefund, refunds []*secondRefund, rows, game []*secondRow, counted []bills.Bill, of [][]bills.Entry) string {
	back := int64(0)
	for _, e := range rows {
		if e.Channel != r.Channel || !r.able || r.state == 0 && r.row == nil {
			continue
		}
		names := false
		switch {
		case e.Kind == "adjust" && e.Direction == "in":
			names = r.row != nil && r.row.ChannelRefund != "" && e.Original.ChannelTxn == r.row.ChannelRefund
		case e.Kind == "refund_back":
			names = e.ChannelRefund != "" && e.ChannelRefund == r.ChannelRefund ||
				e.RefundNo != "" && e.RefundNo == r.RefundNo && (r.OriginalTxn == "" || e.Original.ChannelTxn == "" || r.OriginalTxn == e.Original.ChannelTxn)
			if e.Format == "alipay_fund" && r.OriginalTxn != "" && e.Original.ChannelTxn == r.OriginalTxn && e.Amount == r.Amount {
				alone := true
				for _, o := range refunds {
					alone = alone && (o == r || o.OriginalTxn != r.OriginalTxn)
				}
				names = names || alone
			}
		}
		if names {
			back += e.Amount
		}
	}
	result, certain, candidates := "", true, []string{}
	suggest := func() {
		for _, e := range game {
			if r.able && !e.gone && e.Channel == r.Channel && money(e.Status) && e.Amount == r.Amount && within(instant(e.At), r.At.Unix(), 1800) {
				candidates = append(candidates, e.Row)
			}
		}
	}
	switch {
	case back > 0:
		result = "recovered"
	case r.ambiguous:
		result, certain = "ambiguous", false
		for _, e := range r.hits {
			candidates = append(candidates, e.Row)
		}
	case r.state == 0 && (r.row == nil || !money(r.row.Status)):
		return ""
	case r.row != nil && money(r.row.Status) != (r.state > 0):
		result = "status_differs"
	case r.row != nil && r.row.Amount != r.Amount:
		result = "amount_differs"
	case r.row != nil && strings.HasPrefix(r.row.Route, "OTHER_"):
		result = "rerouted"
	case r.row != nil:
		result = "confirmed"
	default:
		suggest()
		result, certain = "no_bill", false
		dates := []string{s.day}
		start := instant(s.day + "T00:00:00+08:00")
		date := func(n int64) string {
			return time.Unix(start+n*86400, 0).In(time.FixedZone("", 8*3600)).Format("2006-01-02")
		}
		if within(r.At.Unix(), start, 600) {
			dates = append(dates, date(-1))
		}
		if within(r.At.Unix(), start+86400, 600) || r.Channel == "card" || r.Channel == "unionpay_qr" {
			dates = append(dates, date(1))
		}
		all, marked := r.able, true
		for _, d := range dates {
			c, m := coveredOn(counted, of, r.Channel, "refund", d)
			all, marked = all && c, marked && m
		}
		if all {
			result, certain = "missing_on_bill", marked
		}
	}
	sort.Strings(candidates)
	e := bills.Entry{}
	if r.row != nil {
		e = r.row.Entry
	}
	return resultLine(s.day, result, r.key, r.Terminal, r.ID, e.Row, r.Channel, r.Amount, e.Amount, r.Outcome, e.Status, e.Route, back, certain, candidates)
}

func resultLine(day, result, key, terminal, refund, row, channel string, amount, billAmount int64, outcome, status, route string, back int64, certain bool, candidates []string) string {
	list := ""
	for i, c := range candidates {
		if i > 0 {
			list += ","
		}
		list += `"` + c + `"`
	}
	return fmt.Sprintf(`{"type":"result","day":"%s","result":"%s","key":"%s","terminal":"%s","refund":"%s","row":"%s","channel":"%s","amount":%d,"bill_amount":%d,"outcome":"%s","bill_status":"%s","route":"%s","recovered_amount":%d,"certain":%t,"candidates":[%s]}`,
		day, result, key, terminal, refund, row, channel, amount, billAmount, outcome, status, route, back, certain, list)
}

func coveredOn(counted []bills.Bill, of [][]bills.Entry, channel, kind, date string) (yes, marked bool) {
	for i, b := range counted {
		if !b.Complete || !covering(b, kind, date) {
			continue
		}
		own := channel == "card"
		for _, e := range of[i] {
			own = own || e.Channel == channel
		}
		if platformOf[b.Format] == channel || b.Format == "acquirer_csv" && own {
			yes = true
			marked = marked || b.Format == "wechat_trade" || b.Format == "alipay_trade"
		}
	}
	return yes, marked
}

func (s *second) missing(refunds []*secondRefund, game []*secondRow, days [][]*Digest) (lines []string) {
	var left []*secondRow
	for _, e := range game {
		if !e.gone && money(e.Status) && e.At[:10] == s.day {
			left = append(left, e)
		}
	}
	const order = "card wechat alipay unionpay_qr jd ecny unknown"
	sort.Slice(left, func(i, j int) bool {
		a, b := left[i], left[j]
		return fmt.Sprintf("%03d", strings.Index(order, a.Channel))+a.At+a.Row < fmt.Sprintf("%03d", strings.Index(order, b.Channel))+b.At+b.Row
	})
	start := instant(s.day + "T00:00:00+08:00")
	for _, e := range left {
		hash := func(kind, number string) string {
			sum := sha256.Sum256([]byte(kind + e.Channel + "\x1f" + number))
			return base64.URLEncoding.EncodeToString(sum[:9])
		}
		terminal := ""
		for _, parts := range days {
			for _, p := range parts {
				for _, key := range p.sales {
					if terminal == "" && (e.Original.ChannelTxn != "" && key == hash("t", e.Original.ChannelTxn) || e.Original.OrderNo != "" && key == hash("o", e.Original.OrderNo)) {
						terminal = p.Terminal
					}
				}
			}
		}
		for _, parts := range days {
			for _, p := range parts {
				named := false
				for _, t := range p.totals {
					named = named || t.terminalID == e.TerminalID
				}
				for _, r := range p.refunds {
					named = named || r.TerminalID == e.TerminalID
				}
				if terminal == "" && e.TerminalID != "" && named {
					terminal = p.Terminal
				}
			}
		}
		ok := true
		today := map[string]bool{}
		for _, parts := range days {
			if parts[0].Day == s.day {
				today[parts[0].Terminal] = true
				ok = ok && allThere(parts)
				for _, p := range parts {
					ok = ok && p.Complete
				}
			}
		}
		for side, edge := range map[int64]int64{-1: start, 1: start + 86400} {
			if !within(instant(e.At), edge, 600) {
				continue
			}
			date := time.Unix(start+side*86400, 0).In(time.FixedZone("", 8*3600)).Format("2006-01-02")
			for terminal := range today {
				there := false
				for _, parts := range days {
					there = there || parts[0].Day == date && parts[0].Terminal == terminal && allThere(parts)
				}
				ok = ok && there
			}
		}
		candidates := []string{}
		for _, r := range refunds {
			if r.able && r.state > 0 && r.key == "" && !r.ambiguous && r.Channel == e.Channel && r.Amount == e.Amount && within(instant(e.At), r.At.Unix(), 1800) {
				candidates = append(candidates, r.ID)
			}
		}
		sort.Strings(candidates)
		lines = append(lines, resultLine(s.day, "missing_on_terminal", "", terminal, "", e.Row, e.Channel, 0, e.Amount, "", e.Status, e.Route, 0,
			ok && len(today) > 0 && terminal != "" && e.Channel != "unknown", candidates))
	}
	return lines
}

func (s *second) sums(rows []*secondRow, counted []bills.Bill, of [][]bills.Entry, days [][]*Digest, doubled func(*secondRow) bool) (lines []string) {
	for _, channel := range strings.Fields("card wechat alipay unionpay_qr jd ecny unknown") {
		var t, b [4]int64
		whole, any := true, false
		for _, parts := range days {
			if parts[0].Day != s.day {
				continue
			}
			any, whole = true, whole && allThere(parts)
			for _, p := range parts {
				whole = whole && p.Complete
				for _, v := range p.totals {
					if v.channel == channel {
						t[0] += v.sums.SaleCount
						t[1] += v.sums.SaleAmount
						t[2] += v.sums.RefundCount
						t[3] += v.sums.RefundAmount
					}
				}
			}
		}
		for _, e := range rows {
			if e.Channel != channel || doubled(e) || strings.HasSuffix(e.Format, "_fund") || !money(e.Status) || e.At[:10] != s.day {
				continue
			}
			switch e.Kind {
			case "sale":
				b[0]++
				b[1] += e.Amount
			case "refund", "void":
				b[2]++
				b[3] += e.Amount
			}
		}
		if t == [4]int64{} && b == [4]int64{} {
			continue
		}
		sales, _ := coveredOn(counted, of, channel, "sale", s.day)
		refunds, _ := coveredOn(counted, of, channel, "refund", s.day)
		agree := "no"
		if t == b {
			agree = "yes"
		}
		if !any || !whole || !sales || !refunds {
			agree = "unknown"
		}
		lines = append(lines, fmt.Sprintf(`{"type":"totals","day":"%s","channel":"%s","terminal_sale_count":%d,"terminal_sale_amount":%d,"terminal_refund_count":%d,"terminal_refund_amount":%d,"bill_sale_count":%d,"bill_sale_amount":%d,"bill_refund_count":%d,"bill_refund_amount":%d,"agree":"%s"}`,
			s.day, channel, t[0], t[1], t[2], t[3], b[0], b[1], b[2], b[3], agree))
	}
	return lines
}

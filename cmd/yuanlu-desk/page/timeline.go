package page

import (
	"encoding/json"
	"html/template"
	"strconv"
	"strings"

	"yuanlu/cmd/yuanlu-desk/casework"
)

// entry is one event of a journal, in words.
type entry struct {
	casework.Event
	Says     template.HTML
	Text     string // what a person wrote
	Orders   []template.HTML
	Contact  int64
	File     int64
	Sequence string // of the terminal
	After    bool   // the proposal that is open
}

// groups names the enumeration of a member of an event's data; where a kind of event has
// another one, "kind.member" does.
func groups(what, member string) string {
	switch what + "." + member {
	case "contacted.channel":
		return "cchannel"
	case "filed.kind":
		return "filekind"
	case "closed.outcome":
		return "close"
	case "suggested.why":
		return "suggestwhy"
	case "woke.why":
		return "wokewhy"
	case "lapsed.why":
		return "lapsedwhy"
	case "refused.why":
		return "refusedwhy"
	case "bill_link.result":
		return "billresult"
	case "bill_link.bill_status":
		return "billstatus"
	case "bill_link.transition":
		return "billstep"
	case "bill_link.fact":
		return "billfact"
	}
	switch member {
	case "party", "direction", "result", "method", "for", "route", "body", "way", "bearer", "step", "kind", "channel", "type", "decision", "recipient":
		return member
	case "as":
		return "role"
	case "from":
		if what == "opened" {
			return member
		}
	}
	return ""
}

// entries puts the events of a journal into words. currency is that of the case where an
// event does not name its own.
func (s *speaker) entries(events []casework.Event, currency string) []entry {
	out := make([]entry, 0, len(events))
	for _, e := range events {
		out = append(out, s.entry(e, currency))
	}
	return out
}

func (s *speaker) entry(e casework.Event, currency string) entry {
	var data map[string]any
	d := json.NewDecoder(strings.NewReader(string(e.Data)))
	d.UseNumber()
	out := entry{Event: e}
	if d.Decode(&data) != nil { // the journal was checked when it was read: it is an object
		data = nil
	}
	if refund, ok := data["refund"].(map[string]any); ok && e.What == "reported" {
		data["amount"] = refund["amount"]
		currency = str(refund["currency"])
	}
	if c := str(data["currency"]); c != "" {
		currency = c
	}
	out.Says = s.each(func(s *speaker) template.HTML { return s.sentence(e.What, data, currency) })
	out.Text, out.Sequence = str(data["text"]), str(data["sequence"])
	out.Contact, out.File = integer(data["contact"]), integer(data["file"])
	if e.What == "proposed" {
		var p struct{ Commands []casework.Order }
		if json.Unmarshal(e.Data, &p) == nil {
			for i := range p.Commands {
				out.Orders = append(out.Orders, s.order(&p.Commands[i], currency))
			}
		}
	}
	return out
}

// sentence puts the data of an event into words.
func (s *speaker) sentence(what string, data map[string]any, currency string) template.HTML {
	fill := map[string]template.HTML{}
	for name, value := range data {
		fill[name] = s.member(what, name, value, currency)
	}
	if what == "advised" {
		fill["advice"] = s.named("advice", str(data["advice"])+"/"+str(data["why"]))
	}
	if person, ok := data["person"].(map[string]any); ok {
		fill["person"] = mono(str(person["id"]))
	}
	for _, name := range []string{"number", "ref", "owner", "checker", "row", "bill_status"} { // those that may be empty or absent
		if fill[name] == "" {
			fill[name] = s.html("none", nil)
		}
	}
	key := "what." + what
	if what == "contacted" && str(data["number"]) == "" {
		key += ".bare"
	}
	switch {
	case what == "bill_link" && str(data["fact"]) != "":
		key += ".fact"
	case what == "bill_link" && str(data["transition"]) != "":
		key += ".advice"
	}
	if what == "escalated" && str(data["answer_by"]) != "" {
		key += ".by"
	}
	return s.html(key, fill)
}

// member writes one member of an event's data.
func (s *speaker) member(what, name string, value any, currency string) template.HTML {
	switch v := value.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return escaped(v.String())
		}
		switch name {
		case "amount", "owed", "stake", "lost", "payable":
			return money(n, currency)
		}
		return escaped(strconv.FormatInt(n, 10))
	case string:
		switch {
		case v == "":
			return ""
		case name == "until" || name == "due" || name == "expires" || name == "approve_by":
			return s.when(v)
		}
		if group := groups(what, name); group != "" {
			return s.named(group, v)
		}
		return mono(v)
	case []any:
		out := make([]string, 0, len(v))
		for _, one := range v {
			out = append(out, string(mono(str(one))))
		}
		return template.HTML(strings.Join(out, string(s.html("and", nil)))) //nolint:gosec // each is escaped
	case bool:
		if v {
			return s.html("yes", nil)
		}
		return s.html("no", nil)
	}
	return ""
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func integer(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := n.Int64()
	if err != nil {
		return 0
	}
	return i
}

// order puts a command of a proposal into words, with every value (casework.md § 14, 5).
func (s *speaker) order(o *casework.Order, currency string) template.HTML {
	return s.each(func(s *speaker) template.HTML { return s.ordered(o, currency) })
}

func (s *speaker) ordered(o *casework.Order, currency string) template.HTML {
	given := func(p *string) template.HTML {
		if p == nil || *p == "" {
			return s.html("none", nil)
		}
		return mono(*p)
	}
	fill, key := map[string]template.HTML{}, "order."+o.Do
	switch o.Do {
	case "finding":
		ids := make([]string, 0, len(o.Wrong))
		for _, id := range o.Wrong {
			ids = append(ids, string(mono(id)))
		}
		fill["wrong"] = template.HTML(strings.Join(ids, string(s.html("and", nil)))) //nolint:gosec // each is escaped
		if o.Owed != nil {
			fill["owed"] = money(*o.Owed, currency)
		}
	case "request":
		fill["route"], fill["ref"] = s.named("route", o.Route), given(o.Ref)
	case "reissue":
		fill["amount"], fill["way"], fill["number"] = money(o.Amount, currency), s.named("way", o.Way), given(o.Number)
	case "write_off":
		fill["bearer"] = s.named("bearer", o.Bearer)
	case "close":
		fill["outcome"] = s.named("close", o.Outcome)
		if o.Into != "" {
			key, fill["into"] = "order.close.into", mono(o.Into)
		}
	}
	says := s.html(key, fill)
	for _, given := range []struct {
		key string
		seq int64
	}{{"m.contact", o.Contact}, {"m.file", o.File}} {
		if given.seq > 0 {
			says += ` <span class="ref">` + s.html(given.key, nil) + escaped(" "+strconv.FormatInt(given.seq, 10)) + `</span>`
		}
	}
	return says
}

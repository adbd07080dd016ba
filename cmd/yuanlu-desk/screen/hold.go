package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// heldEvent is what is shown of an event of a hold. Source: guard.md § 6.
type heldEvent struct {
	Time time.Time `json:"time"`
	Data struct {
		Ask  string `json:"ask"`
		Hold struct {
			State string    `json:"state"`
			Until time.Time `json:"until"`
			By    string    `json:"by"`
		} `json:"hold"`
		Refund record `json:"refund"`
		Answer struct {
			Findings []struct {
				Code string `json:"code"`
				Text struct {
					EN string `json:"en"`
					ZH string `json:"zh"`
				} `json:"text"`
			} `json:"findings"`
		} `json:"answer"`
	} `json:"data"`
}

// hold prints that a refund was held, until when, or what became of it.
func (s *Screen) hold(w io.Writer, terminal string, payload []byte) error {
	var e heldEvent
	if json.Unmarshal(payload, &e) != nil {
		_, err := fmt.Fprintf(w, "%s  %s\n", clean(terminal), s.t("an event of a kind that cannot be shown", "无法显示的事件"))
		return err
	}
	h, r := &e.Data.Hold, &e.Data.Refund
	state := s.colour("33", clean(h.State))
	if h.State == "open" {
		state = s.colour("31", s.t("held", "暂停")) + " " + s.t("until", "至") + " " + h.Until.In(s.Zone).Format("15:04:05")
	}
	line := fmt.Sprintf("%s  %s  %s  %s %s  %s  %s  %s", e.Time.In(s.Zone).Format("2006-01-02 15:04:05"), pad(clean(terminal), 12), state,
		s.translate(clean(r.Kind)), s.amount(r), clean(r.Channel), clean(e.Data.Ask), clean(h.By))
	if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
		return err
	}
	for _, f := range e.Data.Answer.Findings {
		if _, err := fmt.Fprintf(w, "    %s  %s\n", clean(f.Code), clean(s.t(f.Text.EN, f.Text.ZH))); err != nil {
			return err
		}
	}
	return nil
}

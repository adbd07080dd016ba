package command

import (
	"context"
	"encoding/json"
	"time"

	"yuanlu/agent/control"
)

// mostDays bounds the days of one command.
const mostDays = 62

// dayResend has the digests of some days made again (bills.md § 5).
func (s *Set) dayResend(ctx context.Context, args json.RawMessage, _ func(any)) (any, error) {
	var q struct{ From, To string }
	if err := Arguments(args, &q); err != nil {
		return nil, err
	}
	from, errFrom := time.Parse(time.DateOnly, q.From)
	to, errTo := time.Parse(time.DateOnly, q.To)
	switch {
	case errFrom != nil:
		return nil, &control.Error{Code: "bad_request", About: "from", Message: "no such day, want YYYY-MM-DD"}
	case errTo != nil:
		return nil, &control.Error{Code: "bad_request", About: "to", Message: "no such day, want YYYY-MM-DD"}
	case to.Before(from) || to.Sub(from) >= mostDays*24*time.Hour:
		return nil, &control.Error{Code: "bad_request", About: "to", Message: "want a day from args.from on, at most 62 days"}
	case !s.o.Config.Day.Report:
		return nil, &control.Error{Code: "unavailable", Message: "days are not reported: day.report = false"}
	}
	db := s.o.Agent.Store()
	if db == nil {
		return nil, &control.Error{Code: "unavailable", Message: "the store is not open"}
	}
	n, err := db.ResendDays(ctx, q.From, q.To)
	if err != nil {
		return nil, err
	}
	s.log.Info("day.resend_asked", "from", q.From, "to", q.To, "days", n)
	return map[string]int{"days": n}, nil
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// alarms prints the alarms about logs of terminals, those that stand first (evidence.md § 2).
func (x *exporting) alarms(ctx context.Context, p *program) error {
	list, err := x.at.db.LogAlarms(ctx, "")
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"alarms": list})
	}
	for i := range list {
		one := &list[i]
		ended := ""
		if !one.Ended.IsZero() {
			ended = fmt.Sprintf(p.t(", ended %s by %s", "，%s 由 %s 解除"), one.Ended.Format(time.RFC3339), one.EndedBy)
		}
		if _, err := fmt.Fprintf(p.stdout, p.t("%d  %s  terminal %s, %s, %d times, last %s%s\n", "%d  %s  终端 %s，%s，%d 次，最近 %s%s\n"), one.N, one.Code, one.Terminal, one.Origin, one.Times, one.Last.Format(time.RFC3339), ended); err != nil {
			return err
		}
	}
	return nil
}

// end ends an alarm, which a person has looked into.
func (x *exporting) end(ctx context.Context, p *program, number string) error {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || x.who == "" {
		return fmt.Errorf("%w: end N --who NAME: the number of an alarm, and who has looked into it", errUsage)
	}
	if err := x.at.db.EndLogAlarm(ctx, p.now(), n, x.who); err != nil {
		return err
	}
	return p.done("ended", "已解除", n)
}

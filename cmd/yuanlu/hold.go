package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"yuanlu/agent/ask"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/guard/till"
	"yuanlu/agent/ledger"
)

func holdVerb() *verb {
	return &verb{name: "hold", usage: "list [--all] | show ASK | release ASK --by ID --reason R [--text T] | cancel ASK [--by OPERATOR] [--terminal T]",
		en: "refunds that are held: list, show, release with a supervisor's PIN, cancel", zh: "暂停的退款：列出、显示、主管凭 PIN 放行、取消", run: (*program).hold}
}

// holdFlags are the flags of hold.
type holdFlags struct {
	path, terminal, by, reason, text *string
	all                              *bool
}

// hold is the supervisor's side of the guard. Source: guard.md § 4.
func (p *program) hold(ctx context.Context, args []string) error {
	v := holdVerb()
	f := p.flags(v)
	h := holdFlags{path: p.configFlag(f), all: f.Bool("all", false, p.lang.T("also those that have ended", "包括已结束的")),
		terminal: f.String("terminal", "", p.lang.T("terminal `ID` where several have a hold of that name", "有重名时的终端`号`")),
		by:       f.String("by", "", p.lang.T("the supervisor's `ID`; of a cancel the cashier's number", "主管`标识`；取消时为收银员号")),
		reason:   f.String("reason", "", p.lang.T("`R`: consent, reissued_card, own_account, our_error, other, or 1 to 5", "`原因`：consent、reissued_card、own_account、our_error、other，或 1 至 5")),
		text:     f.String("text", "", p.lang.T("a `sentence`, needed for other", "`说明`，other 时必填"))}
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	c, _, err := p.configInForce(*h.path)
	if err != nil {
		return err
	}
	q := till.HoldArgs{TerminalID: *h.terminal, By: *h.by, Reason: *h.reason, Text: *h.text}
	if len(rest) == 2 {
		q.Ask = rest[1]
	}
	switch {
	case rest[0] == "list" && len(rest) == 1:
		return p.holdList(ctx, c.Config, *h.all)
	case rest[0] == "show" && len(rest) == 2:
		return p.order(ctx, c.Config, v, exitStore, "hold-show", q, control.Each(func(l till.HoldLine) error {
			if p.json {
				return p.printJSON(l)
			}
			return p.people(c.Time.Location()).Hold(&l)
		}))
	case rest[0] == "release" && len(rest) == 2:
		if q.By == "" || q.Reason == "" {
			return p.wrongUsage(v, "%s", p.lang.T("release needs --by and --reason", "放行须给出 --by 和 --reason"))
		}
		pin, err := p.secretLine(bufio.NewReader(io.LimitReader(p.stdin, 1<<10)), "PIN: ", "PIN：")
		if err != nil {
			return err
		}
		if q.PIN, err = json.Marshal(pin.Reveal()); err != nil {
			return err
		}
		return p.holdOrder(ctx, c.Config, v, "hold-release", q)
	case rest[0] == "cancel" && len(rest) == 2:
		return p.holdOrder(ctx, c.Config, v, "hold-cancel", q)
	}
	return p.wrongWord(v, rest[0], "list", "show", "release", "cancel")
}

// holdList lists holds: of the daemon with their time left, else those in the store.
func (p *program) holdList(ctx context.Context, c *config.Config, all bool) error {
	var lines []till.HoldLine
	err := control.Call(ctx, c.Control.Socket, "hold-list", map[string]bool{"all": all}, control.Each(func(l till.HoldLine) error {
		lines = append(lines, l)
		return nil
	}))
	if errors.Is(err, control.ErrNotRunning) {
		lines, err = storedHolds(ctx, c, all)
	}
	if err != nil {
		return err
	}
	if !p.json {
		return p.people(c.Time.Location()).Holds(lines)
	}
	for i := range lines {
		if err := p.printJSON(&lines[i]); err != nil {
			return err
		}
	}
	return nil
}

// storedHolds reads the holds from the store of a daemon that does not run.
func storedHolds(ctx context.Context, c *config.Config, all bool) (lines []till.HoldLine, err error) {
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	holds, err := db.Holds(ctx, !all)
	for i := range holds {
		l := till.LineOf(&holds[i])
		if a, err := db.FindAsk(ctx, holds[i].Key); err == nil {
			l.Refund = a.Entry.Ask.Record.AppendJSON(nil)
		}
		lines = append(lines, l)
	}
	return lines, err
}

// holdOrder releases or cancels, and prints what became of the hold.
func (p *program) holdOrder(ctx context.Context, c *config.Config, v *verb, what string, q till.HoldArgs) error {
	var state till.State
	err := p.order(ctx, c, v, exitStore, what, q, control.Each(func(s till.State) error {
		state = s
		return nil
	}))
	if err != nil {
		return err
	}
	if p.json {
		if err := p.printJSON(state); err != nil {
			return err
		}
	} else if state.Error == "" {
		fmt.Fprintf(p.stdout, "%s: %s\n", state.Ask, p.people(c.Time.Location()).HoldState(state.State))
	}
	if state.Error == "" {
		return nil
	}
	if !p.json {
		fmt.Fprintf(p.stderr, "yuanlu hold: %s\n", p.lang.Text(refusalText(state.Error, state.State)))
	}
	return errPrinted(refusalExit(state.Error))
}

// refusalExit returns the exit code of a refusal of the guard.
func refusalExit(code string) int {
	switch code {
	case "form":
		return exitUsage
	case "unknown_ask":
		return exitNotFound
	case "store":
		return exitStore
	case "ended", "id_reused":
		return exitData
	}
	return exitPermission
}

// refusalText says to a person why the guard refused something.
func refusalText(code string, state ask.State) config.Text {
	switch code {
	case "form":
		return config.Text{EN: "something stated is not to the form: --by, --reason (other needs --text), the PIN", ZH: "填写有误：--by、--reason（other 须有 --text）、PIN"}
	case "unknown_ask":
		return config.Text{EN: "no hold of that name is remembered", ZH: "没有此核查号的暂停"}
	case "ended":
		return config.Text{EN: "the hold has ended: " + string(state), ZH: "暂停已结束：" + string(state)}
	case "no_operator":
		return config.Text{EN: "the ask named no operator: the back office alone can release it", ZH: "核查未注明收银员，只能由后台放行"}
	case "office_first":
		return config.Text{EN: "the back office decides first; try again later", ZH: "须先由后台处理，请稍后再试"}
	case "locked":
		return config.Text{EN: "too many wrong PINs: this supervisor is locked for a while", ZH: "PIN 错误次数过多，该主管暂时锁定"}
	case "wrong_pin":
		return config.Text{EN: "wrong PIN, or no such supervisor", ZH: "PIN 错误，或没有该主管"}
	case "same_person":
		return config.Text{EN: "the refund is his own: another supervisor must release it", ZH: "本笔由其本人办理，须由另一主管放行"}
	case "guard_off":
		return config.Text{EN: "this link has no guard (guard = \"off\")", ZH: "该链路未启用退款核查（guard = \"off\"）"}
	case "id_reused":
		return config.Text{EN: "that id is another ask's", ZH: "该核查号已用于其他核查"}
	}
	return config.Text{EN: "it could not be stored: nothing was done", ZH: "无法写入数据库，未作任何改动"}
}

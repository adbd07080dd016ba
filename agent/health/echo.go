package health

import (
	"context"
	"errors"
	"time"
)

// StepEcho is the check that asks the back office for a sign of life. It is done only
// where it is named: it may take EchoWithin.
const StepEcho = "echo"

// EchoWithin is how long the back office has to answer.
const EchoWithin = 10 * time.Second

// Answer is what became of asking the back office.
type Answer struct {
	Took time.Duration
	Err  error // why it did not answer; context.DeadlineExceeded: it is silent
}

// lookAtEcho needs an answer of the back office itself: the broker's says nothing about
// who takes the cases.
func lookAtEcho(e *Examination) {
	a := e.m.Answer
	if a == nil {
		return // there is no connection, which has a line
	}
	switch {
	case a.Err == nil:
		e.fine(backoffice, textf("it answers, within %s", "有应答，用时 %s", a.Took.Round(time.Millisecond)))
	case errors.Is(a.Err, context.DeadlineExceeded):
		e.add(Error, backoffice, textf("it does not answer within %s: no ping came for the event echo.asked", "%s 内没有应答：发出 echo.asked 事件后未收到后台命令", EchoWithin),
			both("the back office must run, read up/event and up/case, and write dn/cmd/ping and dn/ack, with a key that this terminal knows; the broker's access list must allow all of it; one that does not know echo.asked shows itself by acknowledging cases (yuanlu outbox stat)",
				"后台须运行，可读 up/event、up/case，可写 dn/cmd/ping、dn/ack，并使用本终端已知的密钥；服务器访问控制须全部允许；不支持 echo.asked 的后台可通过案件确认情况判断（yuanlu outbox stat）"))
	default:
		e.add(Error, backoffice, same(a.Err.Error()), checkNetwork)
	}
}

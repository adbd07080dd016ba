// Package notify sends what people wait for: steps that are overdue, proposals that wait for
// approval, to a webhook or by e-mail. What it sends holds the case, the step and when it is
// due, never a person, an account or an amount. Each is sent until it was taken, at least
// once, under an id that stays.
package notify

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
)

// Times of sending.
const (
	look     = 5 * time.Second  // between two looks for something to send
	sendTime = 30 * time.Second // for one
	lease    = 2 * time.Minute  // for which one desk alone sends, from each that was sent on
	first    = 15 * time.Second // before the second try
	longest  = time.Hour        // between two tries
)

// Queue is what a channel has to send; store.Channel is one.
type Queue interface {
	Take(ctx context.Context, now, until time.Time) ([]store.Notice, error)
	Sent(ctx context.Context, one store.Notice, until time.Time) error
	Failed(ctx context.Context, now time.Time, why string, wait func(tries int) time.Duration) (int, error)
	Done(ctx context.Context) error
}

// Sender delivers one notice. Its errors hold no secret.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// Message is a notice as it is sent.
type Message struct {
	ID   string `json:"id"`
	What string `json:"what"` // overdue, or approve
	Case string `json:"case"`
	Step string `json:"step"`
	Due  string `json:"due"`
	Link string `json:"link,omitempty"`
	Text Text   `json:"text"`
}

// Text is a sentence in both languages.
type Text struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// Options are what a sender of notices works with.
type Options struct {
	Name   string // of the channel, in the log
	Queue  Queue
	Sender Sender
	Link   string // of the desk's page, before /case/C-…; "": none
	Now    func() time.Time
	Log    *slog.Logger
}

// Run sends until ctx ends.
func Run(ctx context.Context, o Options) {
	timer := time.NewTicker(look)
	defer timer.Stop()
	for {
		if err := turn(ctx, &o); err != nil && ctx.Err() == nil {
			o.Log.Warn("notify.store", "channel", o.Name, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// turn sends what waits, until one cannot be sent. It returns errors of the store.
func turn(ctx context.Context, o *Options) error {
	list, err := o.Queue.Take(ctx, o.Now(), o.Now().Add(lease))
	if err != nil || len(list) == 0 {
		return err
	}
	for i := range list {
		m := message(&list[i], o.Link)
		send, cancel := context.WithTimeout(ctx, sendTime)
		err := o.Sender.Send(send, m)
		cancel()
		if err != nil {
			if ctx.Err() != nil {
				return o.Queue.Done(context.WithoutCancel(ctx)) // the desk stops; the next one sends it
			}
			tries, failed := o.Queue.Failed(ctx, o.Now(), err.Error(), backOff)
			if tries == 1 || tries%10 == 0 {
				o.Log.Warn("notify.failed", "channel", o.Name, "id", m.ID, "tries", tries, "err", err)
			}
			return failed
		}
		if err := o.Queue.Sent(ctx, list[i], o.Now().Add(lease)); err != nil {
			return err
		}
	}
	o.Log.Info("notify.sent", "channel", o.Name, "count", len(list))
	return o.Queue.Done(ctx)
}

// backOff is how long is waited after so many failures.
func backOff(tries int) time.Duration {
	return min(longest, first<<min(tries-1, 20))
}

// steps are the names of steps in both languages.
func steps() map[string]Text {
	return map[string]Text{
		"claim": {"somebody has to take it", "需有人认领"}, "wait": {"waiting ends", "等待到期"}, "decide": {"facts have to be decided", "需作出认定"},
		"approve": {"a proposal waits for approval", "有提案待审批"}, "request": {"the money has to be asked for", "需发起追款"}, "chase": {"an answer has to be chased", "需催复"},
		"decide_loss": {"a loss has to be decided", "需决定是否核销"}, "contact_payer": {"the payer has to be contacted", "需联系付款人"}, "pay": {"the payer has to be paid", "需向付款人付款"},
		"send": {"the approved payment has to be sent", "需执行已批准的付款"}, "arrive": {"the payment has to arrive", "需确认付款到账"}, "close": {"it has to be closed", "需结案"},
		"body": {"the body has to answer", "需等待机构答复"},
	}
}

func message(n *store.Notice, link string) *Message {
	m := &Message{ID: n.ID, What: "approve", Case: n.Case, Step: n.Step, Due: n.Due}
	t, ok := steps()[n.Step]
	if !ok {
		t = Text{n.Step, n.Step}
	}
	m.Text = Text{"Case " + n.Case + ": " + t.EN + ", by " + n.Due, "案件 " + n.Case + "：" + t.ZH + "，期限 " + n.Due}
	if n.Late {
		m.What = "overdue"
		m.Text = Text{"Case " + n.Case + " is overdue: " + t.EN + ", due " + n.Due, "案件 " + n.Case + " 已逾期：" + t.ZH + "，期限 " + n.Due}
	}
	if link != "" {
		m.Link = strings.TrimSuffix(link, "/") + "/case/" + n.Case
	}
	return m
}

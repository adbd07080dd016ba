package report_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/logbook"
	"yuanlu/agent/report"
	"yuanlu/protocol/mqtt/brokertest"
)

// TestLogGoesOnUpLog: lines of level warn and above, but for those about publishing.
func TestLogGoesOnUpLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		book := logbook.Open(logbook.Options{})
		g := start(t, &brokertest.Fake{}, func(_ *rig, o *report.Options) { o.Book = book })
		pass(time.Second)
		log := book.Logger()
		log.Info("link.online")
		log.Warn("case.opened", "severity", "critical")
		log.Error("link.unusable", "link", "pos")
		for _, code := range []string{"mqtt.lost", "report.unfit", "outbox.sent_unsaved", "delivery.unacknowledged"} {
			log.Warn(code)
		}
		pass(time.Second)
		var got []string
		for _, level := range []string{"warn", "error"} {
			for _, l := range g.on(names.Log(level)) {
				got = append(got, fmt.Sprint(l["level"], " ", l["code"], " ", l["attrs"]))
			}
		}
		if want := []string{"warn case.opened map[severity:critical]", "error link.unusable map[link:pos]"}; !slices.Equal(got, want) {
			t.Errorf("published %q, want %q", got, want)
		}
		g.stop()
		if err := book.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

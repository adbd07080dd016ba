package ingest

import (
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"yuanlu/agent/refund"
)

// A sale and its answer in frames, from cup8583-again.
const (
	cupSaleFrame = "020088600003000060320032000002007020048000C0801116620000000000000500000000000000100000032105200031303030303030313839383030303030" +
		"3030303030303131353600142200000700060035463135374234310353"
	cupAnswerFrame = "02011260000000036032003200000210703A00810AC0801116620000000000000500000000000000100000032110153008220822000848021000323630383232" +
		"30303033323130303130303030303031383938303030303030303030303031313536001422000007000600374445313843383303F3"
)

// TestWorkerPairsOverARestart: a request that waits is stored before its record is, by
// tokens; a worker made again drops it in time, and takes the late answer.
func TestWorkerPairsOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		profile, err := DefaultProfile("cup8583")
		if err != nil {
			t.Fatal(err)
		}
		store := &memStore{}
		first := func(b *bench, o *Options) {
			b.store = store
			o.Wire, o.Profile, o.Applier, o.Recaller = "cup8583", profile, store, store
		}
		talk := func(wait time.Duration, framed string) {
			b := start(t, first)
			p := newMemPort()
			b.ports <- p
			b.run()
			raw, err := hex.DecodeString(framed)
			if err != nil {
				t.Fatal(err)
			}
			p.in <- raw
			pass(wait)
			if err := b.stop(); err != nil {
				t.Error(err)
			}
		}
		talk(20*time.Second, cupSaleFrame)
		want(t, "records while it waits", store.stans(), "")
		stored := ""
		for k, v := range store.memory {
			stored += k + string(v)
		}
		if !strings.Contains(stored, "620000******0005") || strings.Contains(stored, "6200000000000005") {
			t.Error("what is remembered is not in tokens and masked form")
		}
		talk(50*time.Second, "")
		want(t, "records when its time is over", store.stans(), "000321")
		talk(time.Second, cupAnswerFrame)
		want(t, "records with the late answer", store.stans(), "000321 000321")
		var all []refund.Sighting
		for _, batch := range store.batches {
			for _, a := range batch {
				all = append(all, a.Sightings...)
			}
		}
		want(t, "first outcome", all[0].Record.Outcome, refund.Unknown)
		want(t, "MAC of a frame that is gone", all[0].FrameMAC, "")
		want(t, "second outcome", all[1].Record.Outcome, refund.Approved)
		want(t, "MAC of the answer", all[1].FrameMAC, "k1:117")
	})
}

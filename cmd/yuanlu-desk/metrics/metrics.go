// Package metrics shows the desk's numbers to Prometheus, with those of its process. It keeps none
// of its own: each scrape asks the consumer and the store. desk.json and fleet.json are dashboards
// for Grafana that show them.
package metrics

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/store"
)

// storeTime is how long the store may take for one scrape.
const storeTime = 5 * time.Second

// Options are where the numbers come from. All are needed.
type Options struct {
	Status  func() consumer.Status
	Totals  func(context.Context) (store.Totals, error)
	Fleet   func(context.Context) (store.Fleet, error)
	Proofs  func(context.Context) (store.LogState, error)
	Version string
	Log     *slog.Logger
}

// Handler answers scrapes, at most four at a time. It is safe for concurrent use.
func Handler(o Options) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(&collector{o}, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * storeTime,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)})
}

type collector struct{ o Options }

// Describe sends nothing beforehand: Collect always sends the same metrics, but for those
// of a store that does not answer.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect asks consumer and store.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	send := func(kind prometheus.ValueType, name, help string, value float64, labels ...string) {
		var names, values []string
		for i := 0; i+1 < len(labels); i += 2 {
			names, values = append(names, labels[i]), append(values, labels[i+1])
		}
		m, err := prometheus.NewConstMetric(prometheus.NewDesc("yuanlu_desk_"+name, help, names, nil), kind, value, values...)
		if err != nil {
			c.o.Log.Warn("metrics.unfit", "name", name, "err", err)
			return
		}
		out <- m
	}
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	st := c.o.Status()
	send(gauge, "info", "Always 1; the version of the desk.", 1, "version", c.o.Version)
	send(gauge, "connected", "1: there is a connection to the broker.", flag(st.Connected))
	send(gauge, "store_up", "1: events can be stored.", flag(st.StoreError == ""))
	send(counter, "reconnects_total", "Connections to the broker after the first.", float64(st.Reconnects))
	send(counter, "messages_total", "Messages taken from the broker.", float64(st.Messages))
	send(counter, "stored_total", "Events stored.", float64(st.Stored))
	send(counter, "repeats_total", "Events that were stored already.", float64(st.Repeats))
	send(counter, "refused_total", "Messages put into quarantine.", float64(st.Refused))
	send(counter, "no_room_total", "Batches with events of a terminal without room in the store.", float64(st.Full))
	send(counter, "shed_total", "Messages that found no room before the store and must be sent again.", float64(st.Shed))
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	all, err := c.o.Totals(ctx)
	if err != nil {
		c.o.Log.Warn("metrics.store", "err", err)
		return
	}
	send(gauge, "events", "Events in the store.", float64(all.Events))
	send(gauge, "cases", "Cases in the store.", float64(all.Cases))
	for severity, n := range all.Open {
		send(gauge, "open_cases", "Open cases.", float64(n), "severity", severity)
	}
	send(gauge, "terminals", "Terminals that were heard.", float64(all.Terminals))
	send(gauge, "streams_with_gaps", "Streams that lack something.", float64(all.Incomplete))
	send(gauge, "quarantined", "Messages in quarantine.", float64(all.Quarantined))
	proofs, err := c.o.Proofs(ctx)
	if err != nil {
		c.o.Log.Warn("metrics.store", "err", err)
		return
	}
	send(gauge, "evidence_log_size", "Leaves of the desk's own evidence log.", float64(proofs.Size))
	send(gauge, "evidence_stamped_size", "Leaves under its newest time stamp.", float64(proofs.StampedSize))
	stamped := 0.0
	if proofs.StampedAt != nil {
		stamped = float64(proofs.StampedAt.Unix())
	}
	send(gauge, "evidence_stamped_timestamp_seconds", "When it was stamped last; 0: never.", stamped)
	send(gauge, "evidence_alarms", "Alarms about evidence logs of terminals that have not ended.", float64(proofs.Alarms))
	fleet, err := c.o.Fleet(ctx)
	if err != nil {
		c.o.Log.Warn("metrics.store", "err", err)
		return
	}
	for presence, n := range fleet.Presence {
		send(gauge, "terminals_by_presence", "Terminals by what they published last, unknown if that is too old.", float64(n), "presence", presence)
	}
	for verdict, n := range fleet.Health {
		send(gauge, "terminals_by_health", "Terminals by the verdict of their health, unknown if that is too old.", float64(n), "verdict", verdict)
	}
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

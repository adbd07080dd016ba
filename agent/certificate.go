package agent

import (
	"context"
	"log/slog"
	"time"
)

// certEvery is how often the end of the terminal's certificate is looked at.
const certEvery = time.Hour

// certStage returns which of the moments before the end of a certificate has come: 0
// none yet, then 30, 14, 7, 3 days, 1 day, and the end itself. Each is said once.
func certStage(left time.Duration) int {
	stage := 0
	for _, days := range []time.Duration{30, 14, 7, 3, 1, 0} {
		if left <= days*24*time.Hour {
			stage++
		}
	}
	return stage
}

// certWatch remembers what was said about which certificate.
type certWatch struct {
	end   time.Time
	stage int
}

// look tells whether there is something new to say about a certificate that ends at
// end.
func (w *certWatch) look(end, now time.Time) bool {
	stage := certStage(end.Sub(now))
	news := stage > 0 && (stage > w.stage || !end.Equal(w.end))
	if stage > w.stage || !end.Equal(w.end) {
		w.end, w.stage = end, stage
	}
	return news
}

// watchCertificate says that the terminal's certificate ends soon (event
// cert.expiring), from thirty days ahead. The file is read each time, so a renewed
// certificate is seen without a restart.
func (a *Agent) watchCertificate(ctx context.Context) error {
	var w certWatch
	for {
		if end, ok := a.o.CertEnds(); ok && w.look(end, a.clock.CertTime()) {
			left := end.Sub(a.clock.CertTime())
			a.log.Warn("cert.expiring", "ends", end.UTC().Format(time.RFC3339), "days", int(left.Hours()/24))
			a.Event("cert.expiring", "certificate", slog.Int64("days", int64(left.Hours()/24)), slog.String("ends", end.UTC().Format(time.RFC3339)))
			a.wake()
		}
		if !sleep(ctx, certEvery) {
			return nil
		}
	}
}

package health

import (
	"time"

	"yuanlu/agent/config"
)

func certificateProblems(p *problems, s *Snapshot, _ *config.Config) {
	if s.CertDays == nil || *s.CertDays >= 30 {
		return
	}
	level, days := Degraded, *s.CertDays
	if days >= 7 {
		level = Note
	}
	text := textf("the certificate of this terminal ends in %d days", "终端证书将在 %d 天后到期", days)
	if days < 0 {
		text = both("the certificate of this terminal has ended", "终端证书已过期")
	}
	p.add(level, "cert_expiring", "", text, both("renew mqtt.cert_file and mqtt.key_file; the next connection uses them", "更新 mqtt.cert_file 和 mqtt.key_file；下次连接即生效"))
}

func lookAtCertificate(e *Examination) {
	if days := e.Snapshot.CertDays; !e.problems("cert_") && days != nil {
		e.fine(both("certificate", "证书"), textf("ends in %d days", "%d 天后到期", *days))
	}
}

// CertificateStages notes which of the moments before the end of a certificate have been
// reported: 30, 14, 7, 3 days, 1 day, and the end itself. Each is reported once. The zero
// value is ready; it is used by one goroutine.
type CertificateStages struct {
	end   time.Time
	stage int // how many of them
}

// Next reports whether another moment has come for a certificate that ends at end.
func (c *CertificateStages) Next(end, now time.Time) bool {
	stage := 0
	for _, days := range []time.Duration{30, 14, 7, 3, 1, 0} {
		if end.Sub(now) <= days*24*time.Hour {
			stage++
		}
	}
	if stage <= c.stage && end.Equal(c.end) {
		return false
	}
	c.end, c.stage = end, stage
	return stage > 0
}

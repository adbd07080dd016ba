package health

import "yuanlu/agent/config"

func metricsProblems(p *problems, s *Snapshot, _ *config.Config) {
	if s.MetricsError != "" {
		p.add(Degraded, "metrics_unavailable", "", textf("metrics are not offered: %s", "无法提供指标：%s", s.MetricsError),
			both("end what holds the port (ss -ltnp), or set metrics.listen to another; it is tried again by itself", "结束占用端口的程序（ss -ltnp），或为 metrics.listen 换一个端口；程序会自动重试"))
	}
}

// lookAtRest is about the problems that no other check has.
func lookAtRest(e *Examination) { e.problems("") }

package metrics

import (
	"maps"
	"slices"
	"time"

	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

// Of returns a snapshot in numbers. The names of links, of codes and of this build are the
// only texts: nothing that identifies a terminal, a merchant or a refund.
func Of(s *health.Snapshot) []Family {
	var f figureList
	f.add(Gauge, "build_info", "Always 1; which program this is.", 1, "version", s.Build.Version, "commit", s.Build.Commit)
	f.add(Gauge, "uptime_seconds", "Since the start of the agent.", s.Uptime.Seconds())
	f.add(Gauge, "ready", "1: detection and store run.", flag(s.Ready))
	f.state("verdict", "verdict", "1 at the verdict of health.", s.Verdict, []string{health.OK, health.Degraded, health.Failing})
	f.problems(s.Problems)
	f.add(Gauge, "clock_synced", "1: the clock is trusted.", flag(s.Clock.Synced))
	f.add(Gauge, "memory_bytes", "Resident memory.", float64(s.Memory))
	f.add(Gauge, "goroutines", "Goroutines.", float64(s.Goroutines))
	f.add(Counter, "records_taken_total", "Records since the start of the agent.", float64(s.Records))
	f.add(Counter, "records_of_other_merchants_total", "Those of them that name another merchant.", float64(s.Foreign))
	if s.DiskFree >= 0 {
		f.add(Gauge, "disk_free_bytes", "What may be used where the store lies.", float64(s.DiskFree))
	}
	if s.CertDays != nil {
		f.add(Gauge, "certificate_days", "Days until the certificate of the terminal ends; below 0: it has ended.", float64(*s.CertDays))
	}
	if a := s.Asks; a != nil {
		for _, action := range slices.Sorted(maps.Keys(a.Answers)) {
			f.add(Counter, "asks_answered_total", "Questions before a refund, by what they were answered.", float64(a.Answers[action]), "action", action)
		}
		for _, code := range slices.Sorted(maps.Keys(a.Refused)) {
			f.add(Counter, "asks_refused_total", "Questions, releases, cancels and requests of tills that were refused.", float64(a.Refused[code]), "code", code)
		}
	}
	if m := s.MQTT; m != nil {
		f.add(Gauge, "mqtt_connected", "1: there is a connection to the broker.", flag(m.Connected))
		f.add(Counter, "mqtt_reconnects_total", "Connections to the broker after the first.", float64(m.Reconnects))
	}
	f.store(s)
	for i := range s.Links {
		f.link(&s.Links[i], s.At)
	}
	return f
}

// figureList is families in the order in which each first had a sample.
type figureList []Family

// add adds one sample; labels are names and values in turn.
func (f *figureList) add(kind Kind, name, help string, value float64, labels ...string) {
	name = "yuanlu_" + name
	at := slices.IndexFunc(*f, func(one Family) bool { return one.Name == name })
	if at < 0 {
		at = len(*f)
		*f = append(*f, Family{Name: name, Help: help, Kind: kind})
	}
	sample := Sample{Value: value}
	for i := 0; i+1 < len(labels); i += 2 {
		sample.Labels = append(sample.Labels, Label{Name: labels[i], Value: labels[i+1]})
	}
	(*f)[at].Samples = append((*f)[at].Samples, sample)
}

// state adds a sample for each state that there is, and for the one that is should it be
// another.
func (f *figureList) state(name, label, help, is string, all []string, labels ...string) {
	if !slices.Contains(all, is) {
		all = append(slices.Clip(all), is)
	}
	for _, one := range all {
		f.add(Gauge, name, help, flag(one == is), append(slices.Clip(labels), label, one)...)
	}
}

// problems counts them by what they are; which link or terminal each is about is for
// `status`.
func (f *figureList) problems(all []health.Problem) {
	type kind struct{ code, level string }
	count := map[kind]int{}
	var kinds []kind
	for _, p := range all {
		k := kind{p.Code, p.Level}
		if count[k]++; count[k] == 1 {
			kinds = append(kinds, k)
		}
	}
	for _, k := range kinds {
		f.add(Gauge, "problems", "Problems of health, as `yuanlu status` explains them.", float64(count[k]), "code", k.code, "level", k.level)
	}
}

// store adds the store's figures; none while it cannot be read: 0 would mean that it is
// empty.
func (f *figureList) store(s *health.Snapshot) {
	up := s.StoreError == "" && s.Outbox.Stream != ""
	f.add(Gauge, "store_up", "1: records can be stored.", flag(up))
	if !up {
		return
	}
	o := &s.Outbox
	age := 0.0
	if !o.Oldest.IsZero() {
		age = max(s.At.Sub(o.Oldest).Seconds(), 0)
	}
	for _, one := range []struct {
		name, help string
		value      float64
	}{
		{"store_bytes", "The database with its WAL.", float64(s.StoreBytes)},
		{"records", "Records in the store.", float64(s.Counts.Records)},
		{"refunds", "Refunds and voids in the store.", float64(s.Counts.Refunds)},
		{"cases", "Cases in the store.", float64(s.Counts.Cases)},
		{"outbox_entries", "Cases and events that wait to be acknowledged.", float64(o.Waiting)},
		{"outbox_bytes", "What they and refused cases take.", float64(o.Bytes)},
		{"outbox_limit_bytes", "What they may take.", float64(o.LimitBytes)},
		{"outbox_oldest_case_seconds", "Age of the oldest case among them; 0: there is none.", age},
		{"outbox_unsequenced", "Cases that found no room in the outbox.", float64(o.Unsequenced)},
		{"outbox_quarantined", "Cases and events that the back office refused.", float64(o.Quarantined)},
	} {
		f.add(Gauge, one.name, one.help, one.value)
	}
	f.add(Counter, "outbox_dropped_total", "Events that gave way to cases.", float64(o.Dropped))
	for severity := refund.Info; severity <= refund.Critical; severity++ {
		f.add(Gauge, "open_cases", "Open cases.", float64(o.Open[severity.String()]), "severity", severity.String())
	}
}

func (f *figureList) link(l *health.Link, now time.Time) {
	name := []string{"link", l.Name}
	f.state("link_state", "state", "1 at the state of the link.", l.State,
		[]string{ingest.StateOnline, ingest.StateDegraded, ingest.StateAbsent, ingest.StateDenied, ingest.StateDisabled}, name...)
	f.state("link_verdict", "verdict", "1 at what is known of the link, from what came on it in the last minutes.", l.Verdict, ingest.Verdicts(), name...)
	for _, one := range []struct {
		name, help string
		value      uint64
		labels     []string
	}{
		{"link_frames_total", "Frames since the start of the agent.", l.FramesGood, []string{"result", "good"}},
		{"link_frames_total", "Frames since the start of the agent.", l.FramesBad, []string{"result", "bad"}},
		{"link_skipped_bytes_total", "Bytes outside of frames.", l.SkippedBytes, nil},
		{"link_refused_total", "Messages that were refused.", l.Refused, nil},
		{"link_records_total", "Records that the link's messages held.", l.Records, nil},
		{"link_reopens_total", "How often the port was opened again.", l.Reopens, nil},
		{"link_stalls_total", "How often reading waited for room in the buffers.", l.Stalls, nil},
	} {
		f.add(Counter, one.name, one.help, float64(one.value), append(slices.Clip(name), one.labels...)...)
	}
	f.add(Counter, "link_stalled_seconds_total", "How long reading waited for room in the buffers.", l.StalledFor.Seconds(), name...)
	if e := l.Line; e != nil { // 0 would mean that nothing was lost
		for _, one := range []struct {
			kind  string
			count uint64
		}{{"overrun", e.Overrun}, {"buf_overrun", e.BufOverrun}, {"frame", e.Frame}, {"parity", e.Parity}, {"brk", e.Break}} {
			f.add(Counter, "link_line_errors_total", "What the driver of the serial line has counted.", float64(one.count), append(slices.Clip(name), "kind", one.kind)...)
		}
	}
	if !l.LastFrame.IsZero() {
		f.add(Gauge, "link_last_frame_seconds", "Since the last good frame.", max(now.Sub(l.LastFrame).Seconds(), 0), name...)
	}
}

func flag(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

package report

import (
	"testing"
	"time"

	"yuanlu/protocol/topics"
)

// TestRule07_AWrongClockHoldsNothingForLong: what the back office says of itself, by which
// clocks, and whether the cases are held after it.
func TestRule07_AWrongClockHoldsNothingForLong(t *testing.T) {
	start := time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	type said struct {
		online bool
		at     time.Duration // of its clock, from start
		synced bool
		now    time.Duration // of ours, from start
	}
	const online, offline, synced, unsynced = true, false, true, false
	for name, tc := range map[string]struct {
		said          []said
		known, online bool
	}{
		"offline a day ahead":             {[]said{{offline, 24 * time.Hour, synced, 0}}, false, false},
		"offline a day ahead, was online": {[]said{{online, 0, synced, 0}, {offline, 24 * time.Hour, synced, time.Minute}}, true, true},
		"offline three minutes ahead":     {[]said{{online, 0, synced, 0}, {offline, 3 * time.Minute, synced, 0}}, true, false},
		"online a day ahead":              {[]said{{offline, 0, synced, 0}, {online, 24 * time.Hour, synced, 0}}, true, true},
		"set right after a day ahead": {[]said{{online, 24 * time.Hour, synced, 0}, {offline, time.Minute, synced, time.Minute},
			{online, 2 * time.Minute, synced, 2 * time.Minute}}, true, true},
		"offline after online a day ahead":    {[]said{{online, 24 * time.Hour, synced, 0}, {offline, time.Minute, synced, time.Minute}}, true, false},
		"its own will, made before its birth": {[]said{{online, time.Minute, synced, time.Minute}, {offline, 0, synced, time.Minute}}, true, false},
		"the will of the session before, late": {[]said{{online, 0, synced, 0}, {online, time.Minute, synced, time.Minute},
			{offline, -time.Second, synced, time.Minute}}, true, true},
		"the session before's will late, then its own, which is as old": {[]said{{online, 0, synced, 0}, {online, time.Minute, synced, time.Minute},
			{offline, -time.Second, synced, time.Minute}, {offline, -time.Second, synced, 2 * time.Minute}}, true, false},
		"one will for all connections": {[]said{{online, time.Second, synced, time.Second}, {offline, 0, synced, time.Second}, {online, time.Minute, synced, time.Minute},
			{offline, 0, synced, time.Minute}}, true, false},
		"an older online": {[]said{{offline, time.Minute, synced, time.Minute}, {online, 0, synced, time.Minute}}, true, false},
		"the same moment": {[]said{{online, 0, synced, 0}, {offline, 0, synced, 0}}, true, false},
		"our clock is years behind: the last counts": {[]said{{offline, 9000 * time.Hour, unsynced, 0}, {online, 8000 * time.Hour, unsynced, 0}}, true, true},
		"our clock is years behind: offline":         {[]said{{online, 9000 * time.Hour, unsynced, 0}, {offline, 8000 * time.Hour, unsynced, 0}}, true, false},
		"our clock was set after a day ahead":        {[]said{{offline, 24 * time.Hour, unsynced, 0}, {online, time.Minute, synced, time.Minute}}, true, true},
		"our clock was set, its will":                {[]said{{online, 10 * time.Hour, unsynced, 0}, {offline, 9 * time.Hour, synced, 10 * time.Hour}}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var at said
			h := newHost(setClock{func() time.Time { return start.Add(at.now) }, func() bool { return at.synced }})
			for _, at = range tc.said {
				_, _ = h.update(topics.HostState{Online: at.online, Timestamp: start.Add(at.at).UnixMilli()})
			}
			if known, online, _ := h.presence(); known != tc.known || online != tc.online {
				t.Errorf("known %v, online %v; want %v, %v", known, online, tc.known, tc.online)
			}
			h = newHost(setClock{func() time.Time { return start.Add(at.now) }, func() bool { return at.synced }})
			for _, at = range tc.said { // the same in seconds
				_, _ = h.update(topics.HostState{Online: at.online, Timestamp: start.Add(at.at).Unix()})
			}
			if known, online, _ := h.presence(); known != tc.known || online != tc.online {
				t.Errorf("in seconds: known %v, online %v; want %v, %v", known, online, tc.known, tc.online)
			}
		})
	}
}

// TestRule07_WhatCountsAsAReturn: said after said, how often the back office has come back.
func TestRule07_WhatCountsAsAReturn(t *testing.T) {
	start := time.Date(2026, 8, 23, 9, 0, 0, 0, time.UTC)
	type said struct {
		online bool
		at     int64 // seconds from start
	}
	for name, tc := range map[string]struct {
		said []said
		want int
	}{
		"offline":                   {[]said{{false, 0}}, 0},
		"first seen":                {[]said{{true, 0}}, 1},
		"said again":                {[]said{{true, 0}, {true, 0}}, 1},
		"a beat of its presence":    {[]said{{true, 0}, {true, 60}, {true, 120}}, 1},
		"away and back":             {[]said{{true, 0}, {false, 1}, {false, 1}, {true, 2}}, 2},
		"back before its late will": {[]said{{true, 0}, {true, 60}, {false, 0}}, 2},
		"an older offline":          {[]said{{false, 5}, {true, 10}, {false, 5}}, 1},
		"an older online":           {[]said{{false, 10}, {true, 5}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(setClock{func() time.Time { return start.Add(time.Hour) }, func() bool { return true }})
			for _, s := range tc.said {
				_, _ = h.update(topics.HostState{Online: s.online, Timestamp: start.Add(time.Duration(s.at) * time.Second).UnixMilli()})
			}
			if got, _, _ := h.resendDue(start); got != tc.want {
				t.Errorf("came back %d times, want %d", got, tc.want)
			}
		})
	}
}

// setClock is a clock that a test sets.
type setClock struct {
	now    func() time.Time
	synced func() bool
}

func (c setClock) Now() time.Time { return c.now() }
func (c setClock) Synced() bool   { return c.synced() }

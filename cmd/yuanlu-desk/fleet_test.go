package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// fleetReport is what of the report of firmware-sim fleet is looked at.
type fleetReport struct {
	Terminals int
	Seconds   float64
	All       struct {
		Made, Acknowledged, Repeated int
		Up                           int   `json:"messages_up"`
		BytesUp                      int64 `json:"bytes_up"`
		BytesDown                    int64 `json:"bytes_down"`
		Lost                         int   `json:"connections_lost"`
		Away                         int64 `json:"longest_away_ns"`
	}
	Herd    int `json:"most_connections_a_second"`
	Waiting int
	Delay   struct {
		P50 int64 `json:"p50_ms"`
		P95 int64 `json:"p95_ms"`
		P99 int64 `json:"p99_ms"`
		Max int64 `json:"max_ms"`
	}
	Desk   struct{ Events, Ordered, Cases, Sunk, Twice, Missing int }
	Differ []string
}

// aFleet is a running firmware-sim fleet.
type aFleet struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  bytes.Buffer
	err  captured
	done chan error
}

// startFleet starts a fleet of n terminals against a broker, which compares the desk at the end.
func startFleet(t testing.TB, n int, brokers, desk string, args ...string) *aFleet {
	t.Helper()
	f := &aFleet{t: t, done: make(chan error, 1)}
	f.cmd = exec.Command(binary(t, "firmware-sim"), append([]string{"fleet", "--json", "--terminals", strconv.Itoa(n), "--broker", brokers, "--desk", desk}, args...)...)
	f.cmd.Stdout, f.cmd.Stderr = &f.out, &f.err
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { f.done <- f.cmd.Wait() }()
	t.Cleanup(func() { _ = f.cmd.Process.Kill() }) // it may have ended
	return f
}

// wait returns the report, which must be without a difference.
func (f *aFleet) wait(limit time.Duration) *fleetReport {
	f.t.Helper()
	select {
	case err := <-f.done:
		r := &fleetReport{}
		if decode := json.Unmarshal(f.out.Bytes(), r); decode != nil {
			f.t.Fatalf("%v %v\n%s", err, decode, f.err.String())
		}
		if err != nil || len(r.Differ) > 0 {
			f.t.Errorf("%v %q", err, r.Differ)
		}
		return r
	case <-time.After(limit):
		f.t.Fatalf("the fleet has not ended within %v\n%s", limit, f.err.String())
		return nil
	}
}

func (r *fleetReport) String() string {
	return fmt.Sprintf("%d terminals, %.0f s: %d events, %d acknowledged, %d sent again; %d messages up, %d bytes up, %d down; %d connections lost, at most %d back in a second, the last after %.1f s; "+
		"event to acknowledgement p50 %d p95 %d p99 %d most %d ms; at the desk %d events, %d in order, %d cases, %d of up/event lost with a broker",
		r.Terminals, r.Seconds, r.All.Made, r.All.Acknowledged, r.All.Repeated, r.All.Up, r.All.BytesUp, r.All.BytesDown, r.All.Lost, r.Herd, float64(r.All.Away)/1e9,
		r.Delay.P50, r.Delay.P95, r.Delay.P99, r.Delay.Max, r.Desk.Events, r.Desk.Ordered, r.Desk.Cases, r.Desk.Sunk)
}

// cost is what a process has used.
type cost struct {
	cpu     time.Duration
	rss     int64 // bytes now
	most    int64 // bytes resident at most
	written int64 // bytes handed to the disk
}

// costOf reads /proc. A process that has ended has used nothing more.
func costOf(t testing.TB, pid int) (c cost) {
	t.Helper()
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	stat := strings.Fields(read("stat")[strings.LastIndex(read("stat"), ")")+1:])
	for _, ticks := range stat[11:13] { // utime, stime: hundredths of a second
		n, err := strconv.ParseInt(ticks, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		c.cpu += time.Duration(n) * 10 * time.Millisecond
	}
	number := func(text, name string) int64 {
		_, rest, ok := strings.Cut(text, name)
		fields := strings.Fields(rest)
		if !ok || len(fields) == 0 {
			return 0
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	c.most = number(read("status"), "VmHWM:") << 10
	c.rss = number(read("status"), "VmRSS:") << 10
	c.written = number(read("io"), "write_bytes:")
	return c
}

// TestE2EFleet: terminals live through a day while the broker is killed and comes back, so that all
// connect again at once; nothing that mattered is lost, nothing is there twice, the order is kept. The
// same with three desks that share a PostgreSQL database. With YUANLU_SOAK=1 there are 2000 terminals.
func TestE2EFleet(t *testing.T) {
	n, day, jitter := 40, 4*time.Second, "200ms,2s"
	if os.Getenv("YUANLU_SOAK") != "" {
		n, day, jitter = 2000, 2*time.Minute, "1s,60s"
	}
	for name, place := range map[string][]string{
		"one desk, SQLite":        {filepath.Join(t.TempDir(), "desk.db")},
		"three desks, PostgreSQL": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: n > 100, Config: []string{"log_type none"}})
			args, desks := []string{"--broker", b.URL()}, 1
			if place != nil {
				args = append(args, "--store", place[0])
			} else {
				args, desks = append(args, "--store", cluster.Database(t), "--share", "desks"), 3
			}
			var all []*process
			for range desks {
				d := newDesk(t, args...)
				d.startDesk()
				d.ready()
				all = append(all, d)
			}
			f := startFleet(t, n, b.URL(), all[0].api, "--day", day.String(), "--ramp", (day / 4).String(), "--jitter", jitter, "--retry", (day / 4).String(), "--health", "10s")
			for _, part := range []int{3, 2} {
				select {
				case <-time.After(day / time.Duration(part)):
				case <-t.Context().Done():
				}
				b.Kill()
				b.Run()
			}
			r := f.wait(day + 5*time.Minute)
			t.Log(r)
			if r.All.Lost < n || r.Desk.Cases == 0 || r.All.Acknowledged != r.Desk.Ordered {
				t.Errorf("the broker was killed twice, and the fleet reports %v", r)
			}
			for i, d := range all {
				c := costOf(t, d.cmd.Process.Pid)
				var st struct {
					Consumer struct{ Messages, Stored, Repeats int64 }
				}
				if err := d.get("/v1/status", &st); err != nil {
					t.Fatal(err)
				}
				t.Logf("desk %d: %v of a processor, %d MiB resident, %d messages, %d events stored, %d repeats", i, c.cpu, c.rss>>20, st.Consumer.Messages, st.Consumer.Stored, st.Consumer.Repeats)
				if strings.Contains(d.log.String(), "terminal.put_back") {
					t.Errorf("desk %d takes a terminal's store for put back: %s", i, d.log.String())
				}
				if st.Consumer.Stored == 0 {
					t.Errorf("desk %d stored nothing: it took no turn", i)
				}
				if code := d.stop(); code != exitOK {
					t.Errorf("desk %d: exit %d", i, code)
				}
			}
		})
	}
}

// TestE2EFleetCost measures what a terminal costs at the broker and at a desk on SQLite: first with
// presence alone, ten seconds apart, then with 20 wrong refunds on a day of 30 s. Processor time and
// memory are those of the processes, from /proc. With YUANLU_SOAK=1 for 100, 500 and 2000 terminals.
func TestE2EFleetCost(t *testing.T) {
	sizes, idle, busy := []int{20}, 3*time.Second, 2*time.Second
	if os.Getenv("YUANLU_SOAK") != "" {
		sizes, idle, busy = []int{100, 500, 2000}, time.Minute, 30*time.Second
	}
	for _, n := range sizes {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			b := brokertest.Start(t, brokertest.Options{Unchecked: true, Config: []string{"log_type none"}})
			d := newDesk(t, "--broker", b.URL(), "--store", filepath.Join(t.TempDir(), "desk.db"))
			d.startDesk()
			d.ready()
			measure := func(what string, cases float64, day time.Duration, args ...string) {
				broker, desk := costOf(t, b.PID()), costOf(t, d.cmd.Process.Pid)
				f := startFleet(t, n, b.URL(), d.api, append(args, "--prefix", what, "--cases", fmt.Sprint(cases), "--day", day.String(), "--ramp", (day/6).String())...)
				r := f.wait(day + 5*time.Minute)
				brokerNow, deskNow := costOf(t, b.PID()), costOf(t, d.cmd.Process.Pid)
				each := func(total float64) float64 { return total / float64(n) }
				t.Log(r)
				t.Logf("%s, %d terminals, each: %.0f messages up, %.1f events, %.0f bytes up, %.0f down; broker %.2f ms of a processor, desk %.2f ms; "+
					"broker %.1f KiB resident (at most, beyond %d KiB before), desk %.1f KiB (beyond %d), the desk wrote %.1f KiB to the disk",
					what, n, each(float64(r.All.Up)), each(float64(r.All.Made)), each(float64(r.All.BytesUp)), each(float64(r.All.BytesDown)),
					each((brokerNow.cpu-broker.cpu).Seconds()*1000), each((deskNow.cpu-desk.cpu).Seconds()*1000),
					each(float64(brokerNow.most-broker.rss)/1024), broker.rss>>10, each(float64(deskNow.most-desk.rss)/1024), desk.rss>>10, each(float64(deskNow.written-desk.written)/1024))
			}
			measure("idle", 0, idle, "--health", "10s")
			measure("busy", 20, busy, "--health", "60s")
		})
	}
}

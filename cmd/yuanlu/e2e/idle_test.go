package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/mqtt/brokertest"
)

// mostIdleWakes is how often a second an idle agent with three links may wake: each time that
// one of its threads goes to sleep counts. A battery and a machine with one core pay for each.
// On a machine at rest it is under 5; the runtime's own thread looks the more often the longer
// the others wait for a processor.
const mostIdleWakes = 15

// TestE2EIdleWakesSeldom: three open lines on which nothing comes, and a broker.
func TestE2EIdleWakesSeldom(t *testing.T) {
	broker := brokertest.Start(t, brokertest.Options{})
	var ports []string
	for range 3 {
		line, err := wire.OpenPTY()
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		ports = append(ports, line.Place())
	}
	st := newStation(t, settings{port: ports[0], broker: broker.URL(), grace: "90s", link: fmt.Sprintf("[[link]]\nname = \"second\"\nwire = \"smart\"\nport = %q\nbaud = 115200\n[[link]]\nname = \"third\"\nwire = \"cup8583\"\nport = %q\nbaud = 115200\n", ports[1], ports[2])})
	st.start()
	eventually(t, time.Minute, "three links and the broker", func() bool { return st.said("link.online") == 3 && st.said("mqtt.connected") == 1 })
	pace(3 * time.Second) // what follows a start
	// The least of three: what the kernel or a test beside it causes is not the agent's doing.
	const span = 10 * time.Second
	least := -1.0
	for range 3 {
		before := st.wakes()
		pace(span)
		rate := float64(st.wakes()-before) / span.Seconds()
		t.Logf("%.1f a second", rate)
		if least < 0 || rate < least {
			least = rate
		}
		if least < mostIdleWakes {
			return
		}
	}
	t.Errorf("an idle agent wakes %.1f times a second, want under %d", least, mostIdleWakes)
}

// wakes counts how often threads of the agent have gone to sleep since they began.
func (st *station) wakes() (n int64) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", st.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		st.t.Fatalf("no threads of the agent: %v", err)
	}
	for _, task := range tasks {
		n += max(procField(task, "voluntary_ctxt_switches:"), 0)
	}
	return n
}

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"yuanlu/protocol/mqtt/brokertest"
)

// natsServer builds the broker of the cluster, of the version that
// testdata/nats/go.mod names: a module of its own, so that the program needs none of it.
var natsServer = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(binaries, "nats-server")
	build := exec.Command("go", "build", "-o", bin, "github.com/nats-io/nats-server/v2")
	build.Dir = "testdata/nats"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return bin, nil
})

// node is one of three NATS servers with JetStream, whose MQTT sessions and messages
// have three replicas.
type node struct {
	t      testing.TB
	config string
	log    string
	url    string // of its MQTT listener
	cmd    *exec.Cmd
}

func newCluster(t testing.TB) []*node {
	t.Helper()
	var nodes []*node
	var routes []string
	ports := make([]int, 9)
	for i := range ports {
		ports[i] = brokertest.FreePort(t)
	}
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[3*i+1]))
	}
	for i := range 3 {
		dir := t.TempDir()
		n := &node{t: t, config: filepath.Join(dir, "nats.conf"), log: filepath.Join(dir, "nats.log"), url: fmt.Sprintf("tcp://127.0.0.1:%d", ports[3*i+2])}
		text := fmt.Sprintf(`server_name: n%d
listen: "127.0.0.1:%d"
log_file: %q
jetstream { store_dir: %q, max_memory_store: 64MB, max_file_store: 256MB }
cluster { name: pos, listen: "127.0.0.1:%d", routes: [%s] }
mqtt { listen: "127.0.0.1:%d", stream_replicas: 3 }
`, i, ports[3*i], n.log, filepath.Join(dir, "js"), ports[3*i+1], strings.Join(routes, ", "), ports[3*i+2])
		if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
		n.run()
	}
	t.Cleanup(func() {
		for _, n := range nodes {
			n.kill()
			if text, err := os.ReadFile(n.log); err == nil && t.Failed() {
				t.Logf("end of the log of %s:\n%s", n.url, text[max(0, len(text)-2000):])
			}
		}
	})
	return nodes
}

func (n *node) run() {
	n.t.Helper()
	bin, err := natsServer()
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.Command(bin, "-c", n.config)
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		n.t.Error(err)
	}
}

func (n *node) kill() {
	if n.cmd != nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait() // killed: it has no other end
		n.cmd = nil
	}
}

// brokerOf is the broker that the agent is connected to, "" if none.
func brokerOf(t testing.TB, st *station) string {
	t.Helper()
	var s struct {
		MQTT struct {
			Connected bool   `json:"connected"`
			Address   string `json:"address"`
		} `json:"mqtt"`
	}
	if err := json.Unmarshal([]byte(st.out("status", "--json")), &s); err != nil {
		t.Fatal(err)
	}
	if !s.MQTT.Connected {
		return ""
	}
	return "tcp://" + s.MQTT.Address
}

// TestE2ENatsCluster: a cluster of three, under load the whole time. The node in use is
// killed, then the one in use is stopped (it takes connections and says nothing), then
// two of three are away for 20 s, so that there is no quorum. Nothing is lost, nothing
// is there twice.
func TestE2ENatsCluster(t *testing.T) {
	nodes := newCluster(t)
	fw := newFirmware(t, "e-sign", 78)
	st := newStation(t, settings{port: fw.link, broker: nodes[0].url, extra: "[health]\ninterval = \"5s\"\n"})
	text, err := os.ReadFile(st.config)
	if err != nil {
		t.Fatal(err)
	}
	list := fmt.Sprintf("url = [%q, %q, %q]\nconnect_timeout = \"5s\"", nodes[0].url, nodes[1].url, nodes[2].url)
	if err := os.WriteFile(st.config, []byte(strings.Replace(string(text), fmt.Sprintf("url = %q", nodes[0].url), list, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, nodes[0].url, st.id, nodes[1].url, nodes[2].url)
	st.startOnline()
	inUse := func() *node {
		at := ""
		eventually(t, 90*time.Second, "a connection", func() bool { at = brokerOf(t, st); return at != "" })
		for _, n := range nodes {
			if n.url == at {
				return n
			}
		}
		t.Fatalf("connected to %q, which is no node", at)
		return nil
	}
	inUse()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(100 * time.Millisecond):
				fw.say(fw.next())
			}
		}
	}()
	awaitMore := func(what string) {
		t.Helper()
		before := d.count()
		eventually(t, 110*time.Second, "cases at the desk after "+what, func() bool { return d.count() > before+3 })
		t.Logf("%s: %d cases at the desk, agent at %s", what, d.count(), brokerOf(t, st))
	}
	awaitMore("the start")
	killed := inUse()
	killed.kill()
	awaitMore("a node was killed")
	killed.run()
	stopped := inUse()
	stopped.signal(syscall.SIGSTOP)
	awaitMore("a node was stopped")
	stopped.signal(syscall.SIGCONT)
	nodes[0].kill()
	nodes[1].kill()
	pace(20 * time.Second)
	nodes[0].run()
	nodes[1].run()
	awaitMore("two nodes were away")
	close(end)
	<-ended
	t.Logf("%d records said, %d events came again", len(fw.entries), d.again)
	finish(t, fw, st, d)
}

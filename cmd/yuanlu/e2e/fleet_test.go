package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestE2EFleetNats: a fleet and a yuanlu-desk on a cluster of three NATS servers with JetStream. A node
// is killed under load and comes back, then the one that the desk is connected to. None of the
// cases is lost, none is there twice, each stream is in order. With YUANLU_SOAK=1 there are 2000 terminals.
func TestE2EFleetNats(t *testing.T) {
	n, day := 20, 6*time.Second
	if os.Getenv("YUANLU_SOAK") != "" {
		n, day = 2000, 3*time.Minute
	}
	sim, err := buildTool("firmware-sim")
	if err != nil {
		t.Fatal(err)
	}
	nodes := newCluster(t)
	api := realDesk(t, nodes[0].url)
	fleet := exec.Command(sim, "fleet", "--terminals", fmt.Sprint(n), "--broker", nodes[0].url+","+nodes[1].url+","+nodes[2].url,
		"--desk", api, "--day", day.String(), "--ramp", (day / 3).String(), "--health", "30s", "--retry", "10s", "--settle", "6m")
	var failed strings.Builder
	fleet.Stderr = &failed
	out, err := fleet.StdoutPipe()
	if err == nil {
		err = fleet.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fleet.Process.Kill() }) // it may have ended
	for _, one := range []*node{nodes[1], nodes[0]} {
		pace(day / 3)
		one.kill()
		pace(day / 12)
		one.run()
	}
	text, err := io.ReadAll(out)
	if err == nil {
		err = fleet.Wait()
	}
	t.Logf("%s%s", failed.String(), text)
	if err != nil || !strings.Contains(string(text), "no difference") {
		t.Errorf("%v", err)
	}
}

// realDesk starts a yuanlu-desk that is connected to a broker and returns its API.
func realDesk(t *testing.T, broker string) string {
	t.Helper()
	bin, err := buildTool("yuanlu-desk")
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "desk.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "serve", "--json", "--listen", "127.0.0.1:0", "--broker", broker, "--store", filepath.Join(t.TempDir(), "desk.db"))
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: it has no other end
		if t.Failed() {
			text, _ := os.ReadFile(log.Name()) // what is there of it
			t.Logf("the desk's log ends:\n%s", text[max(0, len(text)-3000):])
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready struct{ API string }
	if err != nil || json.Unmarshal(line, &ready) != nil {
		t.Fatalf("the desk is not ready: %v %s", err, line)
	}
	return ready.API
}

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"yuanlu/drivers/usblab"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/protocol/mqtt/brokertest"
)

// labBench is the outside of the lab: it hands the guest work and takes what the
// guest hands over.
type labBench struct {
	t      *testing.T
	url    string // as the guest sees it
	tasks  chan string
	mu     sync.Mutex
	got    map[string][]byte
	shells int
}

func newLabBench(t *testing.T) *labBench {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	b := &labBench{t: t, url: "http://10.0.2.2:" + port, tasks: make(chan string, 1000), got: map[string][]byte{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /task", func(w http.ResponseWriter, r *http.Request) {
		select {
		case task := <-b.tasks:
			io.WriteString(w, task)
		case <-time.After(20 * time.Second): // the guest asks again
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST /hand/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("from the guest: %v", err)
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.got[strings.TrimPrefix(r.URL.Path, "/hand/")] = body
	})
	server := &http.Server{Handler: mux}
	served := make(chan struct{})
	go func() {
		defer close(served)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	return b
}

func (b *labBench) task(what string) { b.tasks <- what }

func (b *labBench) handed(name string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.got[name]
}

// verb runs yuanlu in the guest and returns what it printed.
func (b *labBench) verb(args string) string {
	b.t.Helper()
	return b.shell("yuanlu " + args + " --config " + guestConfig)
}

// shell runs a line in the guest and returns what it printed.
func (b *labBench) shell(line string) string {
	b.t.Helper()
	b.shells++
	name := fmt.Sprint("shell/", b.shells)
	b.task(fmt.Sprintf("shell %d %s", b.shells, line))
	var out []byte
	if !waitFor(time.Minute, func() bool { out = b.handed(name); return out != nil }) {
		b.t.Fatalf("the guest does not answer to: %s", line)
	}
	return string(out)
}

// labStatus is what the test needs of yuanlu status --json.
type labStatus struct {
	Links []struct {
		Name    string `json:"name"`
		Port    string `json:"port"`
		State   string `json:"state"`
		Reason  string `json:"reason"`
		Good    uint64 `json:"frames_good"`
		Reopens uint64 `json:"reopens"`
	} `json:"links"`
	Outbox struct {
		Waiting int64 `json:"waiting"`
	} `json:"outbox"`
	Counts struct {
		Records int64 `json:"records"`
		Cases   int64 `json:"cases"`
	} `json:"counts"`
}

func (b *labBench) status() labStatus {
	b.t.Helper()
	out := b.verb("status --json")
	var s labStatus
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&s); err != nil {
		b.t.Fatalf("status: %v: %s", err, out)
	}
	return s
}

const labConfig = `
[terminal]
id = "t-lab"
merchant_id = "898000000000001"
[store]
dir = %q
[[link]]
name = "smart"
wire = "smart"
port = "usb:1209:5053:SIM-10000001"
[[link]]
name = "e-sign"
wire = "mispos"
port = "usb-Yuanlu_Simulated_e-sign_POS_SIM-10000002-if00"
baud = 115200
[mqtt]
url = "tcp://10.0.2.2:%d"
allow_plaintext = true
[delivery]
ack = "backoffice"
ack_timeout = "10s"
[case]
pending_grace = "1s"
`

// TestLabAgent: in a machine with real USB the agent reads the smart terminal over
// libusb and an e-sign terminal over cdc-acm, both served from outside by USB/IP,
// while their plugs are pulled at random moments. What was confirmed is there once,
// and every case comes out.
func TestLabAgent(t *testing.T) {
	kernel := labKernel(t)
	pulls, limit := 10, 6*time.Minute
	if os.Getenv("YUANLU_SOAK") != "" {
		pulls, limit = 100, 25*time.Minute
	}
	broker := brokertest.Start(t, brokertest.Options{})
	b := newLabBench(t)
	d := newDesk(t, broker.URL(), "t-lab")
	smart := &smartMouth{plug: newPlug(t, b, "smart", "10000001", 51)}
	modem := &modemMouth{plug: newPlug(t, b, "e-sign", "10000002", 52)}
	guestEnded := b.boot(kernel, fmt.Sprintf(labConfig, guestStore, broker.Port), nil, limit)

	smart.start()
	modem.start()
	var pulling sync.WaitGroup
	ofSmart := pulls * 6 / 10
	pulling.Go(func() { smart.pullAtRandom(rand.New(rand.NewPCG(53, 1)), ofSmart, smart.back) })
	pulling.Go(func() { modem.pullAtRandom(rand.New(rand.NewPCG(53, 2)), pulls-ofSmart, modem.back) })
	pulling.Wait()
	if t.Failed() {
		t.Log(b.shell("grep . /sys/bus/usb/devices/*/serial; cat /sys/devices/platform/vhci_hcd.0/status; ls -l /dev/ttyACM*; dmesg | tail -60"))
	}
	eventually(t, time.Minute, "some traffic in peace", func() bool { return smart.count() >= 60 })
	b.showLinks(smart, modem)
	b.showDevices()
	smart.stop()
	modem.stop()
	modem.again()
	b.settled(d)
	b.task("stop")
	result := <-guestEnded
	if result.err != nil || result.Exit != 0 {
		t.Errorf("guest: exit %d, %v", result.Exit, result.err)
	}
	if t.Failed() {
		t.Logf("console of the guest:\n%s", result.Output)
	}
	b.compare(d, smart, modem)
	t.Logf("%v: %d pulls, %d messages confirmed, %d said over cdc-acm, %d cases, %d events received again", result.Took.Round(time.Second), pulls,
		len(smart.confirmed), len(modem.entries), len(d.snapshot()), d.again)
}

type labResult struct {
	usblab.Result
	err error
}

// boot starts the guest with the agent in it, and further files.
func (b *labBench) boot(kernel usblab.Kernel, settings string, more map[string]string, limit time.Duration) <-chan labResult {
	b.t.Helper()
	dir, agent := b.t.TempDir(), built(b.t, "yuanlu")
	config := filepath.Join(dir, "yuanlu.toml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		b.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	files := map[string]string{"/bin/lab": self, guestAgent: agent, guestConfig: config}
	maps.Copy(files, more)
	ended := make(chan labResult, 1)
	go func() {
		r, err := usblab.Boot(b.t.Context(), kernel, usblab.Options{
			Files:   files,
			Script:  labHostEnv + "=" + b.url + " /bin/lab",
			Timeout: limit,
		})
		ended <- labResult{r, err}
	}()
	return ended
}

// showLinks checks that both terminals are read as they should be, and that the
// list of links shows that without opening a port.
func (b *labBench) showLinks(smart *smartMouth, modem *modemMouth) {
	b.t.Helper()
	s := b.status()
	for _, l := range s.Links {
		want := map[string]string{"smart": "usb:1209:5053:SIM-10000001 at ", "e-sign": "/dev/ttyACM"}[l.Name]
		pulls := map[string]int64{"smart": smart.pulls.Load(), "e-sign": modem.pulls.Load()}[l.Name]
		if l.State != "online" || !strings.HasPrefix(l.Port, want) || l.Good == 0 {
			b.t.Errorf("link %s: %+v", l.Name, l)
		}
		// A plug that comes out before anybody has opened the port is no reopening.
		if l.Reopens == 0 || int64(l.Reopens) > pulls+1 {
			b.t.Errorf("link %s was reopened %d times for %d pulls", l.Name, l.Reopens, pulls)
		}
	}
}

// showDevices checks that links list names both devices as the configuration does.
func (b *labBench) showDevices() {
	b.t.Helper()
	out := b.verb("links list --lang en")
	for _, want := range [][]string{{"usb:1209:5053:SIM-10000001", "smart terminal", "link smart"},
		{"usb-Yuanlu_Simulated_e-sign_POS_SIM-10000002-if00", "/dev/ttyACM", "cdc_acm", "link e-sign", "(yuanlu"}} {
		found := false
		for line := range strings.Lines(out) {
			all := true
			for _, w := range want {
				all = all && strings.Contains(line, w)
			}
			found = found || all
		}
		if !found {
			b.t.Errorf("no device with %q in:\n%s", want, out)
		}
	}
}

// settled waits until the agent has read what was said, and the back office has
// everything.
func (b *labBench) settled(d *desk) {
	b.t.Helper()
	var last labStatus
	quiet := 0
	ok := waitFor(90*time.Second, func() bool {
		s := b.status()
		if slices.Equal(s.Links, last.Links) && s.Counts == last.Counts && s.Outbox.Waiting == 0 {
			quiet++
		} else {
			quiet = 0
		}
		last = s
		pace(300 * time.Millisecond)
		return quiet >= 3
	})
	if !ok {
		b.t.Errorf("not at rest: %+v", last)
	}
	d.check()
}

// compare holds the store that the guest handed over against what the terminals
// know.
func (b *labBench) compare(d *desk, smart *smartMouth, modem *modemMouth) {
	b.t.Helper()
	dir := b.t.TempDir()
	b.mu.Lock()
	files := maps.Clone(b.got)
	b.mu.Unlock()
	for name, content := range files {
		if file, ok := strings.CutPrefix(name, "store/"); ok {
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), content, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	if b.t.Failed() {
		b.t.Logf("log of the agent:\n%s", files["log"])
	}
	compareFacts(b.t, storedFacts(b.t, dir), facts(slices.Concat(smart.confirmed, modem.entries)))
	told := d.snapshot()
	for id := range storedCases(b.t, dir) {
		if _, ok := told[id]; !ok {
			b.t.Errorf("case %s never arrived", id)
		}
	}
	wrong := 0
	for _, es := range [][]scenario.Entry{smart.confirmed, modem.entries} {
		scenario.Final(es)
		for i := range es {
			if es[i].Truth != nil && es[i].Truth.Case {
				wrong++
			}
		}
	}
	if len(told) < wrong || wrong == 0 {
		b.t.Errorf("%d cases arrived, the terminals made %d", len(told), wrong)
	}
	secrets := slices.Concat(smart.term.Secrets(), modem.term.Secrets())
	searchForSecrets(b.t, secrets, []string{dir}, map[string][]byte{"log": files["log"], "MQTT traffic": d.bytes()})
}

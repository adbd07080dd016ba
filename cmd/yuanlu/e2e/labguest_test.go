package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"yuanlu/firmware-sim/usbip"
)

// labHostEnv marks this program as the one that runs in the lab's guest; its value
// is where the test outside is asked for work.
const labHostEnv = "YUANLU_LAB_HOST"

// guest is what runs inside: the agent, and the program that does what the test outside
// wants done: attach a device, run a verb, stop and hand over the store.
type guest struct {
	host   string // URL
	client http.Client
	agent  *exec.Cmd
	log    *os.File
	ended  chan error
	jobs   sync.WaitGroup
}

// guestStore and guestConfig are where the agent has its things in the guest.
const (
	guestStore  = "/var/lib/yuanlu"
	guestConfig = "/etc/yuanlu.toml"
	guestAgent  = "/bin/yuanlu"
)

// runGuest does the tasks of the test outside until it says stop, and returns the
// exit status.
func runGuest(host string) int {
	g := &guest{host: host, client: http.Client{Timeout: 2 * time.Minute}}
	if err := g.run(); err != nil {
		fmt.Println("guest:", err)
		return 1
	}
	return 0
}

func (g *guest) run() error {
	if err := g.start(); err != nil {
		return err
	}
	defer g.jobs.Wait()
	for {
		response, err := g.client.Get(g.host + "/task")
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return err
		}
		words := strings.Fields(string(body))
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "attach": // several at once: one may wait for its connection
			g.jobs.Go(func() { g.attach(words[1], words[2]) })
		case "shell":
			out, err := exec.Command("sh", "-c", strings.Join(words[2:], " ")).CombinedOutput()
			if err != nil {
				out = fmt.Appendf(out, "\n%v", err)
			}
			if err := g.hand("shell/"+words[1], out); err != nil {
				return err
			}
		case "stop":
			return g.stop()
		default:
			return fmt.Errorf("no task %q", words[0])
		}
	}
}

func (g *guest) start() error {
	if err := os.MkdirAll(guestStore, 0o700); err != nil {
		return err
	}
	var err error
	if g.log, err = os.Create("/tmp/yuanlu.log"); err != nil {
		return err
	}
	g.agent = exec.Command(guestAgent, "run", "--config", guestConfig)
	g.agent.Stdout, g.agent.Stderr = g.log, g.log
	if err := g.agent.Start(); err != nil {
		return err
	}
	g.ended = make(chan error, 1)
	go func() { g.ended <- g.agent.Wait() }()
	return nil
}

// attach takes a device over. One that was pulled out again meanwhile is no error.
func (g *guest) attach(server, bus string) {
	port, err := usbip.Attach(server, bus)
	if err != nil {
		fmt.Println("guest:", err)
		return
	}
	fmt.Printf("guest: %s %s %s is at port %d\n", time.Now().Format("15:04:05.000"), server, bus, port)
}

// stop ends the agent as a service manager does and hands over what it leaves.
func (g *guest) stop() error {
	if err := g.agent.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("the agent is not there any more: %w; %v", err, g.handFile("log", g.log.Name()))
	}
	var ended error
	select {
	case ended = <-g.ended:
	case <-time.After(time.Minute):
		ended = fmt.Errorf("SIGTERM did not end the agent")
	}
	if err := g.handFile("log", g.log.Name()); err != nil {
		return err
	}
	files, err := filepath.Glob(guestStore + "/*.db*")
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := g.handFile("store/"+filepath.Base(f), f); err != nil {
			return err
		}
	}
	return ended
}

func (g *guest) handFile(name, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return g.hand(name, b)
}

// hand returns something to the test outside.
func (g *guest) hand(name string, b []byte) error {
	response, err := g.client.Post(g.host+"/hand/"+name, "application/octet-stream", bytes.NewReader(b))
	if err != nil {
		return err
	}
	return response.Body.Close()
}

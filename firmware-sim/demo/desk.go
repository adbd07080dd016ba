package demo

import (
	"bufio"
	"context"
	"encoding/json"
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

	"yuanlu/firmware-sim/office"
)

// outsideDesk is a yuanlu-desk that takes and acknowledges the cases instead of the small back office inside. What it
// has accepted it sends on its stream of events.
type outsideDesk struct {
	cmd       *exec.Cmd
	exited    chan error
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	url       string            // of its API and page
	passwords map[string]string // first ones of the people of the office, by login
	seal      *sealing          // nil: nothing is proved
}

// startDesk starts yuanlu-desk against the broker at url and hands what it accepts to desk. Everything it keeps is
// below dir.
func startDesk(ctx context.Context, o *Options, url, dir string, desk *backOffice) (*outsideDesk, error) {
	bin := o.Desk
	dir = filepath.Join(dir, "desk")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	store := filepath.Join(dir, "desk.db")
	log, err := os.OpenFile(filepath.Join(dir, "desk.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	ready, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer ready.Close()
	d := &outsideDesk{exited: make(chan error, 1)}
	d.cmd = exec.Command(bin, "serve", "--json", "--broker", url, "--root", root, "--listen", "127.0.0.1:0", "--store", store)
	if o.Verify != "" {
		d.seal = &sealing{bin: bin, verify: o.Verify, store: store, dir: dir}
		if err := d.seal.prepare(ctx); err != nil {
			report.Close()
			return nil, err
		}
		d.cmd.Args = append(d.cmd.Args, "--cosign-key", d.seal.at("cosign"))
	}
	d.cmd.Stdout, d.cmd.Stderr = report, log
	err = d.cmd.Start()
	report.Close()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	ctx, d.cancel = context.WithCancel(ctx)
	go func() { d.exited <- d.cmd.Wait() }()
	if err := ready.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		d.Close()
		return nil, err
	}
	line, err := bufio.NewReader(ready).ReadBytes('\n')
	var started struct {
		API string `json:"api"`
	}
	if err != nil || json.Unmarshal(line, &started) != nil || started.API == "" {
		d.Close()
		return nil, fmt.Errorf("%s did not say that it is ready; see %s", bin, log.Name())
	}
	d.url = started.API
	if d.passwords, err = office.SetUp(ctx, bin, store); err != nil { // before any case comes
		d.Close()
		return nil, err
	}
	d.wg.Go(func() { d.follow(ctx, started.API+"/v1/stream?after=0&kinds=case", desk) })
	return d, nil
}

// follow reads the desk's stream until ctx ends, which is the only end it may have.
func (d *outsideDesk) follow(ctx context.Context, url string, desk *backOffice) {
	err := read(ctx, url, desk)
	if ctx.Err() != nil {
		return
	}
	desk.mu.Lock()
	defer desk.mu.Unlock()
	desk.fault("the desk's stream of events ended: %v", err)
}

func read(ctx context.Context, url string, desk *backOffice) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	if rsp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, rsp.Status)
	}
	lines := bufio.NewScanner(rsp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if !found {
			continue
		}
		var row struct {
			Terminal string    `json:"terminal"`
			Event    caseEvent `json:"event"`
		}
		if err := json.Unmarshal([]byte(data), &row); err != nil {
			return err
		}
		desk.mu.Lock()
		desk.take(row.Terminal, &row.Event)
		desk.mu.Unlock()
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

// Close ends the desk as a service manager would.
func (d *outsideDesk) Close() {
	d.cancel()
	d.wg.Wait()
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.exited:
	case <-time.After(6 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.exited
	}
}

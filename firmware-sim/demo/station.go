package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/usbip"
	"yuanlu/firmware-sim/wire"
)

// truthFile is the name of a station's ledger; the only file that may hold clear identifiers.
const truthFile = "truth.jsonl"

// station is one terminal with its agent.
type station struct {
	name, model, wire, dir string
	term                   *terminal.Terminal
	source                 *terminal.Source
	socket                 *wire.Socket
	journal                *terminal.Journal
	port                   string // as the agent's configuration names it
	seed                   uint64
	faults                 wire.Faults
	guard                  bool // it asks before its refunds, and its agent holds what is wrong

	agent  *exec.Cmd
	exited chan error
	log    string

	mu      sync.Mutex
	sent    []scenario.Entry
	slow    int           // frames that took longer than usualSilence from first byte to last
	longest time.Duration // the longest of them
}

// usualSilence is how long a silence inside a frame may be before an agent drops the frame, unless its
// configuration has another time (wires.md, Common). A terminal never is so long silent; a machine that stands still makes it so.
const usualSilence = 500 * time.Millisecond

// crew is all stations.
type crew struct{ stations []*station }

// plan is which terminals the demo has; the wires of the later ones are asked for first.
type plan struct {
	name, model, wire, instead string
	guard                      bool
}

func plans() []plan {
	return []plan{
		{"t-esign", "e-sign", "mispos", "", false},
		{"t-traditional", "traditional", "cup8583", "mispos", false},
		{"t-smart", "smart", "smart", "", false},
		{"t-guard", "smart", "smart", "", true},
	}
}

// equip makes stations, their lines and their configurations. A terminal whose wire the agent does not know yet
// speaks another one, or stays away, which is printed.
func equip(ctx context.Context, o Options, dir, url string, out *output) (*crew, error) {
	c := &crew{}
	for i, p := range plans() {
		s := &station{name: p.name, model: p.model, wire: p.wire, dir: filepath.Join(dir, p.name), seed: o.Seed + uint64(i), faults: o.Faults, guard: p.guard}
		s.faults.Split = pieces
		err := s.equip(ctx, o.Agent, url, i)
		if errors.Is(err, errWire) && p.instead != "" {
			out.line("%s: this agent does not know wire %s; it speaks %s", p.model, p.wire, p.instead)
			s.wire = p.instead
			err = s.equip(ctx, o.Agent, url, i)
		}
		if errors.Is(err, errWire) {
			out.line("%s: this agent does not know wire %s; it stays away", s.title(), s.wire)
			continue
		}
		if err != nil {
			c.close()
			return nil, err
		}
		c.stations = append(c.stations, s)
		out.line("%-11s %-7s on %s, agent %s", s.title(), s.wire, s.port, s.name)
	}
	if len(c.stations) == 0 {
		return nil, errors.New("the agent knows none of the wires")
	}
	return c, nil
}

// errWire: the agent refuses the configuration of a wire.
var errWire = errors.New("the agent does not take this configuration")

func (s *station) equip(ctx context.Context, agent, url string, i int) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "store"), 0o700); err != nil {
		return err
	}
	id := fmt.Sprintf("1000000%d", i+1)
	port, err := s.plug(ctx, agent, id)
	if err != nil {
		return err
	}
	level := ""
	if s.guard {
		level = guardLevel
	}
	text := fmt.Sprintf(config, s.name, filepath.Join(s.dir, "store"), s.wire, port, silence, level, url, grace)
	if s.guard {
		text += supervisor
	}
	if err := os.WriteFile(s.configFile(), []byte(text), 0o600); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, agent, "config", "check", "--config", s.configFile()).CombinedOutput(); err != nil {
		_ = s.socket.Close()
		if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 78 {
			s.socket = nil
			return fmt.Errorf("%w: %s", errWire, out)
		}
		return fmt.Errorf("%s config check: %w: %s", agent, err, out)
	}
	if s.guard {
		if err := s.setPIN(ctx, agent); err != nil {
			return err
		}
	}
	start := time.Now().In(time.FixedZone("", 8*3600)).AddDate(0, 0, -3)
	start = time.Date(start.Year(), start.Month(), start.Day(), 9, 0, 0, 0, start.Location())
	term, err := terminal.New(terminal.Options{Model: s.model, Wire: s.wire, Seed: s.seed, TerminalID: id, Start: start,
		FirstStan: 1 + i*200_000, Wrong: 0.35})
	if err != nil {
		return err
	}
	if s.source = terminal.Programme(term, s.wire); s.guard {
		term.Guard(terminal.GuardOptions{Supervisor: "s-1", PIN: supervisorPIN, Deadline: patience})
		s.source = terminal.GuardedProgramme(term, s.wire)
	}
	s.term = term
	s.journal, err = terminal.OpenJournal(filepath.Join(s.dir, truthFile))
	return err
}

// plug makes the line of the terminal and returns the name of the agent's port: a pseudo terminal, or for the smart
// model a real USB device where this machine's kernel takes devices from USB/IP and the agent has USB.
func (s *station) plug(ctx context.Context, agent, id string) (port string, err error) {
	if s.socket == nil && s.model == "smart" && usbip.CanAttach() && hasUSB(ctx, agent) {
		serial := "SIM-" + id
		if s.socket, err = wire.PlugUSB("127.0.0.1:0", serial, false); err != nil {
			return "", err
		}
		server, bus, _ := strings.Cut(s.socket.Place(), " busid ")
		if _, err := usbip.Attach(server, bus); err == nil {
			s.port = "usb:1209:5053:" + serial
			return s.port, nil
		}
		_ = s.socket.Close() // a kernel that does not take it has no USB for us
		s.socket = nil
	}
	if s.socket == nil {
		if s.socket, err = wire.Plug("pty", "", 9600); err != nil {
			return "", err
		}
		s.port = s.socket.Place()
	}
	return s.port, nil
}

// hasUSB asks an agent whether it was built with USB.
func hasUSB(ctx context.Context, agent string) bool {
	out, err := exec.CommandContext(ctx, agent, "version", "--json").Output()
	var v struct {
		USB bool `json:"usb"`
	}
	return err == nil && json.Unmarshal(out, &v) == nil && v.USB
}

func (s *station) configFile() string { return filepath.Join(s.dir, "yuanlu.toml") }

// config is the configuration of one agent.
const config = `[terminal]
id = %q
merchant_id = "898000000000001"

[store]
dir = %q

[[link]]
name = "pos"
wire = %q
port = %q
frame_timeout = %q
%s
[mqtt]
url = %q

[delivery]
ack = "backoffice"

[time]
trust = "always"

[case]
min_severity = "medium"
pending_grace = %q

[log]
level = "info"
`

// guardLevel stands in the link of a station that asks, supervisor behind the configuration.
const (
	guardLevel = "guard = \"hold\"\n"
	supervisor = "\n[[guard.supervisor]]\nid = \"s-1\"\nname = \"Wang\"\noperators = [\"90\"]\n"
	// supervisorPIN is as long as a PIN may be, so that it is found in no file by chance.
	supervisorPIN = "628401739512"
	// patience is how long the terminal waits for an answer: on a busy or emulated machine longer than a real one does.
	patience = 5 * time.Second
)

// title is the station in the table.
func (s *station) title() string {
	if s.guard {
		return "smart+guard"
	}
	return s.model
}

// setPIN sets the PIN of the supervisor, as a technician does.
func (s *station) setPIN(ctx context.Context, agent string) error {
	cmd := exec.CommandContext(ctx, agent, "guard", "pin", "s-1", "--config", s.configFile())
	cmd.Stdin = strings.NewReader(supervisorPIN + "\n" + supervisorPIN + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s guard pin: %w: %s", agent, err, out)
	}
	return nil
}

// play plays the terminal at a pace that shows something.
func (s *station) play(all context.Context) error {
	ctx, cancel := context.WithCancel(all)
	defer cancel()
	p, err := terminal.NewPlayer(terminal.PlayerOptions{Terminal: s.term, Model: s.model, Source: s.source,
		Socket: s.socket, Journal: s.journal, Faults: s.faults, Seed: s.seed,
		Every: playFor / time.Duration(s.source.Len()*3/2), Wait: true,
		Sent: s.noteSent})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	select {
	case err := <-ended:
		return err
	case err := <-s.exited:
		s.exited <- err
		cancel()
		<-ended
		return fmt.Errorf("the agent of %s ended by itself: %w", s.name, cmp.Or(err, errors.New("without an error")))
	}
}

func (s *station) noteSent(e *scenario.Entry, how terminal.Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, *e)
	if how.Took >= usualSilence {
		s.slow++
		s.longest = max(s.longest, how.Took)
	}
}

// stalls returns how this machine has held up the terminal's frames, "" if it has not.
func (s *station) stalls() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slow == 0 {
		return ""
	}
	return fmt.Sprintf("%s: this machine stood still inside %d frames, for %v at most", s.model, s.slow,
		s.longest.Round(time.Millisecond))
}

// ledger is what the terminal did so far.
func (s *station) ledger() []scenario.Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := append([]scenario.Entry(nil), s.sent...)
	scenario.Final(out)
	return out
}

// first is the truth of an entry of the ledger as it was before later ones changed it.
func (s *station) first(i int) *scenario.Truth {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent[i].Truth
}

// startAgents starts one agent for each station.
func (c *crew) startAgents(bin string) error {
	for _, s := range c.stations {
		s.log = filepath.Join(s.dir, "agent.log")
		out, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		s.agent = exec.Command(bin, "run", "--config", s.configFile())
		s.agent.Stdout, s.agent.Stderr = out, out
		err = s.agent.Start()
		out.Close()
		if err != nil {
			s.agent = nil
			return fmt.Errorf("start %s: %w", bin, err)
		}
		s.exited = make(chan error, 1)
		go func() { s.exited <- s.agent.Wait() }()
	}
	return nil
}

// stopAgents ends the agents as a service manager would: SIGTERM, and after a while SIGKILL.
func (c *crew) stopAgents() {
	for _, s := range c.stations {
		if s.agent != nil {
			_ = s.agent.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, s := range c.stations {
		if s.agent == nil {
			continue
		}
		select {
		case <-s.exited:
		case <-time.After(6 * time.Second):
			_ = s.agent.Process.Kill()
			<-s.exited
		}
		s.agent = nil
	}
}

func (c *crew) close() {
	c.stopAgents()
	for _, s := range c.stations {
		if s.socket != nil {
			_ = s.socket.Close()
		}
		if s.journal != nil {
			_ = s.journal.Close()
		}
	}
}

// tails prints the last lines of each agent's log.
func (c *crew) tails(out *output) {
	for _, s := range c.stations {
		if note := s.stalls(); note != "" {
			out.line("%s", note)
		}
		data, err := os.ReadFile(s.log)
		if err != nil {
			continue
		}
		out.tail(s.log, data)
	}
}

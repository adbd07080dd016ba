package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// runFlags are the flags of run.
type runFlags struct {
	model, wire, link, symlink, scenario, records, journal, start string
	merchant, terminalID                                          string
	speed, rate, wrong                                            float64
	seed                                                          uint64
	baud, count, days, firstStan                                  int
	faults                                                        list
	noWait, hold, verbose, json                                   bool
	guard                                                         guardFlags
}

// list is a flag that may be given several times.
type list []string

// String joins what was given.
func (l *list) String() string { return strings.Join(*l, ",") }

// Set adds one.
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

func readRunFlags(args []string, stderr io.Writer) (*runFlags, error) {
	var r runFlags
	f := flags("run", stderr)
	f.StringVar(&r.model, "terminal", "", "the model: e-sign, traditional or smart")
	f.StringVar(&r.wire, "wire", "", "mispos, cup8583 or smart; by the model if not given")
	f.StringVar(&r.link, "link", "pty", "pty, the path of a tty, usbip (127.0.0.1:3240) or usbip:HOST:PORT")
	f.StringVar(&r.symlink, "symlink", "", "a symbolic link that always points at the pty's present name")
	f.IntVar(&r.baud, "baud", 9600, "speed of a tty")
	f.StringVar(&r.scenario, "scenario", "", "play this file (JSON Lines) instead of seeded customers")
	f.StringVar(&r.records, "records", "", "say the records of this file (JSON Lines, records.md) and end")
	f.Uint64Var(&r.seed, "seed", 1, "the same seed gives the same day")
	f.Float64Var(&r.speed, "speed", 60, "virtual seconds that pass in a second; 0: as fast as the line takes it")
	f.Float64Var(&r.rate, "rate", 0, "at most so many frames a second; 0: no limit")
	f.IntVar(&r.count, "count", 0, "end after so many transactions; 0: no end")
	f.IntVar(&r.days, "days", 0, "end after so many virtual days; 0: no end")
	f.StringVar(&r.start, "start", "", "virtual day of opening, 2026-08-01 for example; if not given, as many days ago as --days says, else 30")
	f.StringVar(&r.merchant, "merchant", "", "merchant id")
	f.StringVar(&r.terminalID, "id", "", "terminal id, 8 digits")
	f.IntVar(&r.firstStan, "first-stan", 1, "number of the first transaction")
	f.Float64Var(&r.wrong, "wrong", 0.1, "share of refunds that are wrong or cannot be told; negative: none")
	f.StringVar(&r.journal, "journal", "", "the firmware's own memory; an existing one is gone on with, its open batch printed again")
	f.Var(&r.faults, "fault", "split|merge|flip|drop|repeat|stall|unplug|baud|power=RATE, or unplug|power|baud@FRAME; may be repeated")
	r.guard.add(f)
	f.BoolVar(&r.noWait, "no-wait", false, "do not wait until somebody opens the pty")
	f.BoolVar(&r.hold, "hold", false, "wait whenever nobody has the pty open, instead of losing what is said")
	f.BoolVar(&r.verbose, "v", false, "say each transaction")
	f.BoolVar(&r.json, "json", false, "say everything as JSON Lines")
	if err := parse(f, args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%w: %q is no flag", errUsage, f.Arg(0))
	}
	return &r, nil
}

// run plays one terminal, or sends the records of a file.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	r, err := readRunFlags(args, stderr)
	if err != nil {
		return err
	}
	faults, err := wire.ParseFaults(r.faults)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	out := &printer{w: stdout, json: r.json, link: r.link, verbose: r.verbose}
	if r.records != "" {
		return sendRecords(ctx, r, faults, out)
	}
	term, src, err := r.terminal()
	if err != nil {
		return err
	}
	if err := r.guard.apply(term); err != nil {
		return err
	}
	socket, err := r.plug()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	journal, err := r.openJournal()
	if err != nil {
		return err
	}
	defer func() { _ = journal.Close() }()
	resend, stop := resendWhenTold(stdin)
	defer stop()
	o := terminal.PlayerOptions{Terminal: term, Model: r.model, Source: src, Socket: socket, Journal: journal,
		Faults: faults, Seed: r.seed, Speed: r.speed, Every: r.every(), Count: r.count, Wait: !r.noWait, Hold: r.hold,
		Resend: resend, Found: out.found, Sent: out.sent}
	if r.days > 0 {
		o.Until = term.Now().Truncate(24*time.Hour).AddDate(0, 0, r.days)
	}
	p, err := terminal.NewPlayer(o)
	if err != nil {
		return err
	}
	if err := p.Run(ctx); err != nil {
		return err
	}
	return out.end(socket)
}

func (r *runFlags) plug() (*wire.Socket, error) {
	if addr, ok := r.usbip(); ok {
		modem := r.model == "e-sign" || r.model == "traditional" || r.records != "" && r.wire != "smart"
		return wire.PlugUSB(addr, "SIM-"+r.terminalID, modem)
	}
	return wire.Plug(r.link, r.symlink, r.baud)
}

// usbip returns the address of a link "usbip" or "usbip:HOST:PORT".
func (r *runFlags) usbip() (string, bool) {
	if r.link == "usbip" {
		return "127.0.0.1:3240", true
	}
	return strings.CutPrefix(r.link, "usbip:")
}

func (r *runFlags) every() time.Duration {
	if r.rate <= 0 {
		return 0
	}
	return time.Duration(float64(time.Second) / r.rate)
}

// terminal makes the terminal and where its entries come from.
func (r *runFlags) terminal() (*terminal.Terminal, *terminal.Source, error) {
	if r.model == "" {
		return nil, nil, fmt.Errorf("%w: --terminal e-sign, traditional or smart is needed (or --records)", errUsage)
	}
	zone := time.FixedZone("", 8*3600)
	now := time.Now().In(zone)
	// The past by default: a wire that sends no year would be read as last year's for a day to come.
	ago := 30
	if r.days > 0 {
		ago = r.days
	}
	start := time.Date(now.Year(), now.Month(), now.Day()-ago, 9, 0, 0, 0, zone)
	if r.start != "" {
		d, err := time.ParseInLocation("2006-01-02", r.start, zone)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: --start is a day such as 2026-08-01", errUsage)
		}
		start = d.Add(9 * time.Hour)
	}
	term, err := terminal.New(terminal.Options{Model: r.model, Wire: r.wire, Seed: r.seed, MerchantID: r.merchant,
		TerminalID: r.terminalID, Start: start, FirstStan: r.firstStan, Wrong: r.wrong})
	if err != nil {
		return nil, nil, err
	}
	if r.scenario == "" {
		return term, terminal.Customers(term), nil
	}
	f, err := os.Open(r.scenario)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	steps, err := scenario.ReadScript(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.scenario, err)
	}
	return term, terminal.Script(term, steps), nil
}

// openJournal opens the journal that was named, or a fresh one where ledger looks for it.
func (r *runFlags) openJournal() (*terminal.Journal, error) {
	path := r.journal
	if path == "" {
		dir, err := journalDir()
		if err != nil {
			return nil, err
		}
		id := r.terminalID
		if id == "" {
			id = "10000001"
		}
		path = filepath.Join(dir, id+".jsonl")
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return terminal.OpenJournal(path)
}

// journalDir is where journals go that were not named.
func journalDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	dir := filepath.Join(base, "firmware-sim")
	return dir, os.MkdirAll(dir, 0o700)
}

// resendWhenTold returns a channel that fires on SIGUSR1 and on a line "resend" on stdin.
func resendWhenTold(stdin io.Reader) (<-chan struct{}, func()) {
	resend := make(chan struct{}, 1)
	show := func() {
		select {
		case resend <- struct{}{}:
		default:
		}
	}
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGUSR1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-sig:
				show()
			case <-done:
				return
			}
		}
	})
	// Reading stdin cannot be ended from outside: this goroutine ends with stdin or with the process.
	go func() {
		in := bufio.NewScanner(stdin)
		for in.Scan() {
			if strings.TrimSpace(in.Text()) == "resend" {
				show()
			}
		}
	}()
	return resend, func() {
		signal.Stop(sig)
		close(done)
		wg.Wait()
	}
}

// sendRecords sends the records of a file on a line.
func sendRecords(ctx context.Context, r *runFlags, faults wire.Faults, out *printer) error {
	if r.wire == "" {
		return fmt.Errorf("%w: --records needs --wire mispos, cup8583 or smart", errUsage)
	}
	f, err := os.Open(r.records)
	if err != nil {
		return err
	}
	defer f.Close()
	recs, err := wire.ReadRecords(f)
	if err != nil {
		return fmt.Errorf("%s: %w", r.records, err)
	}
	socket, err := r.plug()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	return terminal.SendRecords(ctx, recs, terminal.RecordsOptions{Wire: r.wire, Socket: socket, Faults: faults,
		Seed: r.seed, Every: r.every(), Wait: !r.noWait, Found: out.found})
}

// printer prints what happens, as text or as JSON Lines.
type printer struct {
	w             io.Writer
	link          string
	json, verbose bool
	entries       int
	refunds       map[string]int
	guarded       map[string]int // ends of refunds that were asked about
}

func (p *printer) found(place string) {
	link := "tty"
	for _, kind := range []string{"pty", "usbip"} {
		if strings.HasPrefix(p.link, kind) {
			link = kind
		}
	}
	if p.json {
		b, _ := json.Marshal(map[string]string{"event": "found", "link": link, "place": place})
		fmt.Fprintf(p.w, "%s\n", b)
		return
	}
	fmt.Fprintf(p.w, "%s %s\n", link, place)
}

func (p *printer) sent(e *scenario.Entry, s terminal.Outcome) {
	if e.Record.Copy != "reprint" && e.Record.Copy != "upload" {
		if p.entries++; e.Guard != nil {
			if p.guarded == nil {
				p.guarded = map[string]int{}
			}
			p.guarded[e.Guard.End]++
		}
		if e.Truth != nil {
			if p.refunds == nil {
				p.refunds = map[string]int{}
			}
			p.refunds[e.Truth.Label]++
		}
	}
	switch {
	case p.json:
		if err := scenario.WriteEntry(p.w, e); err != nil {
			return
		}
	case p.verbose:
		truth := ""
		if g := e.Guard; g != nil {
			truth = g.End + " after " + cmp.Or(g.Action, "no answer") + ` "` + strings.ReplaceAll(g.Text, "\n", " / ") + `" `
		}
		if e.Truth != nil {
			truth += e.Truth.Label + ": " + e.Truth.Why
		}
		fmt.Fprintf(p.w, "%s %-10s %-11s %8d.%02d %-8s whole=%d %s\n", e.Record.At.Format("01-02 15:04:05"),
			e.Record.Kind, e.Record.Channel, e.Record.Amount/100, e.Record.Amount%100, e.Record.Outcome, s.Whole, truth)
	}
}

func (p *printer) end(socket *wire.Socket) error {
	lost := int64(0)
	if pty, ok := socket.Line().(*wire.PTY); ok {
		lost = pty.Lost()
	}
	if p.guarded != nil && p.json {
		b, _ := json.Marshal(map[string]any{"event": "guard", "ends": p.guarded})
		fmt.Fprintf(p.w, "%s\n", b)
	} else if p.guarded != nil {
		fmt.Fprintf(p.w, "asked about: %s\n", strings.Trim(fmt.Sprint(p.guarded), "map[]"))
	}
	if p.json {
		_, err := fmt.Fprintf(p.w, "{\"event\":\"end\",\"entries\":%d,\"wrong\":%d,\"right\":%d,\"cannot_tell\":%d,\"bytes_unheard\":%d}\n",
			p.entries, p.refunds[scenario.Wrong], p.refunds[scenario.Right], p.refunds[scenario.CannotTell], lost)
		return err
	}
	_, err := fmt.Fprintf(p.w, "%d transactions; refunds and voids: %d wrong, %d right, %d cannot tell; %d bytes unheard\n",
		p.entries, p.refunds[scenario.Wrong], p.refunds[scenario.Right], p.refunds[scenario.CannotTell], lost)
	return err
}

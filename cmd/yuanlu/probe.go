package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/probe"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/drivers/serialport"
)

// linksProbe listens on a port that the technician has named, and sends nothing. It
// keeps off ports that another process has open, and off the console.
func (p *program) linksProbe(ctx context.Context, port string, long time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	begin := p.now()
	found, err := probe.Run(ctx, probe.Options{Port: port, Line: !ports.IsUSB(port), Open: probeOpener(port),
		Unsupported: func(err error) bool { return errors.Is(err, serialport.ErrSettings) },
		Progress:    func(r *probe.Result, s probe.Setting) { p.probeProgress(begin, long, r, s) },
	})
	if !p.json && screen.IsTerminal(p.stderr) {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	if err != nil {
		ended := p.portError("links", err)
		if errors.Is(err, serialport.ErrBusy) {
			p.releasePort(port)
		}
		return ended
	}
	return p.showProbe(found)
}

// releasePort prints how a port is freed of who has it open. The daemon has it as a rule.
func (p *program) releasePort(port string) {
	var who []string
	if node, err := serialport.Node(port); err == nil {
		for _, h := range serialport.Holders(node) {
			if h.Command == "yuanlu" {
				fmt.Fprintln(p.stderr, p.lang.T("  → sudo systemctl stop yuanlu, then probe; afterwards: sudo systemctl start yuanlu",
					"  → 先 sudo systemctl stop yuanlu，再监听；之后 sudo systemctl start yuanlu"))
				return
			}
			who = append(who, h.String())
		}
		port = node
	}
	fmt.Fprintln(p.stderr, "  → "+p.lang.Text(health.ReleasePort(port, who)))
}

func probeOpener(port string) func(context.Context, probe.Setting) (ingest.Port, error) {
	return func(ctx context.Context, s probe.Setting) (ingest.Port, error) {
		if !ports.IsUSB(port) {
			if err := serialport.Check(port); err != nil {
				return nil, err
			}
		}
		open := ports.Opener(config.Link{Port: port, Baud: s.Baud, DataBits: s.DataBits, Parity: s.Parity, StopBits: "1"}, nil)
		opened, _, err := open(ctx)
		return opened, err
	}
}

// probeProgress keeps one line on a terminal.
func (p *program) probeProgress(begin time.Time, long time.Duration, r *probe.Result, s probe.Setting) {
	if p.json || !screen.IsTerminal(p.stderr) {
		return
	}
	at := ""
	if s.Baud > 0 {
		at = fmt.Sprintf(p.lang.T(" at %d baud %s", "，%d 波特 %s"), s.Baud, s.Framing())
	}
	fmt.Fprintf(p.stderr, p.lang.T("\r\x1b[Klistening%s, %s of %s, %d bytes so far; make a small payment or print the last one again",
		"\r\x1b[K监听中%s，%s / %s，已收 %d 字节；请做一笔小额交易或重打上一笔"), at, p.people(time.UTC).Span(p.now().Sub(begin)), p.people(time.UTC).Span(long), r.Bytes())
}

// showProbe prints what was found as the lines of the configuration that it needs.
func (p *program) showProbe(r *probe.Result) error {
	var err error
	if p.json {
		err = p.printJSON(r)
	} else {
		err = p.people(time.UTC).Probe(r)
	}
	if r.Wire == "" && err == nil {
		return errPrinted(exitNotFound)
	}
	return err
}

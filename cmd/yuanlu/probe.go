package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/agent/probe"
	"yuanlu/drivers/serialport"
)

// linksProbe listens on a port that the technician has named, and sends nothing. It
// keeps off ports that another process has open, and off the console.
func (p *program) linksProbe(ctx context.Context, port string, long time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	begin := p.now()
	found, err := probe.Run(ctx, probe.Options{Port: port, Line: !isUSB(port), Open: probeOpener(port),
		Unsupported: func(err error) bool { return errors.Is(err, serialport.ErrSettings) },
		Progress:    func(r *probe.Result, s probe.Setting) { p.probeProgress(begin, long, r, s) },
	})
	if !p.json && isTerminal(p.stderr) {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
	if err != nil {
		return p.portError("links", err)
	}
	return p.showProbe(found)
}

func probeOpener(port string) func(context.Context, probe.Setting) (ingest.Port, error) {
	return func(ctx context.Context, s probe.Setting) (ingest.Port, error) {
		if !isUSB(port) {
			if err := serialport.Check(port); err != nil {
				return nil, err
			}
		}
		open := opener(config.Link{Port: port, Baud: s.Baud, DataBits: s.DataBits, Parity: s.Parity, StopBits: "1"})
		opened, _, err := open(ctx)
		return opened, err
	}
}

// probeProgress keeps one line on a terminal.
func (p *program) probeProgress(begin time.Time, long time.Duration, r *probe.Result, s probe.Setting) {
	if p.json || !isTerminal(p.stderr) {
		return
	}
	at := ""
	if s.Baud > 0 {
		at = fmt.Sprintf(p.lang.t(" at %d baud %s", "，%d 波特 %s"), s.Baud, s.Framing())
	}
	fmt.Fprintf(p.stderr, p.lang.t("\r\x1b[Klistening%s, %s of %s, %d bytes so far; make a small payment or print the last one again",
		"\r\x1b[K监听中%s，%s / %s，已收 %d 字节；请做一笔小额交易或重打上一笔"), at, spanText(p.now().Sub(begin)), spanText(long), r.Bytes())
}

// showProbe prints what was found as the lines of the configuration that it needs.
func (p *program) showProbe(r *probe.Result) error {
	var err error
	switch {
	case p.json:
		err = p.printJSON(r)
	case r.Wire != "" && r.Parity == "none":
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q, baud = %d (%s)\n", r.Port, r.Wire, r.Baud, r.Framing)
	case r.Wire != "" && r.Baud > 0:
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q, baud = %d, data_bits = %d, parity = %q (%s)\n", r.Port, r.Wire, r.Baud, r.DataBits, r.Parity, r.Framing)
	case r.Wire != "":
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q\n", r.Port, r.Wire)
	}
	if r.Wire != "" || err != nil {
		return err
	}
	if !p.json {
		p.showNoFit(r)
	}
	return errSaid(exitNotFound)
}

// showNoFit prints why nothing fits, and what to do.
func (p *program) showNoFit(r *probe.Result) {
	t := p.lang.t
	for _, s := range r.Came {
		if s.Baud > 0 {
			fmt.Fprintf(p.stdout, t("%d baud %s: ", "%d 波特 %s："), s.Baud, s.Framing)
		}
		fmt.Fprintf(p.stdout, t("%d bytes, %d good frames\n", "%d 字节，%d 个完整帧\n"), s.Bytes, s.Frames)
	}
	text := ""
	switch {
	case r.Bytes() == 0:
		text = t("nothing was heard: check the cable, and that the terminal sends to its cashier port", "没有收到数据：检查连接线，以及终端是否启用收银口输出")
	case len(r.Sees) > 0:
		text = t("frames were right, but no message was understood: another dialect, which needs a profile", "帧正确但报文无法解析：方言不同，需要差异文件")
	case r.SevenBit != "":
		parity := map[string]string{"even": t("even", "偶"), "odd": t("odd", "奇")}[r.SevenBit]
		text = fmt.Sprintf(t("the terminal sends seven data bits with %s parity, which no wire fits in: set its cashier port to eight data bits",
			"终端以 7 数据位、%s校验发送，任何协议都需要 8 数据位：请将终端收银口改为 8 数据位"), parity)
	default:
		text = t("bytes came, but no frame at any of these settings: another speed, or no terminal", "收到数据，但各种设置下都没有完整帧：速率不符，或不是终端")
	}
	fmt.Fprintln(p.stdout, text)
}

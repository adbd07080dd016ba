package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/drivers/serialport"
)

// tuning is how a line is set to listen; the zero value is USB, which has no line.
type tuning struct {
	Baud     int    `json:"baud,omitempty"`
	DataBits int    `json:"data_bits,omitempty"`
	Parity   string `json:"parity,omitempty"` // none, even, odd
}

// framing returns the usual short form: 8N1, 8E1. One stop bit always: who listens for
// one understands a terminal that sends two.
func (t tuning) framing() string {
	if t.Parity == "" {
		return ""
	}
	return fmt.Sprintf("%d%s1", t.DataBits, strings.ToUpper(t.Parity[:1]))
}

// fit is what probe found, or what it heard.
type fit struct {
	Port string `json:"port"`
	Wire string `json:"wire,omitempty"` // "" none fits
	tuning
	Framing string  `json:"framing,omitempty"` // "8N1"
	Heard   []heard `json:"heard"`             // at each setting of the line
	// Sees are wires whose frames were right, but no message was understood.
	Sees []string `json:"sees,omitempty"`
	// SevenBit is the parity of a line of seven data bits, which no wire fits in.
	SevenBit string `json:"seven_bit,omitempty"`
}

type heard struct {
	tuning
	Framing string `json:"framing,omitempty"`
	Bytes   int64  `json:"bytes"`
	Frames  uint64 `json:"frames"`
}

const (
	probeTurn  = 4 * time.Second        // at each setting; a smart terminal shakes hands every two
	probeStay  = 5 * probeTurn          // at one whose frames are right: a message must come
	probeQuiet = 500 * time.Millisecond // after bytes: what was said is over
)

// plan is the order in which settings of a line are tried: the usual speeds with
// eight bits and no parity, round and round. Where bytes came but no frame, the same
// speed is tried with parity before the next one. Seven bits need no try of their
// own (ears.sevenBits).
type plan struct {
	speeds []int
	turn   int
	next   []tuning
}

func newPlan(port string) *plan {
	if isUSB(port) {
		return &plan{}
	}
	return &plan{speeds: []int{9600, 115200, 19200, 38400, 57600, 4800, 2400, 1200}}
}

// take returns the next setting; after is what the one before it has heard.
func (p *plan) take(after *heard) tuning {
	if len(p.speeds) == 0 {
		return tuning{}
	}
	if after != nil && after.Bytes > 0 && after.Frames == 0 && after.Parity == "none" {
		p.next = []tuning{{after.Baud, 8, "even"}, {after.Baud, 8, "odd"}}
	}
	if len(p.next) > 0 {
		t := p.next[0]
		p.next = p.next[1:]
		return t
	}
	t := tuning{p.speeds[p.turn%len(p.speeds)], 8, "none"}
	p.turn++
	return t
}

// linksProbe listens on a port that somebody has named, and says nothing itself. It
// keeps off ports that somebody has open, and off the console.
func (p *program) linksProbe(ctx context.Context, port string, long time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	found := fit{Port: port, Heard: []heard{}}
	begin := p.now()
	plan := newPlan(port)
	for last := (*heard)(nil); found.Wire == "" && ctx.Err() == nil; {
		t := plan.take(last)
		p.progress(begin, long, &found, t)
		now := heard{tuning: t, Framing: t.framing()}
		err := p.probeAt(ctx, &found, &now)
		if errors.Is(err, serialport.ErrSettings) && t.Parity != "none" {
			last = nil // this line has no parity, a pseudo terminal for one
			continue
		}
		if err != nil {
			p.progressEnd()
			return p.portError("links", err)
		}
		found.add(now)
		last = &now
	}
	p.progressEnd()
	return p.sayFit(&found)
}

// add puts what was heard to what was heard at the same setting before.
func (f *fit) add(now heard) {
	for i := range f.Heard {
		if f.Heard[i].tuning == now.tuning {
			f.Heard[i].Bytes += now.Bytes
			f.Heard[i].Frames += now.Frames
			return
		}
	}
	if now.Bytes > 0 || now.Baud == 0 {
		f.Heard = append(f.Heard, now)
	}
}

// probeAt listens at one setting for one turn, or until what was said is over.
func (p *program) probeAt(ctx context.Context, found *fit, now *heard) error {
	if !isUSB(found.Port) {
		if err := serialport.Check(found.Port); err != nil {
			return err
		}
	}
	link := config.Link{Port: found.Port, Baud: now.Baud, DataBits: now.DataBits, Parity: now.Parity, StopBits: "1"}
	port, _, err := opener(link)(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // the time is up
	case err != nil:
		return err
	}
	ears, err := newEars()
	if err != nil {
		return errors.Join(err, port.Close())
	}
	err = listen(ctx, port, ears, found, now)
	found.Sees = ears.sees(found.Sees)
	if found.Wire != "" {
		found.tuning, found.Framing = now.tuning, now.Framing
	} else if now.Frames == 0 && now.Parity == "none" {
		if parity := ears.sevenBits(); parity != "" {
			found.SevenBit = parity
		}
	}
	return errors.Join(err, port.Close())
}

// listen reads until a message is understood, or nothing more is to be expected: a
// port that sends and sends without a frame is left when its turn is over.
func listen(ctx context.Context, port ingest.Port, ears *ears, found *fit, now *heard) error {
	buf := make([]byte, 4096)
	begin := time.Now()
	end, quiet := begin.Add(probeTurn), time.Time{} // quiet: when what was said is over
	over := func(t time.Time) bool { return t.After(end) || !quiet.IsZero() && t.After(quiet) }
	for t := begin; found.Wire == "" && ctx.Err() == nil && !over(t); t = time.Now() {
		if err := port.SetReadDeadline(t.Add(probeQuiet / 5)); err != nil {
			return err
		}
		n, err := port.Read(buf)
		if n > 0 {
			now.Bytes += int64(n)
			found.Wire = ears.hear(buf[:n], time.Now())
			now.Frames += ears.frames()
			if quiet = time.Now().Add(probeQuiet); now.Frames > 0 { // the setting is right: stay
				end, quiet = begin.Add(probeStay), time.Time{}
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return nil
}

// progress keeps one line on a terminal.
func (p *program) progress(begin time.Time, long time.Duration, f *fit, t tuning) {
	if p.json || !isTerminal(p.stderr) {
		return
	}
	total := int64(0)
	for _, s := range f.Heard {
		total += s.Bytes
	}
	at := ""
	if t.Baud > 0 {
		at = fmt.Sprintf(p.lang.t(" at %d baud %s", "，%d 波特 %s"), t.Baud, t.framing())
	}
	fmt.Fprintf(p.stderr, p.lang.t("\r\x1b[Klistening%s, %s of %s, %d bytes so far; make a small payment or print the last one again",
		"\r\x1b[K监听中%s，%s / %s，已收 %d 字节；请做一笔小额交易或重打上一笔"), at, spanText(p.now().Sub(begin)), spanText(long), total)
}

func (p *program) progressEnd() {
	if !p.json && isTerminal(p.stderr) {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
}

// sayFit prints what was found as the lines of the configuration that it needs.
func (p *program) sayFit(f *fit) error {
	var err error
	switch {
	case p.json:
		err = p.printJSON(f)
	case f.Wire != "" && f.Parity == "none":
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q, baud = %d (%s)\n", f.Port, f.Wire, f.Baud, f.Framing)
	case f.Wire != "" && f.Baud > 0:
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q, baud = %d, data_bits = %d, parity = %q (%s)\n", f.Port, f.Wire, f.Baud, f.DataBits, f.Parity, f.Framing)
	case f.Wire != "":
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q\n", f.Port, f.Wire)
	}
	if f.Wire != "" || err != nil {
		return err
	}
	if !p.json {
		p.sayHeard(f)
	}
	return errSaid(exitNotFound)
}

// sayHeard says why nothing fits, and what to do.
func (p *program) sayHeard(f *fit) {
	t := p.lang.t
	total := int64(0)
	for _, s := range f.Heard {
		total += s.Bytes
		if s.Baud > 0 {
			fmt.Fprintf(p.stdout, t("%d baud %s: ", "%d 波特 %s："), s.Baud, s.Framing)
		}
		fmt.Fprintf(p.stdout, t("%d bytes, %d good frames\n", "%d 字节，%d 个完整帧\n"), s.Bytes, s.Frames)
	}
	text := ""
	switch {
	case total == 0:
		text = t("nothing was heard: check the cable, and that the terminal sends to its cashier port", "没有收到数据：检查连接线，以及终端是否启用收银口输出")
	case len(f.Sees) > 0:
		text = t("frames were right, but no message was understood: another dialect, which needs a profile", "帧正确但报文无法解析：方言不同，需要差异文件")
	case f.SevenBit != "":
		parity := map[string]string{"even": t("even", "偶"), "odd": t("odd", "奇")}[f.SevenBit]
		text = fmt.Sprintf(t("the terminal sends seven data bits with %s parity, which no wire fits in: set its cashier port to eight data bits",
			"终端以 7 数据位、%s校验发送，任何协议都需要 8 数据位：请将终端收银口改为 8 数据位"), parity)
	default:
		text = t("bytes came, but no frame at any of these settings: another speed, or no terminal", "收到数据，但各种设置下都没有完整帧：速率不符，或不是终端")
	}
	fmt.Fprintln(p.stdout, text)
}

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/protocol/frame"
)

// fit is what probe found, or what it heard.
type fit struct {
	Port  string   `json:"port"`
	Wire  string   `json:"wire,omitempty"` // "" none fits
	Baud  int      `json:"baud,omitempty"` // serial only
	Heard []speed  `json:"heard"`          // at each speed
	Sees  []string `json:"sees,omitempty"` // wires whose frames were right, but no message
}

type speed struct {
	Baud   int    `json:"baud,omitempty"`
	Bytes  int64  `json:"bytes"`
	Frames uint64 `json:"frames"`
}

// probeSpeeds are tried in turn, the usual ones first.
func probeSpeeds(port string) []int {
	if isUSB(port) {
		return []int{0}
	}
	return []int{9600, 115200, 19200, 38400, 57600, 4800, 2400, 1200}
}

const (
	probeTurn  = 4 * time.Second        // at each speed; a smart terminal shakes hands every two
	probeQuiet = 500 * time.Millisecond // after bytes: what was said is over
)

// linksProbe listens on a port that somebody has named, and says nothing itself.
func (p *program) linksProbe(ctx context.Context, port string, long time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	found := fit{Port: port, Heard: []speed{}}
	speeds := probeSpeeds(port)
	heard := make([]speed, len(speeds))
	begin := p.now()
	for turn := 0; found.Wire == "" && ctx.Err() == nil; turn++ {
		at := turn % len(speeds)
		heard[at].Baud = speeds[at]
		p.progress(begin, long, heard, speeds[at])
		if err := p.probeAt(ctx, &found, &heard[at]); err != nil {
			p.progressEnd()
			return err
		}
	}
	p.progressEnd()
	for _, s := range heard {
		if s.Bytes > 0 || len(speeds) == 1 {
			found.Heard = append(found.Heard, s)
		}
	}
	return p.sayFit(&found)
}

// probeAt listens at one speed for one turn, or until what was said is over.
func (p *program) probeAt(ctx context.Context, found *fit, s *speed) error {
	link := config.Link{Port: found.Port, Baud: s.Baud, DataBits: 8, Parity: "none", StopBits: "1"}
	port, _, err := opener(link)(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // the time is up
	case err != nil:
		return p.portError("links", err)
	}
	ears, err := newEars()
	if err != nil {
		return errors.Join(err, port.Close())
	}
	buf := make([]byte, 4096)
	end := time.Now().Add(probeTurn)
	for quiet := end; found.Wire == "" && ctx.Err() == nil && time.Now().Before(quiet); {
		if err = port.SetReadDeadline(time.Now().Add(probeQuiet / 5)); err != nil {
			break
		}
		var n int
		n, err = port.Read(buf)
		if n > 0 {
			s.Bytes += int64(n)
			found.Wire = ears.hear(buf[:n])
			quiet = time.Now().Add(probeQuiet)
			if s.Frames += ears.frames(); ears.good > 0 {
				quiet = time.Now().Add(probeTurn) // the speed is right: stay
			}
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		err = nil
	}
	found.Sees = ears.sees(found.Sees)
	if found.Wire != "" {
		found.Baud = s.Baud
	}
	if err = errors.Join(err, port.Close()); err != nil {
		return p.portError("links", err)
	}
	return nil
}

// ears listen for all wires at once.
type ears struct {
	wires    map[string]ingest.Wire
	scanners map[string]*frame.Scanner
	right    map[string]bool // wires that had a frame
	good     uint64          // frames, of either framing
	told     uint64
}

func newEars() (*ears, error) {
	e := &ears{wires: map[string]ingest.Wire{}, scanners: map[string]*frame.Scanner{}, right: map[string]bool{}}
	for _, name := range wireNames() {
		profile, err := ingest.DefaultProfile(name)
		if err != nil {
			return nil, err
		}
		if e.wires[name], err = ingest.NewWire(name, profile, nil); err != nil {
			return nil, err
		}
		e.scanners[name] = e.wires[name].Scanner()
	}
	return e, nil
}

// hear gives the wire that understands a message in what was heard, "" for none yet.
func (e *ears) hear(b []byte) (wire string) {
	clock := ingest.Clock{Now: time.Now(), Today: time.Now(), Synced: true, Zone: ingest.DefaultZone(), HasNow: true}
	for _, name := range wireNames() {
		s := e.scanners[name]
		s.Push(b)
		for f, ok := s.Next(); ok; f, ok = s.Next() {
			e.right[name] = true
			if name != "cup8583" { // its framing is that of mispos
				e.good++
			}
			// A handshake is a message of smart; its framing has two marks and a check byte.
			if _, err := e.wires[name].Frame(f, clock); err == nil && wire == "" {
				wire = name
			}
		}
	}
	return wire
}

// frames gives the good frames since it was last asked.
func (e *ears) frames() uint64 {
	n := e.good - e.told
	e.told = e.good
	return n
}

func (e *ears) sees(before []string) []string {
	for _, name := range wireNames() {
		known := false
		for _, b := range before {
			known = known || b == name
		}
		if e.right[name] && !known {
			before = append(before, name)
		}
	}
	return before
}

// progress keeps one line on a terminal.
func (p *program) progress(begin time.Time, long time.Duration, heard []speed, baud int) {
	if p.json || !isTerminal(p.stderr) {
		return
	}
	total := int64(0)
	for _, s := range heard {
		total += s.Bytes
	}
	at := ""
	if baud > 0 {
		at = fmt.Sprintf(p.lang.t(" at %d baud", "，%d 波特"), baud)
	}
	fmt.Fprintf(p.stderr, p.lang.t("\r\x1b[Klistening%s, %s of %s, %d bytes so far; make a small payment or print the last one again",
		"\r\x1b[K监听中%s，%s / %s，已收 %d 字节；请做一笔小额交易或重打上一笔"), at, spanText(p.now().Sub(begin)), spanText(long), total)
}

func (p *program) progressEnd() {
	if !p.json && isTerminal(p.stderr) {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
}

func (p *program) sayFit(f *fit) error {
	t := p.lang.t
	var err error
	switch {
	case p.json:
		err = p.printJSON(f)
	case f.Wire != "" && f.Baud > 0:
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q, baud = %d\n", f.Port, f.Wire, f.Baud)
	case f.Wire != "":
		_, err = fmt.Fprintf(p.stdout, "%s: wire = %q\n", f.Port, f.Wire)
	}
	if f.Wire != "" || err != nil {
		return err
	}
	if !p.json {
		total := int64(0)
		for _, s := range f.Heard {
			total += s.Bytes
			fmt.Fprintf(p.stdout, t("%d baud: %d bytes, %d good frames\n", "%d 波特：%d 字节，%d 个完整帧\n"), s.Baud, s.Bytes, s.Frames)
		}
		switch {
		case total == 0:
			fmt.Fprintln(p.stdout, t("nothing was heard: check the cable, and that the terminal sends to its cashier port", "没有收到数据：检查连接线，以及终端是否启用收银口输出"))
		case len(f.Sees) > 0:
			fmt.Fprintln(p.stdout, t("frames were right, but no message was understood: another dialect, which needs a profile", "帧正确但报文无法解析：方言不同，需要差异文件"))
		default:
			fmt.Fprintln(p.stdout, t("bytes came, but no frame: another speed or parity, or no terminal", "收到数据但没有完整帧：速率或校验位不符，或不是终端"))
		}
	}
	return errSaid(exitNotFound)
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/dryrun"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/protocol/explain"
)

func replayVerb() *verb {
	return &verb{name: "replay", machine: true, usage: "--wire W [--records | --explain] [--final] [--now T] [--profile F] FILE|-",
		en: "a raw capture in; records or verdicts out, as JSON Lines",
		zh: "输入原始抓包，输出记录或判定（JSON Lines）", run: (*program).replay}
}

// replayOptions are the flags.
type replayOptions struct {
	wire, profile, now string
	records, final     bool
	explain            bool
}

func (p *program) replay(ctx context.Context, args []string) error {
	v := replayVerb()
	var o replayOptions
	f := p.flags(v)
	f.StringVar(&o.wire, "wire", "", p.lang.T("the `wire` of the capture", "`协议`"))
	f.StringVar(&o.profile, "profile", "", p.lang.T("profile `file` of the acquirer", "收单机构差异`文件`"))
	f.StringVar(&o.now, "now", "", p.lang.T("`time` of reception, RFC 3339", "接收`时间`，RFC 3339"))
	f.BoolVar(&o.records, "records", false, p.lang.T("print the records, not verdicts", "输出记录而非判定"))
	f.BoolVar(&o.final, "final", false, p.lang.T("only the last verdict of each refund and void", "每笔退款和撤销只输出最后一次判定"))
	f.BoolVar(&o.explain, "explain", false, p.lang.T("print each message as its decoder saw it, identities masked", "按解码器所见输出每个报文，身份信息已脱敏"))
	rest, err := p.parse(v, f, args, 1, 1)
	if err != nil {
		return err
	}
	if o.records && o.final {
		return p.wrongUsage(v, "%s", p.lang.T("--final is about verdicts: it does not go with --records", "--final 针对判定，不能与 --records 同用"))
	}
	if o.explain && (o.records || o.final) {
		return p.wrongUsage(v, "%s", p.lang.T("--explain goes with neither --records nor --final", "--explain 不能与 --records 或 --final 同用"))
	}
	wire, clock, err := p.replayWire(v, &o)
	if err != nil {
		return err
	}
	in, err := p.openInput(rest[0])
	if err != nil {
		return err
	}
	defer in.Close()
	refused := 0
	r := replaying{program: p, in: in, wire: wire, clock: clock, final: o.final, refuse: func(err error) {
		refused++
		if !o.explain { // which prints it at its message
			p.complain("replay", catalogue.Translated(err.Error()))
		}
	}}
	var got ingest.Replayed
	switch {
	case o.explain:
		got, err = r.explain(ctx)
	case o.records:
		got, err = r.records(ctx)
	default:
		got, err = r.verdicts(ctx)
	}
	p.showLeftOut(got.LeftOut)
	if err == nil && got.Frames == 0 {
		fmt.Fprintf(p.stderr, p.lang.T(
			"yuanlu replay: no frame of wire %s in this capture: try %s; `yuanlu links probe PORT` listens to the port and says which wire and speed fit\n",
			"yuanlu replay: 此抓包中没有 %s 协议的帧：请试 %s；`yuanlu links probe PORT` 会监听端口并给出合适的协议和波特率\n"),
			o.wire, strings.Join(otherWires(o.wire), p.lang.T(" or ", " 或 ")))
		if len(got.LeftOut) > 0 { // bytes, and no frame among them: not a capture of this wire
			err = errPrinted(exitData)
		}
	}
	if err == nil && refused > 0 {
		err = errPrinted(exitData)
	}
	return err
}

// otherWires returns the flags for the wires but this one.
func otherWires(wire string) (flags []string) {
	for _, name := range ingest.Wires() {
		if name != wire {
			flags = append(flags, "--wire "+name)
		}
	}
	return flags
}

// replayWire makes the wire and the clock that the flags ask for.
func (p *program) replayWire(v *verb, o *replayOptions) (ingest.Wire, ingest.Clock, error) {
	clock := ingest.Clock{Now: p.now(), Synced: true, Zone: ingest.DefaultZone()}
	if o.wire == "" {
		return nil, clock, p.wrongUsage(v, "%s", p.lang.T("--wire is missing", "缺少 --wire"))
	}
	if o.now != "" {
		t, err := time.Parse(time.RFC3339, o.now)
		if err != nil {
			return nil, clock, p.wrongUsage(v, "%s", p.lang.T("--now wants a time such as 2026-08-23T12:00:00+08:00", "--now 需要形如 2026-08-23T12:00:00+08:00 的时间"))
		}
		clock.Now, clock.HasNow = t, true
	}
	profile, err := readProfile(o.wire, o.profile)
	if errors.Is(err, ingest.ErrWire) {
		return nil, clock, p.wrongUsage(v, "%v%s", err, didYouMean(o.wire, wireNames()))
	}
	if err != nil {
		return nil, clock, err
	}
	wire, err := ingest.NewWire(o.wire, profile, nil)
	return wire, clock, err
}

// showLeftOut prints on standard error what came to nothing, in the same words in every
// language.
func (p *program) showLeftOut(left []ingest.LeftOutCount) {
	for _, l := range left {
		fmt.Fprintf(p.stderr, "left out: %d %s\n", l.N, l.What)
	}
}

// replaying is one capture on its way through a wire.
type replaying struct {
	*program
	in     io.Reader
	wire   ingest.Wire
	clock  ingest.Clock
	final  bool
	refuse func(error) // called with each message that was refused
}

// records prints the records of the capture, as JSON Lines.
func (r *replaying) records(ctx context.Context) (ingest.Replayed, error) {
	keys, err := dryrun.NewKeys()
	if err != nil {
		return ingest.Replayed{}, err
	}
	out := bufio.NewWriterSize(r.stdout, 64<<10)
	var line []byte
	got, err := ingest.Replay(ctx, r.in, r.wire, r.clock, func(d ingest.Decoded) error {
		sealed := refund.Seal(d.Record, keys)
		line = append(sealed.AppendJSON(line[:0]), '\n')
		_, err := out.Write(line)
		return err
	}, r.refuse)
	return got, errors.Join(err, out.Flush())
}

// verdicts prints the verdicts on the records of the capture.
func (r *replaying) verdicts(ctx context.Context) (got ingest.Replayed, err error) {
	run, err := r.startDryRun(ctx, r.final)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, run.Close()) }()
	seq := int64(0)
	got, err = ingest.Replay(ctx, r.in, r.wire, r.clock, func(d ingest.Decoded) error {
		seq++
		return run.Add(ctx, seq, run.Seal(d.Record))
	}, r.refuse)
	if err != nil {
		return got, err
	}
	return got, run.Finish(ctx)
}

// explain prints every message of the capture as its decoder saw it, field by field, and
// what came of it; identities masked, records as --records prints them.
func (r *replaying) explain(ctx context.Context) (ingest.Replayed, error) {
	keys, err := dryrun.NewKeys()
	if err != nil {
		return ingest.Replayed{}, err
	}
	out := bufio.NewWriterSize(r.stdout, 64<<10)
	got, err := ingest.Explain(ctx, r.in, r.wire, r.clock, func(e ingest.Explained) error {
		// Lists that are empty, not null, where there is nothing.
		one := screen.Explained{Offset: e.Offset, Bytes: e.Bytes, Fields: append([]explain.Field{}, e.Fields...), Records: []json.RawMessage{},
			LeftOut: append([]ingest.LeftOut{}, e.LeftOut...), Ignored: e.Ignored}
		for _, d := range e.Records {
			sealed := refund.Seal(d.Record, keys)
			one.Records = append(one.Records, sealed.AppendJSON(nil))
		}
		if e.Err != nil {
			one.Refused = e.Err.Error()
			r.refuse(e.Err)
		}
		if r.json {
			return json.NewEncoder(out).Encode(one)
		}
		return (&screen.Screen{W: out, Lang: r.lang}).Explained(&one)
	})
	return got, errors.Join(err, out.Flush())
}

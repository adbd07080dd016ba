package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"yuanlu/agent/config"
	"yuanlu/agent/ingest"
	"yuanlu/agent/refund"
)

func replayVerb() *verb {
	return &verb{name: "replay", usage: "--wire W [--records] [--final] [--now T] [--profile F] FILE|-",
		en: "a raw capture in; records or verdicts out, as JSON Lines",
		zh: "输入原始抓包，输出记录或判定（JSON Lines）", run: (*program).replay}
}

// replayOptions are what the flags say.
type replayOptions struct {
	wire, profile, now string
	records, final     bool
	file               string
}

func (p *program) replay(ctx context.Context, args []string) error {
	v := replayVerb()
	var o replayOptions
	f := p.flags(v)
	f.StringVar(&o.wire, "wire", "", p.lang.t("the `wire` of the capture", "`协议`"))
	f.StringVar(&o.profile, "profile", "", p.lang.t("profile `file` of the acquirer", "收单机构差异`文件`"))
	f.StringVar(&o.now, "now", "", p.lang.t("`time` of reception, RFC 3339", "接收`时间`，RFC 3339"))
	f.BoolVar(&o.records, "records", false, p.lang.t("print the records, not verdicts", "输出记录而非判定"))
	f.BoolVar(&o.final, "final", false, p.lang.t("only the last verdict of each refund and void", "每笔退款和撤销只输出最后一次判定"))
	rest, err := p.parse(v, f, args, 1, 1)
	if err != nil {
		return err
	}
	o.file = rest[0]
	wire, clock, err := p.replayWire(v, &o)
	if err != nil {
		return err
	}
	in, err := p.openInput(o.file)
	if err != nil {
		return err
	}
	defer in.Close()
	refused := 0
	refuse := func(err error) {
		refused++
		fmt.Fprintf(p.stderr, "yuanlu replay: %v\n", err)
	}
	if o.records {
		err = p.replayRecords(ctx, in, wire, clock, refuse)
	} else {
		err = p.replayVerdicts(ctx, in, wire, clock, o.final, refuse)
	}
	if err == nil && refused > 0 {
		err = errSaid(exitData)
	}
	return err
}

// replayWire makes the wire and the clock that the flags ask for.
func (p *program) replayWire(v *verb, o *replayOptions) (ingest.Wire, ingest.Clock, error) {
	clock := ingest.Clock{Now: p.now(), Synced: true, Zone: ingest.DefaultZone()}
	if o.wire == "" {
		return nil, clock, p.wrongUsage(v, "%s", p.lang.t("--wire is missing", "缺少 --wire"))
	}
	if o.now != "" {
		t, err := time.Parse(time.RFC3339, o.now)
		if err != nil {
			return nil, clock, p.wrongUsage(v, "%s", p.lang.t("--now wants a time such as 2026-08-23T12:00:00+08:00", "--now 需要形如 2026-08-23T12:00:00+08:00 的时间"))
		}
		clock.Now, clock.HasNow = t, true
	}
	profile, err := readProfile(o.wire, o.profile)
	if errors.Is(err, ingest.ErrWire) {
		hint := ""
		if near := config.Nearest(o.wire, wireNames()); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		return nil, clock, p.wrongUsage(v, "%v%s", err, hint)
	}
	if err != nil {
		return nil, clock, err
	}
	wire, err := ingest.NewWire(o.wire, profile, nil)
	return wire, clock, err
}

func (p *program) replayRecords(ctx context.Context, in io.Reader, wire ingest.Wire, clock ingest.Clock, refuse func(error)) error {
	keys, err := newPassingKeys()
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(p.stdout, 64<<10)
	var line []byte
	_, err = ingest.Replay(ctx, in, wire, clock, func(d ingest.Decoded) error {
		sealed := refund.Seal(d.Record, keys)
		line = append(sealed.AppendJSON(line[:0]), '\n')
		_, err := out.Write(line)
		return err
	}, refuse)
	return errors.Join(err, out.Flush())
}

func (p *program) replayVerdicts(ctx context.Context, in io.Reader, wire ingest.Wire, clock ingest.Clock, final bool, refuse func(error)) (err error) {
	t, err := newTrial(ctx, p, final)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	seq := int64(0)
	_, err = ingest.Replay(ctx, in, wire, clock, func(d ingest.Decoded) error {
		seq++
		return t.add(ctx, seq, t.seal(d.Record))
	}, refuse)
	if err != nil {
		return err
	}
	return t.finish(ctx)
}

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/printable"
)

// atStore is what the verbs that work on the store itself have in common. The desk
// may run meanwhile or not.
type atStore struct {
	place, who, why string
	db              *store.Store
}

func (p *program) storeFlags(f *flag.FlagSet, change bool) *atStore {
	s := &atStore{}
	f.StringVar(&s.place, "store", "", p.t("the desk's store: SQLite `file` or postgres://…; empty: YUANLU_DESK_STORE, else yuanlu-desk.db", "存储"))
	if change {
		f.StringVar(&s.why, "why", "", p.t("the reason, which is kept", "原因"))
		f.StringVar(&s.who, "who", p.user(), p.t("who does it, which is kept", "操作人"))
	}
	return s
}

// user is who runs us, as far as the environment shows.
func (p *program) user() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if v := p.env(name); v != "" {
			return v
		}
	}
	return ""
}

// with opens the store, which must be there, and does something with it.
func (s *atStore) with(ctx context.Context, p *program, do func() error) (err error) {
	place := p.storePlace(s.place)
	if err := store.Exists(place); err != nil {
		return err
	}
	open, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	if s.db, err = store.Open(open, place); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	return do()
}

func (s *atStore) hand(now time.Time) store.Hand {
	return store.Hand{Who: s.who, Why: s.why, At: now}
}

// named reports whether somebody does it.
func (s *atStore) named() error {
	if s.who == "" {
		return fmt.Errorf("%w: --who NAME is needed: the environment has no USER", errUsage)
	}
	return nil
}

// act takes the action behind a verb off the arguments.
func act(args []string, among ...string) (string, []string, error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return among[0], args, nil
	}
	for _, a := range among {
		if args[0] == a {
			return a, args[1:], nil
		}
	}
	return "", nil, fmt.Errorf("%w: want %s", errUsage, strings.Join(among, ", "))
}

// gaps lists what is missing, and closes a gap that will stay.
func (p *program) gaps(ctx context.Context, v *verb, args []string) error {
	what, args, err := act(args, "list", "close")
	if err != nil {
		return err
	}
	f := p.flags(v)
	s := p.storeFlags(f, what == "close")
	if what == "list" {
		terminal := f.String("terminal", "", p.t("only of this terminal", "终端"))
		if _, err := p.parse(v, f, args, 0); err != nil {
			return err
		}
		return s.with(ctx, p, func() error { return p.listGaps(ctx, s.db, *terminal) })
	}
	force := f.Bool("force", false, p.t("although what is missing may still come", "强制"))
	rest, err := p.parse(v, f, args, 3)
	if err != nil {
		return err
	}
	if len(rest) != 3 || s.why == "" {
		return fmt.Errorf("%w: gaps close TERMINAL STREAM LAST --why TEXT", errUsage)
	}
	if err := s.named(); err != nil {
		return err
	}
	last, err := strconv.ParseInt(rest[2], 10, 64)
	if err != nil || last < 1 {
		return fmt.Errorf("%w: %q is no sequence", errUsage, rest[2])
	}
	return s.with(ctx, p, func() error {
		closed, err := s.db.CloseGap(ctx, rest[0], rest[1], last, *force, s.hand(p.now()))
		if err != nil {
			return err
		}
		if p.json {
			return p.printJSON(map[string]any{"closed": closed})
		}
		_, err = fmt.Fprintf(p.stdout, p.t("closed: what was missing from %d to %d is waited for no more; a running desk tells the terminal within seconds\n",
			"已关闭：不再等待 %d 至 %d 中缺失的事件；运行中的后台会在数秒内告知终端\n"), closed.First, closed.Last)
		return err
	})
}

// listGaps prints every stream that lacks something.
func (p *program) listGaps(ctx context.Context, db *store.Store, terminal string) error {
	f := store.StreamFilter{Terminal: terminal, Incomplete: true, Limit: store.MaxLimit}
	for none := true; ; none = false {
		list, err := db.Streams(ctx, f)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if none && !p.json {
				_, err = fmt.Fprintln(p.stdout, p.t("nothing is missing", "没有缺失"))
			}
			return err
		}
		for i := range list {
			if err := p.printStream(&list[i]); err != nil {
				return err
			}
		}
		last := &list[len(list)-1]
		f.After = store.StreamPlace{Terminal: last.Terminal, Stream: last.Stream}
	}
}

func (p *program) printStream(s *store.StreamRow) error {
	if p.json {
		return p.printJSON(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, p.t("%s  stream %s  complete to %d, newest %d\n", "%s  流 %s  完整至 %d，最新 %d\n"), s.Terminal, printable.Text(s.Stream), s.Settled, s.Highest)
	for _, g := range s.Gaps {
		since := ""
		if s.Since != nil {
			since = s.Since.Local().Format("2006-01-02 15:04:05")
		}
		next := g.First
		missing := func(last int64) {
			if next <= last {
				fmt.Fprintf(&b, p.t("    missing %d to %d, since %s\n", "    缺失 %d 至 %d，自 %s\n"), next, last, since)
			}
		}
		for _, seq := range s.PutAside {
			if seq < next || seq > g.Last {
				continue
			}
			missing(seq - 1)
			fmt.Fprintf(&b, p.t("    %d is put aside on the terminal, since %s: yuanlu outbox requeue %[1]d there, or gaps close\n",
				"    %d 已在终端上搁置，自 %s：在终端执行 yuanlu outbox requeue %[1]d，或执行 gaps close\n"), seq, since)
			next = seq + 1
		}
		missing(g.Last)
	}
	if s.Reused > 0 {
		fmt.Fprintf(&b, p.t("    sequences that two events had: %d; the terminal's store was put back from an old copy (quarantine list tells which)\n",
			"    有 %d 个序号被两个事件使用；终端的存储是从旧副本恢复的（详见 quarantine list）\n"), s.Reused)
	}
	for _, h := range s.Holes {
		fmt.Fprintf(&b, p.t("    not waited for: %d to %d, %s\n", "    不再等待：%d 至 %d，%s\n"), h.First, h.Last, printable.Text(h.Why))
	}
	if s.More {
		b.WriteString(p.t("    and more\n", "    以及更多\n"))
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}

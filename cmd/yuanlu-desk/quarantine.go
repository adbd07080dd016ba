package main

import (
	"context"
	"fmt"
	"strconv"

	"yuanlu/cmd/yuanlu-desk/consumer"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/printable"
)

// quarantine shows what did not fit, and lets a person release or discard it.
func (p *program) quarantine(ctx context.Context, v *verb, args []string) error {
	what, args, err := act(args, "list", "show", "release", "discard")
	if err != nil {
		return err
	}
	f := p.flags(v)
	s := p.storeFlags(f, what == "release" || what == "discard")
	root := f.String("root", "yuanlu", p.t("first levels of every topic", "主题根"))
	terminal := f.String("terminal", "", p.t("only of this terminal", "终端"))
	most := 1
	if what == "list" {
		most = 0
	}
	rest, err := p.parse(v, f, args, most)
	if err != nil {
		return err
	}
	if what == "list" {
		return s.with(ctx, p, func() error { return p.listRefused(ctx, s.db, *terminal) })
	}
	n := int64(0)
	if len(rest) == 1 {
		n, err = strconv.ParseInt(rest[0], 10, 64)
	}
	if err != nil || n < 1 || what != "show" && s.why == "" {
		return fmt.Errorf("%w: quarantine %s N%s", errUsage, what, map[bool]string{true: " --why TEXT"}[what != "show"])
	}
	if what != "show" {
		if err := s.named(); err != nil {
			return err
		}
	}
	return s.with(ctx, p, func() error {
		switch what {
		case "release":
			decode, err := consumer.NewDecoder(*root)
			if err != nil {
				return err
			}
			if err := consumer.Release(ctx, s.db, decode, n, s.hand(p.now())); err != nil {
				return err
			}
			return p.done("released", "已放行", n)
		case "discard":
			if err := s.db.Discard(ctx, n, s.hand(p.now())); err != nil {
				return err
			}
			return p.done("discarded", "已丢弃", n)
		}
		return p.showRefused(ctx, s.db, n)
	})
}

func (p *program) done(en, zh string, n int64) error {
	if p.json {
		return p.printJSON(map[string]any{en: n})
	}
	_, err := fmt.Fprintln(p.stdout, p.t(en, zh), n)
	return err
}

func (p *program) listRefused(ctx context.Context, db *store.Store, terminal string) error {
	f := store.RefusedFilter{Terminal: terminal, Limit: store.MaxLimit}
	for none := true; ; none = false {
		list, err := db.Quarantine(ctx, f)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			if none && !p.json {
				_, err = fmt.Fprintln(p.stdout, p.t("nothing is in quarantine", "隔离区为空"))
			}
			return err
		}
		for i := range list {
			if err := p.printRefused(&list[i]); err != nil {
				return err
			}
		}
		f.Before = list[len(list)-1].N
	}
}

func (p *program) printRefused(r *store.Refused) error {
	if p.json {
		return p.printJSON(r)
	}
	_, err := fmt.Fprintf(p.stdout, p.t("%-6d %s  %s  %s  sequence %d  %s: %s  (%d bytes, %d times)\n", "%-6d %s  %s  %s  序号 %d  %s：%s（%d 字节，%d 次）\n"),
		r.N, r.Last.Local().Format("2006-01-02 15:04:05"), r.Terminal, printable.Text(r.Topic), r.Seq, r.Code, printable.Text(r.Message), r.Size, r.Times)
	return err
}

func (p *program) showRefused(ctx context.Context, db *store.Store, n int64) error {
	kept, err := db.Kept(ctx, n)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(kept)
	}
	if err := p.printRefused(&kept.Refused); err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, printable.Text(string(kept.Payload)))
	return err
}

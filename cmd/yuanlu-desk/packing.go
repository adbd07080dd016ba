package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"yuanlu/agent/newfile"
	"yuanlu/cmd/yuanlu-desk/casework"
	"yuanlu/cmd/yuanlu-desk/store"
	"yuanlu/protocol/evidence/seal"
)

// exporting are the flags of the verb evidence that need a store.
type exporting struct {
	at                               *atStore
	sealing                          sealing
	profile, reader, out, again, who string
	stamper                          string // file
	wait                             time.Duration
}

func (p *program) exportFlags(f *flag.FlagSet) *exporting {
	x := &exporting{at: p.storeFlags(f, false)}
	x.sealing.flags(func(to *string, name, def, en, zh string) { f.StringVar(to, name, def, p.t(en, zh)) })
	f.StringVar(&x.profile, "for", "", p.t("whom the pack is for: bank, platform, 12315, court or store", "用途：bank、platform、12315、court 或 store"))
	f.StringVar(&x.reader, "reader", "", p.t("who gets it, in words", "接收方`名称`"))
	f.StringVar(&x.out, "out", "", p.t("`file` of the pack; else its number with .asice", "证据包`文件`；默认以编号命名"))
	f.StringVar(&x.again, "again", "", p.t("the very pack of this number once more", "按`编号`重新取出同一证据包"))
	f.StringVar(&x.stamper, "stamper-cert", "", p.t("keys: certificate `file` (PEM) of the time stamping authority or its root, as the authority gives it", "keys：时间戳服务或其根证书`文件`（PEM），向该服务取得"))
	f.StringVar(&x.who, "who", p.user(), p.t("who has compared the key, or ends an alarm", "比对人或解除告警的人"))
	f.DurationVar(&x.wait, "wait", 20*time.Second, p.t("how long the terminals are waited for, which the running desk asks; 0: not at all", "等待终端应答的时间（由运行中的后台询问）；0 不等待"))
	return x
}

// run does what the verb orders.
func (x *exporting) run(ctx context.Context, p *program, v *verb, rest []string) error {
	if !slices.Contains([]string{"export", "keys", "trust", "restart", "alarms", "end"}, rest[0]) {
		return fmt.Errorf("%w: no %q; yuanlu-desk %s %s", errUsage, rest[0], v.name, v.usage)
	}
	if err := x.sealing.read(); err != nil {
		return err
	}
	return x.at.with(ctx, p, func() error {
		switch {
		case rest[0] == "export" && x.again != "" && len(rest) == 1:
			e, err := x.at.db.Again(ctx, x.again)
			if err != nil {
				return err
			}
			return x.write(p, &e)
		case rest[0] == "export" && len(rest) == 2:
			return x.export(ctx, p, rest[1])
		case rest[0] == "keys" && len(rest) == 1:
			return x.keys(ctx, p)
		case rest[0] == "trust" && len(rest) == 2:
			if x.who == "" {
				return fmt.Errorf("%w: trust needs --who: the person who has compared the key", errUsage)
			}
			return x.at.db.TrustLog(ctx, rest[1], x.who)
		case rest[0] == "restart" && len(rest) == 1:
			return x.restart(ctx, p)
		case rest[0] == "alarms" && len(rest) == 1:
			return x.alarms(ctx, p)
		case rest[0] == "end" && len(rest) == 2:
			return x.end(ctx, p, rest[1])
		}
		return fmt.Errorf("%w: yuanlu-desk %s %s", errUsage, v.name, v.usage)
	})
}

// errNoCosigner: the verb needs the desk's key.
var errNoCosigner = fmt.Errorf("%w: --cosign-key is needed: the file that the desk is served with", errUsage)

// export makes a pack of a case and writes it.
func (x *exporting) export(ctx context.Context, p *program, no string) error {
	if !slices.Contains(store.Profiles(), x.profile) {
		return fmt.Errorf("%w: export needs --for bank, platform, 12315, court or store", errUsage)
	}
	if !casework.OneLine(x.reader, store.MostReader) {
		return fmt.Errorf("%w: --reader wants one line of at most %d characters", errUsage, store.MostReader)
	}
	if x.sealing.cosigner == nil {
		return errNoCosigner
	}
	db := x.at.db
	if err := db.UseCosigner(ctx, x.sealing.cosigner); err != nil {
		return err
	}
	e, err := x.sealing.makePack(ctx, db, p.now, x.wait, &store.Exporting{Case: no, Profile: x.profile, Reader: x.reader})
	if err != nil {
		return err
	}
	if e.Refused.Refused != "" {
		return fmt.Errorf("%w: case %s: %s", store.ErrNotFound, no, e.Refused.Refused)
	}
	if e.NoStamp != nil {
		fmt.Fprintf(p.stderr, p.t("yuanlu-desk evidence: not stamped, export again when --tsa answers: %v\n", "yuanlu-desk evidence：未加盖时间戳，待 --tsa 恢复后可重新导出：%v\n"), e.NoStamp)
	}
	return x.write(p, &e)
}

// makePack makes a pack with the desk's keys, and with what the terminals answer within wait.
func (s *sealing) makePack(ctx context.Context, db *store.Store, now func() time.Time, wait time.Duration, x *store.Exporting) (e store.Exported, err error) {
	if x.Answers, err = askTerminals(ctx, db, now, wait, x.Case); err != nil {
		return e, err
	}
	x.Program, x.Signer, x.Stamper = "yuanlu-desk "+version, s.signer, s.stamper(ctx)
	return db.Export(ctx, now(), *x)
}

// askTerminals has the running desk ask the terminals of a case for its leaves, and waits for the answers.
func askTerminals(ctx context.Context, db *store.Store, now func() time.Time, wait time.Duration, no string) (answers map[string]string, err error) {
	mark := "export/" + rand.Text()
	if err := db.AskFor(ctx, now(), no, mark); err != nil {
		return nil, err
	}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(wait); time.Now().Before(end); {
		waiting, _, err := db.Asked(ctx, mark, false)
		if err != nil {
			return nil, err
		}
		if waiting == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-look.C:
		}
	}
	_, answers, err = db.Asked(ctx, mark, true)
	return answers, err
}

// write writes a pack to a new file and prints what it is.
func (x *exporting) write(p *program, e *store.Exported) error {
	name := x.out
	if name == "" {
		name = e.Pack + ".asice"
	}
	if err := keep(name, e.File); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			*store.Exported
			Name    string            `json:"file"`
			Signed  bool              `json:"signed"`
			Stamped bool              `json:"stamped"`
			Lacks   map[string]string `json:"lacks"` // by terminal
		}{e, name, e.Signed, e.Stamped, lacking(e)})
	}
	say := func(is bool, yes, no string) string {
		if is {
			return yes
		}
		return no
	}
	if _, err := fmt.Fprintf(p.stdout, p.t("%s: pack %s of case %s, %d bytes, SHA-256 %s; %s, %s\n", "%s：证据包 %s，案件 %s，%d 字节，SHA-256 %s；%s，%s\n"), name, e.Pack, e.Case, len(e.File), e.SHA256,
		say(e.Signed, p.t("signed", "已签名"), p.t("not signed", "未签名")), say(e.Stamped, p.t("stamped", "已加盖时间戳"), p.t("not stamped", "未加盖时间戳"))); err != nil {
		return err
	}
	lacks := lacking(e)
	for _, terminal := range slices.Sorted(maps.Keys(lacks)) {
		if _, err := fmt.Fprintf(p.stdout, p.t("leaves of terminal %s may be missing: %s\n", "终端 %s 的日志条目可能不全：%s\n"), terminal, lacks[terminal]); err != nil {
			return err
		}
	}
	return nil
}

// lacking is what a pack lacks, by terminal.
func lacking(e *store.Exported) map[string]string {
	list := map[string]string{}
	for _, l := range e.Lacks {
		list[l.Terminal] = l.Why
	}
	return list
}

// keep writes a file that only its owner reads, whole or not at all.
func keep(name string, data []byte) (err error) {
	f, err := newfile.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Discard()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Keep(); err != nil {
		return err
	}
	return newfile.SyncDir(filepath.Dir(name))
}

// keys prints the trust file (evidence.md § 6).
func (x *exporting) keys(ctx context.Context, p *program) error {
	var signers []string
	if s := x.sealing.signer; s != nil {
		sum := sha256.Sum256(s.Chain[0].Raw)
		signers = append(signers, hex.EncodeToString(sum[:]))
	}
	stampers, err := certHashes(x.stamper)
	if err != nil {
		return err
	}
	t, err := x.at.db.Trusted(ctx, signers, stampers)
	if err != nil {
		return err
	}
	text, err := t.JSON()
	if err != nil {
		return err
	}
	_, err = io.WriteString(p.stdout, string(text)+"\n")
	return err
}

// certHashes returns the hashes of the certificates in a file; none for no file.
func certHashes(file string) (hashes []string, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	certs, err := seal.ParseChain(text)
	if err != nil {
		return nil, fmt.Errorf("%w: --stamper-cert: %w", errConfig, err)
	}
	for _, c := range certs {
		sum := sha256.Sum256(c.Raw)
		hashes = append(hashes, hex.EncodeToString(sum[:]))
	}
	return hashes, nil
}

// restart begins a new log of the desk (evidence.md § 4).
func (x *exporting) restart(ctx context.Context, p *program) error {
	if x.sealing.cosigner == nil {
		return errNoCosigner
	}
	origin, err := x.at.db.RestartLog(ctx, p.now(), x.sealing.cosigner)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]string{"origin": origin})
	}
	_, err = fmt.Fprintf(p.stdout, p.t("the desk's log begins again as %s, with all events and notes so far\n", "后台日志已重新开始：%s，含此前全部事件与注记\n"), origin)
	return err
}

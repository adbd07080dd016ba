package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/command"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/newfile"
	"yuanlu/agent/proofs"
)

func evidenceVerb() *verb {
	return &verb{name: "evidence", usage: "key | check | export CASE_ID [--out FILE] | match SEQ --payer|--recipient | restart",
		en: "the log that proves what this terminal recorded: its key, a check, a case's proofs", zh: "证明本终端所记内容的证据日志：公钥、检查、导出案件证明", run: (*program).evidence}
}

// evidence shows, checks and exports the evidence log. Source: evidence.md § 3.
func (p *program) evidence(ctx context.Context, args []string) error {
	v := evidenceVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	out := f.String("out", "", p.lang.T("`file` of export; else evidence-CASE_ID.zip", "导出`文件`；默认以案件号命名"))
	payer := f.Bool("payer", false, p.lang.T("compare with who paid", "与付款方比对"))
	recipient := f.Bool("recipient", false, p.lang.T("compare with who gets the money", "与收款方比对"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	inForce, _, err := p.configInForce(*path)
	if err != nil {
		return err
	}
	c := inForce.Config
	switch {
	case rest[0] == "key" && len(rest) == 1:
		return p.logOf(ctx, v, c, p.evidenceKey)
	case rest[0] == "check" && len(rest) == 1:
		return p.logOf(ctx, v, c, p.evidenceCheck)
	case rest[0] == "export" && len(rest) == 2:
		return p.logOf(ctx, v, c, func(ctx context.Context, db *ledger.DB) error { return p.evidenceExport(ctx, v, db, rest[1], *out) })
	case rest[0] == "restart" && len(rest) == 1:
		return p.order(ctx, c, v, exitStore, "evidence-restart", nil, func(raw json.RawMessage) error {
			return p.shown(raw, p.lang.T("a new evidence log has begun; the back office reports log_restarted\n", "已开始新的证据日志；后台会报告 log_restarted\n"))
		})
	case rest[0] == "match" && len(rest) == 2:
		if *payer == *recipient {
			return p.wrongUsage(v, "%s", p.lang.T("match needs --payer or --recipient", "比对须给出 --payer 或 --recipient"))
		}
		return p.evidenceMatch(ctx, v, c, rest[1], *payer)
	}
	return p.wrongWord(v, rest[0], "key", "check", "export", "match", "restart")
}

// logOf opens the store for reading, beside the daemon or without it.
func (p *program) logOf(ctx context.Context, v *verb, c *config.Config, do func(context.Context, *ledger.DB) error) (err error) {
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = do(ctx, db)
	switch {
	case errors.Is(err, ledger.ErrNoLog):
		return p.notFound(v, catalogue.Both("this store has no evidence log yet: it begins when the daemon has opened it", "此存储尚无证据日志：守护进程打开后开始"))
	case errors.Is(err, ledger.ErrNotCosigned):
		return p.notFound(v, catalogue.Both("no checkpoint of the evidence log is co-signed yet: the back office must run with its co-signing key", "证据日志尚无联署检查点：后台须使用联署密钥运行"))
	case errors.Is(err, ledger.ErrNotFound):
		return p.notFound(v, catalogue.Both("no such case in this store", "此存储中没有该案件"))
	}
	return err
}

// shown prints raw with --json, else the text.
func (p *program) shown(raw json.RawMessage, text string) error {
	if p.json {
		return p.printJSON(raw)
	}
	_, err := io.WriteString(p.stdout, text)
	return err
}

// evidenceKey prints the key of the log, to be noted when a terminal is set up: who has it from here believes no
// other.
func (p *program) evidenceKey(ctx context.Context, db *ledger.DB) error {
	s, err := db.LogState(ctx)
	if err != nil {
		return err
	}
	vkey := s.Key.String()
	sum := sha256.Sum256(s.Key.Public)
	fingerprint := hex.EncodeToString(sum[:])
	if p.json {
		return p.printJSON(map[string]any{"origin": s.Origin, "vkey": vkey, "fingerprint": fingerprint, "size": s.Size, "cosigned": s.Cosigned})
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.T("%s\nfingerprint %s\n%d leaves, %d of them under a co-signed checkpoint\n", "%s\n指纹 %s\n叶 %d 个，其中 %d 个已联署\n"), vkey, fingerprint, s.Size, s.Cosigned)
	return err
}

// evidenceCheck checks the whole log.
func (p *program) evidenceCheck(ctx context.Context, db *ledger.DB) error {
	k, err := db.CheckLog(ctx)
	if err != nil {
		return err
	}
	if p.json {
		err = p.printJSON(map[string]any{"origin": k.Origin, "size": k.Size, "bytes": k.Bytes, "cosigned": k.Cosigned, "wrong": append([]string{}, k.Wrong...), "wrongs": k.Wrongs})
	} else {
		_, err = fmt.Fprintf(p.stdout, p.lang.T("%s: %d leaves, %d with their bytes, %d co-signed: %s\n", "%s：叶 %d 个，%d 个有内容，%d 个已联署：%s\n"), k.Origin, k.Size, k.Bytes, k.Cosigned,
			map[bool]string{true: p.lang.T("all holds", "全部一致"), false: fmt.Sprintf(p.lang.T("%d things do not hold", "%d 处不符"), k.Wrongs)}[k.Wrongs == 0])
		for _, one := range k.Wrong {
			_, e := fmt.Fprintf(p.stdout, "  %s\n", one)
			err = errors.Join(err, e)
		}
	}
	if err == nil && k.Wrongs > 0 {
		return errPrinted(exitData)
	}
	return err
}

// evidenceExport writes the proofs of a case to a new file.
func (p *program) evidenceExport(ctx context.Context, v *verb, db *ledger.DB, caseID, name string) error {
	if name == "" {
		name = "evidence-" + caseID + ".zip"
	}
	var zip bytes.Buffer
	w, err := proofs.Write(ctx, db, caseID, &zip)
	if err != nil {
		return err
	}
	out, err := newfile.Create(name)
	if errors.Is(err, fs.ErrExist) {
		return p.wrongUsage(v, p.lang.T("%s is there already", "%s 已存在"), name)
	}
	if err != nil {
		return err
	}
	if _, err = out.Write(zip.Bytes()); err == nil {
		err = out.Keep()
	}
	if err := errors.Join(err, out.Discard()); err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			proofs.Written
			File string `json:"file"`
		}{w, name})
	}
	_, err = fmt.Fprintf(p.stdout, p.lang.T("%d leaves under the checkpoint of size %d written to %s\n", "已写出 %d 个叶（检查点大小 %d）到 %s\n"), w.Leaves, w.Size, name)
	if err == nil && w.Removed > 0 {
		_, err = fmt.Fprintf(p.stdout, p.lang.T("%d more leaves of this case are missing: retention has removed their bytes\n", "另缺该案件 %d 个叶：其内容已按保留期限删除\n"), w.Removed)
	}
	return err
}

// evidenceMatch asks for a number without echo and has the daemon compare it.
func (p *program) evidenceMatch(ctx context.Context, v *verb, c *config.Config, text string, payer bool) error {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 {
		return p.wrongUsage(v, p.lang.T("SEQ is the number of a record, not %q", "SEQ 应为记录号，而不是 %q"), text)
	}
	number, err := p.secretLine(bufio.NewReader(io.LimitReader(p.stdin, 1<<10)), "number: ", "号码：")
	if err != nil {
		return err
	}
	clear, err := json.Marshal(strings.ReplaceAll(number.Reveal(), " ", ""))
	if err != nil {
		return err
	}
	return p.order(ctx, c, v, exitStore, "evidence-match", command.MatchArgs{Seq: seq, Payer: payer, Number: clear}, control.Each(func(m command.Matched) error {
		if p.json {
			return p.printJSON(m)
		}
		answer := p.lang.T("different: it is another number\n", "不同：不是同一号码\n")
		if m.Result == "same" {
			answer = p.lang.T("the same number\n", "相同\n")
		}
		_, err := io.WriteString(p.stdout, answer)
		return err
	}))
}

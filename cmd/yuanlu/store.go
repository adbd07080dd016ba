package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
	"yuanlu/agent/transfer"
	"yuanlu/cmd/yuanlu/screen"
)

const passphraseEnv = "YUANLU_PASSPHRASE"

func storeVerb() *verb {
	return &verb{name: "store", usage: "export | import FILE [--passphrase-file F] | dump [TABLE] | version",
		en: "records, verdicts, cases and keys for a replacement terminal, encrypted", zh: "导出或导入记录、判定、案件和密钥（加密），用于更换终端", run: (*program).store}
}

func (p *program) store(ctx context.Context, args []string) error {
	v := storeVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	secret := f.String("passphrase-file", "", p.lang.T("`file` whose first line is the passphrase; else "+passphraseEnv+", else it is asked for", "首行为口令的`文件`；否则用环境变量 "+passphraseEnv+"，再否则询问"))
	rest, err := p.parse(v, f, args, 1, 2)
	if err != nil {
		return err
	}
	if rest[0] == "version" && len(rest) == 1 {
		return p.storeVersion(ctx, *path)
	}
	if rest[0] == "dump" {
		return p.storeDump(ctx, v, *path, rest[1:])
	}
	if len(rest) == 1 {
		return p.wrongUsage(v, "%s", p.lang.T("want export or import, and a file", "需要 export 或 import 加文件名"))
	}
	if rest[0] != "export" && rest[0] != "import" {
		return p.wrongUsage(v, "%s", p.lang.T("want export or import, and a file", "需要 export 或 import 加文件名"))
	}
	c, err := p.readConfig(*path)
	if err != nil {
		return err
	}
	pass, err := p.passphrase(v, *secret, rest[0] == "export")
	if err != nil {
		return err
	}
	if rest[0] == "export" {
		return p.storeExport(ctx, c, rest[1], pass)
	}
	return p.storeImport(ctx, c, rest[1], pass)
}

// storeVersion prints the version of the store's schema, also of one that is newer than this
// program: what a package asks before it puts an older program in the place of this one.
func (p *program) storeVersion(ctx context.Context, path string) error {
	dir := "/var/lib/yuanlu"
	if c, err := p.readConfig(path); err == nil {
		dir = c.Store.Dir
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	version, err := ledger.VersionOf(ctx, dir)
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(map[string]any{"store": version, "program": ledger.SchemaVersion()})
	}
	_, err = fmt.Fprintln(p.stdout, version)
	return err
}

// storeDump prints rows of the store as they lie in the file, as JSON Lines: their texts are
// packed there, and sqlite3 alone does not show them.
func (p *program) storeDump(ctx context.Context, v *verb, path string, tables []string) (err error) {
	if known := ledger.DumpTables(); len(tables) == 0 {
		tables = known
	} else if !slices.Contains(known, tables[0]) {
		return p.wrongUsage(v, p.lang.T("no table %q, want one of %s", "没有表 %q，可选 %s"), tables[0], strings.Join(known, ", "))
	}
	c, err := p.readConfig(path)
	if err != nil {
		return err
	}
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, table := range tables {
		for row, err := range db.Dump(ctx, table) {
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(p.stdout, "%s\n", row); err != nil {
				return err
			}
		}
	}
	return nil
}

// storeExport writes the store to a new file, whole or not at all.
func (p *program) storeExport(ctx context.Context, c *config.Config, name, pass string) error {
	progress, done := p.rowsProgress()
	rows, err := transfer.Export(ctx, c.Store.Dir, name, pass, progress)
	done()
	if errors.Is(err, transfer.ErrThere) {
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu store: %s is there already\n", "yuanlu store：%s 已存在\n"), name)
		return errPrinted(exitUsage)
	}
	if err != nil {
		return err
	}
	return p.storeDone("exported", p.lang.T("%d rows written to %s\n", "已写出 %d 行到 %s\n"), rows, name)
}

// storeImport builds the store of this terminal from a file.
func (p *program) storeImport(ctx context.Context, c *config.Config, name, pass string) error {
	in, err := p.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	progress, done := p.rowsProgress()
	rows, err := transfer.Import(ctx, ledger.Options{Dir: c.Store.Dir, Mount: c.Store.Mount, Now: p.now}, in, pass, progress)
	done()
	switch {
	case errors.Is(err, transfer.ErrPassphrase):
		fmt.Fprintln(p.stderr, p.lang.T("yuanlu store: wrong passphrase, or not an export of a store", "yuanlu store：口令错误，或不是导出文件"))
		return errPrinted(exitData)
	case errors.Is(err, ledger.ErrNotEmpty):
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu store: the store in %s holds records; nothing was changed\n", "yuanlu store：%s 中已有记录，未作任何改动\n"), c.Store.Dir)
		return errPrinted(exitStore)
	case err != nil:
		return err
	}
	return p.storeDone("imported", p.lang.T("%d rows taken into %s\n", "已导入 %d 行到 %s\n"), rows, c.Store.Dir)
}

func (p *program) storeDone(what, text string, rows int64, name string) error {
	if p.json {
		return p.printJSON(map[string]any{"result": what, "rows": rows, "file": name})
	}
	_, err := fmt.Fprintf(p.stdout, text, rows, name)
	return err
}

// rowsProgress returns what shows on a terminal, at most once a second, how far it is, and
// what ends the line.
func (p *program) rowsProgress() (show transfer.Progress, end func()) {
	shown := false
	next := time.Time{}
	return func(done, all int64) {
			if now := p.now(); screen.IsTerminal(p.stderr) && (now.After(next) || done == all) {
				next, shown = now.Add(time.Second), true
				fmt.Fprintf(p.stderr, "\r%s %d/%d ", p.lang.T("rows", "行"), done, all)
			}
		}, func() {
			if shown {
				fmt.Fprintln(p.stderr)
			}
		}
}

// passphrase reads it from a file, the environment, or the terminal; twice for an export,
// because one whose passphrase was mistyped cannot be opened.
func (p *program) passphrase(v *verb, file string, make bool) (string, error) {
	pass := p.env(passphraseEnv)
	switch {
	case file != "":
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			p.complain("store", catalogue.Translated(err.Error()))
			return "", errPrinted(exitNotFound)
		}
		if err != nil {
			return "", err
		}
		pass, _, _ = strings.Cut(string(b), "\n")
		pass = strings.TrimSuffix(pass, "\r")
	case pass != "":
	default:
		var err error
		if pass, err = p.askPassphrase(v, make); err != nil {
			return "", err
		}
	}
	if pass == "" || make && len(pass) < transfer.LeastPassphrase {
		return "", p.wrongUsage(v, p.lang.T("the passphrase needs at least %d characters", "口令至少需要 %d 个字符"), transfer.LeastPassphrase)
	}
	return pass, nil
}

func (p *program) askPassphrase(v *verb, twice bool) (string, error) {
	in, ok := p.stdin.(*os.File)
	if !ok || !screen.IsTerminal(in) {
		return "", p.wrongUsage(v, "%s", p.lang.T("no passphrase: give --passphrase-file, "+passphraseEnv+", or a terminal to ask on", "没有口令：请用 --passphrase-file、"+passphraseEnv+" 或在终端上输入"))
	}
	lines := bufio.NewReader(in)
	first, err := screen.AskHidden(in, lines, p.stderr, p.lang.T("passphrase: ", "口令："))
	if err != nil || !twice {
		return first, err
	}
	second, err := screen.AskHidden(in, lines, p.stderr, p.lang.T("once more: ", "再输入一次："))
	if err == nil && first != second {
		return "", p.wrongUsage(v, "%s", p.lang.T("the two differ", "两次输入不一致"))
	}
	return first, err
}

package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"golang.org/x/sys/unix"

	"yuanlu/agent/config"
	"yuanlu/agent/ledger"
	"yuanlu/agent/newfile"
	"yuanlu/cmd/yuanlu/screen"
)

const (
	// passphraseWork is scrypt's cost as a power of two: 2^15 takes 32 MiB, which a
	// terminal of 256 MB has. An export may ask for twice that at most.
	passphraseWork = 15
	mostWork       = 16
	// leastPassphrase is the shortest passphrase, in bytes, that an export is made with.
	leastPassphrase = 12
	passphraseEnv   = "YUANLU_PASSPHRASE"
)

func storeVerb() *verb {
	return &verb{name: "store", usage: "export | import FILE [--passphrase-file F]",
		en: "records, verdicts, cases and keys for a replacement terminal, encrypted", zh: "导出或导入记录、判定、案件和密钥（加密），用于更换终端", run: (*program).store}
}

func (p *program) store(ctx context.Context, args []string) error {
	v := storeVerb()
	f := p.flags(v)
	path := p.configFlag(f)
	secret := f.String("passphrase-file", "", p.lang.T("`file` whose first line is the passphrase; else "+passphraseEnv+", else it is asked for", "首行为口令的`文件`；否则用环境变量 "+passphraseEnv+"，再否则询问"))
	rest, err := p.parse(v, f, args, 2, 2)
	if err != nil {
		return err
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

// storeExport writes the store to a new file, whole or not at all.
func (p *program) storeExport(ctx context.Context, c *config.Config, name, pass string) (err error) {
	to, err := age.NewScryptRecipient(pass)
	if err != nil {
		return err
	}
	to.SetWorkFactor(passphraseWork)
	db, err := ledger.OpenReadOnly(ctx, c.Store.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := os.Lstat(name); err == nil {
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu store: %s is there already\n", "yuanlu store：%s 已存在\n"), name)
		return errSaid(exitUsage)
	}
	out, err := newfile.Create(name)
	if err != nil {
		return err
	}
	rows, err := p.writeExport(ctx, db, out, to)
	if err == nil {
		err = out.Keep() // fails if there is one now
	}
	if err != nil {
		return errors.Join(err, out.Discard())
	}
	return p.storeSaid("exported", p.lang.T("%d rows written to %s\n", "已写出 %d 行到 %s\n"), rows, name)
}

func (p *program) writeExport(ctx context.Context, db *ledger.DB, out io.Writer, to age.Recipient) (rows int64, err error) {
	sealed, err := age.Encrypt(out, to)
	if err != nil {
		return 0, err
	}
	packed := gzip.NewWriter(sealed)
	tell, done := p.rowsProgress()
	defer done()
	err = db.Export(ctx, packed, func(n, all int64) { rows = n; tell(n, all) })
	return rows, errors.Join(err, packed.Close(), sealed.Close())
}

// storeImport builds the store of this terminal from a file.
func (p *program) storeImport(ctx context.Context, c *config.Config, name, pass string) error {
	in, err := p.openInput(name)
	if err != nil {
		return err
	}
	defer in.Close()
	from, err := age.NewScryptIdentity(pass)
	if err != nil {
		return err
	}
	from.SetMaxWorkFactor(mostWork)
	var rows int64
	err = p.readExport(in, from, func(r io.Reader) error {
		tell, done := p.rowsProgress()
		defer done()
		o := ledger.Options{Dir: c.Store.Dir, Mount: c.Store.Mount, Now: p.now}
		return ledger.Import(ctx, o, r, func(n, all int64) { rows = n; tell(n, all) })
	})
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintln(p.stderr, p.lang.T("yuanlu store: wrong passphrase, or not an export of a store", "yuanlu store：口令错误，或不是导出文件"))
		return errSaid(exitData)
	case errors.Is(err, ledger.ErrNotEmpty):
		fmt.Fprintf(p.stderr, p.lang.T("yuanlu store: the store in %s holds records; nothing was changed\n", "yuanlu store：%s 中已有记录，未作任何改动\n"), c.Store.Dir)
		return errSaid(exitStore)
	case err != nil:
		return err
	}
	return p.storeSaid("imported", p.lang.T("%d rows taken into %s\n", "已导入 %d 行到 %s\n"), rows, c.Store.Dir)
}

// readExport hands the plain export to use. What is no export, was changed or was cut
// off is ledger.ErrCarried.
func (p *program) readExport(in io.Reader, from age.Identity, use func(io.Reader) error) error {
	plain, err := age.Decrypt(bufio.NewReader(in), from)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCarried, err)
	}
	unpacked, err := gzip.NewReader(plain)
	if err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCarried, err)
	}
	return use(&wholeReader{unpacked: unpacked, plain: plain})
}

// wholeReader gives the end of the export only if the encrypted file ends there too:
// its last part is what proves that nothing was cut off.
type wholeReader struct {
	unpacked, plain io.Reader
}

func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.unpacked.Read(p)
	if errors.Is(err, io.EOF) {
		if _, e := io.Copy(io.Discard, w.plain); e != nil {
			err = e
		}
	}
	return n, err
}

func (p *program) storeSaid(what, text string, rows int64, name string) error {
	if p.json {
		return p.printJSON(map[string]any{"result": what, "rows": rows, "file": name})
	}
	_, err := fmt.Fprintf(p.stdout, text, rows, name)
	return err
}

// rowsProgress says on a terminal, at most once a second, how far it is.
func (p *program) rowsProgress() (tell func(done, all int64), end func()) {
	if !screen.IsTerminal(p.stderr) {
		return func(int64, int64) {}, func() {}
	}
	next := time.Time{}
	return func(done, all int64) {
		if now := p.now(); now.After(next) || done == all {
			next = now.Add(time.Second)
			fmt.Fprintf(p.stderr, "\r%s %d/%d ", p.lang.T("rows", "行"), done, all)
		}
	}, func() { fmt.Fprintln(p.stderr) }
}

// passphrase reads it from a file, the environment, or a person; twice for an export,
// because nobody can open one whose passphrase was mistyped.
func (p *program) passphrase(v *verb, file string, make bool) (string, error) {
	pass := p.env(passphraseEnv)
	switch {
	case file != "":
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintf(p.stderr, "yuanlu store: %v\n", err)
			return "", errSaid(exitNotFound)
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
	if pass == "" || make && len(pass) < leastPassphrase {
		return "", p.wrongUsage(v, p.lang.T("the passphrase needs at least %d characters", "口令至少需要 %d 个字符"), leastPassphrase)
	}
	return pass, nil
}

func (p *program) askPassphrase(v *verb, twice bool) (string, error) {
	in, ok := p.stdin.(*os.File)
	if !ok || !screen.IsTerminal(in) {
		return "", p.wrongUsage(v, "%s", p.lang.T("no passphrase: give --passphrase-file, "+passphraseEnv+", or a terminal to ask on", "没有口令：请用 --passphrase-file、"+passphraseEnv+" 或在终端上输入"))
	}
	lines := bufio.NewReader(in)
	first, err := p.askHidden(in, lines, p.lang.T("passphrase: ", "口令："))
	if err != nil || !twice {
		return first, err
	}
	second, err := p.askHidden(in, lines, p.lang.T("once more: ", "再输入一次："))
	if err == nil && first != second {
		return "", p.wrongUsage(v, "%s", p.lang.T("the two differ", "两次输入不一致"))
	}
	return first, err
}

// askHidden reads a line that the terminal does not show.
func (p *program) askHidden(in *os.File, lines *bufio.Reader, prompt string) (string, error) {
	fd := int(in.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	hidden := *was
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ECHONL
	if err := unix.IoctlSetTermios(fd, unix.TCSETSF, &hidden); err != nil {
		return "", err
	}
	defer func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, was) }()
	fmt.Fprint(p.stderr, prompt)
	line, err := lines.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

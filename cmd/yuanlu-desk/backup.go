package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"yuanlu/agent/newfile"
	"yuanlu/cmd/yuanlu-desk/store"
)

// backup writes all that the desk has into one file. The desk may run meanwhile.
func (p *program) backup(ctx context.Context, v *verb, args []string) (err error) {
	f := p.flags(v)
	at := p.storeFlags(f, false)
	rest, err := p.parse(v, f, args, 1)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("%w: into which file? - is standard output", errUsage)
	}
	place := p.storePlace(at.place)
	if err := store.Exists(place); err != nil {
		return err
	}
	db, have, err := store.OpenAsItIs(ctx, place)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if have == 0 {
		return fmt.Errorf("%w: there is no store yet", store.ErrNotFound)
	}
	if rest[0] == "-" {
		b, err := db.Backup(ctx, p.stdout, p.now())
		if err != nil || p.json {
			return err
		}
		return p.backedUp(p.stderr, "-", b)
	}
	b, err := p.backUpInto(ctx, db, rest[0])
	if err != nil {
		return err
	}
	return p.backedUp(p.stdout, rest[0], b)
}

// backUpInto makes a file that only its owner reads, whole or not at all.
func (p *program) backUpInto(ctx context.Context, db *store.Store, path string) (b store.Backed, err error) {
	f, err := newfile.Create(path)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, f.Discard()) }()
	if b, err = db.Backup(ctx, f, p.now()); err != nil {
		return b, err
	}
	if err := f.Keep(); err != nil {
		return b, err
	}
	return b, newfile.SyncDir(filepath.Dir(path))
}

func (p *program) backedUp(w io.Writer, path string, b store.Backed) error {
	if p.json {
		return p.printJSON(b)
	}
	_, err := fmt.Fprintf(w, p.t("%s: %d bytes, %d events of the case desk, %d files, as of %s; it holds what is known of customers: keep it as safe as the store\n",
		"%s：%d 字节，案件台事件 %d 条，文件 %d 个，时间 %s；其中含客户信息，请与数据库同等保管\n"),
		path, b.Bytes, b.Rows["work_event"], b.Rows["work_file"], b.Made.Local().Format("2006-01-02 15:04:05 -07:00"))
	return err
}

// restore makes a store of a backup; with --check it only shows that it could.
func (p *program) restore(ctx context.Context, v *verb, args []string) (err error) {
	f := p.flags(v)
	at := p.storeFlags(f, false)
	check := f.Bool("check", false, p.t("restore into a temporary file, so that nothing stays, and print what is in the backup", "仅校验：还原到临时文件后删除"))
	rest, err := p.parse(v, f, args, 1)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return fmt.Errorf("%w: of which file? - is standard input", errUsage)
	}
	in := p.stdin
	if rest[0] != "-" {
		file, err := os.Open(rest[0])
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	place := p.storePlace(at.place)
	if *check {
		dir, bad := os.MkdirTemp("", "yuanlu-desk-restore-")
		if bad != nil {
			return bad
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		place = filepath.Join(dir, "desk.db")
	}
	r, err := store.Restore(ctx, place, in)
	if errors.Is(err, store.ErrNotEmpty) {
		err = fmt.Errorf("%w; move it away, or name another place with --store", err)
	}
	if err != nil {
		return err
	}
	return p.restored(r)
}

func (p *program) restored(r store.Restored) error {
	if p.json {
		if err := p.printJSON(r); err != nil {
			return err
		}
	} else {
		if _, err := fmt.Fprintf(p.stdout, p.t("as of %s: %d cases, every journal whole; %d files, every hash right\n", "时间 %s：案件 %d 件，日志完整；文件 %d 个，哈希正确\n"),
			r.Made.Local().Format("2006-01-02 15:04:05 -07:00"), r.Cases, r.Files); err != nil {
			return err
		}
		for _, one := range r.Amiss {
			if _, err := fmt.Fprintf(p.stdout, p.t("case %s: file %s was damaged or missing when the backup was made\n", "案件 %s：文件 %s 在备份时已损坏或缺失\n"), one.Case, one.SHA256); err != nil {
				return err
			}
		}
	}
	if len(r.Amiss) > 0 {
		return fmt.Errorf("%w: %d files were not whole when it was made; all else is restored", store.ErrBackup, len(r.Amiss))
	}
	return nil
}

package usblab

import (
	"bufio"
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

//go:embed init.sh
var initScript []byte

// An archive is a cpio file of the kind the kernel unpacks as its first file
// system ("newc": Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	w    *bufio.Writer
	ino  int
	dirs map[string]bool
	err  error
}

const (
	modeDir  = 0o040755
	modeFile = 0o100755
	modeLink = 0o120777
)

// entry writes one member. Every error is kept for close.
func (a *archive) entry(name string, mode uint32, size int64, body io.Reader) {
	name = strings.TrimPrefix(name, "/")
	if dir := path.Dir(name); dir != "." && !a.dirs[dir] {
		a.dirs[dir] = true
		a.entry(dir, modeDir, 0, strings.NewReader(""))
	}
	if a.err != nil {
		return
	}
	a.ino++
	_, a.err = fmt.Fprintf(a.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.ino, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, len(name)+1, 0)
	const header = 110
	a.text(name + "\x00")
	a.pad(header + int64(len(name)) + 1)
	if a.err != nil {
		return
	}
	var n int64
	if n, a.err = io.Copy(a.w, body); a.err == nil && n != size {
		a.err = fmt.Errorf("%s changed its size while it was read", name)
	}
	a.pad(size)
}

func (a *archive) text(s string) {
	if a.err == nil {
		_, a.err = a.w.WriteString(s)
	}
}

func (a *archive) pad(n int64) { a.text("\x00\x00\x00"[:(4-n%4)%4]) }

func (a *archive) bytes(name string, b []byte) {
	a.entry(name, modeFile, int64(len(b)), strings.NewReader(string(b)))
}

func (a *archive) file(name, host string) {
	f, err := os.Open(host)
	if err != nil {
		a.err = firstOf(a.err, err)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		a.err = firstOf(a.err, err)
		return
	}
	a.entry(name, modeFile, info.Size(), f)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// writeInitramfs lays down the guest's file system.
func writeInitramfs(ctx context.Context, out string, k Kernel, o Options) error {
	f, err := os.Create(out)
	if err != nil {
		return fmt.Errorf("usblab: initramfs: %w", err)
	}
	defer f.Close()
	a := &archive{w: bufio.NewWriterSize(f, 1<<20), dirs: map[string]bool{}}
	busybox, err := command(ctx, "", "sh", "-c", "command -v busybox")
	if err != nil {
		return err
	}
	a.file("/bin/busybox", strings.TrimSpace(busybox))
	a.entry("/bin/sh", modeLink, int64(len("busybox")), strings.NewReader("busybox"))
	a.bytes("/init", initScript)
	a.bytes("/lab/script", []byte(o.Script))
	var order []string
	for i, m := range k.Modules {
		name := fmt.Sprintf("/lab/modules/%02d-%s", i, filepath.Base(m))
		order = append(order, name)
		a.file(name, m)
	}
	a.bytes("/lab/modules.order", []byte(strings.Join(order, "\n")+"\n"))
	libraries := map[string]bool{}
	for _, guest := range sortedKeys(o.Files) {
		a.file(guest, o.Files[guest])
		for _, lib := range sharedLibraries(ctx, o.Files[guest]) {
			if !libraries[lib] {
				libraries[lib] = true
				a.file(lib, lib)
			}
		}
	}
	a.entry("TRAILER!!!", 0, 0, strings.NewReader(""))
	if err := firstOf(a.err, a.w.Flush()); err != nil {
		return fmt.Errorf("usblab: initramfs: %w", err)
	}
	return f.Close()
}

// sharedLibraries asks the loader what a program needs; a static one, a script or
// a text needs nothing.
func sharedLibraries(ctx context.Context, program string) []string {
	out, err := command(ctx, "", "ldd", program)
	if err != nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(out) {
		for field := range strings.FieldsSeq(line) {
			if strings.HasPrefix(field, "/") {
				found = append(found, field)
				break
			}
		}
	}
	return found
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

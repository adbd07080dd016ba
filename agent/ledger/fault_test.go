package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/agent/ledger/sqlite"
	"yuanlu/agent/refund"
)

func needStrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
}

// TestKillByIOErrors has the n-th call of the kernel fail while the script runs: the child
// withholds, reopens, tries again, ends well; nothing is lost or there twice. Then
// the same with a kill right after the error, when a failed commit may be on the disk.
func TestKillByIOErrors(t *testing.T) {
	needStrace(t)
	calls := []string{"fdatasync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=ENOSPC", "fdatasync:error=EIO:delay_enter=2000"}
	nth := []int{1, 2, 3, 5, 8, 13, 21, 34}
	if os.Getenv(soakEnv) != "" {
		nth = nil
		for n := range 200 {
			nth = append(nth, n+1)
		}
	}
	for _, call := range calls {
		for _, n := range nth {
			name, _, _ := strings.Cut(call, ":")
			t.Run(fmt.Sprintf("%s-%d", strings.ReplaceAll(call, ":", "-"), n), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "s")
				out, err := runChild(t, dir, "script", "", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace="+name, "-e", fmt.Sprintf("inject=%s:when=%d", call, n))
				if err != nil {
					t.Fatal(err)
				}
				checkScript(t, dir, out)
			})
		}
	}
}

// TestKillAnIOErrorThatStays: while every sync fails nothing is confirmed, nothing
// stops, and reading returns why.
func TestKillAnIOErrorThatStays(t *testing.T) {
	needStrace(t)
	dir := filepath.Join(t.TempDir(), "s")
	out, err := runChild(t, dir, "commits", "", "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=12+")
	if err == nil || !strings.Contains(err.Error(), "disk I/O error") || killed(err) {
		t.Fatalf("%s %v", out, err)
	}
	d := openTest(t, testOptions(dir))
	if len(d.Damage()) > 0 {
		t.Errorf("damage %+v", d.Damage())
	}
}

// syncsOf counts the child's syncs while it commits 50 times.
func syncsOf(t *testing.T, synchronous string) int {
	t.Helper()
	needStrace(t)
	trace := filepath.Join(t.TempDir(), "trace")
	t.Setenv(childSync, synchronous)
	if out, err := runChild(t, filepath.Join(t.TempDir(), "s"), "commits", "", "strace", "-f", "-qq", "-o", trace, "-e", "trace=fdatasync,fsync"); err != nil {
		t.Fatal(out, err)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("fdatasync(")) + bytes.Count(b, []byte("fsync("))
}

// notDurable returns why 50 commits with this many syncs are not durable, "" if they are.
func notDurable(syncs int) string {
	if syncs < 50 {
		return fmt.Sprintf("%d syncs for 50 confirmed commits", syncs)
	}
	return ""
}

// TestEveryCommitIsSynced counts what the kernel was asked. Its own test is the run
// with synchronous=NORMAL, in which it must find fault.
func TestEveryCommitIsSynced(t *testing.T) {
	if why := notDurable(syncsOf(t, "")); why != "" {
		t.Error(why)
	}
	if n := syncsOf(t, "NORMAL"); notDurable(n) == "" {
		t.Errorf("with synchronous=NORMAL there are %d syncs: the check above proves nothing", n)
	}
}

// TestPragmasAreReadBack: a connection on which a setting did not take is not used.
func TestPragmasAreReadBack(t *testing.T) {
	d := openTest(t, testOptions(t.TempDir()))
	if got, err := d.w.Text("PRAGMA synchronous"); err != nil || got != "2" {
		t.Errorf("synchronous %s %v", got, err)
	}
	if got, err := d.w.Text("PRAGMA journal_mode"); err != nil || got != "wal" {
		t.Errorf("journal mode %s %v", got, err)
	}
	if got, err := d.w.Text("PRAGMA auto_vacuum"); err != nil || got != "2" {
		t.Errorf("auto vacuum %s %v", got, err)
	}
	c, err := openConn(filepath.Join(t.TempDir(), "x.db"), sqlite.ReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := configure(c, []setting{{"synchronous", "7"}}); err == nil {
		t.Error("a setting that did not take was accepted")
	}
}

// smallDisk mounts a tmpfs of this size.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	return dir
}

func TestDiskFullAndBack(t *testing.T) {
	ctx := context.Background()
	for _, size := range []string{"1m", "1536k", "2m", "3m"} {
		t.Run(size, func(t *testing.T) {
			disk := smallDisk(t, size)
			d, err := Open(ctx, testOptions(filepath.Join(disk, "s")))
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			stored := 0
			var refused []refund.Arrival
			for i := 0; i < 10_000; i += 20 {
				a := sales(d.Keys(), i, 20)
				if _, err = d.Apply(ctx, a); err != nil {
					refused = a
					break
				}
				stored += 20
			}
			if !errors.Is(err, ErrDiskFull) || !errors.Is(err, ErrUnavailable) {
				t.Fatalf("got %v after %d records", err, stored)
			}
			if _, err := d.Apply(ctx, refused); !errors.Is(err, ErrDiskFull) {
				t.Fatalf("again: %v", err)
			}
			n := 0
			for _, err := range d.Records(ctx, 1) {
				if err != nil {
					t.Fatalf("reading on a full disk: %v", err)
				}
				n++
			}
			if n != stored {
				t.Fatalf("%d records, want %d", n, stored)
			}
			if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=64m"); err != nil {
				t.Fatal(err)
			}
			got, err := d.Apply(ctx, refused)
			if err != nil {
				t.Fatalf("with room again: %v", err)
			}
			if len(got) != 20 || got[0].Seq != int64(stored+1) || got[0].CopyOf != 0 {
				t.Fatalf("got %d, first %+v", len(got), got[0])
			}
			if text, err := d.w.Text("PRAGMA integrity_check"); text != "ok" || err != nil {
				t.Fatalf("integrity: %s %v", text, err)
			}
		})
	}
}

// TestBallastLetsAFullStoreOpenAndClean: what uses the disk up is another program.
func TestBallastLetsAFullStoreOpenAndClean(t *testing.T) {
	ctx := context.Background()
	disk := smallDisk(t, "48m")
	o := testOptions(filepath.Join(disk, "s"))
	d, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(o.Dir, ballastFile)) {
		t.Fatal("no ballast")
	}
	fill(t, d, 0, 2000)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(disk, "hog"))
	if err != nil {
		t.Fatal(err)
	}
	page := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(page)
	}
	_ = f.Close()
	d, err = Open(ctx, o)
	if err != nil {
		t.Fatalf("does not open on a full disk: %v", err)
	}
	defer d.Close()
	late := start.Add(541 * day)
	d.now.newest = late
	if n, err := d.Retain(ctx, late, 500); err != nil || n == 0 {
		t.Fatalf("retain on a full disk: %d %v", n, err)
	}
}

// TestALostCommitIsRecognised: a commit that gave an error and is on the disk all the
// same is answered, not stored again, when its arrivals come again, alone or among
// others; and one that is not there is stored.
func TestALostCommitIsRecognised(t *testing.T) {
	ctx := context.Background()
	o := testOptions(t.TempDir())
	now := start
	o.Now = func() time.Time { return now }
	d := openTest(t, o)
	wrongRefund(t, d, 1)
	for _, onDisk := range []bool{true, false} {
		first := d.now.seq + 1
		a := arrivalOf(d, saleOf(int(first)+50, start), refundOf(int(first)+50, int(first)+51, card(900000), start.Add(time.Minute)))
		before := d.now
		got, err := d.Apply(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		// Make it look as after a commit that failed with an I/O error.
		if !onDisk {
			if err := d.w.Script(fmt.Sprintf("DELETE FROM record WHERE seq >= %d; DELETE FROM key WHERE seq >= %d; DELETE FROM verdict WHERE seq >= %d; DELETE FROM cases WHERE seq >= %d", first, first, first, first)); err != nil {
				t.Fatal(err)
			}
		}
		applied := [][]refund.Applied{got[:1], got[1:]}
		d.now = before
		d.breakOff(errors.New("injected"))
		d.noteLost(&attempt{pending: true, first: first, last: first + 1, applied: applied}, a)
		if _, _, err := d.Memory(ctx, "pos", "x"); err != nil && !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		more := arrivalOf(d, saleOf(int(first)+60, start.Add(time.Hour)))
		got2, err := d.Apply(ctx, append(more, a...))
		if err != nil {
			t.Fatal(err)
		}
		if onDisk && (got2[1].Seq != first || got2[2].Seq != first+1 || got2[0].Seq != first+2 || len(got2[2].Cases) != 1) {
			t.Errorf("recognised: %d %d %d", got2[0].Seq, got2[1].Seq, got2[2].Seq)
		}
		if !onDisk && (got2[0].Seq != first || got2[1].Seq != first+1 || got2[1].CopyOf != 0) {
			t.Errorf("stored: %d %d copy of %d", got2[0].Seq, got2[1].Seq, got2[1].CopyOf)
		}
		if len(d.lost) != 0 {
			t.Errorf("%d batches still remembered", len(d.lost))
		}
	}
}

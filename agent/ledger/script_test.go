package ledger

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"yuanlu/agent/ledger/outbox"
	"yuanlu/agent/refund"
)

// The tests that end a process run this test binary again as a child, which plays
// the script below on a store and is killed on the way. The parent then opens the
// store and has the firmware send everything again.

const (
	childDir  = "YUANLU_LEDGER_CHILD_DIR"
	childKill = "YUANLU_LEDGER_CHILD_KILL" // "step:n": at the n-th time this step comes
	childSync = "YUANLU_LEDGER_CHILD_SYNC"
	childWhat = "YUANLU_LEDGER_CHILD_WHAT" // "script", "open", "commits"
	soakEnv   = "YUANLU_SOAK"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	o := testOptions(dir)
	o.Synchronous = os.Getenv(childSync)
	o.Now = time.Now // EIO: the wait between two openings is real
	step, nth, _ := strings.Cut(os.Getenv(childKill), ":")
	left, _ := strconv.Atoi(nth)
	o.step = func(name string) {
		if name == step {
			if left--; left == 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	var err error
	switch os.Getenv(childWhat) {
	case "open":
		var d *DB
		if d, err = Open(context.Background(), o); err == nil {
			err = d.Close()
		}
	case "commits":
		err = commits(o)
	case "holds":
		err = holdsChild(o, os.Stdout)
	case "redate":
		err = redateChild(o)
	case "resident":
		err = resident(o)
	default:
		err = script(o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// resident takes 20 000 records in batches of 64 and prints the most memory it was seen with.
func resident(o Options) error {
	d, err := Open(context.Background(), o)
	if err != nil {
		return err
	}
	most := residentMiB()
	for i := 0; i < 20_000; i += 64 {
		if _, err := d.Apply(context.Background(), sales(d.Keys(), 2_000_000+i, 64)); err != nil {
			return err
		}
		most = max(most, residentMiB())
	}
	fmt.Printf("%.1f\n", most)
	return d.Close()
}

// commits applies 50 single sales.
func commits(o Options) error {
	d, err := Open(context.Background(), o)
	if err != nil {
		return err
	}
	for i := range 50 {
		if _, err := d.Apply(context.Background(), sales(d.Keys(), i, 1)); err != nil {
			return err
		}
	}
	return d.Close()
}

// scriptBatches is what the firmware of the script has to tell: sales and refunds,
// right and wrong ones, one that waits for its sale, a reprint.
func scriptBatches() [][]refund.Record {
	var batches [][]refund.Record
	for i := 0; i < 8; i++ {
		n := i * 10
		batches = append(batches,
			[]refund.Record{saleOf(n, start), saleOf(n+1, start)},
			[]refund.Record{refundOf(n, n+2, card(n+500000), start.Add(time.Minute)), refundOf(n+1, n+3, card(n+1), start.Add(time.Minute))},
			[]refund.Record{refundOf(n+9000, n+4, card(n), start.Add(time.Minute))})
	}
	return batches
}

// scriptCases is how many cases it makes: per round a wrong refund and one without
// a sale.
const scriptCases, scriptEvents = 16, 40

// again calls do until it does not say that the store is not available.
func again(do func() error) error {
	for range 400 {
		err := do()
		if !errors.Is(err, ErrUnavailable) {
			return err
		}
		pause := time.NewTimer(10 * time.Millisecond)
		<-pause.C
	}
	return errors.New("not available for 400 tries")
}

// script plays everything a store does and prints what was returned as durable:
// "acked SEQ KEY" for a record, "forgot SEQUENCE" for a case whose acknowledgement is
// saved; another one may be sent again; "root SIZE ORIGIN HASH" for a checkpoint.
func script(o Options, out *os.File) error {
	ctx := context.Background()
	var d *DB
	if err := again(func() (err error) { d, err = Open(ctx, o); return err }); err != nil {
		return err
	}
	for i, batch := range scriptBatches() {
		arrivals := arrivalOf(d, batch...)
		var got []refund.Applied
		if err := again(func() (err error) { got, err = d.Apply(ctx, arrivals); return err }); err != nil {
			return err
		}
		for _, a := range got {
			fmt.Fprintf(out, "acked %d %s%s\n", a.Seq, a.Record.Kind, a.Record.Stan)
		}
		if err := again(func() error { _, _, err := d.ReleaseDue(ctx, time.Duration(i+1)*time.Hour); return err }); err != nil {
			return err
		}
		if err := deliver(d, i%4 != 3, out); err != nil {
			return err
		}
		if err := again(func() error { return signRoot(d, out) }); err != nil {
			return err
		}
	}
	if err := d.Rotate(ctx); err != nil {
		return err
	}
	if err := again(func() error { _, err := d.Retain(ctx, start, 10); return err }); err != nil {
		return err
	}
	if err := d.Close(); !errors.Is(err, ErrUnavailable) {
		return err
	}
	return nil // what Close saves costs duplicates when it is lost
}

// signRoot makes a checkpoint of the evidence log, as it would be published.
func signRoot(d *DB, out *os.File) error {
	a, err := d.Checkpoint(context.Background(), 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "root %d %s %s\n", a.Note.Size, a.Note.Origin, a.Note.Root)
	return nil
}

// deliver sends one due case and has it acknowledged, which is saved at once if the
// last saving lies a second back.
func deliver(d *DB, waited bool, out *os.File) error {
	ctx := context.Background()
	var n []refund.Notice
	if err := again(func() (err error) { n, _, err = d.Due(ctx, time.Now(), 1, nil); return err }); err != nil || len(n) == 0 {
		return err
	}
	if err := again(func() error { return d.Sent(ctx, d.Stream(), []int64{n[0].Entry}, time.Now().Add(outbox.MostWait)) }); err != nil {
		return err
	}
	fmt.Fprintf(out, "sent %d %s %s %s\n", n[0].Sequence, n[0].ID, n[0].Type, n[0].Subject)
	saved := d.o.Now()
	if waited {
		saved = saved.Add(-time.Second)
	}
	d.queue.Saved(saved)
	err := again(func() error { _, err := d.Acked(ctx, d.Stream(), n[0].Sequence, ""); return err })
	if err == nil {
		fmt.Fprintf(out, "forgot %d\n", d.now.outbox.Acked)
	}
	return err
}

// runChild runs a child under the tracer's arguments, if any, and returns its output.
func runChild(t *testing.T, dir, what, kill string, tracer ...string) (string, error) {
	t.Helper()
	args := append(tracer, os.Args[0])
	c := exec.Command(args[0], args[1:]...)
	c.Env = append(os.Environ(), childDir+"="+dir, childWhat+"="+what, childKill+"="+kill, "GOCOVERDIR="+t.TempDir())
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if err != nil && errs.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), err
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	s, ok := exit.Sys().(syscall.WaitStatus)
	return ok && (s.Signaled() && s.Signal() == syscall.SIGKILL)
}

// publishedCase is one case event, as the back office got it.
type publishedCase struct{ id, kind, subject string }

// checkScript opens the store a child has left, sends the whole journal again, and
// checks: what was acknowledged is there under its number; nothing is there twice;
// every case was published once, in a sequence without holes, with the same id each time.
func checkScript(t *testing.T, dir, out string) {
	t.Helper()
	ctx := context.Background()
	d := openTest(t, testOptions(dir))
	if len(d.Damage()) > 0 {
		t.Fatalf("damage %+v", d.Damage())
	}
	events := map[int64]publishedCase{}
	acked := map[int64]string{}
	forgot := int64(0)
	roots := map[string]map[int64]string{}
	for s := bufio.NewScanner(strings.NewReader(out)); s.Scan(); {
		f := strings.Fields(s.Text())
		n, _ := strconv.ParseInt(f[1], 10, 64)
		switch f[0] {
		case "acked":
			acked[n] = f[2]
		case "sent":
			events[n] = publishedCase{f[2], f[3], f[4]}
		case "forgot":
			forgot = max(forgot, n)
		case "root":
			if roots[f[2]] == nil {
				roots[f[2]] = map[int64]string{}
			}
			roots[f[2]][n] = f[3]
		}
	}
	checkRoots(t, d, roots)
	for r, err := range d.Records(ctx, 1) {
		if err != nil {
			t.Fatal(err)
		}
		if want, ok := acked[r.Seq]; ok && want != string(r.Record.Kind)+r.Record.Stan {
			t.Errorf("record %d is %s%s, acknowledged was %s", r.Seq, r.Record.Kind, r.Record.Stan, want)
		}
		delete(acked, r.Seq)
	}
	if len(acked) > 0 {
		t.Errorf("acknowledged and lost: %v", acked)
	}
	for i, batch := range scriptBatches() {
		if _, err := d.Apply(ctx, arrivalOf(d, batch...)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.ReleaseDue(ctx, time.Duration(i+1)*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if n, _, err := d.w.Int(`SELECT count(*) FROM record WHERE copy_of IS NULL`); err != nil || n != scriptEvents {
		t.Errorf("%d events, want %d (%v)", n, scriptEvents, err)
	}
	for _, n := range due(t, d) {
		if n.Class != refund.NoticeCase {
			continue
		}
		now := publishedCase{n.ID, n.Type, n.Subject}
		if was, ok := events[n.Sequence]; ok && was != now {
			t.Errorf("sequence %d was %v and is %v", n.Sequence, was, now)
		}
		if n.Sequence <= forgot {
			t.Errorf("sequence %d was acknowledged and is there again", n.Sequence)
		}
		events[n.Sequence] = now
	}
	subjects := map[string]int{}
	for i := int64(1); i <= int64(len(events)); i++ {
		e, ok := events[i]
		if !ok {
			t.Errorf("no sequence %d of %d", i, len(events))
		}
		subjects[e.subject]++
	}
	if len(events) != scriptCases || len(subjects) != scriptCases {
		t.Errorf("%d events of %d cases, want %d", len(events), len(subjects), scriptCases)
	}
	if text, err := d.w.Text("PRAGMA integrity_check"); text != "ok" || err != nil {
		t.Errorf("integrity: %s %v", text, err)
	}
}

// checkRoots: every checkpoint that was published of the log that is there holds, so that there are never
// two roots of one size; and no other log has begun.
func checkRoots(t *testing.T, d *DB, roots map[string]map[int64]string) {
	t.Helper()
	if len(roots) == 0 {
		return
	}
	v, err := d.viewLog(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	mine, ok := roots[v.origin]
	if !ok || len(roots) > 1 {
		t.Errorf("the log is %s, published were checkpoints of %d", v.origin, len(roots))
	}
	if err := d.read(context.Background(), func(c *conn) error {
		for size, want := range mine {
			if size > v.edge.Size() {
				t.Errorf("a checkpoint of %d leaves was published, there are %d", size, v.edge.Size())
				continue
			}
			if got, err := v.reader(c).Root(size); err != nil || got.String() != want {
				t.Errorf("the root of %d leaves was %s and is %s, %v", size, want, got, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestScriptWithoutAccident(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	out, err := runChild(t, dir, "script", "")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out, "\nroot ") {
		t.Error("no checkpoint was published")
	}
	checkScript(t, dir, out)
}

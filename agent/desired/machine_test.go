package desired

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/agent/config"
)

// rig is a terminal with a Machine: its clock, its agent, its log.
type rig struct {
	dir     string // store.dir
	own     string // the text of the terminal's own file
	files   Files
	m       *Machine
	now     time.Time
	log     bytes.Buffer
	level   string
	digest  string
	events  []string
	wakes   int
	refused string // what the broker refuses
	failed  string
	ignored []string
}

func (r *rig) Wake()                      { r.wakes++ }
func (r *rig) SetDigest(digest string)    { r.digest = digest }
func (r *rig) BrokerFault() (_, _ string) { return r.refused, r.failed }
func (r *rig) Event(name, subject string, attrs ...slog.Attr) {
	r.events = append(r.events, fmt.Sprint(name, " ", subject, " ", attrs))
}

const more = "[health]\ninterval = \"50s\"\n"

func newRig(t *testing.T, more string) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{dir: filepath.Join(dir, "store"), now: time.Date(2026, 8, 23, 12, 0, 0, 0, time.UTC)}
	r.own = "[terminal]\nid = \"t-1\"\n[store]\ndir = \"" + r.dir + "\"\n[[link]]\nname = \"pos\"\nwire = \"mispos\"\nport = \"" + dir + "/port\"\n" +
		"[mqtt]\nurl = \"tcp://127.0.0.1:1883\"\n" + more
	r.files = Files{Path: filepath.Join(dir, "yuanlu.toml"), Options: config.Options{Wires: []string{"mispos"}},
		Profile: func(string, string) error { return nil }}
	r.files.Read = func(path string) (*config.Config, error) { return config.Read(path, r.files.Options) }
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.write(t, r.own)
	return r
}

// write replaces the terminal's own file.
func (r *rig) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(r.files.Path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts the program: a new Machine and its first run with an open store.
func (r *rig) start(t *testing.T) {
	t.Helper()
	if r.m != nil {
		if err := r.m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	m, err := NewMachine(r.files)
	if err != nil {
		t.Fatal(err)
	}
	r.m = m
	t.Cleanup(func() { _ = m.Close() })
	r.run()
}

// run starts a run of the agent, whose store opens.
func (r *rig) run() {
	r.m.Begin(r.now, Run{Agent: r, Log: slog.New(slog.NewTextHandler(&r.log, nil)), SetLevel: func(level string) { r.level = level }})
	r.m.OnIgnored(func(_ string, why error) { r.ignored = append(r.ignored, why.Error()) })
	r.m.StoreReady()
	r.turns()
}

// turns works off what was brought; a run that ends is followed by the next one.
func (r *rig) turns() {
	for {
		select {
		case <-r.m.Brought():
			if r.m.Turn(r.now) {
				r.m.End()
				r.run()
			}
		default:
			return
		}
	}
}

// pass lets time pass, with all that falls due in it.
func (r *rig) pass(d time.Duration) {
	end := r.now.Add(d)
	for next := r.m.Next(); !next.IsZero() && !next.After(end); next = r.m.Next() {
		r.now = next
		if r.m.Tick(r.now) {
			r.m.End()
			r.run()
		}
		r.turns()
	}
	r.now = end
}

func (r *rig) take(version, expected int64, text string) {
	r.m.Take(Request{Message: Message{Version: version, Expected: expected, Text: text}, Within: 20 * time.Second, SignedBy: "k1"})
	r.turns()
}

// reach is a broker that takes a state and the subscription.
func (r *rig) reach() {
	r.m.BrokerReached()
	r.turns()
}

// is checks what is in force, and that a new program would say the same.
func (r *rig) is(t *testing.T, version int64, onProbation bool) {
	t.Helper()
	f := r.m.InForce()
	if f.Version != version || f.Probation != onProbation {
		t.Fatalf("version %d, probation %v; want %d, %v\n%s", f.Version, f.Probation, version, onProbation, &r.log)
	}
	report, ok := r.m.Report()
	if ok == onProbation || ok && (report.Version != version || report.Digest != f.Digest) {
		t.Fatalf("reported %+v, %v", report, ok)
	}
	if disk, _, err := r.files.InForce(); err != nil || disk.Version != version || disk.Digest != f.Digest {
		t.Fatalf("on the disk version %d, digest %s, %v; want %d, %s", disk.Version, disk.Digest, err, version, f.Digest)
	}
}

func (r *rig) logged(t *testing.T, n int, text string) {
	t.Helper()
	if got := strings.Count(r.log.String(), text); got != n {
		t.Errorf("%q %d times in the log, want %d\n%s", text, got, n, &r.log)
	}
}

func TestVersionIsAppliedWhenTheBrokerIsReached(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.is(t, 0, false)
	r.take(1, 0, r.own+more)
	r.is(t, 1, true)
	if r.m.InForce().Health.Interval != 50*time.Second {
		t.Error("the text of the version is not in force")
	}
	r.pass(14 * time.Second)
	r.is(t, 1, true)
	r.reach()
	r.is(t, 1, false)
	r.logged(t, 1, "config.applied version=1")
	if !r.m.Next().IsZero() {
		t.Error("a probation that is over goes on")
	}
	r.start(t)
	r.is(t, 1, false)
}

func TestVersionReturnsWhenItsTimeIsOver(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.failed = "tcp://127.0.0.1:1: connection refused"
	r.take(1, 0, r.own+more)
	r.pass(19 * time.Second)
	r.is(t, 1, true)
	r.pass(time.Second)
	r.is(t, 0, false)
	r.logged(t, 1, `level=ERROR msg=config.reverted version=1 to=0 why="the broker was not reached within 20s; tcp://127.0.0.1:1: connection refused"`)
	if len(r.events) != 1 || !strings.HasPrefix(r.events[0], "config.reverted config [version=1 to=0 ") {
		t.Errorf("events %q", r.events)
	}
	if report, _ := r.m.Report(); report.Refused == nil || report.Refused.Number != 1 || !report.Refused.Returned {
		t.Errorf("%+v", report)
	}
	r.take(1, 0, r.own+more) // it is retained, and comes again
	r.pass(2 * time.Second)
	r.is(t, 0, false)
	if len(r.ignored) != 0 {
		t.Errorf("published as ignored: %q", r.ignored)
	}
	if note := r.note(t); !strings.Contains(note, "version 1 of the back office was refused: returned: ") {
		t.Error(note)
	}
}

func (r *rig) note(t *testing.T) string {
	t.Helper()
	_, note, err := r.files.InForce()
	if err != nil {
		t.Fatal(err)
	}
	return note.EN
}

// However often the program ends, a probation's time is used up.
func TestProbationTimeIsUsedUpByRestarts(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.take(1, 0, r.own+more)
	r.start(t)
	r.is(t, 1, true)
	r.start(t) // 15 s were charged at each
	r.pass(time.Second)
	r.is(t, 0, false)
}

// Nothing is written or decided before the store is open.
func TestNothingBeforeTheStoreIsOpen(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.m.End()
	r.m.Begin(r.now, Run{Agent: r, Log: slog.New(slog.NewTextHandler(&r.log, nil))})
	r.take(1, 0, r.own+more)
	r.is(t, 0, false)
	r.m.StoreReady()
	r.turns()
	r.is(t, 1, true)
}

// Another broker counts only if something came from the back office there.
func TestAnotherBroker(t *testing.T) {
	for _, tc := range []struct{ name, more, why string }{
		{"no host", "", `nothing came from the back office there within 20s: the desired configuration has to be retained at that broker too"`},
		{"a host", "[backoffice]\nhost = \"desk\"\n", `retained at that broker too, or desk be online there"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.more)
			r.start(t)
			other := strings.Replace(r.own, ":1883", ":1884", 1)
			r.take(1, 0, other)
			r.reach()
			r.is(t, 1, true)
			r.pass(20 * time.Second)
			r.is(t, 0, false)
			r.logged(t, 2, tc.why) // when it is given up, and when that is published
			r.take(2, 0, other)
			r.m.BackOfficeReached()
			r.reach()
			r.is(t, 2, false)
		})
	}
}

// A broker that takes a state and lets nothing down does not end a probation.
func TestBrokerThatRefusesTheSubscription(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.refused = "the broker refused yuanlu/v1/t-1/dn/#"
	r.take(1, 0, r.own+more)
	r.pass(20 * time.Second)
	r.is(t, 0, false)
	r.logged(t, 1, `level=ERROR msg=config.reverted version=1 to=0 why="nothing can come from the back office: the broker refused yuanlu/v1/t-1/dn/#"`)
}

// What reaches neither the broker nor a link needs no other run and no probation.
func TestChangeInPlace(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.take(1, 0, r.own+"[log]\nlevel = \"debug\"\n")
	r.is(t, 1, false)
	r.logged(t, 1, "msg=config.in_force")
	if r.level != "debug" || r.digest != r.m.InForce().Digest {
		t.Errorf("level %q, digest %q", r.level, r.digest)
	}
}

// The newest of many counts, and a decision a second is made at most; each refusal is
// logged once.
func TestManyVersions(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.take(1, 0, r.own+more)
	r.reach()
	r.pass(time.Second)
	r.take(MaxVersion, 1, "x = 1") // declined, not spent
	r.pass(time.Second)
	for range 3 {
		r.take(7, 6, r.own) // expects another version
		r.pass(time.Second)
	}
	for v := range int64(20) {
		r.take(10+v, 1, "x = 1")
	}
	r.pass(2 * time.Second)
	r.logged(t, 1, fmt.Sprint("config.rejected version=", int64(MaxVersion), " path=version"))
	r.logged(t, 1, "config.rejected version=7 path=expected")
	r.logged(t, 1, "config.rejected version=10 path=x ")
	r.logged(t, 1, "config.rejected version=29 path=x ")
	r.logged(t, 2, "path=x ")
	// What is older does nothing; that is published once. So does another text under a
	// refused version, but not the refused one, which is retained and comes again.
	for _, text := range []string{"x = 1", "x = 1"} {
		r.take(12, 1, text)
		r.pass(2 * time.Second)
	}
	for _, text := range []string{"x = 1", r.own} {
		r.take(29, 1, text)
		r.pass(2 * time.Second)
	}
	want := []string{"version 12 of a configuration does nothing: only one greater than the newest, 29, acts", "version 29 of a configuration does nothing: only one greater than the newest, 29, acts"}
	if fmt.Sprint(r.ignored) != fmt.Sprint(want) {
		t.Errorf("ignored %q", r.ignored)
	}
	r.is(t, 1, false)
}

func TestWhatIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, own, text, why string
		profile              error
	}{
		{"no configuration", "", "x = 1", "path=x", nil},
		{"not from the back office", "[remote]\nconfig = false\n", "x = 1", "this terminal takes no configuration from the back office", nil},
		{"a profile that cannot be used", "", "", "the profile cannot be used: see config check on the terminal", errors.New("secret place")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.own)
			r.start(t)
			r.files.Profile = func(string, string) error { return tc.profile }
			r.m.files = r.files
			if tc.text == "" {
				tc.text = r.own
			}
			r.take(1, 0, tc.text)
			r.logged(t, 1, tc.why)
			r.logged(t, 0, "secret place")
			if report, ok := r.m.Report(); !ok || report.Version != 0 || report.Newest != 1 || report.Refused == nil || report.Refused.Number != 1 {
				t.Errorf("%+v, %v", report, ok)
			}
		})
	}
}

// A version that cannot be written is answered, and not spent.
func TestVersionThatCannotBeWritten(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	works := r.m.store.disk
	r.m.store.disk = brokenDisk{works}
	r.take(1, 0, r.own+more)
	if report, _ := r.m.Report(); report.Version != 0 || report.Newest != 0 || report.Refused == nil || !strings.Contains(report.Refused.Problems[0].Message, "it cannot be kept on this terminal: ") {
		t.Errorf("%+v", report)
	}
	r.pass(probationStep)
	r.logged(t, 3, "msg=config.unwritten") // at once, with what was in force before, and again
	r.m.store.disk = works
	r.pass(probationStep)
	r.take(1, 0, r.own+more)
	r.pass(2 * time.Second)
	r.is(t, 1, true)
}

type brokenDisk struct{ disk }

func (brokenDisk) Write(string, []byte) error { return errors.New("no room") }

func TestOwnFileChangedByHand(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.take(1, 0, r.own+more)
	r.reach()
	r.write(t, r.own+"nonsense = 1\n")
	if r.m.Reload(r.now) {
		t.Error("a wrong file needs another run")
	}
	r.logged(t, 1, "msg=config.rejected file=")
	if f := r.m.InForce(); f.Version != 1 {
		t.Errorf("version %d", f.Version)
	}
	r.write(t, r.own+"# by hand\n")
	if note := r.note(t); !strings.HasPrefix(note, "version 1 of the back office does not count any more: ") {
		t.Error(note)
	}
	if !r.m.Reload(r.now) {
		t.Error("another interval needs another run")
	}
	r.run()
	r.is(t, 0, false)
	if len(r.events) != 2 || !strings.HasPrefix(r.events[1], "config.local config [version=1 to=0 ") {
		t.Errorf("events %q", r.events)
	}
}

func TestRevert(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	r.take(1, 0, r.own+more)
	for _, want := range []int64{1, 0} {
		type result struct {
			RevertDone
			error
		}
		done := make(chan result)
		go func() {
			d, err := r.m.Revert(t.Context())
			done <- result{d, err}
		}()
		<-r.m.Brought()
		if r.m.Turn(r.now) {
			r.run()
		}
		if got := <-done; got.error != nil || got.Version != want || got.CountedAgain {
			t.Errorf("%+v, want version %d", got, want)
		}
		r.is(t, 0, false)
	}
}

// Where numbers have run to their end, a revert opens the way for the next version.
func TestRevertCountsAgain(t *testing.T) {
	dir := t.TempDir()
	store := NewStore(dir)
	at := State{Newest: MaxVersion, Refused: &Refusal{Number: MaxVersion, Problems: []Problem{{Message: "x"}}}}
	if err := errors.Join(store.Write(at), store.Close()); err != nil {
		t.Fatal(err)
	}
	if done, err := RevertFile(dir); err != nil || done != (RevertDone{CountedAgain: true}) {
		t.Errorf("%+v, %v", done, err)
	}
	if s, err := Read(dir); err != nil || s.Newest != 0 || s.Answer() != nil {
		t.Errorf("%+v, %v", s, err)
	}
	if done, err := RevertFile(dir); err != nil || done != (RevertDone{}) {
		t.Errorf("again: %+v, %v", done, err)
	}
}

// What is written and cannot be read now is neither given up nor written over; nothing is
// decided or published until it can be.
func TestFileThatCannotBeRead(t *testing.T) {
	r := newRig(t, "")
	file, err := r.files.Read(r.files.Path)
	if err != nil {
		t.Fatal(err)
	}
	store := NewStore(r.dir)
	good := State{Newest: 3, Base: file.Sum(), Good: &Version{Number: 3, Text: r.own + more}}
	path := filepath.Join(r.dir, folder, stateFile)
	if err := errors.Join(store.Write(good), store.Close(), os.Rename(path, path+".good"), os.Symlink(stateFile, path)); err != nil {
		t.Fatal(err) // a link to itself
	}
	r.start(t)
	r.take(4, 3, r.own)
	r.pass(3 * probationStep)
	r.logged(t, 1, "msg=config.unread")
	if _, ok := r.m.Report(); ok {
		t.Error("reported without knowing")
	}
	answer := make(chan error)
	go func() {
		_, err := r.m.Revert(t.Context())
		answer <- err
	}()
	<-r.m.Brought()
	r.m.Turn(r.now)
	if err := <-answer; err == nil || !strings.Contains(err.Error(), "too many levels of symbolic links") {
		t.Errorf("revert: %v", err)
	}
	if link, err := os.Readlink(path); err != nil || link != stateFile {
		t.Errorf("it was written over: %v", err)
	}
	if err := os.Rename(path+".good", path); err != nil {
		t.Fatal(err)
	}
	r.pass(probationStep)
	r.pass(2 * time.Second)
	r.logged(t, 1, "msg=config.in_force origin=backoffice version=3")
	r.logged(t, 0, "config.state_lost")
	r.is(t, 4, true)
}

func TestDamagedFile(t *testing.T) {
	r := newRig(t, "")
	if err := errors.Join(os.Mkdir(filepath.Join(r.dir, folder), 0o700), os.WriteFile(filepath.Join(r.dir, folder, stateFile), []byte("sha256 0\n{}"), 0o600)); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	r.is(t, 0, false)
	if len(r.events) != 1 || !strings.HasPrefix(r.events[0], "config.state_lost config ") {
		t.Errorf("events %q", r.events)
	}
	r.start(t)
	if len(r.events) != 1 {
		t.Errorf("events again %q", r.events)
	}
}

// An agent that cannot be made with a version on probation drops it; with any other
// configuration the process ends.
func TestAgentThatCannotBeMade(t *testing.T) {
	r := newRig(t, "")
	r.start(t)
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	if r.m.Failed(r.now, errors.New("no reporter"), log) {
		t.Error("the terminal's own file was given up")
	}
	r.take(1, 0, r.own+more)
	if !r.m.Failed(r.now, errors.New("no reporter"), log) {
		t.Error("a version on probation was not given up")
	}
	r.run()
	r.is(t, 0, false)
	r.logged(t, 1, `level=ERROR msg=config.reverted version=1 to=0 why="the agent does not start with it: no reporter"`)
}

// The greatest version counts, and of one version what came last; one that is too far
// ahead keeps none from being decided.
func TestWhichVersionWaits(t *testing.T) {
	const far = 5 + MostJump + 1
	for _, tc := range []struct {
		came []int64
		want int // index of the one that waits
	}{
		{[]int64{6}, 0}, {[]int64{6, 7}, 1}, {[]int64{7, 6}, 0}, {[]int64{7, 7}, 1}, {[]int64{far, 7}, 1},
		{[]int64{7, far}, 0}, {[]int64{far, far + 1}, 1}, {[]int64{MaxVersion, 6, far}, 1},
	} {
		t.Run(fmt.Sprint(tc.came), func(t *testing.T) {
			m := &Machine{brought: make(chan struct{}, 1), state: State{Newest: 5}}
			for i, v := range tc.came {
				m.Take(Request{Message: Message{Version: v, Text: fmt.Sprint(i)}})
			}
			if m.request == nil || m.request.Text != fmt.Sprint(tc.want) {
				t.Errorf("%+v waits, want number %d", m.request, tc.want)
			}
		})
	}
}

package desired

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// fakeDisk is a folder as a power cut sees it: what was not synced may be there, in
// part, or not at all.
type fakeDisk struct {
	files   map[int]*fakeFile // by inode
	entries map[string]int    // as programs see them
	durable map[string]int    // as they are after a power cut, if nothing later came through
	pending []map[string]int  // the folder after each later change, oldest first
	next    int
	crash   func(step string) // called before and after every step
}

type fakeFile struct{ data, synced []byte }

// Write implements disk.
func (d *fakeDisk) Write(name string, text []byte) error {
	d.crash("before write")
	id, there := d.entries[name]
	if !there {
		d.next++
		id = d.next
		d.files[id] = &fakeFile{}
		d.change(func(e map[string]int) { e[name] = id })
	}
	d.files[id].data = nil
	d.crash("emptied")
	d.files[id].data = text[:len(text)/2]
	d.crash("half written")
	d.files[id].data = text
	d.crash("written")
	return nil
}

// Sync implements disk.
func (d *fakeDisk) Sync(name string) error {
	f := d.files[d.entries[name]]
	f.synced = f.data
	d.crash("synced")
	return nil
}

// Rename implements disk.
func (d *fakeDisk) Rename(from, to string) error {
	d.change(func(e map[string]int) { e[to] = e[from]; delete(e, from) })
	d.crash("renamed")
	return nil
}

// SyncDir implements disk.
func (d *fakeDisk) SyncDir() error {
	d.durable, d.pending = d.entries, nil
	d.crash("folder synced")
	return nil
}

func (d *fakeDisk) change(f func(map[string]int)) {
	d.entries = maps.Clone(d.entries)
	f(d.entries)
	d.pending = append(d.pending, d.entries)
}

// images returns everything that the file may hold after a power cut now; nil: there
// is none.
func (d *fakeDisk) images() [][]byte {
	var all [][]byte
	for _, entries := range append([]map[string]int{d.durable}, d.pending...) {
		id, there := entries[stateFile]
		if !there {
			all = append(all, nil)
			continue
		}
		f := d.files[id]
		if all = append(all, f.synced); !reflect.DeepEqual(f.synced, f.data) {
			all = append(all, []byte{}, f.data[:len(f.data)/2], f.data)
		}
	}
	return all
}

// changes are the writes of one change from afar, of a return from it, and of the
// next one.
func changes() []State {
	tried := State{}.Tried(*version(1), time.Minute, sum)
	charged, _ := tried.Charged(probationStep)
	confirmed := charged.Confirmed()
	second := confirmed.Tried(*version(2), time.Minute, sum)
	returned := second.Returned("no broker")
	return []State{{}, tried, charged, confirmed, confirmed.Refuse(Message{Version: 9}, []Problem{{Message: "x"}}), second, returned, returned.Reported(), returned.Reverted("y")}
}

// TestPowerCutAtEveryStep: whatever of the unsynced came through, the old state is
// read or the new one. The same on a disk whose order of steps is wrong must fail.
func TestPowerCutAtEveryStep(t *testing.T) {
	run := func(replace func(disk, []byte) error) (cuts int, bad string) {
		all := changes()
		d := &fakeDisk{files: map[int]*fakeFile{}, entries: map[string]int{}, durable: map[string]int{}}
		for i := 1; i < len(all); i++ {
			d.crash = func(step string) {
				for _, image := range d.images() {
					cuts++
					got, err := State{}, error(nil)
					if image != nil {
						got, err = decode(image)
					}
					if err != nil || !reflect.DeepEqual(got, all[i-1]) && !reflect.DeepEqual(got, all[i]) {
						bad = fmt.Sprintf("write %d, %s: %v", i, step, err)
					}
				}
			}
			text, err := encode(all[i])
			if err == nil {
				err = replace(d, text)
			}
			if err != nil {
				return cuts, err.Error()
			}
			if got := d.images(); len(got) != 1 || string(got[0]) != string(text) {
				bad = fmt.Sprintf("write %d returned and is not durable", i)
			}
		}
		return cuts, bad
	}
	cuts, bad := run(replace)
	if bad != "" {
		t.Error(bad)
	}
	t.Logf("%d power cuts", cuts)
	for name, wrong := range map[string]func(d disk, text []byte) error{
		"in place": func(d disk, text []byte) error {
			return errors.Join(d.Write(stateFile, text), d.Sync(stateFile), d.SyncDir())
		},
		"renamed unsynced": func(d disk, text []byte) error {
			return errors.Join(d.Write(newFile, text), d.Rename(newFile, stateFile), d.SyncDir())
		},
		"folder not synced": func(d disk, text []byte) error {
			return errors.Join(d.Write(newFile, text), d.Sync(newFile), d.Rename(newFile, stateFile))
		},
	} {
		if _, bad := run(wrong); bad == "" {
			t.Errorf("%s: the test does not see that this is wrong", name)
		}
	}
}

// killDisk ends the process at one step.
type killDisk struct {
	disk
	at int
}

func (k *killDisk) step(do func() error) error {
	if k.at--; k.at == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it comes
	}
	return do()
}

// Write implements disk.
func (k *killDisk) Write(n string, b []byte) error {
	return k.step(func() error { return k.disk.Write(n, b) })
}

// Sync implements disk.
func (k *killDisk) Sync(n string) error { return k.step(func() error { return k.disk.Sync(n) }) }

// Rename implements disk.
func (k *killDisk) Rename(a, b string) error {
	return k.step(func() error { return k.disk.Rename(a, b) })
}

// SyncDir implements disk.
func (k *killDisk) SyncDir() error { return k.step(k.disk.SyncDir) }

const killDirEnv, killStepEnv = "YUANLU_DESIRED_DIR", "YUANLU_DESIRED_STEP"

// TestKillAtEveryStep: a process that writes is killed before each of its steps; the
// next one reads the old state or the new one, and can go on.
func TestKillAtEveryStep(t *testing.T) {
	all := changes()
	if dir := os.Getenv(killDirEnv); dir != "" {
		at, err := strconv.Atoi(os.Getenv(killStepEnv))
		if err != nil {
			t.Fatal(err)
		}
		st := NewStore(dir)
		st.disk = &killDisk{st.disk, at}
		for _, s := range all[1:] {
			if err := st.Write(s); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	steps := 4 * (len(all) - 1)
	for at := 1; at <= steps+1; at++ {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run", "^TestKillAtEveryStep$")
		cmd.Env = append(os.Environ(), killDirEnv+"="+dir, killStepEnv+"="+strconv.Itoa(at))
		out, err := cmd.CombinedOutput()
		if killed := err != nil && cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL; killed != (at <= steps) {
			t.Fatalf("step %d: %v: %s", at, err, out)
		}
		write := (at - 1) / 4 // of this one some steps were not done
		got, err := Read(dir)
		if err != nil || !reflect.DeepEqual(got, all[write]) && (write+1 >= len(all) || !reflect.DeepEqual(got, all[write+1])) {
			t.Errorf("killed before step %d: %+v, %v", at, got, err)
		}
		st := NewStore(dir)
		if err := errors.Join(st.Write(all[len(all)-1]), st.Close()); err != nil {
			t.Errorf("after step %d: %v", at, err)
		}
	}
}

package desired

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"yuanlu/agent/newfile"

	"golang.org/x/sys/unix"
)

// Classes of errors.
var (
	ErrDamaged = errors.New("desired: the file is damaged")
	ErrLocked  = errors.New("desired: another process decides about the configuration")
	ErrStore   = errors.New("desired: cannot be stored")
)

// Names below store.dir. The lock is held by the process that may write.
const (
	folder    = "config"
	stateFile = "desired.json"
	newFile   = "desired.json.new"
	lockFile  = "lock"
)

// maxState is the greatest size of the file: two texts of the greatest message and
// room to spare.
const maxState = 1 << 20

// Read reads the state below store.dir. Without a file it is the zero State. Errors:
// ErrDamaged, or what kept it from being read (errors.Is fs.ErrPermission). It takes
// no lock: the file is only ever replaced.
func Read(storeDir string) (State, error) {
	text, err := readFile(filepath.Join(storeDir, folder, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	return decode(text)
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // reading a pipe never ends
		return nil, fmt.Errorf("desired: %s is no file", path)
	}
	if info.Size() > maxState {
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d", ErrDamaged, path, info.Size(), maxState)
	}
	return os.ReadFile(path)
}

// encode writes a state with its checksum in the first line.
func encode(s State) ([]byte, error) {
	body, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	sum := sha256.Sum256(body)
	return append([]byte("sha256 "+hex.EncodeToString(sum[:])+"\n"), body...), nil
}

func decode(text []byte) (State, error) {
	head, body, _ := bytes.Cut(text, []byte("\n"))
	sum := sha256.Sum256(body)
	if string(head) != "sha256 "+hex.EncodeToString(sum[:]) {
		return State{}, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	var s State
	if err := json.Unmarshal(body, &s); err != nil {
		return State{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

// disk is what a Store does to its folder, step by step. Each returns when it is
// done; only what was synced survives a power cut.
type disk interface {
	Write(name string, text []byte) error // create or empty, write
	Sync(name string) error
	Rename(from, to string) error
	SyncDir() error
}

// Store writes states below one store.dir. It is not safe for concurrent use.
type Store struct {
	dir  string
	lock *os.File // nil: not held
	disk disk
}

// NewStore makes a Store. Nothing is created or locked before the first Write.
func NewStore(storeDir string) *Store {
	dir := filepath.Join(storeDir, folder)
	return &Store{dir: dir, disk: &realDisk{dir}}
}

// Write replaces the state. When it returns nil the new one survives a power cut; on
// an error it is the old or the new one. Errors: ErrLocked, ErrStore.
func (st *Store) Write(s State) error {
	text, err := encode(s)
	if err != nil {
		return err
	}
	if err := st.takeLock(); err != nil {
		return err
	}
	if err := replace(st.disk, text); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func replace(d disk, text []byte) error {
	if err := d.Write(newFile, text); err != nil {
		return err
	}
	if err := d.Sync(newFile); err != nil {
		return err
	}
	if err := d.Rename(newFile, stateFile); err != nil {
		return err
	}
	return d.SyncDir()
}

// takeLock makes the folder and takes the lock.
func (st *Store) takeLock() error {
	if st.lock != nil {
		return nil
	}
	if err := os.Mkdir(st.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", ErrStore, err)
	} else if err == nil {
		if err := errors.Join(own(st.dir), newfile.SyncDir(filepath.Dir(st.dir))); err != nil {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
	}
	path := filepath.Join(st.dir, lockFile)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if err := own(path); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrStore, err), f.Close())
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return errors.Join(ErrLocked, f.Close())
	}
	st.lock = f
	return nil
}

// Close gives up the lock.
func (st *Store) Close() error {
	if st.lock == nil {
		return nil
	}
	f := st.lock
	st.lock = nil
	return f.Close()
}

// own sets the owner of a file to that of the folder above it: a technician works as root,
// and the daemon must read and replace what the technician leaves.
func own(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var above unix.Stat_t
	if err := unix.Stat(filepath.Dir(path), &above); err != nil {
		return err
	}
	return os.Lchown(path, int(above.Uid), int(above.Gid))
}

// realDisk is a folder.
type realDisk struct{ dir string }

// Write implements disk.
func (d *realDisk) Write(name string, text []byte) error {
	path := filepath.Join(d.dir, name)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0o600) // not for ever at a pipe
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, own(path), f.Close())
}

// Sync implements disk.
func (d *realDisk) Sync(name string) error {
	f, err := os.OpenFile(filepath.Join(d.dir, name), os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Rename implements disk.
func (d *realDisk) Rename(from, to string) error {
	return os.Rename(filepath.Join(d.dir, from), filepath.Join(d.dir, to))
}

// SyncDir implements disk.
func (d *realDisk) SyncDir() error { return newfile.SyncDir(d.dir) }

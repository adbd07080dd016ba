package pins

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/crypto/argon2"

	"yuanlu/agent/newfile"
	"yuanlu/agent/refund"
)

// The cost of one comparison. Source: guard.md § 3.
const (
	memoryKiB = 19 << 10
	passes    = 2
	lanes     = 1
	saltBytes = 16
	hashBytes = 32
)

// header stands before salt and hash in a line: the parameters are the page's, and a line
// with others is not read.
const header = "$argon2id$v=19$m=19456,t=2,p=1$"

const (
	pinFile  = "pins"
	mostRead = 64 << 10 // of a file of ours; about 500 supervisors
)

// ErrFile: the file of PINs cannot be read or has a line that is none.
var ErrFile = errors.New("pins: file")

// entry is one line of the file.
type entry struct {
	id         string
	salt, hash []byte
}

// Set writes the PIN of a supervisor into dir/pins (mode 0600), in place of the one before,
// durably. dir is made if it is not there. Errors: ErrWeak, ErrFile, those of the file
// system. Two processes may not call it at the same time.
func Set(dir, id string, pin refund.Secret) error {
	if err := Weak(pin); err != nil {
		return err
	}
	if !isID(id) {
		return fmt.Errorf("%w: an id is 1 to 32 of a-z, 0-9 and -", ErrFile)
	}
	all, err := read(dir)
	if err != nil {
		return err
	}
	one := entry{id: id, salt: make([]byte, saltBytes)}
	if _, err := rand.Read(one.salt); err != nil {
		return err
	}
	one.hash = hash(pin, one.salt)
	all = slices.DeleteFunc(all, func(e entry) bool { return e.id == id })
	var b bytes.Buffer
	for _, e := range append(all, one) {
		b64 := base64.RawStdEncoding
		fmt.Fprintf(&b, "%s %s%s$%s\n", e.id, header, b64.EncodeToString(e.salt), b64.EncodeToString(e.hash))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return replace(filepath.Join(dir, pinFile), b.Bytes())
}

// Known returns the ids that have a PIN in dir, in the order of the file.
func Known(dir string) ([]string, error) {
	all, err := read(dir)
	var ids []string
	for _, e := range all {
		ids = append(ids, e.id)
	}
	return ids, err
}

// isID reports whether id is one of a supervisor.
func isID(id string) bool {
	return id != "" && len(id) <= 32 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// hash is what is kept of a PIN.
func hash(pin refund.Secret, salt []byte) []byte {
	return argon2.IDKey([]byte(pin.Reveal()), salt, passes, memoryKiB, lanes, hashBytes)
}

// holds reports whether a PIN is the one of e; it takes the same time if it is not.
func (e *entry) holds(pin refund.Secret) bool {
	return subtle.ConstantTimeCompare(hash(pin, e.salt), e.hash) == 1
}

// read returns the lines of the file, none if it is not there.
func read(dir string) ([]entry, error) {
	data, err := readFile(filepath.Join(dir, pinFile))
	if err != nil {
		return nil, err
	}
	var all []entry
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		if line == "" {
			continue
		}
		e, ok := parse(line)
		if !ok {
			return nil, fmt.Errorf("%w: line %d is not an id and an argon2id hash; set the PIN again", ErrFile, i+1)
		}
		all = append(all, e)
	}
	return all, nil
}

func parse(line string) (e entry, ok bool) {
	id, rest, _ := strings.Cut(line, " ")
	rest, ours := strings.CutPrefix(rest, header)
	salt, sum, _ := strings.Cut(rest, "$")
	e.id = id
	var errSalt, errSum error
	e.salt, errSalt = base64.RawStdEncoding.DecodeString(salt)
	e.hash, errSum = base64.RawStdEncoding.DecodeString(sum)
	return e, isID(id) && ours && errSalt == nil && errSum == nil && len(e.salt) == saltBytes && len(e.hash) == hashBytes
}

// readFile reads a small file; nothing if it is not there.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRead+1))
	if err == nil && len(data) > mostRead {
		err = fmt.Errorf("%w: more than %d bytes", ErrFile, mostRead)
	}
	return data, err
}

// replace puts a file in the place of another, durably, mode 0600: whole or not at all.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if dir, statErr := os.Stat(filepath.Dir(path)); os.Geteuid() == 0 && statErr == nil {
		// Set by root, the file belongs to the daemon all the same.
		if owner, ok := dir.Sys().(*syscall.Stat_t); ok {
			err = errors.Join(err, f.Chown(int(owner.Uid), int(owner.Gid)))
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return newfile.SyncDir(filepath.Dir(path))
}

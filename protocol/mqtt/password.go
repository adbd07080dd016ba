package mqtt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxPassword is how much of a password file is read, in bytes.
const maxPassword = 4096

// ReadPassword returns the first line of a file, without its line end. It fails if that
// line is empty. Every error is a DialError at stage files; none holds any of the text.
func ReadPassword(path string) (string, error) {
	line, err := firstLine(path)
	switch {
	case err != nil:
		de := noPassword(fmt.Sprintf("cannot read %s (%v)", path, reason(err)), err)
		if !errors.Is(err, fs.ErrNotExist) {
			de.Remedy = "check the path and its permissions"
		}
		return "", de
	case len(line) == 0:
		return "", noPassword("the first line of "+path+" is empty", nil)
	}
	return string(line), nil
}

func noPassword(what string, err error) *DialError {
	return &DialError{Stage: "files", Code: "password_file", What: what, Err: err,
		Remedy: "write the password that the broker wants from this terminal into it (mqtt.password_file)"}
}

// reason is an error of the file system without the path.
func reason(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func firstLine(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), err
}

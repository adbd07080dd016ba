package mqtt

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// maxPassword is how much of a password file is read, in bytes.
const maxPassword = 4096

// ReadPassword returns the first line of a file, without its line end. It fails if that
// line is empty. No error holds any of the text.
func ReadPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return "", errors.New("its first line is empty")
	}
	return string(line), nil
}

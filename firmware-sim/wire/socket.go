package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Socket is a place where a terminal is plugged in: a line that can be taken away and comes back, for a PTY under
// another name. Close may be called from another goroutine at any time and ends a write that waits.
type Socket struct {
	open  func() (Line, error)
	link  string
	spare bool // a new line can be made while the old one is there, and then has another name
	end   func() error

	mu     sync.Mutex
	line   Line
	closed bool
}

// Open reports whether somebody has the other end open, as far as that can be known; true for a tty.
func (s *Socket) Open() bool {
	line, ok := s.Line().(interface{ Open() bool })
	return !ok || line.Open()
}

// Plug opens the line that spec names: "pty", or the path of a tty. link, if not empty, is a symbolic link that
// always points at the other end's present name. baud is for a tty only.
func Plug(spec, link string, baud int) (*Socket, error) {
	s := &Socket{link: link, spare: spec == "pty", end: func() error { return nil }}
	s.open = func() (Line, error) {
		if s.spare {
			return OpenPTY()
		}
		return OpenTTY(spec, baud)
	}
	line, err := s.open()
	if err != nil {
		return nil, err
	}
	s.line = line
	if err := s.point(); err != nil {
		line.Close()
		return nil, err
	}
	return s, nil
}

// Line is the line as it is plugged in now.
func (s *Socket) Line() Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line
}

// Place is where the other end is found now: the link if there is one.
func (s *Socket) Place() string {
	if s.link != "" {
		return s.link
	}
	return s.Line().Place()
}

// Replug takes the line away for a while and brings it back, a PTY under another name.
func (s *Socket) Replug(away time.Duration) error {
	old := s.Line()
	if !s.spare {
		old.Close()
		time.Sleep(away)
		line, err := s.open()
		if err != nil {
			return err
		}
		return s.take(line)
	}
	// The new one is made first: the kernel would assign the freed number again.
	line, err := s.open()
	if err != nil {
		return err
	}
	if s.link != "" {
		if err := os.Remove(s.link); err != nil && !errors.Is(err, os.ErrNotExist) {
			line.Close()
			return err
		}
	}
	old.Close()
	time.Sleep(away)
	if err := s.take(line); err != nil {
		return err
	}
	return s.point()
}

func (s *Socket) take(line Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		line.Close()
		return os.ErrClosed
	}
	s.line = line
	return nil
}

// point makes the link point at the line, replacing only a link.
func (s *Socket) point() error {
	if s.link == "" {
		return nil
	}
	if i, err := os.Lstat(s.link); err == nil && i.Mode()&os.ModeSymlink == 0 {
		return fmt.Errorf("%w: %s exists and is no symbolic link", ErrLine, s.link)
	}
	tmp := filepath.Join(filepath.Dir(s.link), "."+strings.TrimPrefix(filepath.Base(s.link), ".")+".new")
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Symlink(s.Line().Place(), tmp); err != nil {
		return fmt.Errorf("%w: %w", ErrLine, err)
	}
	return os.Rename(tmp, s.link)
}

// Drain waits until what was written is read, where that can be known, at most so long.
func (s *Socket) Drain(limit time.Duration) {
	if line, ok := s.Line().(interface{ Drain(time.Duration) }); ok {
		line.Drain(limit)
	}
}

// Close takes the line and the link away for good.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.link != "" {
		if i, err := os.Lstat(s.link); err == nil && i.Mode()&os.ModeSymlink != 0 {
			_ = os.Remove(s.link)
		}
	}
	return errors.Join(s.line.Close(), s.end())
}

package usbport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The pipe between a port and a link in another process: three sockets, one for
// reads, one for writes, one for control, so that none waits for another. On each,
// one request at a time and its reply; a cancel may come in between.
//
//	request: op 1, length 4, data            (op 'X', cancel, has no reply)
//	reply:   class 1, n 4, text 2, data 4, then the error's text and the data
//
// Numbers are big-endian. Both ends are the same program.
const (
	opRead   = 'R' // data: 4 bytes, how much to read at most
	opWrite  = 'W'
	opHalt   = 'H' // data: the endpoint
	opCancel = 'X'

	requestHeader = 5
	replyHeader   = 11
	maxText       = 4096
)

// errTransfer is what an error of no class becomes on the other side.
var errTransfer = errors.New("USB transfer failed")

// wireClasses returns errors a number on the pipe: their place, from 1.
func wireClasses() []error {
	return []error{
		errTransfer, errStall, errNoDevice, errCrashed, context.Canceled, context.DeadlineExceeded,
		ErrAbsent, ErrPermission, ErrBusy, ErrDevice, ErrNoUSB,
	}
}

func classOf(err error) byte {
	if err == nil {
		return 0
	}
	for i, class := range wireClasses() {
		if errors.Is(err, class) {
			return byte(i + 1)
		}
	}
	return 1
}

// A remoteError has the text of an error of the other process, and its class.
type remoteError struct {
	class error
	text  string
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.class }

func writeRequest(w io.Writer, op byte, data []byte) error {
	b := make([]byte, 0, requestHeader+len(data))
	b = append(b, op)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	_, err := w.Write(append(b, data...))
	return err
}

func readRequest(r io.Reader) (op byte, data []byte, err error) {
	var h [requestHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(h[1:])
	if n > writeSize {
		return 0, nil, fmt.Errorf("request of %d bytes, at most %d", n, writeSize)
	}
	data = make([]byte, n)
	_, err = io.ReadFull(r, data)
	return h[0], data, err
}

func writeReply(w io.Writer, n int, err error, data []byte) error {
	text := ""
	if err != nil {
		text = err.Error()
		text = text[:min(len(text), maxText)]
	}
	b := make([]byte, 0, replyHeader+len(text)+len(data))
	b = append(b, classOf(err))
	b = binary.BigEndian.AppendUint32(b, uint32(n))
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, text...)
	_, werr := w.Write(append(b, data...))
	return werr
}

// readReply reads a reply; its data goes to into. broken is an error of the pipe
// or a reply that cannot be one; err is the other side's.
func readReply(r io.Reader, into []byte) (n int, err, broken error) {
	var h [replyHeader]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, nil, err
	}
	n = int(binary.BigEndian.Uint32(h[1:]))
	text, size := int(binary.BigEndian.Uint16(h[5:])), int(binary.BigEndian.Uint32(h[7:]))
	classes := wireClasses()
	switch {
	case int(h[0]) > len(classes), text > maxText:
		return 0, nil, fmt.Errorf("reply of class %d with %d bytes of text", h[0], text)
	case size > len(into), n < 0, n > max(len(into), writeSize):
		return 0, nil, fmt.Errorf("reply of %d and %d bytes, room for %d", n, size, len(into))
	}
	b := make([]byte, text)
	if _, err := io.ReadFull(r, b); err != nil {
		return 0, nil, err
	}
	if _, err := io.ReadFull(r, into[:size]); err != nil {
		return 0, nil, err
	}
	if h[0] > 0 {
		err = &remoteError{classes[h[0]-1], string(b)}
	}
	return n, err, nil
}

// serve answers requests on one socket until it ends. A request that is under way
// then is cancelled and waited for.
func serve(conn io.ReadWriter, handle func(ctx context.Context, op byte, data []byte) (int, []byte, error)) {
	type request struct {
		op   byte
		data []byte
	}
	requests := make(chan request)
	go func() {
		defer close(requests)
		for {
			op, data, err := readRequest(conn)
			if err != nil {
				return
			}
			requests <- request{op, data}
		}
	}()
	r, open := <-requests
	for open {
		if r.op == opCancel { // came after the reply
			r, open = <-requests
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			n, data, err := handle(ctx, r.op, r.data)
			_ = writeReply(conn, n, err, data) // a socket that is broken ends the requests too
		}()
		// While it runs only a cancel or the end can come. The next request may
		// overtake done: the reply is out a moment before.
		next := request{op: opCancel}
		for next.op == opCancel && open {
			next, open = <-requests
			if next.op == opCancel || !open {
				cancel()
			}
		}
		<-done
		cancel()
		r = next
	}
}

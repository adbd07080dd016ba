package ledger

import (
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// stmt is a prepared statement. Its use is bind…, step…, reset; bound texts and
// blobs are copied, so the caller may change its own at once.
type stmt struct {
	c    *conn
	p    uintptr // *sqlite3_stmt
	verb string  // for errors
	room uintptr // C memory that bound texts and blobs are copied into
	size int     // of room
	used int
	more int // bytes that did not fit: the next reset makes room that large
}

// firstRoom holds a record's row in most cases.
const firstRoom = 1024

func (s *stmt) bindInt(i int, v int64) {
	sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, int32(i), v)
}

func (s *stmt) bindNull(i int) { sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, int32(i)) }

// bindText binds v as text.
func (s *stmt) bindText(i int, v string) {
	b := unsafe.Slice(unsafe.StringData(v), len(v))
	s.place(b, func(at, free uintptr) {
		sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, int32(i), at, int32(len(b)), free)
	})
}

// bindJSON binds b, which is text, without a copy to a string.
func (s *stmt) bindJSON(i int, b []byte) {
	s.place(b, func(at, free uintptr) {
		sqlite3.Xsqlite3_bind_text(s.c.tls, s.p, int32(i), at, int32(len(b)), free)
	})
}

// bindBlob binds b as a blob; a nil b is NULL.
func (s *stmt) bindBlob(i int, b []byte) {
	if b == nil {
		s.bindNull(i)
		return
	}
	s.place(b, func(at, free uintptr) {
		sqlite3.Xsqlite3_bind_blob(s.c.tls, s.p, int32(i), at, int32(len(b)), free)
	})
}

// place copies b into the statement's room and hands its address to bind. What
// does not fit goes through memory of its own, which SQLite copies
// (SQLITE_TRANSIENT); the room grows at the next reset, when nothing points
// into it any more.
func (s *stmt) place(b []byte, bind func(at, free uintptr)) {
	if s.room == 0 {
		s.room = libc.Xmalloc(s.c.tls, libc.Tsize_t(firstRoom))
		s.size = firstRoom
	}
	if s.used+len(b)+1 <= s.size && s.room != 0 {
		at := s.room + uintptr(s.used)
		copy(memory(at, len(b)), b)
		s.used += len(b) + 1
		bind(at, 0)
		return
	}
	s.more += len(b) + 1
	once := libc.Xmalloc(s.c.tls, libc.Tsize_t(len(b)+1))
	if once == 0 {
		return // stays NULL; the row's NOT NULL constraint refuses it
	}
	copy(memory(once, len(b)), b)
	bind(once, ^uintptr(0))
	libc.Xfree(s.c.tls, once)
}

// step runs the statement to its next row; false: there is none.
func (s *stmt) step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.errorOf(s.verb, rc)
	}
}

// run steps to the end and resets.
func (s *stmt) run() error {
	for {
		more, err := s.step()
		if err != nil || !more {
			s.reset()
			return err
		}
	}
}

// reset makes the statement ready for its next use.
func (s *stmt) reset() {
	sqlite3.Xsqlite3_reset(s.c.tls, s.p)
	if s.more > 0 {
		sqlite3.Xsqlite3_clear_bindings(s.c.tls, s.p)
		libc.Xfree(s.c.tls, s.room)
		s.size = (s.used + s.more) * 2
		s.room = libc.Xmalloc(s.c.tls, libc.Tsize_t(s.size))
		s.more = 0
	}
	s.used = 0
}

func (s *stmt) finalize() {
	sqlite3.Xsqlite3_finalize(s.c.tls, s.p)
	libc.Xfree(s.c.tls, s.room)
	s.p, s.room = 0, 0
}

func (s *stmt) isNull(i int) bool {
	return sqlite3.Xsqlite3_column_type(s.c.tls, s.p, int32(i)) == sqlite3.SQLITE_NULL
}

func (s *stmt) int(i int) int64 { return sqlite3.Xsqlite3_column_int64(s.c.tls, s.p, int32(i)) }

func (s *stmt) text(i int) string { return string(s.view(i)) }

// bytes returns a copy of a column.
func (s *stmt) bytes(i int) []byte { return append([]byte(nil), s.view(i)...) }

// view returns a column's bytes where SQLite keeps them: good until the next step
// or reset.
func (s *stmt) view(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.c.tls, s.p, int32(i))
	n := sqlite3.Xsqlite3_column_bytes(s.c.tls, s.p, int32(i))
	if p == 0 || n <= 0 {
		return nil
	}
	return memory(p, int(n))
}

// memory is the C memory [p, p+n) as a slice. The address comes from the
// library's own allocator, never from Go's heap.
func memory(p uintptr, n int) []byte {
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&p))), n)
}

// loadPointer reads the pointer that a call stored at p.
func loadPointer(p uintptr) uintptr {
	return *(*uintptr)(*(*unsafe.Pointer)(unsafe.Pointer(&p)))
}

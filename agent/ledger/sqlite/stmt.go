package sqlite

import (
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// stmt is a prepared statement. Its use is bind…, step…, reset; bound texts and
// blobs are copied, so the caller may change its own at once.
type stmt struct {
	Row
	verb string  // for errors
	busy bool    // stepped and not yet reset
	room uintptr // C memory that bound texts and blobs are copied into
	size int     // of room
	used int
	more int // bytes that did not fit: the next reset makes room that large
}

// Row is the row that a query stands on. Columns count from 0.
type Row struct {
	c *Conn
	p uintptr // *sqlite3_stmt
}

// Kind is the kind of a value.
type Kind byte

// Kinds of values.
const (
	Null Kind = iota
	Integer
	Text
	Blob
	Other // of no column of a store
)

// Value is one value of a row: N of an Integer, Bytes of a Text or Blob.
type Value struct {
	Kind  Kind
	N     int64
	Bytes []byte
}

// firstRoom holds a record's row in most cases.
const firstRoom = 1024

func (s *stmt) bindInt(i int, v int64) {
	sqlite3.Xsqlite3_bind_int64(s.c.tls, s.p, int32(i), v)
}

func (s *stmt) bindNull(i int) { sqlite3.Xsqlite3_bind_null(s.c.tls, s.p, int32(i)) }

func (s *stmt) bindBool(i int, v bool) {
	n := int64(0)
	if v {
		n = 1
	}
	s.bindInt(i, n)
}

func (s *stmt) bindValue(i int, v *Value) {
	switch v.Kind {
	case Integer:
		s.bindInt(i, v.N)
	case Text:
		s.bindJSON(i, v.Bytes)
	case Blob:
		s.bindBlob(i, v.Bytes)
	default:
		s.bindNull(i)
	}
}

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
	s.busy = true
	switch rc := sqlite3.Xsqlite3_step(s.c.tls, s.p); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.c.errorOf(s.verb, rc)
	}
}

// reset makes the statement ready for its next use.
func (s *stmt) reset() {
	s.busy = false
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

// IsNull reports whether a column is NULL.
func (r *Row) IsNull(i int) bool { return r.kind(i) == sqlite3.SQLITE_NULL }

func (r *Row) kind(i int) int32 { return sqlite3.Xsqlite3_column_type(r.c.tls, r.p, int32(i)) }

// Int returns a column as an integer; 0 if it is NULL.
func (r *Row) Int(i int) int64 { return sqlite3.Xsqlite3_column_int64(r.c.tls, r.p, int32(i)) }

// Text returns a column as text; "" if it is NULL.
func (r *Row) Text(i int) string { return string(r.View(i)) }

// Bytes returns a copy of a column; nil if it is NULL or empty.
func (r *Row) Bytes(i int) []byte { return append([]byte(nil), r.View(i)...) }

// View returns a column's bytes where SQLite keeps them: good until the next row.
func (r *Row) View(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(r.c.tls, r.p, int32(i))
	n := sqlite3.Xsqlite3_column_bytes(r.c.tls, r.p, int32(i))
	if p == 0 || n <= 0 {
		return nil
	}
	return memory(p, int(n))
}

// Value returns a column as it is; its Bytes are those of View.
func (r *Row) Value(i int) Value {
	switch r.kind(i) {
	case sqlite3.SQLITE_NULL:
		return Value{}
	case sqlite3.SQLITE_INTEGER:
		return Value{Kind: Integer, N: r.Int(i)}
	case sqlite3.SQLITE_TEXT:
		return Value{Kind: Text, Bytes: r.View(i)}
	case sqlite3.SQLITE_BLOB:
		return Value{Kind: Blob, Bytes: r.View(i)}
	}
	return Value{Kind: Other}
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

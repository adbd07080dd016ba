package sqlite

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Every page of the database file ends with a sum of its own, so that a flipped byte
// anywhere in the file (a row, a key, an inner page of a tree, the list of free
// pages, the header) is found when the page is read, whatever the page holds:
//
//	0        what SQLite keeps in the page                            4092 bytes
//	4092     CRC-32C of the page's number (8 bytes, big-endian) and of those bytes
//
// SQLite leaves the last bytes of each page alone as many as the header's byte 20 holds
// (sqlite.org/fileformat2.html, § 1.3.4). The sum is made when a page is written to
// the file and compared when it is read from there. A page in the WAL has no sum of
// its own yet: its frame has one, compared at each opening (wal.go). A page whose sum
// does not match is SQLITE_IOERR_DATA, in this package ErrDamaged.
//
// The number is part of the sum, so that a page written to the wrong place does not
// match there. What no sum can show is a write that the disk has confirmed and never done.
const (
	// PageSum is the bytes at the end of a page that its sum takes.
	PageSum = 4

	// SummedVersion is the schema version from which on a store has sums. A store of
	// an earlier one is copied into one that has them (upgrade.go).
	SummedVersion = 2
)

// Places in the header of a database file.
const (
	// HeaderSize is the bytes of the header.
	HeaderSize    = 100
	headerReserve = 20 // bytes that SQLite leaves alone at the end of each page
	headerVersion = 60 // user_version
)

// Checksum goes on from the CRC-32C of what stands before b, 0 at the beginning.
func Checksum(sum uint32, b []byte) uint32 {
	return crc32.Update(sum, crc32.MakeTable(crc32.Castagnoli), b)
}

// sumPage returns the sum of a page with this number, from 1.
func sumPage(page []byte, number int64) uint32 {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(number))
	return Checksum(Checksum(0, n[:]), page[:len(page)-PageSum])
}

// putSum writes a page's sum to its end.
func putSum(page []byte, number int64) {
	binary.BigEndian.PutUint32(page[len(page)-PageSum:], sumPage(page, number))
}

// SumMatches reports whether a page is as it was written.
func SumMatches(page []byte, number int64) bool {
	return binary.BigEndian.Uint32(page[len(page)-PageSum:]) == sumPage(page, number)
}

// HasSums reports whether the pages of a database file with this header have sums. One
// flipped bit does not hide that they have: two places in the header show it.
func HasSums(header []byte) bool {
	return header[headerReserve] != 0 || binary.BigEndian.Uint32(header[headerVersion:]) >= SummedVersion
}

// summedVFS is the name of the VFS that stands before the system's own: the same
// functions, but reading and writing of a database file go through summedFile.
const summedVFS = "yuanlu-sums"

// registerSums makes the VFS known to SQLite and returns its name as C memory, which
// lives as long as the process. Asking again changes nothing.
func registerSums(tls *libc.TLS) (uintptr, error) {
	name, err := libc.CString(summedVFS)
	if err != nil {
		return 0, err
	}
	if old := sqlite3.Xsqlite3_vfs_find(tls, name); old != 0 {
		libc.Xfree(tls, name)
		return (*sqlite3.Tsqlite3_vfs)(pointer(old)).FzName, nil
	}
	base := sqlite3.Xsqlite3_vfs_find(tls, 0)
	made := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})))
	if base == 0 || made == 0 {
		return 0, fmt.Errorf("ledger: open: out of memory")
	}
	v := (*sqlite3.Tsqlite3_vfs)(pointer(made))
	*v = *(*sqlite3.Tsqlite3_vfs)(pointer(base))
	v.FpNext, v.FzName, v.FpAppData = 0, name, base
	*(*func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32)(unsafe.Pointer(&v.FxOpen)) = openFileWithSums
	if rc := sqlite3.Xsqlite3_vfs_register(tls, made, 0); rc != sqlite3.SQLITE_OK {
		return 0, fmt.Errorf("ledger: open: the page sums cannot be registered (%d)", rc)
	}
	return name, nil
}

// summedFile is the table of functions of one open database file: the system's own,
// with those for reading and writing exchanged. It lies in C memory, because SQLite
// finds it there and Go's collector does not look for it.
type summedFile struct {
	methods sqlite3.Tsqlite3_io_methods
	base    uintptr // the system's own table
	sums    int32   // 1: the pages have sums
}

func summedOf(file uintptr) *summedFile {
	return (*summedFile)(pointer((*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods))
}

// own returns the system's own table.
func (f *summedFile) own() *sqlite3.Tsqlite3_io_methods {
	return (*sqlite3.Tsqlite3_io_methods)(pointer(f.base))
}

// Kinds of functions in the tables.
type (
	openFunc  = func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32
	inoutFunc = func(*libc.TLS, uintptr, uintptr, int32, int64) int32
	plainFunc = func(*libc.TLS, uintptr) int32
)

// function is what a field of a table holds, as a Go function.
func function[F any](field *uintptr) F { return *(*F)(unsafe.Pointer(field)) }

func setFunction[F any](field *uintptr, f F) { *(*F)(unsafe.Pointer(field)) = f }

// openFileWithSums opens any file as the system's own VFS does, and stands before the
// functions of a database file. It implements xOpen.
func openFileWithSums(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	base := (*sqlite3.Tsqlite3_vfs)(pointer(vfs)).FpAppData
	rc := function[openFunc](&(*sqlite3.Tsqlite3_vfs)(pointer(base)).FxOpen)(tls, base, name, file, flags, out)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_MAIN_DB == 0 {
		return rc
	}
	at := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(summedFile{})+HeaderSize))
	own := (*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods
	if at == 0 {
		_ = function[plainFunc](&(*sqlite3.Tsqlite3_io_methods)(pointer(own)).FxClose)(tls, file)
		(*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods = 0
		return sqlite3.SQLITE_NOMEM
	}
	f := (*summedFile)(pointer(at))
	f.methods, f.base = *(*sqlite3.Tsqlite3_io_methods)(pointer(own)), own
	header := at + unsafe.Sizeof(summedFile{})
	f.sums = 1 // a new file has sums; what is too short to have a header is damaged
	if function[inoutFunc](&f.own().FxRead)(tls, file, header, HeaderSize, 0) == sqlite3.SQLITE_OK && !HasSums(memory(header, HeaderSize)) {
		f.sums = 0
	}
	setFunction(&f.methods.FxClose, plainFunc(closeWithSums))
	setFunction(&f.methods.FxRead, inoutFunc(readWithSum))
	setFunction(&f.methods.FxWrite, inoutFunc(writeWithSum))
	setFunction(&f.methods.FxDeviceCharacteristics, plainFunc(characteristicsWithSums))
	(*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods = at
	return rc
}

// closeWithSums implements xClose.
func closeWithSums(tls *libc.TLS, file uintptr) int32 {
	f := summedOf(file)
	at := (*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods
	(*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods = f.base
	rc := function[plainFunc](&f.own().FxClose)(tls, file)
	libc.Xfree(tls, at)
	return rc
}

// smallestPage is the smallest page that SQLite knows: what it reads less of is a part
// of the header.
const smallestPage = 512

// readWithSum implements xRead. A page that is not of the size that the store has, or
// that the file has only a part of, is damaged, too: a flipped header can ask for it.
func readWithSum(tls *libc.TLS, file, to uintptr, n int32, from int64) int32 {
	f := summedOf(file)
	rc := function[inoutFunc](&f.own().FxRead)(tls, file, to, n, from)
	if f.sums == 0 || n < smallestPage {
		return rc
	}
	switch {
	case rc == sqlite3.SQLITE_IOERR_SHORT_READ:
		return sqlite3.SQLITE_IOERR_DATA
	case rc != sqlite3.SQLITE_OK:
		return rc
	case n != PageSize || from%PageSize != 0 || !SumMatches(memory(to, PageSize), from/PageSize+1):
		return sqlite3.SQLITE_IOERR_DATA
	}
	return rc
}

// writeWithSum implements xWrite. The sum goes into the page where SQLite has it, into
// bytes that it does not use.
func writeWithSum(tls *libc.TLS, file, page uintptr, n int32, to int64) int32 {
	f := summedOf(file)
	if f.sums != 0 && n == PageSize && to%PageSize == 0 {
		putSum(memory(page, PageSize), to/PageSize+1)
	}
	return function[inoutFunc](&f.own().FxWrite)(tls, file, page, n, to)
}

// characteristicsWithSums implements xDeviceCharacteristics: without the leave to read
// parts of a page.
func characteristicsWithSums(tls *libc.TLS, file uintptr) int32 {
	own := function[plainFunc](&summedOf(file).own().FxDeviceCharacteristics)(tls, file)
	return own &^ sqlite3.SQLITE_IOCAP_SUBPAGE_READ
}

// leaveRoomForSums has a database that is made by this connection, or copied from it,
// leave the last bytes of its pages alone. It changes nothing in one that is there.
func (c *Conn) leaveRoomForSums() {
	*(*int32)(pointer(c.out)) = PageSum
	sqlite3.Xsqlite3_file_control(c.tls, c.db, 0, sqlite3.SQLITE_FCNTL_RESERVE_BYTES, c.out)
}

// pointer is the C memory at p.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// Summed reports whether the pages of the connection's file have sums.
func (c *Conn) Summed() bool {
	if !c.sums {
		return false
	}
	*(*uintptr)(pointer(c.out)) = 0
	rc := sqlite3.Xsqlite3_file_control(c.tls, c.db, 0, sqlite3.SQLITE_FCNTL_FILE_POINTER, c.out)
	file := loadPointer(c.out)
	if rc != sqlite3.SQLITE_OK || file == 0 || (*sqlite3.Tsqlite3_file)(pointer(file)).FpMethods == 0 {
		return false
	}
	return summedOf(file).sums != 0
}

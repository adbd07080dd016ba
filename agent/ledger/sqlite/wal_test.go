package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzReadWAL: whatever lies in the file, reading it ends, with frames that lie in it.
func FuzzReadWAL(f *testing.F) {
	path := filepath.Join(f.TempDir(), "a.db")
	c, err := Open(path, ReadWrite)
	must(f, err)
	must(f, c.Script("PRAGMA journal_mode = WAL; CREATE TABLE a(i INT); INSERT INTO a VALUES(1)"))
	wal, err := os.ReadFile(path + "-wal")
	must(f, err)
	must(f, c.Close())
	f.Add(wal)
	f.Add(wal[:WALHeader+FrameLen/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, wal []byte) {
		n := 0
		_, err := ReadWAL(bytes.NewReader(wal), int64(len(wal)), func(fr *Frame, page []byte) error {
			if n++; fr.N != n || len(page) != PageSize {
				t.Fatalf("frame %d as %d, %d bytes", n, fr.N, len(page))
			}
			return nil
		})
		if err != nil || len(wal) >= WALHeader && n != (len(wal)-WALHeader)/FrameLen {
			t.Fatalf("%d frames of %d bytes, %v", n, len(wal), err)
		}
	})
}

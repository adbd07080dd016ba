package ledger

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestKillAtEachStep ends the child with SIGKILL at each named step, at each of
// its first turns: the rows of the table in doc.go.
func TestKillAtEachStep(t *testing.T) {
	turns := []int{1, 2, 3, 5, 8, 13, 21, 34, 40}
	for _, step := range []string{"open.keys", "open.store", "commit", "committed", "rotate.write"} {
		for _, n := range turns {
			if n > 1 && step != "commit" && step != "committed" {
				continue
			}
			t.Run(fmt.Sprintf("%s-%d", step, n), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "s")
				out, err := runChild(t, dir, "script", fmt.Sprintf("%s:%d", step, n))
				if !killed(err) {
					t.Fatalf("was not killed: %v", err)
				}
				checkScript(t, dir, out)
			})
		}
	}
}

// TestKillAtRandomMoments kills the child after a random time, again and again on
// the same store. YUANLU_SOAK=1: 200 times, else a tenth.
func TestKillAtRandomMoments(t *testing.T) {
	n, seed := 20, uint64(1)
	if os.Getenv(soakEnv) != "" {
		n, seed = 200, uint64(time.Now().UnixNano())
	}
	t.Logf("%d kills, seed %d", n, seed)
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range n {
		dir := filepath.Join(t.TempDir(), fmt.Sprintf("s%d", i))
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), childDir+"="+dir, childWhat+"=script", "GOCOVERDIR="+t.TempDir())
		name := filepath.Join(t.TempDir(), fmt.Sprintf("out%d", i))
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		c.Stdout = f
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Duration(5+r.IntN(140))*time.Millisecond, func() { _ = c.Process.Kill() })
		_ = c.Wait()
		kill.Stop()
		_ = f.Close()
		out, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checkScript(t, dir, string(out))
		if t.Failed() {
			t.Fatalf("kill %d", i)
		}
	}
}

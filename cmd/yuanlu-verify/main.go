// Command yuanlu-verify (原路) checks an evidence pack for a reader who trusts neither the
// shop nor this project: offline, with one file and without writing any.
//
// Source: evidence.md § 6.
package main

import "os"

func main() {
	p := &program{args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv}
	os.Exit(p.run())
}

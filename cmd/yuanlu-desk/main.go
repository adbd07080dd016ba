// Command yuanlu-desk (原路) is the reference back office: it takes what terminals
// report over MQTT, holds it against the contract, stores it, acknowledges it, and
// shows cases, terminals and gaps as JSON and as a stream of events. It also holds
// the signing side of what goes down to terminals.
//
// One file holds one verb. Source: topics.md, cli.md.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	p := &program{args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv, now: time.Now}
	code := p.run(ctx)
	stop()
	os.Exit(code)
}

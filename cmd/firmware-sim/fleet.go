package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"yuanlu/firmware-sim/fleet"
)

// runFleet lets many light terminals live against a broker.
func runFleet(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flags("fleet", stderr)
	var o fleet.Options
	brokers, jitter, tokenFile, asJSON := fleetFlags(f, &o)
	if err := parse(f, args); err != nil {
		return err
	}
	if f.NArg() > 0 || *brokers == "" {
		return fmt.Errorf("%w: fleet --broker URL[,URL] --terminals N [--seed S] [--days D] [--day 1m] [--desk URL] …", errUsage)
	}
	o.Brokers = strings.Split(*brokers, ",")
	first, most, _ := strings.Cut(*jitter, ",")
	var err, err2 error
	o.JitterFirst, err = time.ParseDuration(first)
	o.JitterMost, err2 = time.ParseDuration(most)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("%w: --jitter: %w", errUsage, err)
	}
	if *tokenFile != "" {
		text, err := os.ReadFile(*tokenFile)
		if err != nil {
			return err
		}
		o.Token, _, _ = strings.Cut(string(text), "\n")
	}
	o.Begin = time.Now().Add(-time.Duration(o.Days) * 24 * time.Hour).Truncate(24 * time.Hour)
	o.Line = func(format string, args ...any) {
		fmt.Fprintf(stderr, format+"\n", args...)
	}
	r, err := fleet.Run(ctx, o)
	if err != nil {
		return err
	}
	if *asJSON {
		err = json.NewEncoder(stdout).Encode(r)
	} else {
		err = r.Table(stdout)
	}
	if err == nil && !r.Good() {
		return errors.Join(errPrinted, errDiffers)
	}
	return err
}

// errDiffers: the desk or the broker did not do what was wanted of them. It was printed.
var errDiffers = errors.New("differences")

func fleetFlags(f *flag.FlagSet, o *fleet.Options) (brokers, jitter, tokenFile *string, asJSON *bool) {
	brokers = f.String("broker", "", "`URL` of the broker, tcp://127.0.0.1:1883 or tls://…; several with commas: nodes of a cluster")
	f.IntVar(&o.Terminals, "terminals", 100, "how many")
	f.Uint64Var(&o.Seed, "seed", 1, "the same seed makes the same days; take another one for another run against the same desk")
	f.IntVar(&o.Days, "days", 1, "simulated days")
	f.DurationVar(&o.Day, "day", time.Minute, "how long a simulated day takes")
	f.Float64Var(&o.Cases, "cases", 2, "wrong refunds of a terminal on a day, on average")
	f.DurationVar(&o.Health, "health", time.Minute, "time between two regular rounds of presence")
	f.DurationVar(&o.Retry, "retry", 30*time.Second, "from the broker's acknowledgement to the second attempt, where the desk has not acknowledged")
	jitter = f.String("jitter", "1s,60s", "bounds of the random wait before connecting again: the first, the greatest")
	f.DurationVar(&o.Ramp, "ramp", 10*time.Second, "time over which the terminals connect first; 0: all at once")
	f.DurationVar(&o.Settle, "settle", 2*time.Minute, "longest wait, behind the last day, for acknowledgements")
	f.StringVar(&o.Root, "root", "yuanlu", "first levels of every topic")
	f.StringVar(&o.Prefix, "prefix", "f", "of the terminals' ids: prefix-00000 and so on")
	f.StringVar(&o.MQTT.CAFile, "ca-file", "", "certificates (PEM) that the broker's is checked against")
	f.BoolVar(&o.MQTT.AllowPlaintext, "allow-plaintext", false, "tcp:// also to other hosts")
	f.StringVar(&o.Desk, "desk", "", "`URL` of a yuanlu-desk: at the end what it has is compared with what was published")
	tokenFile = f.String("token-file", "", "`file` whose first line is the desk's token")
	asJSON = f.Bool("json", false, "the report as one line of JSON")
	return brokers, jitter, tokenFile, asJSON
}

// Command firmware-sim is a set of simulated payment terminals to test yuanlu against, on any Linux machine:
// cli.md § firmware-sim. It is never part of yuanlu and shares no code with it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"yuanlu/firmware-sim/bills"
	"yuanlu/firmware-sim/fleet"
	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
	"yuanlu/protocol/notices"
)

// Exit codes of cli.md that this program uses.
const (
	exitOK         = 0
	exitInternal   = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitInput      = 65
	exitIO         = 74
	exitPermission = 77
)

const usage = `firmware-sim: payment terminals to test against

  firmware-sim run --terminal e-sign|traditional|smart [--link pty|usbip|TTY] [--scenario FILE] …
  firmware-sim run --records FILE --wire mispos|cup8583|smart [--link pty|usbip|TTY]
  firmware-sim demo --agent BIN [--desk BIN] [--stay] [--keep] [--seed N]
  firmware-sim fleet --broker URL --terminals N [--seed S] [--days D] [--desk URL] …
  firmware-sim ledger [FILE…]
  firmware-sim bills --out DIR [--terminals N] [--days N] [--seed N]
  firmware-sim version [--licences | --sbom]

firmware-sim VERB -h says more.
`

// errUsage marks errors in how the program was called.
var errUsage = errors.New("usage")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := dispatch(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	verbs := map[string]func(context.Context, []string, io.Reader, io.Writer, io.Writer) error{
		"run": run, "demo": runDemo, "fleet": runFleet, "ledger": ledger, "bills": writeBills, "version": version}
	verb, ok := verbs[args[0]]
	if !ok {
		if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
			fmt.Fprint(stdout, usage)
			return exitOK
		}
		fmt.Fprintf(stderr, "firmware-sim: no verb is called %q\n%s", args[0], usage)
		return exitUsage
	}
	err := verb(ctx, args[1:], stdin, stdout, stderr)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if !errors.Is(err, errPrinted) {
		fmt.Fprintf(stderr, "firmware-sim %s: %v\n", args[0], err)
	}
	return exitCode(err)
}

// errPrinted marks failures that were explained already.
var errPrinted = errors.New("failed")

func exitCode(err error) int {
	var cannot *wire.CannotCarry
	switch {
	case errors.Is(err, errUsage), errors.Is(err, terminal.ErrOptions), errors.Is(err, bills.ErrOptions), errors.Is(err, fleet.ErrOptions):
		return exitUsage
	case errors.Is(err, fs.ErrPermission):
		return exitPermission
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	case errors.As(err, &cannot), errors.Is(err, wire.ErrInput), errors.Is(err, scenario.ErrScript),
		errors.Is(err, terminal.ErrStep), errors.Is(err, terminal.ErrJournal):
		return exitInput
	case errors.Is(err, wire.ErrLine):
		return exitIO
	}
	return exitInternal
}

// flags makes a flag set that complains where the verb's errors go.
func flags(verb string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("firmware-sim "+verb, flag.ContinueOnError)
	f.SetOutput(stderr)
	return f
}

// parse reads the flags; what the flag package has already printed on stderr is not printed again.
func parse(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return errors.Join(errPrinted, errUsage)
	}
	return err
}

func version(_ context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flags("version", stderr)
	asJSON := f.Bool("json", false, "as one line of JSON")
	licences := f.Bool("licences", false, "the software of others in this program, with its licences")
	sbom := f.Bool("sbom", false, "its bill of materials (CycloneDX 1.6, JSON)")
	if err := parse(f, args); err != nil {
		return err
	}
	v, commit := "devel", "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		if b.Main.Version != "" {
			v = b.Main.Version
		}
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	switch {
	case *licences:
		return notices.Write(stdout)
	case *sbom:
		return notices.SBOM(stdout, "firmware-sim", v)
	case *asJSON:
		_, err := fmt.Fprintf(stdout, "{\"version\":%q,\"commit\":%q}\n", v, commit)
		return err
	}
	_, err := fmt.Fprintf(stdout, "firmware-sim %s, commit %s\n", v, commit)
	return err
}

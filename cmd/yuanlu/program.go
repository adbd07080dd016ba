package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"yuanlu/agent/catalogue"
	"yuanlu/agent/config"
	"yuanlu/agent/control"
	"yuanlu/agent/ledger"
	"yuanlu/agent/spelling"
	"yuanlu/cmd/yuanlu/screen"
	"yuanlu/protocol/printable"
)

// Exit codes (cli.md).
const (
	exitOK         = 0
	exitInternal   = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitWarnings   = 4
	exitErrors     = 5
	exitData       = 65
	exitBroker     = 69
	exitStore      = 73
	exitDevice     = 74
	exitPermission = 77
	exitConfig     = 78
)

// program is one run of yuanlu: what main builds and tests build too. It is used
// once.
type program struct {
	args    []string // without the program's name
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer
	env     func(string) string
	now     func() time.Time
	signals <-chan os.Signal // SIGTERM and SIGINT stop, SIGHUP reloads; nil: none

	// whole: the process is this program's alone, so that it may set what holds for
	// all of it (memory, core dumps).
	whole bool

	lang screen.Language
	json bool

	// helpFor takes the flags of a verb in place of printing its help; nil: it is printed.
	helpFor func(*flag.FlagSet)
}

// errUsage marks a wrong command line; its text has been printed already.
var errUsage = errors.New("usage")

// errPrinted marks an outcome that has been printed already: only its exit code counts.
type errPrinted int

func (e errPrinted) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// run does what the arguments ask for and returns the exit code.
func (p *program) run(ctx context.Context) int {
	p.lang = screen.LanguageOf(p.env)
	p.args = p.verbFirst(p.args)
	if len(p.args) == 0 {
		p.help(p.stderr)
		return exitUsage
	}
	name, args := p.args[0], p.args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return p.helpVerb(args)
	case "-version", "--version":
		name = "version"
	}
	v, ok := findVerb(name)
	if !ok {
		p.unknownVerb(name)
		return exitUsage
	}
	p.forPeople(v)
	ctx, stop := p.stoppable(ctx, v)
	defer stop()
	return p.exit(v, v.run(p, ctx, args))
}

// forPeople has what a verb prints for people pass through escapes: it holds text of
// others. The daemon's standard error is its log, which does that itself.
func (p *program) forPeople(v *verb) {
	json := func() bool { return p.json }
	if !v.machine {
		p.stdout = printable.NewWriter(p.encoder(p.stdout, json), json)
	}
	if !v.ownSignals {
		p.stderr = printable.NewWriter(p.encoder(p.stderr, func() bool { return false }), nil)
	}
}

// encoder writes in the charset of the locale.
func (p *program) encoder(out io.Writer, raw func() bool) io.Writer {
	charset := screen.CharsetOf(p.env, screen.IsTerminal(out))
	return screen.NewEncoder(out, charset, raw, func() bool { return p.lang == screen.Chinese })
}

// verbFirst moves the flags that all verbs have behind the verb, where they stand before
// it.
func (p *program) verbFirst(args []string) []string {
	var before []string
	for len(args) > 0 {
		name, value, glued := strings.Cut(strings.TrimLeft(args[0], "-"), "=")
		switch {
		case !strings.HasPrefix(args[0], "-"):
			return append(append([]string{args[0]}, before...), args[1:]...)
		case name == "json" || name == "lang" && glued:
			before, args = append(before, args[0]), args[1:]
		case name == "lang" && len(args) > 1:
			before, args = append(before, args[:2]...), args[2:]
			value = before[len(before)-1]
		default:
			return args
		}
		if name == "lang" {
			_ = p.lang.Set(value) // a wrong one is refused by the verb
		}
	}
	return before
}

// stoppable returns a context that SIGTERM and SIGINT end, for verbs that do not
// look at signals themselves.
func (p *program) stoppable(ctx context.Context, v *verb) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	if v.ownSignals || p.signals == nil {
		return ctx, cancel
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case s := <-p.signals:
				if s != syscall.SIGHUP {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}

// exit prints the error, unless it was printed already, and returns its code.
func (p *program) exit(v *verb, err error) int {
	var printed errPrinted
	var problems config.Errors
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.As(err, &printed):
		return int(printed)
	case readerGone(err):
		return exitOK // the reader of our output has enough
	case errors.Is(err, control.ErrBusy):
		p.complain(v.name, catalogue.Both("the daemon is busy with other clients; try again in a moment", "守护进程正忙于其他客户端，请稍后再试"))
	case errors.As(err, &problems):
		for _, one := range problems {
			one.Message = p.english(one.Message)
			fmt.Fprintln(p.stderr, one)
		}
	case v.name != "run" && os.Geteuid() != 0 && exitCode(err) == exitPermission: // a daemon of root would leave files of root
		p.complain(v.name, catalogue.Textf("%v; try: sudo yuanlu %s", "%v；请试：sudo yuanlu %s", err, v.name))
	case v.name != "run" && errors.Is(err, ledger.ErrDamaged):
		p.complain(v.name, catalogue.Textf("%v; what to do: sudo yuanlu doctor", "%v；处理办法：sudo yuanlu doctor", err))
	default:
		p.complain(v.name, catalogue.Translated(err.Error()))
	}
	return exitCode(err)
}

// english returns a text that a lower room wrote in English in the language asked for.
func (p *program) english(text string) string { return p.lang.Text(catalogue.Translated(text)) }

// complain prints what is wrong.
func (p *program) complain(verb string, what catalogue.Text) {
	fmt.Fprintf(p.stderr, p.lang.T("yuanlu %s: %s\n", "yuanlu %s：%s\n"), verb, p.lang.Text(what))
}

// notFound prints what is not there, and returns the exit code for it.
func (p *program) notFound(v *verb, what catalogue.Text) error {
	p.complain(v.name, what)
	return errPrinted(exitNotFound)
}

// readerGone reports whether err is the end of the pipe that our output goes to. Another
// broken pipe, of a socket, is an error like any other.
func readerGone(err error) bool {
	var write *fs.PathError
	return errors.As(err, &write) && write.Path == os.Stdout.Name() && errors.Is(write, syscall.EPIPE)
}

// exitCode returns the code of a class of errors.
func exitCode(err error) int {
	if _, ok := errors.AsType[*config.FileError](err); ok && errors.Is(err, fs.ErrPermission) {
		return exitPermission // another user's terminal, not a wrong configuration
	}
	for _, class := range exitClasses() {
		if errors.Is(err, class.err) {
			return class.code
		}
	}
	return exitInternal
}

type exitClass struct {
	err  error
	code int
}

// flags makes the flag set of a verb with what all verbs have.
func (p *program) flags(v *verb) *flag.FlagSet {
	f := flag.NewFlagSet(v.name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.BoolVar(&p.json, "json", false, p.lang.T("output for machines", "输出 JSON"))
	f.Var(&p.lang, "lang", p.lang.T("en or zh", "en 或 zh"))
	return f
}

// parse reads a verb's arguments: flags may stand before and after the others,
// of which there are at most most. Errors have been printed.
func (p *program) parse(v *verb, f *flag.FlagSet, args []string, least, most int) ([]string, error) {
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) && p.helpFor != nil {
				p.helpFor(f)
				return nil, err
			}
			if errors.Is(err, flag.ErrHelp) {
				p.verbHelp(p.stdout, v, f)
				return nil, err
			}
			return nil, p.wrongUsage(v, "%v", flagHint(err, f))
		}
		args = f.Args()
		if len(args) == 0 {
			break
		}
		rest = append(rest, args[0])
		args = args[1:]
	}
	switch {
	case len(rest) < least:
		return nil, p.wrongUsage(v, p.lang.T("missing after %[2]q: %[1]d, as the next line has it", "%[2]q 之后缺少 %[1]d 个参数，见下一行"),
			least-len(rest), strings.Join(append([]string{"yuanlu", v.name}, rest...), " "))
	case len(rest) > most:
		return nil, p.wrongUsage(v, p.lang.T("unexpected %q", "多余的参数 %q"), rest[most])
	}
	return rest, nil
}

// flagHint adds "did you mean" to an unknown flag.
func flagHint(err error, f *flag.FlagSet) string {
	text := err.Error()
	name, unknown := strings.CutPrefix(text, "flag provided but not defined: -")
	if !unknown {
		return text
	}
	var names []string
	f.VisitAll(func(one *flag.Flag) { names = append(names, one.Name) })
	text = "unknown flag --" + name
	if near := spelling.Nearest(name, names); near != "" {
		text += "; did you mean --" + near + "?"
	}
	return text
}

func (p *program) wrongUsage(v *verb, format string, args ...any) error {
	p.complain(v.name, catalogue.Translated(fmt.Sprintf(format, args...)))
	fmt.Fprintf(p.stderr, "%s yuanlu %s %s\n", p.lang.T("usage:", "用法："), v.name, v.usage)
	return errUsage
}

// wrongWord prints that a verb does not know a word, and the known one that it resembles.
func (p *program) wrongWord(v *verb, word string, known ...string) error {
	return p.wrongUsage(v, "unknown %q%s", word, didYouMean(word, known))
}

// didYouMean returns "; did you mean …?" where a word resembles a known one.
func didYouMean(word string, known []string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

// people returns standard output for people, with times in a zone.
func (p *program) people(zone *time.Location) *screen.Screen {
	terminal := screen.IsTerminal(p.stdout)
	s := &screen.Screen{W: p.stdout, Lang: p.lang, Zone: zone, Plain: screen.CharsetOf(p.env, terminal) == screen.ASCII,
		Colour: terminal && p.env("NO_COLOR") == "" && p.env("TERM") != "dumb"}
	if s.Width, s.Height = screen.Size(p.stdout); s.Width == 0 {
		s.Width, _ = strconv.Atoi(p.env("COLUMNS")) // not a number: no bound
	}
	return s
}

// openInput opens FILE, or standard input for "" and "-".
func (p *program) openInput(name string) (io.ReadCloser, error) {
	if name == "" || name == "-" {
		return io.NopCloser(p.stdin), nil
	}
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(p.stderr, "yuanlu: %s\n", p.english(err.Error()))
		return nil, errPrinted(exitNotFound)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

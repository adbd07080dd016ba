package topics

import "strings"

// CommandSpec is one command of topics.md, "Commands v1".
type CommandSpec struct {
	Name    string // last level of dn/cmd/{cmd}
	Summary string
	Long    bool // may take longer and sends progress (ProgressSchema) meanwhile
	Paged   bool // its answer is too long for one message: pages (PageSchema) come before, as progress
}

// ProgressSchema names the schema of the data of an answer of status progress.
const ProgressSchema = "rsp-progress.v1"

// ArgsSchema names the schema of the command's args. It is closed: a member that it
// does not have is refused, because an argument that does nothing is a mistake.
func (c CommandSpec) ArgsSchema() string { return "cmd-args." + c.Name + ".v1" }

// PageSchema names the schema of the data of an answer of status progress of a command that is
// Paged.
func (c CommandSpec) PageSchema() string { return "rsp-page." + c.Name + ".v1" }

// DataSchema names the schema of the data of an answer of status ok.
func (c CommandSpec) DataSchema() string { return "rsp-data." + c.Name + ".v1" }

// Commands lists the commands by name. What the agent accepts and answers and what
// the AsyncAPI document states of it both come from here and from the schemas.
func Commands() []CommandSpec {
	return []CommandSpec{
		{Name: "capture-start", Summary: "Keep the sanitised traffic of a link in a file on the terminal"},
		{Name: "capture-stop", Summary: "End captures"},
		{Name: "case-resend", Summary: "Send waiting cases again at once"},
		{Name: "config-get", Summary: "The configuration in force"},
		{Name: "day-resend", Summary: "Make the digests of days again"},
		{Name: "evidence", Summary: "The leaves of a case in the evidence log, with their proofs", Paged: true},
		{Name: "hold-cancel", Summary: "End a hold: the refund is not made"},
		{Name: "hold-release", Summary: "Release a hold: the refund may be made as asked; taken only signed"},
		{Name: "link-reopen", Summary: "Close and open the port of a link"},
		{Name: "log-level", Summary: "Change the level of the log for a time"},
		{Name: "log-tail", Summary: "The last lines of the log"},
		{Name: "outbox-stat", Summary: "What waits for the back office"},
		{Name: "ping", Summary: "Ask whether commands are heard"},
		{Name: "rebirth", Summary: "Say everything that is retained again"},
		{Name: "restart", Summary: "Stop cleanly and start again; at most once a minute"},
		{Name: "selftest", Summary: "Check what a technician would check", Long: true},
		{Name: "support-bundle", Summary: "Make one archive for the support desk; it stays on the terminal", Long: true},
	}
}

// CommandOf returns the command of this name; ok is false if there is none.
func CommandOf(name string) (c CommandSpec, ok bool) {
	for _, c := range Commands() {
		if c.Name == name {
			return c, true
		}
	}
	return CommandSpec{}, false
}

// camel joins the parts of a command's name: "log-level" is "LogLevel".
func camel(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

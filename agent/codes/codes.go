// Package codes owns the table of what the agent calls by a stable name: the codes of its
// log lines and of the problems in health, each with its level, meaning, usual cause and
// remedy, in English and Chinese. It is data; a house rule holds it against the source, so
// that no code is logged or reported that is not here, and none stands here in vain.
//
// Source: cli.md, codes.
package codes

import (
	"slices"

	"yuanlu/agent/catalogue"
)

// Kinds of code.
const (
	Log     = "log"     // of a log line
	Problem = "problem" // of health, status and doctor
)

// Code is one row of the table.
type Code struct {
	Code    string         `json:"code"`
	Kind    string         `json:"kind"`
	Level   string         `json:"level"` // those of the log or of a problem, several parted by ", "
	Meaning catalogue.Text `json:"meaning"`
	Cause   catalogue.Text `json:"cause"`
	Remedy  catalogue.Text `json:"remedy"`
}

// All returns every row: the problems, then the log codes, each sorted by name.
func All() []Code {
	problems := problemCodes()
	logs := slices.Concat(linkCodes(), storeCodes(), brokerCodes(), agentCodes(), guardCodes())
	for i := range problems {
		problems[i].Kind = Problem
	}
	for i := range logs {
		logs[i].Kind = Log
	}
	byName := func(a, b Code) int {
		if a.Code < b.Code {
			return -1
		}
		return 1
	}
	slices.SortFunc(problems, byName)
	slices.SortFunc(logs, byName)
	return append(problems, logs...)
}

// Find returns the rows of a code: a code may be that of a problem and of a log line.
func Find(code string) []Code {
	var found []Code
	for _, c := range All() {
		if c.Code == code {
			found = append(found, c)
		}
	}
	return found
}

// Levels as the rows give them. Those of problems are the words of agent/health.
const (
	debug, info, warn, fault  = "debug", "info", "warn", "error"
	note, degraded, failing   = "note", "degraded", "failing"
	noteDegraded, warnOrFault = "note, degraded", "warn, error"
	debugWarn, infoFault      = "debug, warn", "info, error"
	infoToFault               = "info, warn, error"
	debugToFault              = "debug, info, warn, error"
)

// row is a row without its kind.
func row(code, level string, meaning, cause, remedy catalogue.Text) Code {
	return Code{Code: code, Level: level, Meaning: meaning, Cause: cause, Remedy: remedy}
}

// usual is the remedy of what is as it should be; ours of what is a defect of this program.
func usual() catalogue.Text { return catalogue.Both("nothing to do", "无需处理") }

func ours() catalogue.Text {
	return catalogue.Both("send yuanlu support-bundle to support", "执行 yuanlu support-bundle 并交给技术支持")
}

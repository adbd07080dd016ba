// Package manual makes, from the verbs of a program, what a package installs beside it:
// manual pages in English and Chinese, and the completion of bash, zsh and fish. It is pure;
// the verbs and their flags are the program's own, so that no page can lag behind them.
//
// Source: cli.md, yuanlu.
package manual

import (
	"flag"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Text is a sentence in both languages.
type Text struct{ EN, ZH string }

func (t Text) in(chinese bool) string {
	if chinese {
		return t.ZH
	}
	return t.EN
}

// Flag is one flag of a verb.
type Flag struct {
	Name    string // without dashes
	Kind    string // of its value, as a word: "file"; "" it has none
	Text    Text
	Default string // "" where it is not worth showing
}

// dashed returns the flag as it is typed.
func (f Flag) dashed() string {
	if len(f.Name) == 1 {
		return "-" + f.Name
	}
	return "--" + f.Name
}

// Verb is one verb of a program.
type Verb struct {
	Name  string
	Usage string // what stands behind the name
	Text  Text   // one line
	Flags []Flag
}

// Flags returns the flags of two sets that differ only in the language of their texts.
func Flags(english, chinese *flag.FlagSet) []Flag {
	var all []Flag
	english.VisitAll(func(one *flag.Flag) {
		kind, en := flag.UnquoteUsage(one)
		f := Flag{Name: one.Name, Kind: kind, Text: Text{en, en}}
		if same := chinese.Lookup(one.Name); same != nil {
			_, f.Text.ZH = flag.UnquoteUsage(same)
		}
		if d := one.DefValue; d != "false" && d != "0" {
			f.Default = d
		}
		all = append(all, f)
	})
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Words returns the words that may stand directly behind a verb, from its usage:
// "list [--open] | show ID" has list and show.
func (v *Verb) Words() []string {
	usage := regexp.MustCompile(`\[([a-z]+)\]`).ReplaceAllString(v.Usage, "$1")
	for brackets := regexp.MustCompile(`\[[^][]*\]`); brackets.MatchString(usage); {
		usage = brackets.ReplaceAllString(usage, "")
	}
	usage, _, _ = strings.Cut(usage, ";")
	var words []string
	for one := range strings.SplitSeq(usage, "|") {
		first, _, _ := strings.Cut(strings.TrimSpace(one), " ")
		if regexp.MustCompile(`^[a-z][a-z-]+$`).MatchString(first) && !slices.Contains(words, first) {
			words = append(words, first)
		}
	}
	return words
}

// Program is what the pages are about.
type Program struct {
	Name  string
	Text  Text // one line
	Verbs []Verb
	// Page is its page in section 8 as roff, written by hand, with an entry ".TP\n.BR verb …"
	// for each verb under "VERBS"; "" where the page is made of the verbs, too.
	Page string
	Exit []Exit // what its exit codes mean
}

// Exit is one exit code.
type Exit struct {
	Code int
	Text Text
}

package manual

import (
	"fmt"
	"strings"
)

// Shells are the shells that Completion knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Completion returns the program's completion for a shell, "" for one that is not known.
func (p *Program) Completion(shell string) string {
	switch shell {
	case "bash":
		return p.bash()
	case "zsh":
		return p.zsh()
	case "fish":
		return p.fish()
	}
	return ""
}

func (p *Program) names() []string {
	var all []string
	for i := range p.Verbs {
		all = append(all, p.Verbs[i].Name)
	}
	return all
}

// after returns what may follow a verb: its words and its flags.
func (v *Verb) after() []string {
	all := v.Words()
	for _, f := range v.Flags {
		all = append(all, f.dashed())
	}
	return all
}

// function returns a name that every shell takes.
func (p *Program) function() string { return "_" + strings.ReplaceAll(p.Name, "-", "_") }

func (p *Program) bash() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# bash completion of %s, made by: %s completion bash\n", p.Name, p.Name)
	fmt.Fprintf(&b, "%s() {\n\tlocal now=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n\tCOMPREPLY=()\n", p.function())
	b.WriteString("\tif [[ $before == --lang ]]; then\n\t\twords='en zh'\n")
	fmt.Fprintf(&b, "\telif ((COMP_CWORD == 1)); then\n\t\twords='%s help'\n", strings.Join(p.names(), " "))
	b.WriteString("\telse\n\t\tcase ${COMP_WORDS[1]} in\n")
	fmt.Fprintf(&b, "\t\thelp) words='%s' ;;\n", strings.Join(p.names(), " "))
	for i := range p.Verbs {
		v := &p.Verbs[i]
		fmt.Fprintf(&b, "\t\t%s) words='%s' ;;\n", v.Name, strings.Join(v.after(), " "))
	}
	b.WriteString("\t\tesac\n\tfi\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$now\")\n}\n")
	fmt.Fprintf(&b, "complete -o default -F %s %s\n", p.function(), p.Name)
	return b.String()
}

// quote makes one word of text between single quotes, for zsh and fish.
func quote(text string) string {
	return "'" + strings.NewReplacer("'", `’`, `\`, `\\`).Replace(text) + "'"
}

func (p *Program) zsh() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# made by: %s completion zsh\n%s() {\n\tlocal -a words_of\n", p.Name, p.Name, p.function())
	b.WriteString("\tif ((CURRENT == 2)); then\n\t\twords_of=(\n")
	for i := range p.Verbs {
		v := &p.Verbs[i]
		fmt.Fprintf(&b, "\t\t\t%s\n", quote(v.Name+":"+v.Text.EN))
	}
	b.WriteString("\t\t)\n\t\t_describe verb words_of\n\t\treturn\n\tfi\n\tcase ${words[2]} in\n")
	for i := range p.Verbs {
		v := &p.Verbs[i]
		fmt.Fprintf(&b, "\t%s) words_of=(\n", v.Name)
		for _, w := range v.Words() {
			fmt.Fprintf(&b, "\t\t%s\n", quote(w))
		}
		for _, f := range v.Flags {
			fmt.Fprintf(&b, "\t\t%s\n", quote(f.dashed()+":"+strings.ReplaceAll(f.Text.EN, ":", `,`)))
		}
		b.WriteString("\t) ;;\n")
	}
	fmt.Fprintf(&b, "\tesac\n\t_describe argument words_of\n\t_files\n}\n%s \"$@\"\n", p.function())
	return b.String()
}

func (p *Program) fish() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion of %s, made by: %s completion fish\n", p.Name, p.Name)
	for i := range p.Verbs {
		v := &p.Verbs[i]
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -f -a %s -d %s\n", p.Name, v.Name, quote(v.Text.EN))
		seen := "'__fish_seen_subcommand_from " + v.Name + "'"
		for _, w := range v.Words() {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", p.Name, seen, w)
		}
		for _, f := range v.Flags {
			form, takes := "-l "+f.Name, ""
			if len(f.Name) == 1 {
				form = "-s " + f.Name
			}
			if f.Kind != "" {
				takes = " -r"
			}
			fmt.Fprintf(&b, "complete -c %s -n %s %s%s -d %s\n", p.Name, seen, form, takes, quote(f.Text.EN))
		}
	}
	return b.String()
}

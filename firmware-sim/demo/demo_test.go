package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"yuanlu/firmware-sim/scenario"
	"yuanlu/firmware-sim/terminal"
	"yuanlu/firmware-sim/wire"
)

// smallOffice is a back office without a broker; acks holds what it acknowledged.
func smallOffice() (*backOffice, *[]string) {
	var acks []string
	b := newBackOffice(&output{o: Options{Out: &bytes.Buffer{}}})
	b.publish = func(topic string, payload []byte) error {
		acks = append(acks, topic+" "+string(payload))
		return nil
	}
	return b, &acks
}

func event(seq, attempt int, key string) []byte {
	f := strings.Split(key, "/")
	return fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","type":"yuanlu.case.opened.v1","sequence":"%020d","stream":"s","attempt":%d,`+
		`"data":{"case_id":"c%s","severity":"critical","verdict":{"recipient":"different","reason":"","findings":[{"code":"recipient_mismatch","severity":"critical","text":{"en":"x","zh":"y"}}]},`+
		`"refund":{"kind":"refund","terminal_id":%q,"batch":%q,"stan":%q,"amount":350}}}`, seq, seq, attempt, f[2], f[0], f[1], f[2])
}

const caseTopic = "yuanlu/v1/t-1/up/case"

func TestAcknowledgesWhatIsWhole(t *testing.T) {
	b, acks := smallOffice()
	for _, m := range []struct {
		seq, attempt int
		ack          string
	}{{1, 1, "1"}, {2, 1, "2"}, {2, 2, "2"}, {4, 1, "2"}, {3, 2, "4"}} {
		t.Run(m.ack, func(t *testing.T) {
			b.arrive(caseTopic, event(m.seq, m.attempt, fmt.Sprintf("10000001/000001/%06d", m.seq)))
			want := `yuanlu/v1/t-1/dn/ack {"stream":"s","acked_seq":` + m.ack + `}`
			if got := (*acks)[len(*acks)-1]; got != want {
				t.Errorf("after %d: %s, want %s", m.seq, got, want)
			}
		})
	}
	if b.repeats != 1 || len(b.cases) != 4 || len(b.faults) != 0 || b.gaps() != 0 {
		t.Errorf("%d repeats, %d cases, faults %v, %d gaps", b.repeats, len(b.cases), b.faults, b.gaps())
	}
}

func TestNoticesWhatIsWrongWithDelivery(t *testing.T) {
	b, _ := smallOffice()
	b.arrive(caseTopic, event(2, 1, "10000001/000001/000002"))
	if b.gaps() != 1 {
		t.Errorf("%d gaps, want 1", b.gaps())
	}
	b.arrive(caseTopic, event(1, 1, "10000001/000001/000001"))
	b.arrive(caseTopic, []byte("{"))
	b.arrive(caseTopic, []byte(`{"sequence":"1"}`))
	if len(b.faults) != 3 {
		t.Errorf("faults: %v", b.faults)
	}
}

func refund(stan string, truth scenario.Truth) scenario.Entry {
	return scenario.Entry{Seq: 1, Truth: &truth, Record: wire.Record{Kind: "refund", TerminalID: "10000001", Batch: "000001", Stan: stan, Amount: 350}}
}

func TestCompare(t *testing.T) {
	wrong := scenario.Truth{Label: scenario.Wrong, Case: true, Recipient: "different"}
	right := scenario.Truth{Label: scenario.Right, Recipient: "same"}
	hidden := scenario.Truth{Label: scenario.CannotTell, Case: true, Recipient: "different"}
	other := scenario.Truth{Label: scenario.CannotTell, Case: true, Recipient: "unverifiable", Reason: "mask"}
	silent := scenario.Truth{Label: scenario.CannotTell, Recipient: "same"}
	for _, c := range []struct {
		name    string
		truth   []scenario.Truth
		cases   []int // numbers of the refunds that came
		differs string
	}{
		{"all well", []scenario.Truth{wrong, right, hidden, silent}, []int{1, 3}, ""},
		{"missed", []scenario.Truth{wrong, right, silent}, nil, "no case came"},
		{"false", []scenario.Truth{wrong, right, silent}, []int{1, 2}, "a case came"},
		{"another recipient", []scenario.Truth{wrong, right, other}, []int{1, 3}, "must be unverifiable mask"},
		{"an undecidable one came that must not", []scenario.Truth{wrong, right, silent}, []int{1, 3}, "a case came"},
		{"about nothing", []scenario.Truth{wrong, right, silent}, []int{1, 9}, "no refund of any terminal"},
		{"nothing undecidable", []scenario.Truth{wrong, right}, []int{1}, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, _ := smallOffice()
			s := &station{model: "e-sign", wire: "mispos"}
			for i, truth := range c.truth {
				s.sent = append(s.sent, refund(fmt.Sprintf("%06d", i+1), truth))
			}
			for i, n := range c.cases {
				b.arrive(caseTopic, event(i+1, 1, fmt.Sprintf("10000001/000001/%06d", n)))
			}
			r := compare(&crew{stations: []*station{s}}, b)
			switch {
			case c.differs == "" && !r.ok():
				t.Errorf("%s: %v", c.name, r.differ)
			case c.differs != "" && r.ok():
				t.Errorf("%s: passed", c.name)
			case c.differs != "-" && !strings.Contains(strings.Join(r.differ, "\n"), c.differs):
				t.Errorf("%s: %v does not contain %q", c.name, r.differ, c.differs)
			}
		})
	}
}

func TestLeaksAreFound(t *testing.T) {
	dir := t.TempDir()
	term, err := terminal.New(terminal.Options{Model: "e-sign"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := term.Do(scenario.Step{Do: "sale", Pay: "chip", By: "anna", Form: "clear"}); err != nil {
		t.Fatal(err)
	}
	card := term.Secrets()[0]
	c := &crew{stations: []*station{{term: term}}}
	b, _ := smallOffice()
	if leaks := findLeaks(c, b, dir); len(leaks) != 0 {
		t.Error(leaks)
	}
	packed := packedDigits(card)
	for name, data := range map[string][]byte{"log": []byte("x " + card), "store": append([]byte{1}, packed...), truthFile: []byte(card)} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	b.arrive("yuanlu/v1/t-1/up/log/warn", []byte(card))
	leaks := findLeaks(c, b, dir)
	if len(leaks) != 3 {
		t.Errorf("%d leaks found, want log, store and topic", len(leaks))
	}
	if strings.Contains(strings.Join(leaks, "\n"), card) {
		t.Error("the search itself prints the number")
	}
}

// TestAgentThatEnds: an agent that goes away by itself fails the demo at once, and the directory is kept.
func TestAgentThatEnds(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "agent")
	if err := os.WriteFile(bin, []byte("#!/bin/sh\ncase \"$1\" in config|guard) exit 0;; esac\necho I give up\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out bytes.Buffer
	start := time.Now()
	err := Run(context.Background(), Options{Agent: bin, Seed: 1, Out: &out})
	if err == nil || errors.Is(err, ErrDiffers) || !strings.Contains(out.String(), "I give up") || !strings.Contains(out.String(), "kept: ") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if time.Since(start) > 20*time.Second {
		t.Error("it waited for an agent that was gone")
	}
}

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"yuanlu/agent/command"
	"yuanlu/agent/control"
	"yuanlu/agent/health"
	"yuanlu/agent/report"
	"yuanlu/protocol/topics"
)

// echoing is a reporter whose broker answers, or does not. The running agent asks it
// from goroutines of its own, so that a test changes the answer by answer only.
type echoing struct {
	stalledReporter
	echoes atomic.Int64

	mu     sync.Mutex // guards all below
	err    error
	status health.Broker
}

func (e *echoing) answer(err error, status health.Broker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err, e.status = err, status
}

func (e *echoing) AskBackOffice(context.Context) (time.Duration, error) { return 0, nil }
func (e *echoing) Echo(context.Context) (time.Duration, error) {
	e.echoes.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	return 3 * time.Millisecond, e.err
}

func (e *echoing) Status() health.Broker {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.status
}

// do runs a command of the rig and reads its answer.
func (r *rig) do(t *testing.T, name, args string, to any) (steps []string, err error) {
	t.Helper()
	data, err := r.agent.Commands().Funcs()[name](t.Context(), json.RawMessage(args), func(p any) {
		raw, err := json.Marshal(p)
		if err != nil {
			t.Error(err)
		}
		steps = append(steps, string(raw))
	})
	if err != nil {
		return steps, err
	}
	raw, err := json.Marshal(data)
	if err != nil || len(raw) > command.MostData {
		t.Errorf("%s: %d bytes, %v", name, len(raw), err)
	}
	if to != nil {
		if err := json.Unmarshal(raw, to); err != nil {
			t.Fatal(err)
		}
	}
	return steps, nil
}

// onDisk is a configuration of which another one is on the disk.
type onDisk struct {
	ownFile
	read func() (string, error)
}

func (c onDisk) OnDisk() (string, error) { return c.read() }

func TestSelftest(t *testing.T) {
	reporter := &echoing{status: health.Broker{Connected: true, Since: time.Now(), LastAck: time.Now(),
		Host: &health.Host{Known: true, Online: true, At: time.Now()}}}
	var mu sync.Mutex // guards the two below: what the configuration on the disk is
	digest, readErr := "", error(nil)
	setDisk := func(d string, err error) {
		mu.Lock()
		defer mu.Unlock()
		digest, readErr = d, err
	}
	r := newRig(t, "", func(o *Options) {
		o.NewReporter = func(*Agent) (Reporter, error) { return reporter, nil }
		o.Configuration = onDisk{ownFile{o.Config}, func() (string, error) {
			mu.Lock()
			defer mu.Unlock()
			return digest, readErr
		}}
		o.CertEnds = func() (time.Time, bool) { return time.Now().Add(1000 * time.Hour), true }
	})
	setDisk(r.agent.Digest(), nil)
	stop := r.run(t)
	r.await(t, "READY=1")
	r.line(t, "link.online")
	var got struct {
		Verdict string
		Lines   []health.Checkup
	}
	steps, err := r.do(t, "selftest", `{}`, &got)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(got.Lines)
	for _, want := range []string{"{store ok whole", "{disk ok", "{link pos note mispos, pipe: silent", "{clock ok", "{broker ok", "answers within 3ms", "{back office ok is online",
		"last acknowledgement", "{certificate ok ends in 41 days", "{commands_unsigned note", "{config in force ok"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if got.Verdict != health.Fine || len(steps) != 12 || !strings.Contains(steps[2], `"step":3,"steps":12,"what":"store","level":"ok"`) {
		t.Errorf("verdict %s, steps %q", got.Verdict, steps)
	}

	// What is wrong is said, with its remedy, in Chinese too.
	reporter.answer(errors.New("no PUBACK"), health.Broker{Connected: true, Host: &health.Host{Known: true, At: time.Now()}})
	setDisk("", errors.New("line 3: nonsense"))
	if _, err := r.do(t, "selftest", `{"lang":"zh"}`, &got); err != nil || got.Verdict != health.Error {
		t.Errorf("%+v, %v", got, err)
	}
	text = fmt.Sprint(got.Lines)
	for _, want := range []string{"{服务器 error 已连接，但无应答：no PUBACK 检查", "{后台 warning 自 ", "{生效配置 error", "第 3 行：nonsense"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if err := r.agent.Store().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.do(t, "selftest", ``, &got); err != nil || !strings.Contains(fmt.Sprint(got.Lines), "{store error cannot be written") {
		t.Errorf("with the store closed: %+v, %v", got, err)
	}
	if err := stop(); err != nil {
		t.Log(err) // the store was closed under it
	}
}

func TestSelftestWithoutAStore(t *testing.T) {
	r, _ := blocked(t)
	r.run(t)
	r.await(t, "STATUS=the store cannot be opened")
	lines := r.agent.Examine(t.Context(), false, nil)
	if health.Worst(lines) != health.Error || !strings.Contains(fmt.Sprint(lines), "{store_unavailable error") || !strings.Contains(fmt.Sprint(lines), "{mqtt_not_configured warning") {
		t.Errorf("%v", lines)
	}
}

// The control socket answers the same commands.
func TestCommandsOnTheControlSocket(t *testing.T) {
	r := newRig(t, "", nil)
	r.run(t)
	r.await(t, "READY=1")
	verbs := r.agent.verbs()
	for name := range r.agent.Commands().Funcs() {
		if verbs[name] == nil {
			t.Errorf("the control socket has no %s", name)
		}
	}
	got := ""
	err := control.Call(t.Context(), r.config.Control.Socket, "echo", map[string]string{"lang": "en"}, func(raw json.RawMessage) error {
		got = string(raw)
		return nil
	})
	if err != nil || !strings.Contains(got, "mqtt_not_configured") {
		t.Errorf("echo: %s, %v", got, err)
	}
}

// FuzzCommandArguments: arguments that their schema takes never panic, and what is
// answered fits into a message; what is wrong with them is the asker's.
func FuzzCommandArguments(f *testing.F) {
	check, err := topics.NewValidator()
	if err != nil {
		f.Fatal(err)
	}
	for _, args := range []string{`{"link":"pos"}`, `{"level":"debug","for_s":14400}`, `{"lines":500,"cases":true}`, `{"lang":"zh"}`, `{}`,
		`{"link":"pos","max_bytes":268435456,"for_s":86400}`, `{"link":"a","link":"pos"}`} {
		for i := range topics.Commands() {
			f.Add(uint8(i), []byte(args))
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, args []byte) {
		spec := topics.Commands()[int(which)%len(topics.Commands())]
		r := newRig(t, "", nil)
		do := r.agent.Commands().Funcs()[spec.Name]
		if do == nil || check.Check(spec.ArgsSchema(), args) != nil {
			return
		}
		data, err := do(t.Context(), args, func(any) {})
		var refused *control.Error
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%s %s: %v", spec.Name, args, err)
		}
		if err != nil {
			return
		}
		if paged, ok := data.(report.Paged); ok {
			data = paged.Data
		}
		raw, err := json.Marshal(data)
		if err != nil || len(raw) > command.MostData || check.Check(spec.DataSchema(), raw) != nil {
			t.Errorf("%s %s: %v, %v: %s", spec.Name, args, err, check.Check(spec.DataSchema(), raw), raw)
		}
		r.book.SetLevel(slog.LevelInfo)
	})
}

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"yuanlu/cmd/yuanlu-desk/screen"
	"yuanlu/protocol/topics"
)

// Times of watch.
const (
	watchAgain   = time.Second      // between two attempts to connect again
	watchSilence = 45 * time.Second // the desk sends something every 15 s
)

// watching is one run of watch.
type watching struct {
	p           *program
	url, token  string
	kinds       string
	after       string // Last-Event-ID; "": from now on
	count, left int    // cases to print; 0: all
	screen      screen.Screen
}

var errEnough = errors.New("enough")

func (p *program) watch(ctx context.Context, v *verb, args []string) error {
	f := p.flags(v)
	base := f.String("api", "http://127.0.0.1:8417", p.t("the desk's `URL`", "后台`地址`"))
	tokenFile := f.String("token-file", "", p.t("`file` whose first line is the desk's token", "令牌文件"))
	all := f.Bool("all", false, p.t("from the first case on, not only new ones", "从第一条开始"))
	events := f.Bool("events", false, p.t("other events too", "同时显示其他事件"))
	from := f.Int64("after", -1, p.t("what came after this number `N`", "从编号 `N` 之后"))
	count := f.Int("count", 0, p.t("stop after `N` cases", "`N` 条后退出"))
	if _, err := p.parse(v, f, args, 0); err != nil {
		return err
	}
	w := &watching{p: p, kinds: "case", count: *count, left: *count, screen: screen.Screen{Chinese: p.lang == "zh", Colour: p.colour(), Zone: time.Local}}
	u, err := url.Parse(*base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%w: --api wants http://host:port", errUsage)
	}
	w.url = strings.TrimSuffix(u.String(), "/")
	if *tokenFile != "" {
		if w.token, err = secretLine(*tokenFile); err != nil {
			return err
		}
	}
	if *events {
		w.kinds = "case,event"
	}
	switch {
	case *all:
		w.after = "0"
	case *from >= 0:
		w.after = strconv.FormatInt(*from, 10)
	}
	return w.run(ctx)
}

// colour: only on a terminal, and where the user has not asked for none.
func (p *program) colour() bool {
	f, ok := p.stdout.(*os.File)
	if !ok || p.env("NO_COLOR") != "" || p.env("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// run prints until ctx ends. The first connection must succeed; later ones are
// made again, without missing anything.
func (w *watching) run(ctx context.Context) error {
	for first := true; ; first = false {
		err := w.connect(ctx)
		switch {
		case errors.Is(err, errEnough), ctx.Err() != nil:
			return nil
		case errors.Is(err, errAPI) && first, errors.Is(err, errOutput), errors.Is(err, errConfig):
			return err
		}
		fmt.Fprintf(w.p.stderr, w.p.t("yuanlu-desk watch: %v; trying again\n", "yuanlu-desk watch：%v；重试\n"), err)
		timer := time.NewTimer(watchAgain)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}

var errOutput = errors.New("cannot print")

// connect reads one stream until it ends.
func (w *watching) connect(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(watchSilence, cancel)
	defer silence.Stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/v1/stream?kinds="+w.kinds, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errAPI, err)
	}
	if w.after != "" {
		r.Header.Set("Last-Event-ID", w.after)
	}
	if w.token != "" {
		r.Header.Set("Authorization", "Bearer "+w.token)
	}
	rsp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("%w: %w", errAPI, err)
	}
	defer rsp.Body.Close()
	if rsp.StatusCode != http.StatusOK {
		if rsp.StatusCode == http.StatusUnauthorized || rsp.StatusCode == http.StatusForbidden {
			return fmt.Errorf("%w: it refuses us (%s); see --token-file", errConfig, rsp.Status)
		}
		return fmt.Errorf("%w: %s", errAPI, rsp.Status)
	}
	return w.read(rsp.Body, func() { silence.Reset(watchSilence) })
}

// read reads server-sent events.
func (w *watching) read(body io.Reader, alive func()) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	var id, kind, data string
	for lines.Scan() {
		alive()
		name, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			data += value
		}
		if lines.Text() != "" || data == "" {
			continue
		}
		if err := w.print(kind, []byte(data)); err != nil {
			return err
		}
		w.after, kind, data = id, "", ""
		if w.count > 0 && w.left <= 0 {
			return errEnough
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the stream ended: %w", err)
	}
	return errors.New("the stream ended")
}

func (w *watching) print(kind string, data []byte) error {
	if kind == "case" {
		w.left--
	}
	if w.p.json {
		_, err := w.p.stdout.Write(append(data, '\n'))
		return output(err)
	}
	var row struct {
		Terminal string          `json:"terminal"`
		Event    json.RawMessage `json:"event"`
	}
	if err := topics.Exact(data, &row); err != nil {
		return fmt.Errorf("the desk sent what is no event: %w", err)
	}
	if kind == "case" {
		return output(w.screen.Case(w.p.stdout, row.Terminal, row.Event))
	}
	return output(w.screen.Event(w.p.stdout, row.Terminal, row.Event))
}

func output(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}

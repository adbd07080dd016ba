package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"yuanlu/agent/capture"
	"yuanlu/agent/catalogue"
	"yuanlu/agent/health"
	"yuanlu/agent/ingest"
	"yuanlu/agent/probe"
	"yuanlu/agent/refund"
	"yuanlu/cmd/yuanlu/ports"
	"yuanlu/protocol/explain"
)

// Devices prints what may be the port of a link.
func (s *Screen) Devices(all []ports.Device) {
	if len(all) == 0 {
		fmt.Fprintln(s.W, s.t("no serial port and no USB device is there", "没有串口或 USB 设备"))
	}
	var rows [][]string
	for i := range all {
		d := &all[i]
		what := d.What
		if d.Terminal {
			what += s.t(" (smart terminal)", "（智能终端）")
		}
		row := []string{d.Port, d.Node, what, s.use(d)}
		if s.narrow() { // the name for the configuration, and what matters of it
			row = []string{d.Port, strings.TrimPrefix(d.Node, d.Port), s.use(d)}
			if row[1] == "" {
				row[1] = what
			}
		}
		rows = append(rows, row)
	}
	s.Table(rows)
}

// use returns what a device is used for, for people.
func (s *Screen) use(d *ports.Device) string {
	var parts []string
	if d.Link != "" {
		parts = append(parts, s.t("link ", "链路 ")+d.Link)
	}
	if d.Verdict != "" {
		parts[0] += s.t(": ", "：") + s.level(d.Verdict, s.Lang.Text(d.Text))
	}
	for _, h := range d.Holders {
		parts = append(parts, s.t("open in ", "占用：")+s.english(h))
	}
	if d.Problem != "" {
		parts = append(parts, s.english(d.Problem))
	}
	if len(parts) == 0 {
		return s.t("free", "空闲")
	}
	return strings.Join(parts, s.t(", ", "，"))
}

// Checkups prints what doctor has found.
func (s *Screen) Checkups(all []health.Checkup) {
	for _, one := range all {
		fmt.Fprintln(s.W, strings.Join(s.CheckupLines(&one), "\n"))
	}
}

// CheckupLines returns the lines of one finding of doctor. A problem stands there by its
// name, with its code behind.
func (s *Screen) CheckupLines(one *health.Checkup) []string {
	begin := s.mark(one.Level) + " " + padTo(one.Name, 12) + " "
	lines := s.hang(begin, 15, one.Text)
	if catalogue.Named(one.Name) {
		lines = append(s.hang(s.mark(one.Level)+" ", 2, s.named(one.Name)), s.hang("    ", 4, one.Text)...)
	}
	if one.Remedy != "" && one.Level != health.Fine {
		lines = append(lines, s.hang("    → ", 6, one.Remedy)...)
	}
	return lines
}

// Done is what the daemon answers to ctl.
type Done struct {
	Level, Configured, Link, State string
	Until                          time.Time
}

// Done prints what the daemon did.
func (s *Screen) Done(done Done) error {
	text := ""
	switch t := s.t; {
	case done.Link != "":
		text = fmt.Sprintf(t("link %s, which was %s, is being opened again", "链路 %s（原状态 %s）正在重新打开"), done.Link, done.State)
	case done.Until.IsZero():
		text = fmt.Sprintf(t("level %s, as configured", "级别 %s，与配置相同"), done.Level)
	default:
		text = fmt.Sprintf(t("level %s until %s, then %s again", "级别 %s，至 %s，之后恢复为 %s"), done.Level, s.Clock(done.Until), done.Configured)
	}
	_, err := fmt.Fprintln(s.W, text)
	return err
}

// Capture prints a capture.
func (s *Screen) Capture(i *capture.Info) error {
	t := s.t
	state := fmt.Sprintf(t("running until %s", "进行中，至 %s"), s.Clock(i.Until))
	switch {
	case !i.Running && i.Ended.IsZero():
		state = t("cut off", "已中断")
	case !i.Running:
		state = fmt.Sprintf(t("ended %s: %s", "已于 %s 结束：%s"), s.Clock(i.Ended), i.Reason)
	}
	if i.LeftOut > 0 {
		state += fmt.Sprintf(t(", %s left out because the disk was slow", "，因磁盘过慢缺失 %s"), health.SizeText(i.LeftOut))
	}
	_, err := fmt.Fprintf(s.W, "%s  %s  %s  %s / %s  %s\n", i.Link, i.Wire, i.File, health.SizeText(i.Bytes), health.SizeText(i.MaxBytes), state)
	return err
}

// Probe prints what links probe has found as the lines of the configuration that it needs;
// where nothing fits, why, and what to do.
func (s *Screen) Probe(r *probe.Result) (err error) {
	switch {
	case r.Wire == "":
		return s.noFit(r)
	case r.Parity == "none":
		_, err = fmt.Fprintf(s.W, "%s: wire = %q, baud = %d (%s)\n", r.Port, r.Wire, r.Baud, r.Framing)
	case r.Baud > 0:
		_, err = fmt.Fprintf(s.W, "%s: wire = %q, baud = %d, data_bits = %d, parity = %q (%s)\n", r.Port, r.Wire, r.Baud, r.DataBits, r.Parity, r.Framing)
	default:
		_, err = fmt.Fprintf(s.W, "%s: wire = %q\n", r.Port, r.Wire)
	}
	return err
}

// FirstRecord prints the first record that a port brought, without whose it is.
func (s *Screen) FirstRecord(r *probe.First) {
	fmt.Fprintf(s.W, s.t("first record: %s, %s, %s\n", "首条记录：%s，%s，%s\n"), s.word(r.Kind), refund.AmountText(r.Amount, r.Currency), r.At)
}

// noFit prints why nothing fits, and what to do.
func (s *Screen) noFit(r *probe.Result) error {
	t := s.t
	for _, c := range r.Came {
		if c.Baud > 0 {
			fmt.Fprintf(s.W, t("%d baud %s: ", "%d 波特 %s："), c.Baud, c.Framing)
		}
		fmt.Fprintf(s.W, t("%d bytes, %d good frames\n", "%d 字节，%d 个完整帧\n"), c.Bytes, c.Frames)
	}
	text := ""
	switch {
	case r.Bytes() == 0:
		text = t("nothing was heard: check the cable, and that the terminal sends to its cashier port", "没有收到数据：检查连接线，以及终端是否启用收银口输出")
	case len(r.Sees) > 0:
		text = t("frames were right, but no message was understood: another dialect, which needs a profile", "帧正确但报文无法解析：方言不同，需要差异文件")
	case r.SevenBit != "":
		parity := map[string]string{"even": t("even", "偶"), "odd": t("odd", "奇")}[r.SevenBit]
		text = fmt.Sprintf(t("the terminal sends seven data bits with %s parity, which no wire fits in: set its cashier port to eight data bits",
			"终端以 7 数据位、%s校验发送，任何协议都需要 8 数据位：请将终端收银口改为 8 数据位"), parity)
	default:
		text = t("bytes came, but no frame at any of these settings: another speed, or no terminal", "收到数据，但各种设置下都没有完整帧：速率不符，或不是终端")
	}
	_, err := fmt.Fprintln(s.W, text)
	return err
}

// Explained is one message of a capture as its decoder saw it, as `replay --explain --json`
// prints it.
type Explained struct {
	Offset  int64             `json:"offset"` // -1: the end of the file
	Bytes   int               `json:"bytes"`
	Fields  []explain.Field   `json:"fields"`
	Records []json.RawMessage `json:"records"`
	LeftOut []ingest.LeftOut  `json:"left_out"`
	Ignored string            `json:"ignored,omitempty"`
	Refused string            `json:"refused,omitempty"`
}

// Explained prints one message of a capture.
func (s *Screen) Explained(e *Explained) error {
	t, out := s.t, s.W
	if e.Offset < 0 {
		fmt.Fprintf(out, "%s\n", t("end of the file", "文件结束"))
	} else {
		fmt.Fprintf(out, t("frame at byte %d, %d bytes\n", "帧位于字节 %d，长 %d 字节\n"), e.Offset, e.Bytes)
	}
	table := tabwriter.NewWriter(out, 0, 1, 2, ' ', 0)
	if len(e.Fields) > 0 {
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n", t("at", "位置"), t("length", "长度"), t("field", "域"), t("value", "值"), t("became", "去向"))
	}
	for _, f := range e.Fields {
		value := f.Value
		if value == "" && f.Kind != "" {
			value = "(" + f.Kind + ")"
		}
		fmt.Fprintf(table, "  %d\t%d\t%s\t%s\t%s\n", f.At, f.Length, f.Name, value, f.Became)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range e.Records {
		fmt.Fprintf(out, "  %s %s\n", t("makes", "生成记录"), r)
	}
	for _, l := range e.LeftOut {
		fmt.Fprintf(out, "  %s %s\n", t("left out:", "未采用："), l)
	}
	if e.Ignored != "" {
		fmt.Fprintf(out, "  %s %s\n", t("not used:", "未使用："), e.Ignored)
	}
	if e.Refused != "" {
		fmt.Fprintf(out, "  %s %s\n", t("refused:", "拒绝："), e.Refused)
	}
	_, err := io.WriteString(out, "\n")
	return err
}

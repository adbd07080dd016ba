package bills

import "strconv"

// Code is why a file, a head or a line is refused (bills.md § 3).
type Code string

// The codes, those of whole files first.
const (
	Unreadable      Code = "unreadable"
	Empty           Code = "empty"
	TooLarge        Code = "too_large"
	Nested          Code = "nested"
	Encrypted       Code = "encrypted"
	Damaged         Code = "damaged"
	BadName         Code = "bad_name"
	HashMismatch    Code = "hash_mismatch"
	UnknownFormat   Code = "unknown_format"
	Encoding        Code = "encoding"
	Header          Code = "header"
	DayUnknown      Code = "day_unknown"
	Length          Code = "length"
	Control         Code = "control"
	Form            Code = "form"
	Quote           Code = "quote"
	Columns         Code = "columns"
	BadAmount       Code = "amount"
	Sign            Code = "sign"
	BadTime         Code = "time"
	Number          Code = "number"
	BadKind         Code = "kind"
	BadStatus       Code = "status"
	BadRoute        Code = "route"
	BadCurrency     Code = "currency"
	KeyMissing      Code = "key_missing"
	Day             Code = "day"
	RowConflict     Code = "row_conflict"
	Truncated       Code = "truncated"
	SummaryMismatch Code = "summary_mismatch"
	TerminalDay     Code = "terminal_day" // bills.md § 6
)

// Refusal is one thing that was refused and its place. It holds nothing of a cell.
type Refusal struct {
	File   string // the base name, printable
	Member int    // of a zip, counted in its central directory from 1; 0: none
	Line   int    // physical, from 1; 0: the whole file
	Col    int    // column or field, from 1; 0: the whole line
	Code   Code
}

// Place returns FILE:LINE:COL, with FILE#N for a member of a zip (bills.md § 1).
func (r *Refusal) Place() string { return string(r.appendPlace(nil)) }

func (r *Refusal) appendPlace(b []byte) []byte {
	b = append(b, r.File...)
	if r.Member > 0 {
		b = strconv.AppendInt(append(b, '#'), int64(r.Member), 10)
	}
	b = strconv.AppendInt(append(b, ':'), int64(r.Line), 10)
	return strconv.AppendInt(append(b, ':'), int64(r.Col), 10)
}

// AppendLine appends the line of standard error, with the text in English or Chinese.
func (r *Refusal) AppendLine(b []byte, chinese bool) []byte {
	b = append(append(append(r.appendPlace(b), ": "...), r.Code...), ": "...)
	return append(append(b, r.Code.Text(chinese)...), '\n')
}

// Text returns what the code means and what to do about it, in English or Chinese.
func (c Code) Text(chinese bool) string {
	for _, t := range texts {
		if t.code == c && chinese {
			return t.zh
		} else if t.code == c {
			return t.en
		}
	}
	return string(c)
}

var texts = []struct {
	code   Code
	en, zh string
}{
	{Unreadable, "the file cannot be read; check its name and who may read it", "文件无法读取；请检查文件名与读取权限"},
	{Empty, "there is nothing in it; download the bill again", "没有内容；请重新下载账单"},
	{TooLarge, "more than the limit (128 MiB each, 256 MiB and 64 members a file); ask for a bill of one day", "超过限制（每个 128 MiB，每个文件合计 256 MiB、64 个成员）；请按日下载账单"},
	{Nested, "a container in a container; unpack the outer one and import what is in it", "压缩包中套有压缩包；请解开外层后再导入"},
	{Encrypted, "the member is encrypted; unpack it with its password and import the bill", "成员已加密；请用密码解开后再导入"},
	{Damaged, "the container is damaged or cut; download the bill again", "压缩文件损坏或不完整；请重新下载账单"},
	{BadName, "the member's name leads out of the container or cannot be printed; ask where the file comes from", "成员名指向包外或含不可打印字符；请查明文件来源"},
	{HashMismatch, "the file is not the one of its .sha1; download both again", "文件与其 .sha1 不符；请将两者重新下载"},
	{UnknownFormat, "no bill that is known; import the file as the platform made it, not one saved by a spreadsheet", "不是已知格式的账单；请导入平台原始文件，勿用表格软件另存"},
	{Encoding, "bytes that are no text of the file's encoding; import the file as the platform made it", "含有不属于文件编码的字节；请导入平台原始文件"},
	{Header, "the head lacks something, has it twice or cannot be read; import the file as the platform made it", "表头缺项、重复或无法读取；请导入平台原始文件"},
	{DayUnknown, "no day in the file's name; keep the name that the platform gave it", "文件名中没有日期；请保留平台给出的文件名"},
	{Length, "the line is over 64 KiB; import the file as the platform made it", "行超过 64 KiB；请导入平台原始文件"},
	{Control, "a control character in the line; import the file as the platform made it", "行中含控制字符；请导入平台原始文件"},
	{Form, "a line of this form has no place here; download the bill again", "此处不应有这种行；请重新下载账单"},
	{Quote, "a quote that is not closed, or text behind it; import the file as the platform made it", "引号未闭合或其后有文字；请导入平台原始文件"},
	{Columns, "not as many cells as the header has; download the bill again", "单元格数与表头不符；请重新下载账单"},
	{BadAmount, "want an amount in yuan such as 12.30, without thousands; import the file as the platform made it", "应为以元为单位的金额，如 12.30，无千分位；请导入平台原始文件"},
	{Sign, "the amount must not be negative here; ask the platform about the row", "此处金额不得为负；请向平台核实该行"},
	{BadTime, "want a date and time that exist; import the file as the platform made it", "应为存在的日期时间；请导入平台原始文件"},
	{Number, "no number of a transaction; a spreadsheet may have changed it, so import the file as the platform made it", "不是有效的交易编号，可能被表格软件改写；请导入平台原始文件"},
	{BadKind, "a kind of transaction that is not known; report it to support", "未知的交易类型；请反馈给技术支持"},
	{BadStatus, "a status of a refund that is not known; report it to support", "未知的退款状态；请反馈给技术支持"},
	{BadRoute, "a way of a refund that is not known; report it to support", "未知的退款去向；请反馈给技术支持"},
	{BadCurrency, "want CNY; other currencies are reconciled by hand", "应为 CNY；其他币种请人工对账"},
	{KeyMissing, "the number that identifies the row is missing; ask the platform about the row", "缺少标识该行的编号；请向平台核实该行"},
	{Day, "not of the bill's day; download the bills of both days again", "不属于账单日期；请重新下载这两日的账单"},
	{RowConflict, "the row came before with other content; the first stands, ask the platform which is right", "该行此前已出现且内容不同；以先到者为准，请向平台核实"},
	{Truncated, "the bill ends before its end; download it again", "账单不完整；请重新下载"},
	{TerminalDay, "no digest of a terminal's day; ask the terminal again with day-resend", "不是有效的终端日摘要；请用 day-resend 让终端重发"},
	{SummaryMismatch, "the rows do not add up to the bill's own sums; download it again", "明细与账单合计不符；请重新下载"},
}

package bills

import (
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// files writes the bills of a date. Rows of money that came back stand on the bill of the purse.
func files(date string, rows, back []*row) ([]File, error) {
	of := func(channels ...string) (some []*row) {
		for _, r := range rows {
			for _, c := range channels {
				if r.Channel == c && !r.left {
					some = append(some, r)
				}
			}
		}
		return some
	}
	alipay, err := alipay(date, of("alipay"))
	if err != nil {
		return nil, err
	}
	plain := strings.ReplaceAll(date, "-", "")
	packed, err := zipped(Account+"_"+plain+"_业务明细.csv", alipay)
	if err != nil {
		return nil, err
	}
	union, err := unionpay(of("unionpay_qr"))
	if err != nil {
		return nil, err
	}
	wechat, err := gzipped(wechat(of("wechat")))
	if err != nil {
		return nil, err
	}
	out := []File{{"wechat-" + date + ".gz", wechat}, {"alipay-" + date + ".zip", packed}, {"acquirer-" + date + ".csv", acquirer(of("card", "ecny"))}}
	if len(union) > 0 { // UnionPay has no file of a day without anything
		out = append(out, File{"INN" + plain[2:] + "88ZM_" + Merchant, union})
	}
	if len(back) > 0 {
		out = append(out, File{"wechat-fund-" + date + ".csv", fund(back)})
	}
	return out, nil
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

func zipped(name string, data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

func gzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

const clock = "2006-01-02 15:04:05"

// quoted is a line of WeChat's bills: each cell behind a backtick.
func quoted(cells ...string) string { return "`" + strings.Join(cells, ",`") + "\n" }

// wechat writes a trade bill of all kinds (ALL).
func wechat(rows []*row) []byte {
	var b strings.Builder
	b.WriteString("\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\n")
	var sold, returned int64
	for i, r := range rows {
		if !r.back {
			sold += r.amount
			b.WriteString(quoted(r.at.Format(clock), "wxtest0000000001", Account, "0", "", r.ChannelTxn, r.OrderNo, "oTESTpayer", "MICROPAY", "SUCCESS", "OTHERS", "CNY",
				yuan(r.amount), "0.00", "0", "0", "0.00", "0.00", "", "", "面包,牛奶", "", "0.00000", "0.60%", yuan(r.amount), "0.00", ""))
			continue
		}
		returned += r.amount
		b.WriteString(quoted(r.at.Format(clock), "wxtest0000000001", Account, "0", "", r.txn(i), r.order(), "oTESTpayer", "MICROPAY", "REFUND", "OTHERS", "CNY",
			"0.00", "0.00", r.channelRefund(i), r.refundNo(), yuan(r.amount), "0.00", wechatRoute(r.route), r.status, "面包,牛奶", "", "0.00000", "0.60%", "0.00", yuan(r.amount), ""))
	}
	b.WriteString("总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\n")
	b.WriteString(quoted(fmt.Sprint(len(rows)), yuan(sold), yuan(returned), "0.00", "0.00000", yuan(sold), yuan(returned)))
	return []byte(b.String())
}

func wechatRoute(route string) string { return cmp.Or(route, "ORIGINAL") }

// fund writes WeChat's bill of the purse with money that came back.
func fund(rows []*row) []byte {
	var b strings.Builder
	b.WriteString("记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号\n")
	var sum int64
	for i, r := range rows {
		sum += r.amount
		b.WriteString(quoted(r.at.Format(clock), r.channelRefund(i), fmt.Sprintf("F%s%04d", r.at.Format("20060102"), i), "退款", "退款", "收入", yuan(r.amount), "100.00", "API", "退款退回", r.refundNo()))
	}
	b.WriteString("资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n")
	b.WriteString(quoted(fmt.Sprint(len(rows)), fmt.Sprint(len(rows)), yuan(sum), "0", "0.00"))
	return []byte(b.String())
}

// alipay writes a trade bill, in GBK as Alipay does.
func alipay(date string, rows []*row) ([]byte, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil, err
	}
	long := func(t time.Time) string { return t.Format("2006年01月02日 00:00:00") }
	var b strings.Builder
	fmt.Fprintf(&b, "#支付宝业务明细查询\r\n#账号：[%s0156]\r\n#起始日期：[%s]   终止日期：[%s]\r\n#-----业务明细列表-----\r\n", "2088000000000017", long(day), long(day.AddDate(0, 0, 1)))
	b.WriteString("支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,终端号,对方账户,订单金额（元）,商家实收（元）,退款批次号/请求号,服务费（元）,备注\r\n")
	var sales, refunds, sold, returned int64
	for i, r := range rows {
		kind, txn, order, sign, number := "交易", r.ChannelTxn, r.OrderNo, "", ""
		if r.back {
			kind, txn, order, sign, number = "退款", r.txn(i), r.order(), "-", r.refundNo()
			refunds, returned = refunds+1, returned+r.amount
		} else {
			sales, sold = sales+1, sold+r.amount
		}
		at := r.at.Format(clock)
		fmt.Fprintf(&b, "%s\t,%s\t,%s,\"茶,两杯\",%s,%s,%s\t,*试(135****0000)\t,%s%s,%s%s,%s\t,0.00,\r\n", txn, order, kind, at, at, r.TerminalID, sign, yuan(r.amount), sign, yuan(r.amount), number)
	}
	fmt.Fprintf(&b, "#-----业务明细列表结束-----\r\n#交易合计：%d笔，商家实收共%s元，商家优惠共0.00元\r\n#退款合计：%d笔，商家实收退款共-%s元，商家优惠退款共0.00元\r\n#导出时间：[%s]\r\n",
		sales, yuan(sold), refunds, yuan(returned), day.AddDate(0, 0, 1).Format(clock))
	return simplifiedchinese.GBK.NewEncoder().Bytes([]byte(b.String()))
}

// acquirer writes an acquirer's bill: cards, and what has no bill of its own.
func acquirer(rows []*row) []byte {
	var b strings.Builder
	b.WriteString("商户号,门店名称,终端号,交易时间,交易类型,交易批次号,凭证号,参考号,卡号,交易金额,交易日期,订单号\n")
	for i, r := range rows {
		word, sign := "消费", ""
		if r.Channel == "ecny" {
			word = "数字货币支付"
		}
		switch {
		case r.void && r.Channel == "ecny":
			word, sign = "数字货币撤销", "-"
		case r.back && r.Channel == "ecny":
			word, sign = "数字货币退货", "-"
		case r.void:
			word, sign = "消费撤销", "-"
		case r.back:
			word, sign = "退货", "-"
		}
		rrn := r.RRN
		if rrn == "" && r.Stan == "" {
			rrn = fmt.Sprintf("%s%06d", r.at.Format("060102"), 900_000+i)
		}
		fmt.Fprintf(&b, "%s,测试店,%s,%s,%s,%s,%s,%s,620000******0005,%s%s,%s,%s\n", Merchant, r.TerminalID, r.at.Format("15:04:05"), word, r.Batch, r.Stan, rrn, sign, yuan(r.amount), r.at.Format(time.DateOnly), cmp.Or(r.RefundNo, r.OrderNo))
	}
	return []byte(b.String())
}

// widths are those of the fields of UnionPay's ZM file, in bytes.
func widths() []int {
	return []int{3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8}
}

// unionpay writes a ZM file.
func unionpay(rows []*row) ([]byte, error) {
	var b bytes.Buffer
	for i, r := range rows {
		f := make([]string, len(widths())+1)
		amount := fmt.Sprintf("%012d", r.amount)
		kind, id, order := "01", cmp.Or(r.ChannelTxn, fmt.Sprintf("%s%013d", r.at.Format("20060102"), i)), r.OrderNo
		f[14], f[15], f[27] = "000000", "0000000000", strings.Repeat("0", 21)
		if r.back {
			kind, id, order = "04", r.channelRefund(i), r.refundNo()
			if r.void {
				kind = "31"
			}
			f[14], f[27] = cmp.Or(r.sale.Stan, f[14]), cmp.Or(r.sale.ChannelTxn, f[27])
		}
		f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10] = "S22", "00049992", "00049992", cmp.Or(r.Stan, "000000"), r.at.Format("0102150405"), "620000******0005", amount, "5411", "08", id
		f[12], f[13], f[16], f[17], f[18], f[20], f[21], f[22], f[23], f[28], f[34] = order, "01", "C000000000000", "C"+amount, "0201", kind, "00", "000000", "01", Merchant, r.TerminalID
		for n, width := range widths() {
			if len(f[n+1]) > width {
				return nil, fmt.Errorf("%w: field %d of a ZM file holds %d bytes, not %d", ErrOptions, n+1, width, len(f[n+1]))
			}
			if n > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%-*s", width, f[n+1])
		}
		b.WriteByte('\n')
	}
	return b.Bytes(), nil
}

// txn is the platform's number of the sale that a refund returns; one that the terminal invented has one of its own.
func (r *row) txn(n int) string {
	return cmp.Or(r.sale.ChannelTxn, r.Original.ChannelTxn, fmt.Sprintf("4299%s%010d", r.at.Format("20060102150405"), n))
}

func (r *row) order() string { return cmp.Or(r.sale.OrderNo, r.Original.OrderNo) }

// channelRefund is the platform's number of a refund.
func (r *row) channelRefund(n int) string {
	if r.ChannelRefund == "" {
		r.ChannelRefund = fmt.Sprintf("5%s%06d", r.at.Format("20060102150405"), n)
	}
	return r.ChannelRefund
}

func (r *row) refundNo() string { return r.RefundNo }

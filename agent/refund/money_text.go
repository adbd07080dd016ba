package refund

import "strconv"

// exponent returns how many of an amount's digits stand after the decimal point
// (ISO 4217; two unless the table has another number).
func exponent(currency string) int {
	switch currency {
	case "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF":
		return 0
	case "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND":
		return 3
	case "CLF", "UYW":
		return 4
	}
	return 2
}

// AmountText writes an amount of minor units as decimal text with its currency:
// "CNY 128.00". Without a currency two decimals are assumed and none is named.
func AmountText(minor int64, currency string) string {
	b := make([]byte, 0, 24)
	if currency != "" {
		b = append(append(b, currency...), ' ')
	}
	u := uint64(minor)
	if minor < 0 {
		b, u = append(b, '-'), -u
	}
	d := strconv.FormatUint(u, 10)
	e := exponent(currency)
	for len(d) <= e {
		d = "0" + d
	}
	b = append(b, d[:len(d)-e]...)
	if e > 0 {
		b = append(append(b, '.'), d[len(d)-e:]...)
	}
	return string(b)
}

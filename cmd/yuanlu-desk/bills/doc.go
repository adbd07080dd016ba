// Package bills reads what platforms and acquirers say of their days: bills of WeChat,
// Alipay, UnionPay QR and acquirers, as files, gzip or zip. Bytes go in; statement entries,
// a summary of each bill, and refusals with line and column come out. It is pure: no file,
// no clock, no zone database; the same bytes under the same name are the same lines.
//
// What names a person (openid, account, name, identity number, operator, free text) is
// dropped while a line is read. No refusal holds the content of a cell. Money is counted in
// fen. Nothing here is safe for concurrent use. Source: bills.md.
package bills

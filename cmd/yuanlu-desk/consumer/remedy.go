package consumer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"yuanlu/protocol/mqtt"
)

// Remedy returns what a person can do about a connection that is not there, in English and
// Chinese. The desk tries again by itself, whatever it is.
func Remedy(err error) (en, zh string) {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch text := err.Error(); {
	case errors.Is(err, errOtherStore):
		return "let all desks of one --share use one PostgreSQL database, or give this one another --host and no --share", "同一 --share 的后台须共用一个 PostgreSQL 数据库；否则请改用其他 --host 且不设 --share"
	case errors.As(err, &authority):
		return "the broker's certificate is not signed by an authority that we know: give its authority with --ca-file", "服务器证书的签发机构未知：请用 --ca-file 指定"
	case errors.As(err, &name):
		return "the broker's certificate is for another name: use that name in --broker, or --server-name", "服务器证书名称不符：请在 --broker 或 --server-name 中使用证书上的名称"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the broker's certificate is not valid at this time: check this machine's clock, then renew the certificate", "服务器证书此时无效：先检查本机时钟，再更新证书"
	case errors.As(err, &record):
		return "this port does not speak TLS: use the broker's TLS port, or tcp:// on this machine", "该端口不是 TLS 端口：请使用服务器的 TLS 端口，本机可用 tcp://"
	case errors.As(err, &dns):
		return "the broker's name is not known here: check --broker and the name service", "无法解析服务器名称：检查 --broker 与域名服务"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "check the files of --ca-file, --cert-file, --key-file and --password-file", "检查 --ca-file、--cert-file、--key-file 与 --password-file 所指文件"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return "the broker ended the connection at once: check that this is its port for TLS (tls://) or without (tcp://), and its log", "服务器立即断开：检查端口与 tls:// 或 tcp:// 是否一致，并查看其日志"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: start the broker, or check the port of --broker", "该端口无服务：启动服务器，或检查 --broker 的端口"
	case errors.Is(err, mqtt.ErrRefused):
		return "the broker's access list does not let this user read {root}/v1/+/up/# and _host/#: the README shows one that does", "服务器的访问控制不允许该用户订阅 {root}/v1/+/up/# 与 _host/#：README 中有示例"
	case strings.Contains(text, "remote error: tls"), strings.Contains(text, "certificate required"):
		return "the broker did not take our certificate: check --cert-file and --key-file", "服务器拒绝客户端证书：检查 --cert-file 与 --key-file"
	case strings.Contains(text, "not Authorized"), strings.Contains(text, "user name or password"):
		return "the broker refuses this user: check --username and --password-file, or --cert-file", "服务器拒绝该用户：检查 --username 与 --password-file，或 --cert-file"
	}
	return "check the network and the broker; the desk tries again by itself", "检查网络与服务器；后台会自动重试"
}

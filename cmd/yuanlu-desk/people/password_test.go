package people

import (
	"strings"
	"testing"
)

func TestPasswords(t *testing.T) {
	for password, good := range map[string]bool{
		"short": false, "elevenchars": false, "twelve chars": true, "密码密码密码密码密码密码": true, "密码密码密码密码密码密": false,
		"1qaz2wsx3edc": false, "1QAZ2WSX3EDC": false, "Long-Login-01": false, strings.Repeat("x", 128): true, strings.Repeat("x", 129): false,
		"bytes \xff\xfe that are no text": false,
	} {
		if err := Suitable("long-login-01", password); (err == nil) != good {
			t.Errorf("%q: %v", password, err)
		}
		if err := Suitable("bo", password); err != nil && password != "" && strings.Contains(err.Error(), password) {
			t.Errorf("the error repeats the password: %v", err)
		}
	}
}

func TestHash(t *testing.T) {
	one, two := Hash("correct horse"), Hash("correct horse")
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("%s\n%s", one, two)
	}
	for stored, good := range map[string]bool{one: true, two: true, "": false, strings.Replace(one, "t=3", "t=1", 1): false, one[:len(one)-1]: false,
		one + "$": false, strings.Repeat("$", 5): false} {
		if Check(stored, "correct horse") != good {
			t.Errorf("%s", stored)
		}
	}
	if Check(one, "correct horsf") {
		t.Error("a wrong password is right")
	}
}

func TestTokens(t *testing.T) {
	a, b := Token(), Token()
	if a == b || len(a) != 43 || len(TokenHash(a)) != 64 || TokenHash(a) == TokenHash(b) || len(FirstPassword()) != 20 {
		t.Error(a, b, FirstPassword())
	}
}

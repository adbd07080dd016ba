package spelling

import "testing"

func TestNearest(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"pasword_file", "password_file"}, {"prot", "port"}, {"xyzzy", ""}, {"", ""}, {"x", ""}, {"00", ""}, {"dj", "jd"},
	} {
		if got := Nearest(tt.name, []string{"password_file", "port", "baud", "jd"}); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

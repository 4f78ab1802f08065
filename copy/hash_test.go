package copy

import (
	"encoding/hex"
	"testing"
)

// The sums are those that each function's own tool prints, of nothing and of "abc".
func TestHash(t *testing.T) {
	for _, tt := range []struct{ name, empty, abc string }{
		{"xxh3", "99aa06d3014798d86001c324468d497f", "06b05ab6733a618578af5f94892f3950"},
		{
			"blake3", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
			"6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85",
		},
		{
			"sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		},
	} {
		var h Hash
		if err := h.Set(tt.name); err != nil || h.String() != tt.name {
			t.Fatalf("%s: %v, %v", tt.name, h, err)
		}
		d := h.New()
		if got := hex.EncodeToString(d.Sum(nil)); got != tt.empty {
			t.Errorf("%s of nothing: %s", h, got)
		}
		_, _ = d.Write([]byte("a"))
		_, _ = d.Write([]byte("bc"))
		if got := hex.EncodeToString(d.Sum(nil)); got != tt.abc {
			t.Errorf("%s of abc: %s", h, got)
		}
	}
	var h Hash
	if h.String() != "xxh3" {
		t.Errorf("the zero value is %s", h)
	}
	if h.Set("md5") == nil {
		t.Error("md5 is accepted")
	}
}

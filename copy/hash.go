package copy

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"

	"github.com/zeebo/blake3"
	"github.com/zeebo/xxh3"
)

// Hash is a choice of hash function. It implements flag.Value.
type Hash int

const (
	// HashXXH3 is XXH3 with 128 bits. It is the fastest and finds every accident; it does not withstand people who make
	// files collide on purpose. Its 64-bit form is no faster, and among the chunks of very many files 64 bits are few.
	HashXXH3 Hash = iota
	// HashBLAKE3 is BLAKE3 with 256 bits, made to withstand attacks.
	HashBLAKE3
	// HashSHA256 is SHA-256 (FIPS 180-4), the hash of the lists that sha256sum reads.
	HashSHA256
)

// Hashes lists all hash functions.
var Hashes = []Hash{HashXXH3, HashBLAKE3, HashSHA256}

var hashNames = map[Hash]string{HashXXH3: "xxh3", HashBLAKE3: "blake3", HashSHA256: "sha256"}

// String returns the name of the function as --hash takes it.
func (h Hash) String() string {
	if name, ok := hashNames[h]; ok {
		return name
	}
	return fmt.Sprintf("Hash(%d)", int(h))
}

// Set parses a name.
func (h *Hash) Set(s string) error {
	for hash, name := range hashNames {
		if strings.EqualFold(s, name) {
			*h = hash
			return nil
		}
	}
	return fmt.Errorf("%q is not a hash: use xxh3, blake3 or sha256", s)
}

// New returns a digest that has read nothing. Its Sum has the canonical byte order, in which the tools of each function
// print it: xxhsum -H2, b3sum, sha256sum.
func (h Hash) New() hash.Hash {
	switch h {
	case HashBLAKE3:
		return blake3.New()
	case HashSHA256:
		return sha256.New()
	default:
		return xxh3.New128()
	}
}

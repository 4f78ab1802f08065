package copy

import (
	"bytes"
	"context"
	"hash"
	"os"
	"sync"
)

// verifyTools lends what a worker needs to hash. There is one set for each worker.
type verifyTools struct {
	hash Hash
	mu   sync.Mutex
	free []*verifyTool
}

type verifyTool struct {
	buf        []byte
	a, b       hash.Hash
	sumA, sumB []byte
}

func (s *verifyTools) take() *verifyTool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		t := s.free[n-1] // the last one that came back: it is the likeliest to be in a cache
		s.free = s.free[:n-1]
		return t
	}
	return &verifyTool{buf: make([]byte, verifyPiece), a: s.hash.New(), b: s.hash.New()}
}

func (s *verifyTools) put(t *verifyTool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, t)
}

// same says whether both digests read the same.
func (t *verifyTool) same() bool {
	t.sumA, t.sumB = t.a.Sum(t.sumA[:0]), t.b.Sum(t.sumB[:0])
	return bytes.Equal(t.sumA, t.sumB)
}

// readPiece reads until p is full or the file ends, on the calling thread.
func readPiece(ctx context.Context, f *os.File, p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		n, err := pread(f, p[done:], off+int64(done))
		done += n
		if err != nil && !again(ctx, err) {
			return done, err
		}
		if err == nil && n == 0 {
			break
		}
	}
	return done, nil
}

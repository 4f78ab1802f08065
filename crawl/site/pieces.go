package site

import "sync"

// Bodies are made and sent in pieces. A large piece takes few system calls; but each client that reads slowly, or not at
// all, holds one in memory.
const (
	leastPiece, mostPiece = 2 << 10, 64 << 10
	allPieces             = 32 << 20 // about what requests in flight may hold together
)

// buffers holds *[]byte for pieces of bodies.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// pieceSize returns how long pieces are that are begun now.
func (s *Site) pieceSize() int {
	size := allPieces / max(1, s.counts.all.inFlight.Load())
	if s.o.RatePerConn > 0 && s.o.RatePerConn/20 < mostPiece {
		size = min(size, int64(s.o.RatePerConn/20))
	}
	return int(max(leastPiece, min(size, mostPiece)))
}

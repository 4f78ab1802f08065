//go:build !unix

package exchange

import "syscall"

// readNow sees nothing: this system's sockets cannot be read without waiting. A kept connection that is closed is then
// found out by its next request, which fails as Stale.
func readNow(syscall.RawConn, []byte) (int, error) { return 0, errNothing }

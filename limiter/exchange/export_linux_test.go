package exchange

import (
	"net/netip"
	"time"
)

// ConnectInterrupted connects a blocking socket that was interrupted a little before.
func ConnectInterrupted(addr netip.AddrPort, deadline time.Time) error {
	s, sa, err := newBlocking(addr, false)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.interrupt()
	}()
	time.Sleep(20 * time.Millisecond) // let it find nothing to shut down
	err = s.connect(sa, deadline)
	_ = s.Close()
	<-done
	return err
}

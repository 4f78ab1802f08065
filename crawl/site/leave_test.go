package site

import (
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Clients that are killed, in whatever they wait for or read, leave nothing behind.
func TestKilledClientsLeaveNothing(t *testing.T) {
	const clients = 100
	for name, c := range map[string]struct {
		o     Options
		paths []string
	}{
		"waiting":   {Options{Latency: time.Hour}, []string{"/p/1", "/blob/7", "/wait/1h"}},
		"queueing":  {Options{ServiceTime: time.Hour, Concurrency: 2}, []string{"/p/1", "/blob/7"}},
		"reading":   {Options{}, []string{"/blob/1GiB"}},
		"trickling": {Options{RatePerConn: 10, Gzip: true}, []string{"/p/1", "/blob/1GiB", "/sitemap.xml", "/sitemap.xml.gz"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(c.o)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := s.Server()
			served := make(chan struct{})
			go func() {
				defer close(served)
				_ = server.Serve(listener)
			}()
			defer func() {
				_ = server.Close()
				<-served
			}()
			before := runtime.NumGoroutine()
			conns := make([]net.Conn, clients)
			var wg sync.WaitGroup
			for i := range conns {
				wg.Go(func() {
					conn, err := net.Dial("tcp", listener.Addr().String())
					if err != nil {
						t.Error(err)
						return
					}
					conns[i] = conn
					_, err = io.WriteString(conn, "GET "+c.paths[i%len(c.paths)]+" HTTP/1.1\r\nHost: site\r\nAccept-Encoding: gzip\r\n\r\n")
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if t.Failed() {
				return
			}
			waitFor(t, func() bool { return s.Stats().Requests == clients })
			if n := s.Stats().InFlight; n < clients*9/10 {
				t.Errorf("%d requests of %d are in flight", n, clients)
			}
			for i, conn := range conns {
				if i%2 == 0 {
					_ = conn.(*net.TCPConn).SetLinger(0) // as of a killed client with bytes unread
				}
				_ = conn.Close()
			}
			waitFor(t, func() bool {
				open, _ := s.Connections()
				return open == 0 && s.Stats().InFlight == 0 && runtime.NumGoroutine() <= before
			})
			if len(s.working) > 0 {
				t.Errorf("%d answers are still worked on", len(s.working))
			}
		})
	}
}

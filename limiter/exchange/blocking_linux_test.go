package exchange_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"pace/limiter"
	"pace/limiter/exchange"
)

// Signals interrupt every call, as the runtime's own preemption does. Neither is anything lost nor a deadline missed.
func TestInterruptedCalls(t *testing.T) {
	forEachMode(t, func(t *testing.T, mode limiter.Mode) {
		for _, test := range []struct {
			name string
			url  string
			kind exchange.Kind
			body string
		}{
			{name: "answer", body: "hello", url: serve(t, func(_ int, nc net.Conn, br *bufio.Reader) {
				if _, err := http.ReadRequest(br); err == nil {
					time.Sleep(100 * time.Millisecond)
					_, _ = io.WriteString(nc, hello)
				}
			}).url},
			{name: "silence", kind: exchange.Timeout, url: serve(t, func(_ int, _ net.Conn, br *bufio.Reader) {
				_, _ = io.Copy(io.Discard, br)
			}).url},
			{name: "connect", kind: exchange.Timeout, url: blackHole(t)},
		} {
			t.Run(test.name, func(t *testing.T) {
				const timeout = 300 * time.Millisecond
				c := newClient(t, exchange.Options{Mode: mode, Timeout: timeout})
				tid, done := make(chan int, 1), make(chan struct{})
				var storm sync.WaitGroup
				storm.Go(func() {
					for id := <-tid; ; time.Sleep(time.Millisecond) {
						select {
						case <-done:
							return
						default:
							_ = unix.Tgkill(os.Getpid(), id, unix.SIGURG)
						}
					}
				})
				var err error
				var body []byte
				start := time.Now()
				inMode(t, mode, func() {
					defer close(done)
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					tid <- unix.Gettid()
					var resp *http.Response
					if resp, err = c.Do(request(t, http.MethodGet, test.url, nil), nil); err == nil {
						body, err = io.ReadAll(resp.Body)
						_ = resp.Body.Close()
					}
				})
				took := time.Since(start)
				storm.Wait()
				if test.body != "" {
					result{body: string(body), err: err}.want(t, test.body)
					return
				}
				result{err: err}.wantError(t, test.kind)
				if took < timeout {
					t.Errorf("gave up after %v, before its time", took)
				}
			})
		}
	})
}

// A cancellation may come just before connect(2), when shutdown(2) has nothing to shut down yet. It must not be lost.
func TestInterruptBeforeConnect(t *testing.T) {
	addr := blackHoleAddr(t)
	left := make(chan error, 1)
	go func() { left <- exchange.ConnectInterrupted(addr, time.Now().Add(time.Minute)) }()
	select {
	case err := <-left:
		if err == nil {
			t.Error("connected")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("still connecting")
	}
}

// A thousand requests in flight are a thousand threads of the kernel, each in read(2) on its own socket, and none of the
// sockets is known to a poller of this process.
func TestThousandThreads(t *testing.T) {
	const workers = 1000
	noLeaks(t)
	release := make(chan struct{})
	var asked sync.WaitGroup
	asked.Add(workers)
	s := serve(t, func(_ int, nc net.Conn, br *bufio.Reader) {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		asked.Done()
		<-release
		_, _ = io.WriteString(nc, hello)
		_, _ = br.ReadByte()
	})
	c := newClient(t, exchange.Options{Mode: limiter.Threads, Timeout: time.Minute})
	if c.Backend() != "blocking" {
		t.Fatalf("backend %q", c.Backend())
	}
	var watcher sync.WaitGroup
	watcher.Go(func() {
		defer close(release)
		asked.Wait()
		reading := readingFDs()
		for range 500 {
			if len(reading) >= workers {
				break
			}
			time.Sleep(10 * time.Millisecond) // the last have not come to their read yet
			reading = readingFDs()
		}
		if len(reading) < workers {
			t.Errorf("%d threads of %d read a descriptor of their own, want %d", len(reading), len(tasks()), workers)
		}
		for fd := range polledFDs(t) {
			if reading[fd] {
				t.Errorf("the poller watches descriptor %d", fd)
			}
		}
	})
	jobs := 0
	next := func(context.Context) (int, error) {
		if jobs == workers {
			return 0, io.EOF
		}
		jobs++
		return jobs, nil
	}
	err := limiter.Each(t.Context(), limiter.Threads, workers, next, func(ctx context.Context, _ int) error {
		resp, err := c.Do(request(t, http.MethodGet, s.url, nil).WithContext(ctx), nil)
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
			return fmt.Errorf("body %q: %w", body, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	watcher.Wait()
	for range 500 {
		if len(tasks()) < 100 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d threads are left", len(tasks()))
}

// tasks returns the ids of this process's threads.
func tasks() []string {
	paths, _ := filepath.Glob("/proc/self/task/[0-9]*")
	return paths
}

// readingFDs returns the descriptors that threads of this process are in read(2) with (proc_pid_syscall(5)).
func readingFDs() map[int]bool {
	fds := map[int]bool{}
	for _, task := range tasks() {
		data, _ := os.ReadFile(task + "/syscall")
		var call, fd int
		if n, _ := fmt.Sscanf(string(data), "%d 0x%x", &call, &fd); n == 2 && call == unix.SYS_READ {
			fds[fd] = true
		}
	}
	return fds
}

// polledFDs returns the descriptors that this process's epoll instances watch (proc_pid_fdinfo(5)).
func polledFDs(t *testing.T) map[int]bool {
	fds := map[int]bool{}
	infos, _ := filepath.Glob("/proc/self/fdinfo/*")
	for _, info := range infos {
		data, _ := os.ReadFile(info)
		for line := range strings.Lines(string(data)) {
			var fd int
			if n, _ := fmt.Sscanf(line, "tfd: %d", &fd); n == 1 {
				fds[fd] = true
			}
		}
	}
	if len(fds) == 0 {
		t.Error("found no poller, not even the server's")
	}
	return fds
}

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"pace/copy/gwtest"
	"pace/limiter/redistest"
)

var update = flag.Bool("update", false, "rewrite the expected outputs in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pace": main, "stubborn": stubborn})
}

// stubborn is a program that does not end when it is asked to.
func stubborn() {
	ctx, _ := interruptible()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("stopping")
	select {}
}

// TestScripts runs the real program as the scripts in testdata/script say. Besides testscript's commands they use
//
//	exits CODE COMMAND ARGS...   runs a command that must end with that exit code
//	site [FLAGS...]              starts `pace serve` and puts its address into $SITE; the script's end stops it
//	blob FILE SIZE               writes a file of that size
//	appears FILE                 waits until the file is there
//	append FILE TEXT             adds to a file
//	redis [OPTIONS...]           starts a Redis, and puts its URL into $REDIS
//	store [BUCKETS...]           starts an object store, with folder $STORE, and says so in the variables of the AWS tools
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("..", "..", "testdata", "script"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Values[testKey{}] = env.T()
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": scriptExits, "site": scriptSite, "blob": scriptBlob, "appears": scriptAppears,
			"append": scriptAppend, "store": scriptStore, "redis": scriptRedis,
		},
	})
}

func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

func scriptSite(ts *testscript.TestScript, neg bool, args []string) {
	path, err := exec.LookPath("pace")
	ts.Check(err)
	cmd := exec.Command(path, append([]string{"serve"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("pace serve, interrupted: %v", err)
		}
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	ts.Check(err)
	ts.Setenv("SITE", strings.TrimSpace(address))
}

// testKey is that of a script's test among its values.
type testKey struct{}

func scriptStore(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: store [BUCKETS...]")
	}
	s := gwtest.Start(ts.Value(testKey{}).(testing.TB), args...)
	ts.Setenv("STORE", s.Root)
	ts.Setenv("AWS_ENDPOINT_URL", s.URL)
	ts.Setenv("AWS_REGION", gwtest.Region)
	ts.Setenv("AWS_ACCESS_KEY_ID", gwtest.Access)
	ts.Setenv("AWS_SECRET_ACCESS_KEY", gwtest.Secret)
}

func scriptRedis(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: redis [OPTIONS...]")
	}
	s := redistest.Start(ts.Value(testKey{}).(testing.TB), append([]string{"--appendonly", "yes"}, args...)...)
	ts.Setenv("REDIS", s.URL)
}

func scriptBlob(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: blob FILE SIZE")
	}
	size, err := parseSize(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pattern(int(size)), 0o644))
}

// pattern returns bytes that differ from one chunk to the next.
func pattern(size int) []byte {
	b := make([]byte, size)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func scriptAppears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears FILE")
	}
	ts.Check(appears(ts.MkAbs(args[0])))
}

func scriptAppend(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE TEXT")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	_, err = f.WriteString(args[1])
	ts.Check(errors.Join(err, f.Close()))
}

func appears(path string) error {
	for range 1000 {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not appear", path)
}

// Package fleet holds limits across machines: workers that share a job lease keys (hosts, stripes of files) from Redis or
// Valkey, and with each some of the items that wait on it. An unexpired lease is held by one worker, so whatever pace it
// keeps on its key is the pace of the whole fleet.
//
// An item is handed out at least once, and counts as done once. A worker that stops, dies or loses its connection loses
// its leases after their time; what was handed out under them goes back to the head of its key's queue. A worker that
// comes back too late finds its acks refused, and before that its own fence shut: [Lease.Check] says so without asking.
//
// All times of the shared state are the server's, so workers' clocks need not agree.
package fleet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/redis/go-redis/v9"
)

// Options says which job, and how a worker takes part in it. Zero values are the defaults.
type Options struct {
	// URL is redis://[user:pass@]host:port[/db] or rediss:// for TLS, with ?prefix=TEXT for the keys' first word; several
	// hosts with commas between them, or ?cluster=true, are a Cluster.
	URL string
	// Username and Password are used where the URL has none.
	Username, Password string
	// Job is the job's name: letters, digits, and any of "-_." up to 100.
	Job string

	// Lease is how long a key is held without a renewal. 0 means 30 s; at least 100 ms.
	Lease time.Duration
	// Gap is how far apart starts on a key are at least, as far as it is known before the key is: what a key waits after a
	// lease that nobody ended.
	Gap time.Duration
	// Patience is how long an operation waits for a server that does not answer. 0 means 2 minutes.
	Patience time.Duration
	// MaxAttempts is how often an item is handed out before it is dead. 0 means [DefaultMaxAttempts].
	MaxAttempts int
	// MaxPending and MaxPendingPerKey bound the items that wait, of all keys and of each. 0 is unlimited. Each of several
	// partitions has its part of MaxPending.
	MaxPending, MaxPendingPerKey int
	// MaxCounted is how many items are ever added that are [Counted]: exactly so in one partition, and each of several has
	// its part. 0 is unlimited.
	MaxCounted int

	// What follows is the job's from its first worker on.

	// Expect is about how many members the seen-set will have: it fixes the number of its shards. 0 means a million.
	Expect int64
	// Partitions is over how many slots the job is spread. 0 means 1, or 16 on a Cluster.
	Partitions int
	// Keep is how long a finished job can be looked at. 0 means a week.
	Keep time.Duration
	// Settings are what all workers must agree on, in words. nil takes those of the job.
	Settings map[string]string

	// Unfenced lets [Lease.Check] and [Lease.Bind] believe that every lease is held. It is for the tests that show what
	// the fence is for: nothing else keeps a late worker from what another does by then.
	Unfenced bool

	// Log is told what an operator should know at level Warn; nil for nobody.
	Log *slog.Logger
}

// DefaultMaxAttempts is how often an item is handed out unless told otherwise.
const DefaultMaxAttempts = 10

const (
	defaultLease    = 30 * time.Second
	leastLease      = 100 * time.Millisecond
	defaultPatience = 2 * time.Minute
	startPatience   = 10 * time.Second // who has just typed the address waits no longer for it
	defaultKeep     = 7 * 24 * time.Hour
)

// Errors that callers tell apart.
var (
	// ErrLost says that a lease is over: another worker may hold its key.
	ErrLost = errors.New("the lease is over")
	// ErrGone says that the job was deleted, or that the server lost it.
	ErrGone = errors.New("the job is gone: it was deleted, or the server lost it")
	// ErrFinished says that a job takes nothing more.
	ErrFinished = errors.New("the job is finished")
	// ErrUnread says that a job takes nothing more, and that a source is not among what it had.
	ErrUnread = errors.New("the job was finished without this source")
	// ErrNoJob says that there is no job of that name.
	ErrNoJob = errors.New("there is no job of that name")
)

// Job is a job as one worker takes part in it. Its methods may be called at the same time.
type Job struct {
	o      Options
	log    *slog.Logger
	rdb    redis.UniversalClient
	addr   string // for errors, without a password
	prefix string
	worker string
	since  time.Time
	alive  *flock.Flock // nil for none
	record Record

	mu     sync.Mutex
	leases map[string]*Lease // held, by key
	peers  int               // workers that were alive at the last beat, this one too
	lost   func(*Lease)      // told of leases that ended by themselves
	turn   int               // the partition that was asked for leases first
	epochs map[int]string    // of the partitions, as far as they are known
	era    int64             // how many of their changes this worker has learned of, from 1 on

	tally   tally
	running context.Context // until the worker leaves; nil for who only looks. Guarded by mu
	stop    context.CancelFunc
	wg      sync.WaitGroup
}

// Open joins a job, and makes it if it is new. Settings that differ from the job's are an [*OptionsError].
func Open(ctx context.Context, o Options) (*Job, error) {
	j, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err = j.checkServer(ctx); err == nil {
		err = j.begin(ctx)
	}
	if err == nil {
		j.sign()
		err = j.beat(ctx)
	}
	if err != nil {
		j.unsign(true)
		_ = j.rdb.Close()
		return nil, err
	}
	j.o.Patience = patienceOf(o)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	j.running = running
	j.stop = func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		stop() // what would begin in the background by now does not
	}
	j.wg.Go(func() { j.keep(running) })
	return j, nil
}

// patienceOf returns how long a job waits for its server once it was there.
func patienceOf(o Options) time.Duration {
	if o.Patience == 0 {
		return defaultPatience
	}
	return o.Patience
}

// Check returns an error if a URL or a job's name cannot be one.
func Check(url, job string) error {
	_, err := parseURL(url)
	if err == nil {
		err = checkName(job)
	}
	return err
}

// connect checks the options and reaches the server.
func connect(ctx context.Context, o Options) (*Job, error) {
	if err := checkName(o.Job); err != nil {
		return nil, err
	}
	at, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	if at.options.Username == "" && at.options.Password == "" {
		at.options.Username, at.options.Password = o.Username, o.Password
	}
	o.setDefaults(at.cluster)
	j := &Job{
		o: o, log: o.Log, prefix: at.prefix, addr: strings.Join(at.options.Addrs, ","), since: time.Now(),
		worker: newWorkerName(), leases: map[string]*Lease{},
		epochs: map[int]string{}, era: 1,
	}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	if at.cluster {
		j.rdb = redis.NewClusterClient(at.options.Cluster())
	} else {
		j.rdb = redis.NewClient(at.options.Simple())
	}
	j.o.Patience = min(o.Patience, startPatience) // until it is opened
	err = j.retry(ctx, "reach", func(ctx context.Context) error { return j.rdb.Ping(ctx).Err() })
	if err != nil {
		_ = j.rdb.Close()
		return nil, err
	}
	return j, nil
}

func (o *Options) setDefaults(cluster bool) {
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	o.Lease = max(o.Lease, leastLease)
	o.Patience = patienceOf(*o)
	if o.MaxAttempts == 0 {
		o.MaxAttempts = DefaultMaxAttempts
	}
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Expect <= 0 {
		o.Expect = 1_000_000
	}
	if o.Partitions <= 0 {
		o.Partitions = 1
		if cluster {
			o.Partitions = 16
		}
	}
}

// Close ends all leases, gives back what is handed out under them, and leaves the job. It waits for the server no longer
// than ctx lets it.
func (j *Job) Close(ctx context.Context) error {
	j.stop()
	j.wg.Wait()
	var released []Released
	for _, l := range j.held() {
		released = append(released, Released{Lease: l})
	}
	err := j.Release(ctx, released...)
	if _, leaveErr := j.eval(ctx, beatScript, 0, j.worker, "", int64(0), int64(0)); err == nil {
		err = leaveErr
	}
	if errors.Is(err, ErrGone) {
		err = nil // there is nothing to give back any more
	}
	for _, l := range j.held() { // that could not be given back
		l.end()
	}
	j.unsign(err == nil)
	if closeErr := j.rdb.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Worker returns the name by which the job knows this worker.
func (j *Job) Worker() string { return j.worker }

// Lasts returns how long a lease lasts without a renewal.
func (j *Job) Lasts() time.Duration { return j.o.Lease }

// Record returns what the job was made with.
func (j *Job) Record() Record { return j.record }

// Peers returns how many workers the job had a moment ago, this one too.
func (j *Job) Peers() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return max(1, j.peers)
}

// OnLost sets what is told of each lease that ended by itself. It is called once for each, on any goroutine.
func (j *Job) OnLost(lost func(*Lease)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lost = lost
}

// checkName says whether a job can have a name. Braces would change the slot of its keys.
func checkName(name string) error {
	for _, c := range name {
		plain := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.", c)
		if !plain {
			return fmt.Errorf("the job's name %q has more than letters, digits, -, _ and dots", name)
		}
	}
	if name == "" || len(name) > 100 {
		return errors.New("a job's name has 1 to 100 characters")
	}
	return nil
}

// newWorkerName returns a name that no other worker has, also none with the same pid in another container.
func newWorkerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", strings.ReplaceAll(host, " ", "_"), os.Getpid(), rand.Text()[:6])
}

// Package asterisk is in charge of a real Asterisk as a child process of whole-system tests, on loopback ports and in a folder
// of its own, with the configuration that deploy/asterisk ships; and of the wire between it and Hotline, which tests cut.
package asterisk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options change what Start runs. The zero value is an Asterisk as shipped.
type Options struct {
	App        string // application name; empty: hotline
	Music      string // folder of music; empty: one with a tone of 350 Hz
	Provider   string // host:port that calls through the endpoint `provider` go to; empty: nobody's. See SetProvider
	Match      string // addresses whose calls are the provider's; empty: 127.0.0.1
	HotlineSIP string // host:port of Hotline's SIP side, the endpoint `hotline`; empty: nobody's
	Retries    int    // times two seconds that a caller waits for an absent application; 0: as shipped
	RTPPorts   int    // 0: 1000
	Modules    []string
	PJSIP      string                              // more of pjsip.conf: trunks, phones
	Dialplan   string                              // more of extensions.conf
	Files      map[string]string                   // further files of the configuration, by name
	Stock      func(etc string, a *Asterisk) error // instead of deploy/asterisk: edits the configuration that the package brings
}

// Asterisk is the running child. Its methods belong to one test goroutine; what fails, fails the test it was started for.
type Asterisk struct {
	URL    string // http://127.0.0.1:port/ari
	HTTP   string // host:port of the same
	User   string
	Secret string
	App    string
	SIP    string // host:port, UDP and TCP
	Music  string // folder of the music class `default`
	Dir    string // all that is ours: etc, log, lib, spool, run

	t     testing.TB // nil: none
	root  string     // of the project
	opts  Options
	ports ports
	cmd   *exec.Cmd
	done  chan struct{} // closed when the child has ended
}

// sought is the one search of this process for an Asterisk to run.
var sought struct {
	sync.Once
	root string
	err  error
}

// find gives the project's folder, with an Asterisk in its cache.
func find() (string, error) {
	sought.Do(func() {
		dir, err := os.Getwd()
		for ; err == nil; dir = filepath.Dir(dir) {
			if _, no := os.Stat(filepath.Join(dir, "go.mod")); no == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				err = errors.New("the tests do not run inside the project")
			}
		}
		if err == nil {
			var out []byte
			if out, err = exec.Command(filepath.Join(dir, "scripts/asterisk.sh")).CombinedOutput(); err != nil {
				err = fmt.Errorf("%w\n%s", err, out)
			}
		}
		sought.root, sought.err = dir, err
	})
	return sought.root, sought.err
}

// Start runs an Asterisk until the test ends. Where none can be had the test is skipped with a loud line, and fails in CI.
func Start(t testing.TB, o Options) *Asterisk {
	t.Helper()
	if _, err := find(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no Asterisk: %v", err)
		}
		t.Skipf("TEST DOES NOT RUN: no Asterisk: %v", err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	a, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	a.t = t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("end of Asterisk's log:\n%s", a.Log())
		}
		a.Stop()
	})
	return a
}

// Run starts an Asterisk that belongs to no test, for one that many tests share; Stop it. Give it to a test by For.
func Run(ctx context.Context, o Options) (*Asterisk, error) {
	root, err := find()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		a, err := prepare(root, o)
		if err != nil {
			return nil, err
		}
		if err = a.start(ctx); err == nil {
			return a, nil
		}
		log := a.Log()
		a.Stop()
		if !errors.Is(err, errPort) || try == 5 {
			return nil, fmt.Errorf("start Asterisk: %w\n%s", err, log)
		}
	}
}

// prepare makes the folder and the configuration.
func prepare(root string, o Options) (*Asterisk, error) {
	if o.App == "" {
		o.App = "hotline"
	}
	if o.Match == "" {
		o.Match = "127.0.0.1"
	}
	nobody := "127.0.0.1:9" // discard
	if o.Provider == "" {
		o.Provider = nobody
	}
	if o.HotlineSIP == "" {
		o.HotlineSIP = nobody
	}
	if o.RTPPorts == 0 {
		o.RTPPorts = 1000
	}
	p, err := freePorts(o.RTPPorts)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "asterisk-") // not the test's own: the path of the control socket has to be short
	if err != nil {
		return nil, err
	}
	a := &Asterisk{HTTP: fmt.Sprintf("127.0.0.1:%d", p.http), User: "hotline", Secret: rand.Text(), App: o.App, SIP: fmt.Sprintf("127.0.0.1:%d", p.sip),
		Music: o.Music, Dir: dir, root: root, opts: o, ports: p}
	a.URL = "http://" + a.HTTP + "/ari"
	if a.Music == "" {
		a.Music = filepath.Join(dir, "music")
		if err := holdTone(a.Music); err != nil {
			return nil, err
		}
	}
	return a, a.configure()
}

// configure writes the configuration by the step that users take.
func (a *Asterisk) configure() error {
	for _, sub := range []string{"run", "lib/cache", "spool", "log", "etc"} {
		if err := os.MkdirAll(filepath.Join(a.Dir, sub), 0o755); err != nil {
			return err
		}
	}
	if a.opts.Stock != nil {
		return a.stock()
	}
	cache := filepath.Join(a.root, ".cache/asterisk")
	cmd := exec.Command(filepath.Join(a.root, "deploy/asterisk/install.sh"), filepath.Join(a.Dir, "etc"))
	cmd.Env = append(os.Environ(), "APP="+a.App, "ARI_USER="+a.User, "ARI_SECRET="+a.Secret, "HTTP_IP=127.0.0.1", "HTTP_PORT="+strconv.Itoa(a.ports.http),
		"SIP_IP=127.0.0.1", "SIP_PORT="+strconv.Itoa(a.ports.sip), "RTP_FIRST="+strconv.Itoa(a.ports.rtp), "RTP_LAST="+strconv.Itoa(a.ports.rtp+a.opts.RTPPorts-1),
		"PROVIDER="+a.opts.Provider, "PROVIDER_MATCH="+a.opts.Match, "HOTLINE_SIP="+a.opts.HotlineSIP, "MUSIC="+a.Music,
		"MODULES="+filepath.Join(cache, "modules"), "SHARE="+filepath.Join(cache, "share"), "LIB="+filepath.Join(a.Dir, "lib"),
		"SPOOL="+filepath.Join(a.Dir, "spool"), "RUN="+filepath.Join(a.Dir, "run"), "LOGS="+filepath.Join(a.Dir, "log"))
	if a.opts.Retries != 0 {
		cmd.Env = append(cmd.Env, "RETRIES="+strconv.Itoa(a.opts.Retries))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("deploy/asterisk/install.sh: %w\n%s", err, out)
	}
	modules := ""
	for _, m := range a.opts.Modules {
		modules += "require = " + m + ".so\n"
	}
	files := map[string]string{"modules-local.conf": modules, "pjsip-local.conf": a.opts.PJSIP, "extensions-local.conf": a.opts.Dialplan}
	maps.Copy(files, a.opts.Files)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(a.Dir, "etc", name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// start runs the child and waits until ARI and SIP are there.
func (a *Asterisk) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(a.Dir, "log/output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	before := len(a.messages())
	a.cmd = exec.Command(filepath.Join(a.root, ".cache/asterisk/asterisk"), "-C", filepath.Join(a.Dir, "etc/asterisk.conf"), "-f", "-n")
	a.cmd.Stdout, a.cmd.Stderr = log, log
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true} // keys of a terminal are not for it
	a.done = make(chan struct{})
	started := make(chan error, 1)
	go attend(a.cmd, started, a.done)
	if err := <-started; err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return err
	}
	if strings.Contains(a.messages()[before:], "could not be started") { // a transport whose port somebody took meanwhile
		return fmt.Errorf("SIP on %s: %w", a.SIP, errPort)
	}
	return nil
}

// attend starts the child and waits for its end on one thread: the kernel ties the child's life (Pdeathsig) to the thread.
func attend(cmd *exec.Cmd, started chan<- error, done chan<- struct{}) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(done)
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait()
	}
}

// errPort says that another program took a port between our look and Asterisk's.
var errPort = errors.New("the port is taken")

// ready waits for ARI. An answer that does not know our secret is another one's.
func (a *Asterisk) ready(ctx context.Context) error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+"/asterisk/ping", nil)
		if err != nil {
			return err
		}
		req.SetBasicAuth(a.User, a.Secret)
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			switch res.StatusCode {
			case http.StatusOK:
				return nil
			case http.StatusUnauthorized:
				return fmt.Errorf("ARI on %s: %w", a.HTTP, errPort)
			}
		}
		select {
		case <-tick.C:
		case <-a.done:
			if strings.Contains(a.messages(), "Unable to bind") {
				return errPort
			}
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("ARI on %s: %w", a.HTTP, context.Cause(ctx))
		}
	}
}

// For is the same Asterisk in the hands of another test.
func (a *Asterisk) For(t testing.TB) *Asterisk {
	b := *a
	b.t = t
	return &b
}

func (a *Asterisk) ok(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatalf("%v\n%s", err, a.Log())
	}
}

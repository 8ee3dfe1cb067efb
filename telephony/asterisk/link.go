package asterisk

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"hotline/telephony"
)

// How the connection is kept.
const (
	probeEvery  = 2 * time.Second
	firstPause  = 250 * time.Millisecond
	longestWait = 4 * time.Second // with jitter below 5 s
	// replacedPause is how long we let another node have the application before we try again.
	replacedPause = 30 * time.Second
)

// errReplaced says that another socket took our application.
var errReplaced = errors.New("another node took the application name")

// errOverflow says that events came faster than we took them.
var errOverflow = errors.New("too many events at once")

// errSocketEnded says that the event socket was closed by the other side, or broke.
var errSocketEnded = errors.New("the event socket ended")

// keepLink keeps the connection until ctx ends. It is the only goroutine that changes State.
func (d *Driver) keepLink(ctx context.Context) {
	next, seen, gaveUp := firstPause, time.Now(), false
	for {
		was, err := d.session(ctx)
		if ctx.Err() != nil {
			d.setState(false, "", "stopped")
			return
		}
		if was {
			next, seen, gaveUp = firstPause, time.Now(), false
		}
		d.setState(false, "", d.explain(err))
		wait := time.Duration(float64(next) * (0.8 + 0.4*rand.Float64()))
		next = min(2*next, longestWait)
		if !errors.Is(err, errReplaced) {
			d.rest.contact.Store(nil)
		} else { // Asterisk itself is well, and so are the calls
			wait, gaveUp = d.yieldFor+rand.N(d.yieldFor), true
		}
		if left := d.cfg.GiveUp - time.Since(seen); !gaveUp && left <= wait {
			if !pause(ctx, left) {
				continue
			}
			d.giveUp()
			gaveUp, wait = true, wait-max(left, 0)
		}
		pause(ctx, wait)
		d.met.reconnects.Inc()
	}
}

// giveUp ends all legs of an Asterisk that stays away.
func (d *Driver) giveUp() {
	d.ask(func(t *table) {
		for _, l := range t.legs {
			l.endFor(why{what: lost, cause: telephony.CauseUnavailable, detail: "Asterisk stayed away"})
		}
	})
}

// session is one stay at Asterisk. was reports whether it came so far that calls could be made.
func (d *Driver) session(ctx context.Context) (was bool, err error) {
	d.rest.fresh()
	version, problem, err := d.examine(ctx)
	if err != nil {
		return false, err
	}
	here, end := context.WithCancelCause(ctx)
	c := &contact{ctx: here, end: end}
	socket, err := d.openSocket(ctx)
	if err != nil {
		end(err)
		return false, err
	}
	d.rest.contact.Store(c)
	c.well.Store(true)
	over := make(chan error, 2) // reader and prober say why they ended; both fit
	health := make(chan bool)   // from the prober: how it is; read below until both have ended
	read := make(chan struct{})
	go func() { defer close(read); over <- d.readSocket(here, socket) }()
	probed := make(chan struct{})
	go func() { defer close(probed); over <- d.probe(here, socket, health) }()
	defer func() {
		end(err)
		_ = socket.CloseNow()
		<-read
		<-probed
		if !errors.Is(err, errReplaced) {
			d.rest.contact.Store(nil)
		} else { // Asterisk itself is well: what we have goes on, without news
			c := &contact{ctx: ctx, end: func(error) {}}
			c.well.Store(true)
			d.rest.contact.Store(c)
		}
	}()
	if err := d.reconcile(here); err != nil {
		return false, firstError(over, err)
	}
	d.setState(true, version, problem)
	d.chore(d.examineTrunks)
	for {
		select {
		case err := <-over:
			return true, err
		case well := <-health:
			c.well.Store(well)
			if !well {
				d.setState(false, version, "Asterisk does not answer: its machine, or the network to telephony.asterisk.url")
				continue
			}
			if err := d.reconcile(here); err != nil { // what was asked of it meanwhile may have been lost
				return true, firstError(over, err)
			}
			d.setState(true, version, problem)
		}
	}
}

// firstError prefers what the reader or prober said, which is nearer to the cause.
func firstError(over <-chan error, err error) error {
	select {
	case first := <-over:
		return first
	default:
		return err
	}
}

// openSocket opens the event socket, which makes us the application.
func (d *Driver) openSocket(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	h := http.Header{}
	req := &http.Request{Header: h}
	req.SetBasicAuth(d.cfg.User, d.cfg.Secret)
	address := "ws" + strings.TrimPrefix(d.cfg.URL, "http") + "/events?" + url.Values{"app": {d.cfg.App}, "subscribeAll": {"false"}}.Encode()
	c, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPHeader: h, Subprotocols: []string{"ari"}, CompressionMode: websocket.CompressionDisabled}) //nolint:bodyclose // closed below when there is one; else it is the socket
	if err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		if resp != nil && resp.StatusCode >= 300 {
			return nil, &statusError{Method: "GET", Path: "/events", Code: resp.StatusCode}
		}
		return nil, fmt.Errorf("open the event socket: %w", err)
	}
	c.SetReadLimit(1 << 20)
	return c, nil
}

// readSocket hands events on until the socket ends, which it says why.
func (d *Driver) readSocket(ctx context.Context, c *websocket.Conn) error {
	for {
		_, data, err := c.Read(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("%w: %w", errSocketEnded, err)
		}
		e, name, err := readEvent(data)
		d.met.event(name)
		if err != nil {
			d.log.Debug("an event was not understood", "cause", err)
			continue
		}
		switch e.kind {
		case evNone:
			continue
		case evReplaced:
			return errReplaced
		}
		d.met.lag.Observe(max(d.cfg.Now().Sub(e.at)+time.Duration(d.clock.Load()), 0).Seconds())
		select {
		case d.inbox <- e:
		default:
			d.met.overflows.WithLabelValues("socket").Inc()
			return errOverflow
		}
	}
}

// probe asks Asterisk something cheap again and again, over both ways, and reports when it stops answering and when it
// answers again. It ends when Asterisk counts as dead.
func (d *Driver) probe(ctx context.Context, c *websocket.Conn, health chan<- bool) error {
	every := min(probeEvery, d.cfg.Dead/5)
	limit := every + every/4 // with every this is the alarm: 4.5 s
	good, well := time.Now(), true
	var clock offset
	for {
		if !pause(ctx, every) {
			return context.Cause(ctx)
		}
		err := d.probeOnce(ctx, c, limit, &clock)
		if err == nil {
			good = time.Now()
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if now := err == nil; now != well {
			well = now
			select {
			case health <- well:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if quiet := time.Since(good); err != nil && quiet+every+limit > d.cfg.Dead { // the next probe would end too late
			return fmt.Errorf("no answer for %v: %w", quiet.Round(100*time.Millisecond), err)
		}
	}
}

// probeOnce is one probe of the requests' way and of the socket. It also measures Asterisk's clock.
func (d *Driver) probeOnce(ctx context.Context, c *websocket.Conn, limit time.Duration, clock *offset) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	pinged := make(chan error, 1)
	go func() { pinged <- c.Ping(ctx) }() // joined below
	var p struct{ Timestamp ariTime }
	sent := d.cfg.Now()
	err := d.rest.send(ctx, "GET", "/asterisk/ping", nil, nil, &p)
	if err == nil {
		took := d.cfg.Now().Sub(sent)
		*clock = clock.measured(time.Time(p.Timestamp).Sub(sent.Add(took/2)), took)
		d.clock.Store(int64(clock.by))
	}
	if e := <-pinged; e != nil && ctx.Err() == nil {
		err = errors.Join(err, fmt.Errorf("ping the event socket: %w", e))
	} else if e != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	return err
}

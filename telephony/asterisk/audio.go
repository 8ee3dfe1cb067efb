package asterisk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"hotline/telephony"
	"hotline/telephony/media"
)

// audio is what connects a channel with our side: a bridge in Asterisk with the channel and an external media channel
// in it, whose packets go to a socket of ours. Who holds the token may change it; the requests are made meanwhile.
type audio struct {
	token chan struct{} // size 1: there while nobody changes anything

	// Guarded by token.
	attached bool
	bridge   string // ids in Asterisk
	channel  string
	at       place  // where the caller is; nowhere: not known
	want     place  // where the caller ought to be
	class    string // of music
	rebuild  bool   // it was attached, broke and could not be built again yet

	mu    sync.Mutex      // guards what follows
	sock  *media.Socket   // nil: none
	owned map[string]bool // bridges and channels that belong to a living leg
	lost  string          // the media channel that ended by itself last
	held  bool            // by the far side
	over  bool            // the leg has ended
}

// place is where a caller is in Asterisk.
type place uint8

const (
	nowhere place = iota
	bridged
	inMusic
)

// enterLimit is how long a media channel may take to come under our control.
const enterLimit = 2 * time.Second

func (a *audio) init() {
	a.token = make(chan struct{}, 1)
	a.token <- struct{}{}
	a.owned = map[string]bool{}
}

// lock takes the token.
func (a *audio) lock(ctx context.Context) error {
	select {
	case <-a.token:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *audio) unlock() { a.token <- struct{}{} }

// attach connects our audio, once.
func (l *Leg) attach(ctx context.Context) error {
	a := &l.audio
	if err := a.lock(ctx); err != nil {
		return err
	}
	defer a.unlock()
	if a.attached {
		return nil
	}
	a.want = bridged
	return l.build(ctx)
}

// build makes bridge and media channel and puts the caller in. The token is held.
func (l *Leg) build(ctx context.Context) error {
	a, d := &l.audio, l.d
	began := time.Now()
	sock, err := d.cfg.Sockets.Open()
	if err != nil {
		l.endFor(why{what: noPort, cause: telephony.CauseOverload, detail: "no RTP port"})
		return fmt.Errorf("open an RTP port: %w", err)
	}
	mark := rand.Text()[:8]
	prefix := d.cfg.App + ":" + string(l.id)
	bridge, channel := prefix+":b:"+mark, prefix+":m:"+mark
	if !a.take(sock, bridge, channel) {
		_ = sock.Close()
		return telephony.ErrLegEnded
	}
	entered := d.expect(l, channel)
	err = l.connect(ctx, sock, bridge, channel, entered)
	if err != nil {
		a.drop(sock)
		d.chore(func(ctx context.Context) { l.scrap(ctx, bridge, channel) })
		return err
	}
	a.attached, a.rebuild, a.bridge, a.channel, a.at = true, false, bridge, channel, bridged
	l.ep.SetTransport(sock)
	sock.Bind(l.ep)
	l.configure(true)
	d.met.setup.Observe(time.Since(began).Seconds())
	return nil
}

// connect makes the requests of build, as many at once as can be.
func (l *Leg) connect(ctx context.Context, sock *media.Socket, bridge, channel string, entered <-chan struct{}) error {
	d := l.d
	here := netip.AddrPortFrom(d.cfg.MediaIP, sock.LocalAddr().Port())
	made := make(chan error, 1)
	go func() { // joined below
		var ch channelState
		err := d.rest.ask(ctx, "POST", "/channels/externalMedia", params{"channelId", channel, "app", d.cfg.App, "external_host", here.String(),
			"format", formatName(l.Law()), "transport", "udp", "encapsulation", "rtp", "connection_type", "client", "direction", "both"}, nil, &ch)
		if err == nil {
			err = l.aim(ctx, sock, channel, ch.Vars)
		}
		made <- err
	}()
	err := d.rest.ask(ctx, "POST", bridgePath(bridge, ""), params{"type", "mixing,dtmf_events", "name", string(l.id)}, nil, nil)
	if err == nil {
		err = l.noteGone(l.enter(ctx, bridge, l.channel))
	}
	if err = errors.Join(err, <-made); err != nil {
		return fmt.Errorf("connect audio: %w", err)
	}
	limit := time.NewTimer(enterLimit)
	defer limit.Stop()
	select {
	case <-entered:
	case <-limit.C: // the event was lost: the request will tell
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return l.enter(ctx, bridge, channel)
}

// enter puts a channel into a bridge. Nobody in it is told with whom it is connected, since nobody changes.
func (l *Leg) enter(ctx context.Context, bridge, channel string) error {
	return l.d.rest.ask(ctx, "POST", bridgePath(bridge, "/addChannel"), params{"channel", channel, "inhibitConnectedLineUpdates", "true"}, nil, nil)
}

// aim sets where our packets go: where Asterisk says that it listens.
func (l *Leg) aim(ctx context.Context, sock *media.Socket, channel string, vars map[string]string) error {
	read := func(name string) (string, error) {
		if v := vars[name]; v != "" {
			return v, nil
		}
		var v struct{ Value string }
		err := l.d.rest.ask(ctx, "GET", channelPath(channel, "/variable"), params{"variable", name}, nil, &v)
		return v.Value, err
	}
	host, err := read("UNICASTRTP_LOCAL_ADDRESS")
	if err != nil {
		return err
	}
	port, err := read("UNICASTRTP_LOCAL_PORT")
	if err != nil {
		return err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return fmt.Errorf("where Asterisk listens: %w", err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("where Asterisk listens: %w", err)
	}
	return sock.SetRemote(netip.AddrPortFrom(ip, uint16(n)))
}

func formatName(law media.Law) string {
	if law == media.PCMU {
		return "ulaw"
	}
	return "alaw"
}

// configure lets audio pass or not. on false: the caller hears Asterisk's music.
func (l *Leg) configure(on bool) {
	l.audio.mu.Lock()
	held := l.audio.held
	l.audio.mu.Unlock()
	l.ep.Configure(media.Format{Law: l.Law(), Send: on, Recv: on && !held})
}

// hold is told that the far side holds us or comes back. On hold silence is no fault.
func (a *audio) hold(l *Leg, held bool) {
	a.mu.Lock()
	a.held = held
	a.mu.Unlock()
	f := l.ep.Format()
	l.ep.Configure(media.Format{Law: f.Law, Send: f.Send, Recv: f.Send && !held})
}

// rearm lets the media time-out count anew.
func (l *Leg) rearm() {
	f := l.ep.Format()
	if !f.Recv {
		return
	}
	off := f
	off.Recv = false
	l.ep.Configure(off)
	l.ep.Configure(f)
}

// take notes what build is about to make. False: the leg has ended.
func (a *audio) take(sock *media.Socket, ids ...string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over {
		return false
	}
	a.sock = sock
	for _, id := range ids {
		a.owned[id] = true
	}
	return true
}

// drop closes a socket.
func (a *audio) drop(sock *media.Socket) {
	a.mu.Lock()
	if a.sock == sock {
		a.sock = nil
	}
	a.mu.Unlock()
	if sock != nil {
		_ = sock.Close()
	}
}

// silence ends our side of the audio, at the leg's end.
func (a *audio) silence() {
	a.mu.Lock()
	a.over = true
	sock := a.sock
	a.sock = nil
	a.mu.Unlock()
	if sock != nil {
		_ = sock.Close()
	}
}

// owns reports whether a bridge or channel belongs to the living leg.
func (a *audio) owns(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.owned[id] && !a.over
}

// scrap destroys what build made. What cannot be destroyed now, reconciliation finds.
func (l *Leg) scrap(ctx context.Context, bridge, channel string) {
	l.d.forget(channel)
	err := l.d.hangupInAsterisk(ctx, channel, qNormal)
	if e := l.d.rest.ask(ctx, "DELETE", bridgePath(bridge, ""), nil, nil, nil); !gone(e) {
		err = errors.Join(err, e)
	}
	l.audio.mu.Lock()
	delete(l.audio.owned, bridge)
	delete(l.audio.owned, channel)
	l.audio.mu.Unlock()
	if err != nil {
		l.log.Warn("audio could not be cleared away yet", "cause", err)
	}
}

// clear destroys all that the ended leg had, in the background. stay leaves it to the next process.
func (a *audio) clear(ctx context.Context, l *Leg, stay bool) {
	if a.lock(ctx) != nil { // nobody holds it for long: the leg's context has ended
		return
	}
	defer a.unlock()
	if !a.attached || stay {
		return
	}
	a.attached = false
	l.scrap(ctx, a.bridge, a.channel)
}

package telephonytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	pion "github.com/pion/webrtc/v4"

	"hotline/telephony/media"
)

// BrowserSoundConfig says what the browser can do.
type BrowserSoundConfig struct {
	// Codecs offered, in order: opus, G722, PCMU, PCMA. Nil: all of them in that order, as Chromium does.
	Codecs []string
	// TCPOnly leaves udp away, as a network that blocks it.
	TCPOnly bool
}

// BrowserSound is the sound half of a page: a peer connection with a microphone (Audio's tone) and an ear. Audio speaks
// RTP over a loopback socket; BrowserSound carries it in and out of the connection, so that a browser and a SIP phone
// are measured by the same code.
type BrowserSound struct {
	*Audio
	pc    *pion.PeerConnection
	udp   *cuttable // nil when tcp only
	mux   *ice.UDPMuxDefault
	mic   *micTrack
	wire  *net.UDPConn   // the inner end of Audio's socket
	ear   netip.AddrPort // Audio's own end
	cands chan string    // size 64; full: dropped, the server needs few of them

	mu      sync.Mutex // guards what follows
	state   pion.PeerConnectionState
	ups     int           // times it came up
	changed chan struct{} // closed and replaced at every change of state
	readers sync.WaitGroup
	closing bool
}

// NewBrowserSound makes a connection that is not connected to anything yet.
func NewBrowserSound(cfg BrowserSoundConfig) (*BrowserSound, error) {
	loop := netip.MustParseAddr("127.0.0.1")
	audio, err := newAudio(loop, media.PCMA)
	if err != nil {
		return nil, err
	}
	audio.evPT.Store(126)
	b := &BrowserSound{Audio: audio, mic: &micTrack{}, cands: make(chan string, 64), changed: make(chan struct{})}
	b.wire, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loop, 0)))
	if err == nil {
		err = b.open(cfg)
	}
	if err != nil {
		audio.close()
		if b.wire != nil {
			b.wire.Close()
		}
		if b.mux != nil {
			b.mux.Close()
		}
		return nil, fmt.Errorf("make a browser's connection: %w", err)
	}
	b.ear = netip.AddrPortFrom(loop, uint16(audio.port()))
	audio.setRemote(b.wire.LocalAddr().(*net.UDPAddr).AddrPort())
	b.readers.Add(1)
	go b.speak()
	b.pc.OnTrack(b.listen)
	b.pc.OnConnectionStateChange(b.refresh)
	b.pc.OnICECandidate(func(c *pion.ICECandidate) {
		s := ""
		if c != nil {
			s = c.ToJSON().Candidate
		}
		select {
		case b.cands <- s:
		default:
		}
	})
	if _, err = b.pc.AddTrack(b.mic); err == nil {
		_, err = b.pc.CreateDataChannel("standby", nil)
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("make a browser's connection: %w", err)
	}
	return b, nil
}

// open makes the peer connection, on a UDP socket of its own that can be cut.
func (b *BrowserSound) open(cfg BrowserSoundConfig) error {
	me, err := browserCodecs(cfg.Codecs)
	if err != nil {
		return err
	}
	var se pion.SettingEngine
	se.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard}
	se.SetIncludeLoopbackCandidate(true)
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.SetPrflxAcceptanceMinWait(0) // take the first path that works, as Chromium does
	se.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeTCP4})
	if !cfg.TCPOnly {
		c, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return err
		}
		b.udp = &cuttable{UDPConn: c}
		b.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: b.udp, Logger: se.LoggerFactory.NewLogger("ice")})
		se.SetICEUDPMux(b.mux)
		se.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeTCP4})
	}
	api := pion.NewAPI(pion.WithMediaEngine(me), pion.WithSettingEngine(se), pion.WithInterceptorRegistry(&interceptor.Registry{}))
	b.pc, err = api.NewPeerConnection(pion.Configuration{})
	return err
}

// browserCodecs registers the named codecs with Chromium's numbers, and telephone-event.
func browserCodecs(names []string) (*pion.MediaEngine, error) {
	if names == nil {
		names = []string{"opus", "G722", "PCMU", "PCMA"}
	}
	known := map[string]pion.RTPCodecParameters{
		"opus": {RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1"}, PayloadType: 111},
		"G722": {RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypeG722, ClockRate: 8000}, PayloadType: 9},
		"PCMU": {RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
		"PCMA": {RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8},
		"keys": {RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}, PayloadType: 126},
	}
	me := &pion.MediaEngine{}
	for _, name := range append(slices.Clone(names), "keys") {
		if err := me.RegisterCodec(known[name], pion.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("codec %s: %w", name, err)
		}
	}
	return me, nil
}

// Cut loses every UDP packet in both directions while on: a pulled cable. It does nothing with TCPOnly.
func (b *BrowserSound) Cut(on bool) {
	if b.udp != nil {
		b.udp.cut.Store(on)
	}
}

// Offer makes an offer without candidates; they follow in Candidates. restart asks for an ICE restart.
func (b *BrowserSound) Offer(restart bool) (string, error) {
	o, err := b.pc.CreateOffer(&pion.OfferOptions{ICERestart: restart})
	if err == nil {
		err = b.pc.SetLocalDescription(o)
	}
	if err != nil {
		return "", fmt.Errorf("make an offer: %w", err)
	}
	return o.SDP, nil
}

// Answer takes the server's answer. From then on the microphone speaks the first codec in it, as Chromium does.
func (b *BrowserSound) Answer(sdp string) error {
	law, err := firstLaw(sdp)
	if err != nil {
		return err
	}
	b.mic.use(law)
	b.law.Store(uint32(law))
	if err := b.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: sdp}); err != nil {
		return fmt.Errorf("take the answer: %w", err)
	}
	return nil
}

// firstLaw finds the first codec of an answer.
func firstLaw(sdp string) (media.Law, error) {
	for line := range strings.Lines(sdp) {
		if f := strings.Fields(line); len(f) > 3 && f[0] == "m=audio" {
			switch f[3] {
			case "8":
				return media.PCMA, nil
			case "0":
				return media.PCMU, nil
			}
			return 0, fmt.Errorf("first codec of the answer is %s, want 8 or 0", f[3])
		}
	}
	return 0, errors.New("no audio line in the answer")
}

// Candidates are the browser's addresses as they are found; the empty string ends them.
func (b *BrowserSound) Candidates() <-chan string { return b.cands }

// Up waits until media may flow.
func (b *BrowserSound) Up(ctx context.Context) error {
	return b.waitState(ctx, pion.PeerConnectionStateConnected)
}

// Ups is how often the connection has come up; a restart adds one.
func (b *BrowserSound) Ups() int { b.mu.Lock(); defer b.mu.Unlock(); return b.ups }

// UpAgain waits until the connection has come up more than before times: take Ups before a restart.
func (b *BrowserSound) UpAgain(ctx context.Context, before int) error {
	for {
		b.mu.Lock()
		ups, changed := b.ups, b.changed
		b.mu.Unlock()
		if ups > before {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("browser's connection did not come up again: %w", context.Cause(ctx))
		}
	}
}

// Down waits until the connection is no longer up (disconnected, failed or closed).
func (b *BrowserSound) Down(ctx context.Context) error {
	return b.waitState(ctx, pion.PeerConnectionStateDisconnected, pion.PeerConnectionStateFailed, pion.PeerConnectionStateClosed)
}

// State is connecting, connected, disconnected, failed or closed.
func (b *BrowserSound) State() string { b.mu.Lock(); defer b.mu.Unlock(); return b.state.String() }

func (b *BrowserSound) waitState(ctx context.Context, want ...pion.PeerConnectionState) error {
	for {
		b.mu.Lock()
		state, changed := b.state, b.changed
		b.mu.Unlock()
		for _, w := range want {
			if state == w {
				return nil
			}
		}
		if state == pion.PeerConnectionStateClosed {
			return errors.New("connection closed")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("browser's connection is %s: %w", state, context.Cause(ctx))
		}
	}
}

// refresh notes a change. pion's calls may overtake each other: the state is read, only the count is taken from the call.
func (b *BrowserSound) refresh(is pion.PeerConnectionState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = b.pc.ConnectionState()
	if is == pion.PeerConnectionStateConnected {
		b.ups++
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

// speak carries the microphone into the connection until Close.
func (b *BrowserSound) speak() {
	defer b.readers.Done()
	buf := make([]byte, 2048)
	for {
		n, err := b.wire.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			b.mic.write(buf[:n])
		}
	}
}

// listen carries what the server sends to the ear.
func (b *BrowserSound) listen(t *pion.TrackRemote, _ *pion.RTPReceiver) {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		return
	}
	b.readers.Add(1)
	b.mu.Unlock()
	defer b.readers.Done()
	buf := make([]byte, 2048)
	for {
		n, _, err := t.Read(buf)
		if err != nil && !errors.Is(err, pion.ErrCodecNotFound) {
			return
		}
		_, _ = b.wire.WriteToUDPAddrPort(buf[:n], b.ear)
	}
}

// Vanish is Close without a word to the server, as when a browser is killed or a page reloaded.
func (b *BrowserSound) Vanish() {
	b.Cut(true)
	b.Close()
}

// Close ends the connection, tells the server so by DTLS, and joins all goroutines.
func (b *BrowserSound) Close() {
	b.mu.Lock()
	if b.closing {
		b.mu.Unlock()
		return
	}
	b.closing = true
	b.mu.Unlock()
	_ = b.pc.GracefulClose()
	if b.mux != nil {
		b.mux.Close()
	}
	b.wire.Close()
	b.readers.Wait()
	b.Audio.close()
	b.refresh(pion.PeerConnectionStateClosed)
}

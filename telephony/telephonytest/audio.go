package telephonytest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hotline/telephony/media"
	"hotline/telephony/media/tone"
)

// Levels of testing.md section 2: amplitude of a tone by Goertzel over 400 ms.
const (
	Present = 0.15
	Absent  = 0.02
	window  = 3200 // samples
	frame   = 160  // samples of 20 ms
	// heardMax bounds what a call remembers: two minutes.
	heardMax = 8000 * 120
)

// Audio is the phone's side of one RTP stream: it sends a tone, a file or silence every 20 ms and keeps what it hears.
type Audio struct {
	conn *net.UDPConn
	law  atomic.Uint32
	evPT atomic.Uint32

	mu     sync.Mutex // guards what follows
	remote netip.AddrPort
	gen    *tone.Generator // nil: silence
	file   []int16         // played once, before gen
	keys   []byte          // events waiting to be sent
	heard  []int16
	total  int // samples heard since the start, beyond what heard keeps
	digits []byte
	lastEv uint32
	packet int
	last   time.Time
	gap    time.Duration // longest pause between packets since ResetGap
	paused bool
	more   chan struct{} // closed and replaced when audio arrives

	stop chan struct{}
	wg   sync.WaitGroup
}

func newAudio(ip netip.Addr, law media.Law) (*Audio, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, 0)))
	if err != nil {
		return nil, fmt.Errorf("open RTP socket: %w", err)
	}
	a := &Audio{conn: c, more: make(chan struct{}), stop: make(chan struct{})}
	a.law.Store(uint32(law))
	a.evPT.Store(101)
	a.wg.Add(2)
	go a.read()
	go a.write()
	return a, nil
}

func (a *Audio) port() int { return a.conn.LocalAddr().(*net.UDPAddr).Port }

func (a *Audio) setRemote(r netip.AddrPort) { a.mu.Lock(); a.remote = r; a.mu.Unlock() }

func (a *Audio) close() {
	select {
	case <-a.stop:
	default:
		close(a.stop)
		a.conn.Close()
	}
	a.wg.Wait()
}

// Tone sends a steady tone at half scale from now on; 0 means silence.
func (a *Audio) Tone(hz float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gen = nil
	if hz > 0 {
		a.gen = tone.NewGenerator(8000, 0.5, hz)
	}
}

// Say sends samples (8 kHz) once, before whatever Tone says.
func (a *Audio) Say(pcm []int16) { a.mu.Lock(); a.file = append(a.file, pcm...); a.mu.Unlock() }

// Press sends keys as RFC 4733 events, 100 ms each with 60 ms between them.
func (a *Audio) Press(keys string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys = append(a.keys, strings.ToUpper(keys)...)
}

// Pause stops sending packets altogether, as a dead network does.
func (a *Audio) Pause(on bool) { a.mu.Lock(); a.paused = on; a.mu.Unlock() }

// Digits are the keys heard so far.
func (a *Audio) Digits() string { a.mu.Lock(); defer a.mu.Unlock(); return string(a.digits) }

// Packets tells how many audio packets came.
func (a *Audio) Packets() int { a.mu.Lock(); defer a.mu.Unlock(); return a.packet }

// ResetGap forgets the longest pause; Gap tells the longest one since, the running one included.
func (a *Audio) ResetGap() { a.mu.Lock(); a.gap = 0; a.mu.Unlock() }

// Gap is the longest pause between two packets since ResetGap.
func (a *Audio) Gap() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last.IsZero() {
		return 0
	}
	return max(a.gap, time.Since(a.last))
}

// Heard copies what was heard, at most the last two minutes, 8 kHz.
func (a *Audio) Heard() []int16 { a.mu.Lock(); defer a.mu.Unlock(); return slices.Clone(a.heard) }

// Amplitude of a frequency in the last 400 ms heard; 0 when there is not so much yet.
func (a *Audio) Amplitude(hz float64) float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heard) < window {
		return 0
	}
	return tone.Amplitude(a.heard[len(a.heard)-window:], hz, 8000)
}

// Hears waits until every frequency of want is present and every one of not is absent in one window that began after
// the call of Hears. The error names what was heard instead.
func (a *Audio) Hears(ctx context.Context, want, not []float64) error {
	a.mu.Lock()
	from := a.total + len(a.heard)
	a.mu.Unlock()
	for {
		a.mu.Lock()
		more := a.more
		fresh := a.total + len(a.heard) - from
		var got string
		good := fresh >= window && len(a.heard) >= window
		if len(a.heard) >= window {
			w := a.heard[len(a.heard)-window:]
			for _, hz := range want {
				v := tone.Amplitude(w, hz, 8000)
				got += fmt.Sprintf(" %.0f Hz %.3f (want > %.2f)", hz, v, Present)
				good = good && v > Present
			}
			for _, hz := range not {
				v := tone.Amplitude(w, hz, 8000)
				got += fmt.Sprintf(" %.0f Hz %.3f (want < %.2f)", hz, v, Absent)
				good = good && v < Absent
			}
		}
		a.mu.Unlock()
		if good {
			return nil
		}
		select {
		case <-more:
		case <-a.stop:
			return fmt.Errorf("call ended while listening; last heard:%s", got)
		case <-ctx.Done():
			return fmt.Errorf("%w; last heard:%s, %d new samples", context.Cause(ctx), got, fresh)
		}
	}
}

// SaveWAV writes what was heard as PCM16 mono.
func (a *Audio) SaveWAV(path string) error {
	if err := os.WriteFile(path, WAV(a.Heard()), 0o644); err != nil {
		return fmt.Errorf("save what was heard: %w", err)
	}
	return nil
}

// WAV makes a PCM16 mono file of 8 kHz samples.
func WAV(pcm []int16) []byte {
	n := uint32(len(pcm) * 2)
	b := []byte("RIFF")
	le := binary.LittleEndian
	b = le.AppendUint32(b, 36+n)
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 16)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, 8000)
	b = le.AppendUint32(b, 16000)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 16)
	b = append(b, "data"...)
	b = le.AppendUint32(b, n)
	for _, s := range pcm {
		b = le.AppendUint16(b, uint16(s))
	}
	return b
}

func (a *Audio) read() {
	defer a.wg.Done()
	buf := make([]byte, 2048)
	var pcm [frame * 6]int16
	for {
		n, _, err := a.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n < 12 || buf[0]>>6 != 2 {
			continue
		}
		off := 12 + 4*int(buf[0]&15)
		if off > n {
			continue
		}
		pt, payload := buf[1]&0x7f, buf[off:n]
		switch {
		case uint32(pt) == a.evPT.Load() && len(payload) >= 4:
			a.event(payload, binary.BigEndian.Uint32(buf[4:]))
		case (pt == 0 || pt == 8) && len(payload) <= len(pcm):
			media.Law(pt).Decode(pcm[:len(payload)], payload)
			a.keep(pcm[:len(payload)])
		}
	}
}

func (a *Audio) event(p []byte, ts uint32) {
	const keys = "0123456789*#ABCD"
	a.mu.Lock()
	defer a.mu.Unlock()
	if int(p[0]) < len(keys) && p[1]&0x80 != 0 && ts != a.lastEv {
		a.lastEv = ts
		a.digits = append(a.digits, keys[p[0]])
	}
}

func (a *Audio) keep(pcm []int16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if !a.last.IsZero() {
		a.gap = max(a.gap, now.Sub(a.last))
	}
	a.last = now
	a.packet++
	a.heard = append(a.heard, pcm...)
	if over := len(a.heard) - heardMax; over > 8000 {
		a.heard = slices.Delete(a.heard, 0, over)
		a.total += over
	}
	close(a.more)
	a.more = make(chan struct{})
}

// write sends a packet every 20 ms. Real time is its nature: a phone has a clock of its own.
func (a *Audio) write() {
	defer a.wg.Done()
	var r [8]byte
	_, _ = rand.Read(r[:])
	w := rtpWriter{a: a, ssrc: binary.BigEndian.Uint32(r[:]), seq: binary.BigEndian.Uint16(r[4:]), ts: uint32(r[6]) << 8}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
			w.frame()
		}
	}
}

type rtpWriter struct {
	a       *Audio
	ssrc    uint32
	seq     uint16
	ts      uint32
	evStart uint32
	evLeft  int // frames left of the running event, pause included
	evKey   byte
}

const (
	eventFrames = 5 // 100 ms
	pauseFrames = 3
)

func (w *rtpWriter) frame() {
	a := w.a
	a.mu.Lock()
	remote, paused := a.remote, a.paused
	var pcm [frame]int16
	switch {
	case len(a.file) > 0:
		n := copy(pcm[:], a.file)
		a.file = a.file[n:]
	case a.gen != nil:
		a.gen.Fill(pcm[:])
	}
	if w.evLeft == 0 && len(a.keys) > 0 {
		w.evKey, a.keys = a.keys[0], a.keys[1:]
		w.evLeft, w.evStart = eventFrames+pauseFrames, w.ts
	}
	a.mu.Unlock()
	w.ts += frame
	if !remote.IsValid() || paused {
		return
	}
	if w.evLeft > pauseFrames {
		w.evLeft--
		w.event(remote)
		return
	}
	if w.evLeft > 0 {
		w.evLeft--
	}
	law := media.Law(a.law.Load())
	var payload [frame]byte
	law.Encode(payload[:], pcm[:])
	w.send(remote, byte(law), false, w.ts-frame, payload[:])
}

func (w *rtpWriter) event(remote netip.AddrPort) {
	k := strings.IndexByte("0123456789*#ABCD", w.evKey)
	if k < 0 {
		return
	}
	done := w.evLeft == pauseFrames
	times := 1
	if done {
		times = 3
	}
	dur := uint16(w.ts - w.evStart)
	for range times {
		p := []byte{byte(k), 10, byte(dur >> 8), byte(dur)}
		if done {
			p[1] |= 0x80
		}
		w.send(remote, byte(w.a.evPT.Load()), w.evLeft == pauseFrames+eventFrames-1, w.evStart, p)
	}
}

func (w *rtpWriter) send(remote netip.AddrPort, pt byte, marker bool, ts uint32, payload []byte) {
	b := make([]byte, 12, 12+len(payload))
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], w.seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], w.ssrc)
	w.seq++
	_, _ = w.a.conn.WriteToUDPAddrPort(append(b, payload...), remote)
}

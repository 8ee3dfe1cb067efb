package asterisk

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/telephony/media"
	"hotline/telephony/media/tone"
	"hotline/telephony/telephonytest"
)

// talks is how many talks are up at once, held for hold.
const (
	talks = 30
	hold  = 10 * time.Second
)

// BenchmarkTalk is what one talk costs Asterisk and how fast it begins, by the place where its sound meets: ADR "where the
// talk's audio meets". All in one run; the peer is Asterisk's own Queue() with MixMonitor(), which has the whole talk in
// Asterisk, recording included. cpu-us is Asterisk's processor time per second of one talk; begin-ms is from the caller's
// INVITE, setup-ms from the StasisStart event, to the first sound at the agent's side (medians).
func BenchmarkTalk(b *testing.B) {
	agents, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: "agents", Law: media.PCMA, OnlyLaw: true})
	ok(b, err)
	b.Cleanup(agents.Close)
	members := ""
	for i := range talks {
		members += fmt.Sprintf("member => PJSIP/a%d@hotline,0,a%d,PJSIP/hotline\n", i, i) // all share one device for their state
	}
	a := Start(b, Options{HotlineSIP: agents.Addr().String(), Modules: []string{"app_mixmonitor", "app_queue"},
		Dialplan: "[hotline](+)\nexten => 700,1,MixMonitor(${UNIQUEID}.wav)\n same => n,Stasis(hotline)\nexten => 701,1,MixMonitor(${UNIQUEID}.wav)\n same => n,Queue(bench)\n",
		// Queue() wants all messages of the inner bus, so the peer and the others get stock settings of it.
		Files: map[string]string{"stasis.conf": "", "queuerules.conf": "", "queues.conf": "[general]\npersistentmembers = no\n[bench]\nstrategy = rrmemory\nringinuse = yes\nautofill = yes\n" + members}})
	var peer float64
	for _, w := range []struct {
		name  string
		begin func(*bench) time.Duration
	}{
		{"queue-mixmonitor", (*bench).queue},
		{"external-media", (*bench).external},
		{"our-sip-side", (*bench).ourSIP},
		{"inside-mixmonitor", (*bench).inside},
	} {
		b.Run(w.name, func(b *testing.B) {
			for b.Loop() {
				cpu := measure(b, a, agents, w.begin)
				if peer == 0 {
					peer = cpu
				}
				b.ReportMetric(cpu, "cpu-us/talk-s")
				b.ReportMetric(cpu/peer, "x-queue")
			}
		})
	}
}

// bench is one way of talking under measurement.
type bench struct {
	ctx    context.Context
	b      *testing.B
	a      *Asterisk
	s      *app
	caller *telephonytest.Phone
	agents *telephonytest.Phone
	calls  []*telephonytest.PhoneCall
	ends   []func()
}

// measure brings the talks up one by one, holds them and gives Asterisk's processor time in µs per second and talk.
func measure(b *testing.B, a *Asterisk, agents *telephonytest.Phone, begin func(*bench) time.Duration) float64 {
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	defer stop()
	caller, err := telephonytest.NewPhone(telephonytest.PhoneConfig{Server: a.SIP, Law: media.PCMA, OnlyLaw: true})
	ok(b, err)
	defer caller.Close()
	w := &bench{ctx: ctx, b: b, a: a.For(b), s: join(ctx, b, a), caller: caller, agents: agents}
	defer w.s.leave()
	var all, setup []time.Duration
	for range talks {
		at := time.Now()
		setup = append(setup, begin(w))
		all = append(all, time.Since(at))
	}
	before, at := cpuTime(b, a.PID()), time.Now()
	t := time.NewTimer(hold)
	defer t.Stop()
	<-t.C
	used, took := cpuTime(b, a.PID())-before, time.Since(at)
	for i, c := range w.calls { // each still talks: what is measured is a talk
		if amp := c.Amplitude(440); amp < telephonytest.Present {
			b.Errorf("caller %d hears the agent at %.3f", i, amp)
		}
	}
	for _, end := range w.ends {
		end()
	}
	for !strings.HasPrefix(w.a.CLI(ctx, "core show channels count"), "0 active channels") {
		time.Sleep(20 * time.Millisecond)
	}
	slices.Sort(all)
	slices.Sort(setup)
	b.ReportMetric(float64(all[talks/2].Microseconds())/1000, "begin-ms")
	b.ReportMetric(float64(setup[talks/2].Microseconds())/1000, "setup-ms")
	b.ReportMetric(float64(setup[talks-1].Microseconds())/1000, "setup-max-ms")
	return float64(used.Microseconds()) / took.Seconds() / talks
}

// cpuTime is user and system time of a process so far (proc(5): fields 14 and 15 of stat, in ticks of 10 ms).
func cpuTime(b *testing.B, pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	ok(b, err)
	_, rest, _ := strings.Cut(string(raw), ") ")
	f := strings.Fields(rest)
	user, err := strconv.Atoi(f[11])
	ok(b, err)
	system, err := strconv.Atoi(f[12])
	ok(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// call has a caller call a number.
func (w *bench) call(number string) *telephonytest.PhoneCall {
	c, err := w.caller.Call(w.ctx, number, telephonytest.CallOptions{Tone: 1000})
	ok(w.b, err)
	w.calls = append(w.calls, c)
	w.ends = append(w.ends, c.Hangup)
	return c
}

// answered has an agent's phone take the next call and waits for the caller's voice.
func (w *bench) answered() *telephonytest.PhoneCall {
	select {
	case c := <-w.agents.Incoming():
		ok(w.b, c.Answer())
		c.Tone(440)
		w.ends = append(w.ends, c.Hangup)
		return c
	case <-w.ctx.Done():
		w.b.Fatalf("no call for an agent\n%s", w.a.Log())
		return nil
	}
}

func (w *bench) voice(c *telephonytest.PhoneCall) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !slices.ContainsFunc(c.Heard(), func(s int16) bool { return s > 4000 }) {
		select {
		case <-tick.C:
		case <-w.ctx.Done():
			w.b.Fatalf("the agent hears nothing\n%s", w.a.Log())
		}
	}
}

// queue: the whole talk in Asterisk, by its own queue.
func (w *bench) queue() time.Duration {
	w.call("701")
	at := time.Now()
	w.voice(w.answered())
	return time.Since(at)
}

// take answers the caller and makes a mixing bridge with it.
func (w *bench) take(number string) (bridge string, at time.Time) {
	w.call(number)
	e := w.s.wants(w.ctx, "StasisStart")
	at = time.Now()
	bridge = "b" + e.Channel.ID
	w.s.must(w.ctx, http.MethodPost, "/channels/"+e.Channel.ID+"/answer", nil)
	w.s.must(w.ctx, http.MethodPost, "/bridges/"+bridge, q("type", "mixing"))
	w.s.must(w.ctx, http.MethodPost, "/bridges/"+bridge+"/addChannel", q("channel", e.Channel.ID))
	w.ends = append(w.ends, func() { w.s.must(w.ctx, http.MethodDelete, "/bridges/"+bridge, nil) })
	return bridge, at
}

// external: Asterisk hands us the caller's sound as RTP and gets ours.
func (w *bench) external() time.Duration {
	bridge, at := w.take("100")
	r := newRTP(w.b)
	var ch struct {
		ID   string
		Vars map[string]string `json:"channelvars"`
	}
	ok(w.b, w.s.do(w.ctx, http.MethodPost, "/channels/externalMedia", q("app", w.s.name, "external_host", r.conn.LocalAddr().String(), "format", "alaw"), &ch))
	port, err := strconv.Atoi(ch.Vars["UNICASTRTP_LOCAL_PORT"])
	ok(w.b, err)
	r.send(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	w.s.wants(w.ctx, "StasisStart")
	w.s.must(w.ctx, http.MethodPost, "/bridges/"+bridge+"/addChannel", q("channel", ch.ID))
	select {
	case <-r.heard:
	case <-w.ctx.Done():
		w.b.Fatalf("no sound for the application\n%s", w.a.Log())
	}
	took := time.Since(at)
	w.ends = append(w.ends, func() {
		w.s.must(w.ctx, http.MethodDelete, "/channels/"+ch.ID, nil)
		r.close()
	})
	return took
}

// ourSIP: Asterisk dials our SIP side.
func (w *bench) ourSIP() time.Duration { return w.dialled("100") }

// inside: the same, with the agent's phone as Asterisk's own and the recording made by Asterisk.
func (w *bench) inside() time.Duration { return w.dialled("700") }

func (w *bench) dialled(number string) time.Duration {
	bridge, at := w.take(number)
	var ch channel
	ok(w.b, w.s.do(w.ctx, http.MethodPost, "/channels", q("endpoint", "PJSIP/a@hotline", "app", w.s.name), &ch))
	c := w.answered()
	w.s.wants(w.ctx, "StasisStart")
	w.s.must(w.ctx, http.MethodPost, "/bridges/"+bridge+"/addChannel", q("channel", ch.ID))
	w.voice(c)
	return time.Since(at)
}

// rtp is the application's end of external media: says 440 Hz every 20 ms and notices the first sound.
type rtp struct {
	conn  *net.UDPConn
	heard chan struct{}
	stop  chan struct{}
	wg    sync.WaitGroup
}

func newRTP(b *testing.B) *rtp {
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	ok(b, err)
	r := &rtp{conn: c, heard: make(chan struct{}), stop: make(chan struct{})}
	r.wg.Go(func() {
		buf, pcm, first := make([]byte, 2048), make([]int16, 2048), true
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if !first || n <= 12 {
				continue
			}
			media.PCMA.Decode(pcm[:n-12], buf[12:n])
			if slices.ContainsFunc(pcm[:n-12], func(s int16) bool { return s > 4000 }) {
				first = false
				close(r.heard)
			}
		}
	})
	return r
}

func (r *rtp) send(to netip.AddrPort) {
	r.wg.Go(func() {
		gen := tone.NewGenerator(8000, 0.5, 440)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		packet, pcm := make([]byte, 172), make([]int16, 160)
		packet[0], packet[1] = 0x80, byte(media.PCMA)
		for seq := 0; ; seq++ {
			select {
			case <-tick.C:
			case <-r.stop:
				return
			}
			gen.Fill(pcm)
			binary.BigEndian.PutUint16(packet[2:], uint16(seq))
			binary.BigEndian.PutUint32(packet[4:], uint32(160*seq))
			media.PCMA.Encode(packet[12:], pcm)
			_, _ = r.conn.WriteToUDPAddrPort(packet, to)
		}
	})
}

func (r *rtp) close() {
	close(r.stop)
	r.conn.Close()
	r.wg.Wait()
}

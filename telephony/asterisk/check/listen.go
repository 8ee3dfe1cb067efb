package check

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"

	"hotline/telephony/media"
)

// patience is how long each step of the test channel may take; music may begin softly.
const patience = 3 * time.Second

// listen makes a channel of our own and does with it what Hotline does with a caller: events come, a tone and the music
// arrive as RTP. The channel is gone afterwards.
func (r *run) listen(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, 4*patience)
	defer stop()
	app := "hotline-doctor-" + rand.Text()[:10]
	ws, err := r.events(ctx, app)
	if err != nil {
		r.say(Error, "the event socket does not open: "+err.Error(), "load res_http_websocket.so and res_ari_events.so; a proxy between the two has to pass websockets")
		return
	}
	defer func() { _ = ws.CloseNow() }()
	ear, err := r.ear(ctx)
	if err != nil {
		r.say(Error, "no port for the test of the sound: "+err.Error(), "see why this machine has no free UDP port")
		return
	}
	defer func() { _ = ear.Close() }()
	var ch struct {
		ID   string
		Vars map[string]string `json:"channelvars"`
	}
	if err := r.do(ctx, http.MethodPost, "/channels/externalMedia", query("app", app, "external_host", ear.LocalAddr().String(), "format", "alaw"), &ch); err != nil {
		r.say(Error, "Asterisk does not hand out a channel's sound (external media): "+err.Error(), "load chan_rtp.so and codec_alaw.so; rtp.conf needs free ports from rtpstart to rtpend")
		return
	}
	path := "/channels/" + url.PathEscape(ch.ID)
	defer func() {
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer stop()
		_ = r.do(ctx, http.MethodDelete, path, nil, nil) // it also ends when its application is gone
	}()
	if err := started(ctx, ws, ch.ID); err != nil {
		r.say(Error, "the event of the test channel did not come: "+err.Error(), "see Asterisk's log for `Stasis` and `websocket`")
		return
	}
	r.say(OK, "events of a test channel come", "")
	r.sound(ctx, ear, path, ch.Vars["UNICASTRTP_LOCAL_PORT"])
	r.danger(ctx, path)
}

// events opens an event socket for an application of our own.
func (r *run) events(ctx context.Context, app string) (*websocket.Conn, error) {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	u := strings.TrimSuffix(r.base.Scheme+"://"+r.base.Host+r.base.Path, "/") + "/events?" + query("app", app).Encode()
	auth := base64.StdEncoding.EncodeToString([]byte(r.cfg.User + ":" + r.cfg.Secret))
	ws, res, err := websocket.Dial(ctx, u, &websocket.DialOptions{HTTPClient: r.cfg.Client, HTTPHeader: http.Header{"Authorization": {"Basic " + auth}}})
	if err != nil && res != nil {
		res.Body.Close()
		return nil, &refusal{status: res.StatusCode}
	}
	return ws, err
}

// ear is a socket on the address of ours that Asterisk reaches.
func (r *run) ear(ctx context.Context) (*net.UDPConn, error) {
	port := r.base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[r.base.Scheme]
	}
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(r.base.Hostname(), port))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(), 0)))
}

// started waits for the channel's StasisStart.
func started(ctx context.Context, ws *websocket.Conn, id string) error {
	ctx, stop := context.WithTimeoutCause(ctx, patience, errors.New("no StasisStart within "+patience.String()))
	defer stop()
	for {
		_, b, err := ws.Read(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		var e struct {
			Type    string
			Channel struct{ ID string }
		}
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("read an event: %w", err)
		}
		if e.Type == "StasisStart" && e.Channel.ID == id {
			return nil
		}
	}
}

// sound has Asterisk play a tone, then the music, and listens.
func (r *run) sound(ctx context.Context, ear *net.UDPConn, path, port string) {
	play := path + "/play/hotline-doctor-" + rand.Text()[:10]
	if err := r.do(ctx, http.MethodPost, play, query("media", "tone:425"), nil); err != nil {
		r.say(Error, "Asterisk plays nothing: "+err.Error(), "load res_stasis_playback.so and res_ari_playbacks.so")
		return
	}
	from, err := hear(ctx, ear)
	if err != nil {
		r.say(Error, fmt.Sprintf("a tone played by Asterisk (from its RTP port %s) does not arrive at %s: %v", port, ear.LocalAddr(), err),
			"let UDP pass from Asterisk's ports rtpstart-rtpend (rtp.conf) to HOTLINE_RTP_PORTS on this machine")
		return
	}
	r.say(OK, "sound arrives from Asterisk's "+from.String(), "")
	if err := r.do(ctx, http.MethodDelete, "/playbacks/"+strings.TrimPrefix(play, path+"/play/"), nil, nil); err != nil {
		r.say(Error, "a prompt cannot be stopped: "+err.Error(), "load res_ari_playbacks.so")
		return
	}
	quiet(ear)
	noMusic := func(why error) {
		r.say(Error, fmt.Sprintf("no music is heard from class %q: %v", r.cfg.Music, why), "musiconhold.conf needs the class with a directory of 8 kHz mono WAV files that Asterisk can read; then `module reload res_musiconhold.so` and `moh show files`")
	}
	if err := r.do(ctx, http.MethodPost, path+"/moh", query("mohClass", r.cfg.Music), nil); err != nil {
		noMusic(err)
	} else if _, err := hear(ctx, ear); err != nil {
		noMusic(err)
	} else {
		r.say(OK, fmt.Sprintf("music of class %q is heard", r.cfg.Music), "")
	}
}

// hear waits for a packet of G.711 A-law that is not silence and gives its sender.
func hear(ctx context.Context, ear *net.UDPConn) (netip.AddrPort, error) {
	end, _ := ctx.Deadline()
	if p := time.Now().Add(patience); p.Before(end) { // a deadline of a socket: the kernel's clock
		end = p
	}
	if err := ear.SetReadDeadline(end); err != nil {
		return netip.AddrPort{}, err
	}
	buf := make([]byte, 2048)
	pcm := make([]int16, len(buf))
	for packets := 0; ; packets++ {
		n, from, err := ear.ReadFromUDPAddrPort(buf)
		if err != nil {
			return from, fmt.Errorf("%d packets in %v, all silent", packets, patience)
		}
		if n <= 12 || buf[0]>>6 != 2 || buf[1]&0x7f != byte(media.PCMA) {
			continue
		}
		media.PCMA.Decode(pcm[:n-12], buf[12:n])
		for _, s := range pcm[:n-12] {
			if s > 200 || s < -200 {
				return from, nil
			}
		}
	}
}

// quiet reads what of the tone is still under way: until 100 ms pass without a packet.
func quiet(ear *net.UDPConn) {
	buf := make([]byte, 2048)
	for range 100 {
		if ear.SetReadDeadline(time.Now().Add(100*time.Millisecond)) != nil {
			return
		}
		if _, _, err := ear.ReadFromUDPAddrPort(buf); err != nil {
			return
		}
	}
}

// danger looks whether functions that touch files work over ARI. It asks whether the root folder exists.
func (r *run) danger(ctx context.Context, path string) {
	var v struct{ Value string }
	err := r.get(ctx, path+"/variable?variable="+url.QueryEscape("STAT(e,/)"), &v)
	switch {
	case err == nil && v.Value != "":
		r.say(Error, "functions that read and write files or run commands work over ARI", "live_dangerously = no in asterisk.conf, then restart Asterisk")
	case r.have["func_env.so"]:
		r.say(OK, "functions that touch files are closed to ARI", "")
	default:
		r.say(OK, "functions that touch files are not loaded", "")
	}
}

func query(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

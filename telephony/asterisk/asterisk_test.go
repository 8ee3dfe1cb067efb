package asterisk

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hotline/telephony/telephonytest"
)

// realAsterisk is an Asterisk in a folder, on loopback ports of its own.
type realAsterisk struct {
	t      testing.TB
	root   string // of the folder
	dir    string // inside root
	cmd    *exec.Cmd
	http   int
	sip    int
	phone  int // where calls to trunk "out" go
	exited chan struct{}
}

// needAsterisk names the folder, or skips loudly: HOTLINE_ASTERISK_ROOT is a root directory with Asterisk 22 in it, and the
// tests must be root to enter it.
func needAsterisk(t testing.TB) string {
	t.Helper()
	root := os.Getenv("HOTLINE_ASTERISK_ROOT")
	if root == "" {
		noAsterisk.Do(func() {
			fmt.Fprintln(os.Stderr, "SKIPPED: the Asterisk driver's tests with a real Asterisk: HOTLINE_ASTERISK_ROOT names no folder with Asterisk 22")
		})
		t.Skip("no real Asterisk: HOTLINE_ASTERISK_ROOT is not set")
	}
	return root
}

var noAsterisk sync.Once

// freePort finds a port that is free for UDP and TCP now.
func freePort(t testing.TB) int {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ok(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err == nil {
			u.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// startAsterisk writes a configuration and starts Asterisk with it.
func startAsterisk(t testing.TB) *realAsterisk {
	t.Helper()
	root := needAsterisk(t)
	a := &realAsterisk{t: t, root: root, http: freePort(t), sip: freePort(t), phone: freePort(t)}
	ok(t, os.MkdirAll(filepath.Join(root, "srv"), 0o755))
	full, err := os.MkdirTemp(filepath.Join(root, "srv"), "ari-test-")
	ok(t, err)
	t.Cleanup(func() { os.RemoveAll(full) })
	a.dir = strings.TrimPrefix(full, root)
	for _, d := range []string{"etc", "run", "log", "spool", "db", "key/keys", "lib", "moh"} {
		ok(t, os.MkdirAll(filepath.Join(full, d), 0o755))
	}
	rtp := freePort(t)&^1 - 400
	for name, text := range asteriskFiles(a, rtp) {
		ok(t, os.WriteFile(filepath.Join(full, "etc", name), []byte(text), 0o644))
	}
	pcm := make([]int16, 8000*4)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*350*float64(i)/8000))
	}
	ok(t, os.WriteFile(filepath.Join(full, "moh", "m350.wav"), telephonytest.WAV(pcm), 0o644))
	passwd, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	ok(t, err)
	for line := range strings.Lines(string(passwd)) {
		if f := strings.Split(line, ":"); f[0] == "asterisk" {
			uid, _ := strconv.Atoi(f[2])
			gid, _ := strconv.Atoi(f[3])
			ok(t, filepath.WalkDir(full, func(p string, _ os.DirEntry, err error) error { return cmpErr(err, os.Chown(p, uid, gid)) }))
			ok(t, os.Chmod(full, 0o755))
		}
	}
	a.start()
	t.Cleanup(a.kill)
	return a
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (a *realAsterisk) start() {
	a.t.Helper()
	a.cmd = exec.Command("chroot", a.root, "/usr/sbin/asterisk", "-C", a.dir+"/etc/asterisk.conf", "-f", "-n", "-U", "asterisk", "-G", "asterisk")
	out := &bytes.Buffer{}
	a.cmd.Stdout, a.cmd.Stderr = out, out
	ok(a.t, a.cmd.Start())
	a.exited = make(chan struct{})
	cmd, exited := a.cmd, a.exited
	go func() { defer close(exited); _ = cmd.Wait() }()
	for ctx := within(a.t, patience); ; {
		req, _ := http.NewRequestWithContext(ctx, "GET", a.url()+"/asterisk/ping", nil)
		req.SetBasicAuth("hotline", "geheim")
		c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if resp, err := c.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return
			}
		}
		select {
		case <-exited:
			a.t.Fatalf("Asterisk ended: %s", out)
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			a.t.Fatalf("Asterisk does not answer: %s", out)
		}
	}
}

func (a *realAsterisk) url() string { return fmt.Sprintf("http://127.0.0.1:%d/ari", a.http) }

func (a *realAsterisk) config() Config {
	return Config{URL: a.url(), App: "hotline-test", User: "hotline", Secret: "geheim"}
}

func (a *realAsterisk) signal(s syscall.Signal) { ok(a.t, a.cmd.Process.Signal(s)) }

func (a *realAsterisk) kill() {
	_ = a.cmd.Process.Signal(syscall.SIGCONT)
	_ = a.cmd.Process.Kill()
	<-a.exited
}

// get asks ARI itself.
func (a *realAsterisk) get(path string) string {
	a.t.Helper()
	req, _ := http.NewRequestWithContext(within(a.t, patience), "GET", a.url()+path, nil)
	req.SetBasicAuth("hotline", "geheim")
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Do(req)
	ok(a.t, err)
	defer resp.Body.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(resp.Body)
	return b.String()
}

// caller is a phone behind the trunk "in".
func (a *realAsterisk) caller(cfg telephonytest.PhoneConfig) *telephonytest.Phone {
	a.t.Helper()
	cfg.Server = fmt.Sprintf("127.0.0.1:%d", a.sip)
	p, err := telephonytest.NewPhone(cfg)
	ok(a.t, err)
	a.t.Cleanup(p.Close)
	return p
}

func (a *realAsterisk) empty(ctx context.Context) {
	a.t.Helper()
	for {
		if a.get("/channels") == "[]" && a.get("/bridges") == "[]" {
			return
		}
		select {
		case <-ctx.Done():
			a.t.Fatalf("left in Asterisk: %s %s", a.get("/channels"), a.get("/bridges"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// asteriskFiles is a configuration with two trunks: "pbx", whose calls come in and go out, and "off", never used.
func asteriskFiles(a *realAsterisk, rtp int) map[string]string {
	loads := `res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject res_rtp_asterisk res_rtp_multicast
res_statsd res_crypto res_pjsip res_pjsip_session res_pjsip_pubsub res_pjsip_sdp_rtp res_pjsip_rfc3326 res_pjsip_caller_id res_pjsip_diversion res_pjsip_dtmf_info
res_pjsip_endpoint_identifier_ip res_pjsip_nat res_pjsip_header_funcs res_http_websocket res_websocket_client res_stasis
res_stasis_answer res_stasis_device_state res_stasis_playback res_stasis_recording res_stasis_snoop res_ari res_ari_model res_ari_applications res_ari_asterisk
res_ari_bridges res_ari_channels res_ari_events res_musiconhold chan_pjsip chan_rtp chan_bridge_media bridge_simple bridge_softmix bridge_native_rtp bridge_holding codec_alaw codec_ulaw codec_a_mu
codec_resample format_wav format_pcm func_callerid func_channel app_stasis app_dial pbx_config`
	modules := "[modules]\nautoload=no\n"
	for _, m := range strings.Fields(loads) {
		modules += "load=" + m + ".so\n"
	}
	conf := "[directories]\n"
	for key, dir := range map[string]string{"astetcdir": a.dir + "/etc", "astmoddir": "/usr/lib/x86_64-linux-gnu/asterisk/modules", "astvarlibdir": a.dir + "/lib", "astdbdir": a.dir + "/db",
		"astkeydir": a.dir + "/key", "astdatadir": "/usr/share/asterisk", "astspooldir": a.dir + "/spool", "astrundir": a.dir + "/run", "astlogdir": a.dir + "/log"} {
		conf += key + " => " + dir + "\n"
	}
	return map[string]string{
		"asterisk.conf":         conf,
		"modules.conf":          modules,
		"http.conf":             fmt.Sprintf("[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport=%d\n", a.http),
		"ari.conf":              "[general]\nenabled=yes\n[hotline]\ntype=user\nread_only=no\npassword=geheim\n[reader]\ntype=user\nread_only=yes\npassword=geheim\n",
		"extensions.conf":       "[in]\nexten => _X.,1,Stasis(hotline-test)\n same => n,Hangup()\nexten => 9,1,Stasis(other)\n",
		"rtp.conf":              fmt.Sprintf("[general]\nrtpstart=%d\nrtpend=%d\n", rtp, rtp+399),
		"logger.conf":           "[general]\n[logfiles]\nfull => notice,warning,error\n",
		"musiconhold.conf":      "[default]\nmode=files\ndirectory=" + a.dir + "/moh\n",
		"websocket_client.conf": "",
		"pjsip.conf": fmt.Sprintf(`[udp]
type=transport
protocol=udp
bind=127.0.0.1:%d
[pbx]
type=endpoint
context=in
disallow=all
allow=alaw,ulaw
direct_media=no
rtp_symmetric=yes
trust_id_inbound=yes
aors=pbx
[pbx]
type=aor
contact=sip:127.0.0.1:%d
[pbxid]
type=identify
endpoint=pbx
match=127.0.0.0/8
`, a.sip, a.phone),
	}
}

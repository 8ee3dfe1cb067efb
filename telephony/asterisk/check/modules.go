package check

import (
	"context"
	"fmt"
	"strings"
)

// wanted are the modules that Hotline's calls need, and what for.
var wanted = []struct{ name, why string }{
	{"res_http_websocket.so", "events"},
	{"res_stasis.so", "applications"},
	{"res_stasis_answer.so", "answering"},
	{"res_stasis_playback.so", "prompts"},
	{"res_stasis_snoop.so", "listening in"},
	{"app_stasis.so", "handing calls to Hotline from the dialplan"},
	{"res_ari_applications.so", "applications"},
	{"res_ari_asterisk.so", "version, clock, modules"},
	{"res_ari_bridges.so", "talks"},
	{"res_ari_channels.so", "calls"},
	{"res_ari_endpoints.so", "trunks"},
	{"res_ari_events.so", "events"},
	{"res_ari_playbacks.so", "prompts"},
	{"chan_pjsip.so", "SIP"},
	{"chan_rtp.so", "the caller's sound for Hotline (external media)"},
	{"res_rtp_asterisk.so", "sound"},
	{"res_pjsip_diversion.so", "who diverted a call"},
	{"res_pjsip_caller_id.so", "callers' numbers"},
	{"res_pjsip_header_funcs.so", "SIP headers of a call"},
	{"res_musiconhold.so", "music of waiting callers"},
	{"codec_alaw.so", "G.711 A-law"},
	{"codec_ulaw.so", "G.711 mu-law"},
	{"format_wav.so", "music and prompts from WAV files"},
	{"bridge_simple.so", "talks of two"},
	{"bridge_softmix.so", "talks of more than two"},
	{"func_callerid.so", "callers' numbers"},
	{"func_channel.so", "facts of a channel"},
}

// modules looks whether what Hotline needs is loaded.
func (r *run) modules(ctx context.Context) {
	var list []struct{ Name, Status string }
	if err := r.get(ctx, "/asterisk/modules", &list); err != nil {
		r.say(Error, "Asterisk's modules cannot be read: "+err.Error(), "load res_ari_asterisk.so")
		return
	}
	r.have = map[string]bool{}
	timing := false
	for _, m := range list {
		if m.Status == "Running" {
			r.have[m.Name] = true
			timing = timing || strings.HasPrefix(m.Name, "res_timing_")
		}
	}
	all := true
	for _, w := range wanted {
		if !r.have[w.name] {
			all = false
			r.say(Error, fmt.Sprintf("module %s does not run; it is for: %s", w.name, w.why), "`load = "+w.name+"` in modules.conf, then `module load "+w.name+"` and read what Asterisk says")
		}
	}
	if !timing {
		all = false
		r.say(Error, "no timing module runs; music and bridges stand still without one", "`load = res_timing_timerfd.so` in modules.conf")
	}
	if all {
		r.say(OK, fmt.Sprintf("the %d modules that Hotline needs run", len(wanted)+1), "")
	}
}

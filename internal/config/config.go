// Package config is in charge of the settings: one documented struct, a YAML file, HOTLINE_... variables over it, all
// errors at once. Nothing in it is global; what it reads is handed to internal/app.
package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// Config holds every setting. The tag `key` is the name in the file, `env` the variable that overrides it, `default`
// what holds when both are silent, `doc` what it is for. A setting tagged `secret` is never printed.
type Config struct {
	DataDir     string `key:"data_dir" env:"HOTLINE_DATA_DIR" default:"./data" doc:"directory of the private database, journal, recordings and voice menus"`
	DatabaseURL string `key:"database_url" env:"HOTLINE_DATABASE_URL" secret:"yes" doc:"an existing PostgreSQL 15 or newer; empty: a private one in data_dir"`
	Demo        bool   `key:"demo" env:"HOTLINE_DEMO" default:"false" doc:"seed the demo company: people, customers, queues, a trunk from loopback"`
	Region      string `key:"region" env:"HOTLINE_REGION" default:"RU" doc:"country (ISO 3166) of numbers typed by people"`
	AreaCode    string `key:"area_code" env:"HOTLINE_AREA_CODE" doc:"area code put before local numbers typed by people"`
	LogLevel    string `key:"log.level" env:"HOTLINE_LOG_LEVEL" default:"info" doc:"debug, info, warn or error"`

	HTTPAddr     string   `key:"http.addr" env:"HOTLINE_HTTP_ADDR" default:"127.0.0.1:8080" doc:"pages, API, /metrics, /livez, /readyz"`
	HTTPOrigins  []string `key:"http.origins" env:"HOTLINE_HTTP_ORIGINS" doc:"further origins whose pages may call us, comma separated"`
	HTTPProxies  []string `key:"http.proxies" env:"HOTLINE_HTTP_PROXIES" doc:"addresses (CIDR) of proxies whose X-Forwarded-For is believed"`
	SecureCookie bool     `key:"http.secure_cookie" env:"HOTLINE_SECURE_COOKIE" default:"false" doc:"set when a proxy in front speaks HTTPS to browsers"`

	Driver         string `key:"telephony.driver" env:"HOTLINE_TELEPHONY_DRIVER" default:"native" doc:"who carries the callers: native (trunks at sip.addr) or asterisk (an Asterisk 22 over ARI; trunks are its endpoints)"`
	AsteriskURL    string `key:"telephony.asterisk.url" env:"HOTLINE_ASTERISK_URL" default:"http://127.0.0.1:8088/ari" doc:"ARI of the Asterisk"`
	AsteriskApp    string `key:"telephony.asterisk.app" env:"HOTLINE_ASTERISK_APP" default:"hotline" doc:"Stasis application its dial plan sends callers to; one for each Hotline"`
	AsteriskUser   string `key:"telephony.asterisk.user" env:"HOTLINE_ASTERISK_USER" default:"hotline" doc:"ARI user"`
	AsteriskSecret string `key:"telephony.asterisk.secret" env:"HOTLINE_ASTERISK_SECRET" secret:"yes" doc:"ARI password; better in a file"`
	AsteriskFile   string `key:"telephony.asterisk.secret_file" env:"HOTLINE_ASTERISK_SECRET_FILE" doc:"file that holds the ARI password"`
	AsteriskMusic  string `key:"telephony.asterisk.music" env:"HOTLINE_ASTERISK_MUSIC" default:"default" doc:"its music class for waiting callers, where a queue names none that it has"`

	SIPAddr        string        `key:"sip.addr" env:"HOTLINE_SIP_ADDR" default:"127.0.0.1:5060" doc:"SIP over UDP and TCP"`
	SIPMaxCalls    int           `key:"sip.max_calls" env:"HOTLINE_SIP_MAX_CALLS" default:"500" doc:"live calls; above it callers get 503 with Retry-After"`
	SessionExpires time.Duration `key:"sip.session_expires" env:"HOTLINE_SIP_SESSION_EXPIRES" default:"30m" doc:"session interval asked for (RFC 4028)"`
	MediaTimeout   time.Duration `key:"sip.media_timeout" env:"HOTLINE_MEDIA_TIMEOUT" default:"30s" doc:"a leg that sends no sound for so long is ended"`
	MediaIP        string        `key:"media_ip" env:"HOTLINE_MEDIA_IP" doc:"address put into SDP and told to browsers; empty: that of sip.addr"`
	RTPPorts       string        `key:"rtp.ports" env:"HOTLINE_RTP_PORTS" default:"20000-29999" doc:"range of UDP ports for trunks and desk phones"`

	WebRTCAddr    string        `key:"softphone.addr" env:"HOTLINE_WEBRTC_ADDR" default:"127.0.0.1:19000" doc:"one UDP and TCP port for all browsers' sound"`
	ReattachGrace time.Duration `key:"softphone.reattach_grace" env:"HOTLINE_REATTACH_GRACE" default:"30s" doc:"a lost page's call waits so long for its return"`
	Heartbeat     time.Duration `key:"softphone.heartbeat" env:"HOTLINE_HEARTBEAT" default:"5s" doc:"interval of the page's pings"`
	HeartbeatLost time.Duration `key:"softphone.heartbeat_lost" env:"HOTLINE_HEARTBEAT_LOST" default:"10s" doc:"a page silent for so long is lost"`
	ComfortAfter  time.Duration `key:"softphone.comfort_after" env:"HOTLINE_COMFORT_AFTER" default:"1.5s" doc:"no sound from the page for so long: comfort tone"`
	ConnectLimit  time.Duration `key:"softphone.connect_limit" env:"HOTLINE_CONNECT_LIMIT" default:"5s" doc:"answered, but no sound yet: given back after so long"`

	IVRDir     string `key:"ivr.dir" env:"HOTLINE_IVR_DIR" doc:"voice menu files; empty: data_dir/ivr"`
	SoundsRU   string `key:"ivr.sounds_ru" env:"HOTLINE_SOUNDS_RU" default:"/usr/share/asterisk/sounds/ru_RU_f_IvrvoiceRU" doc:"recorded Russian fragments"`
	SoundsEN   string `key:"ivr.sounds_en" env:"HOTLINE_SOUNDS_EN" default:"/usr/share/asterisk/sounds/en_US_f_Allison" doc:"recorded English fragments"`
	Music      string `key:"ivr.music" env:"HOTLINE_MUSIC" default:"/usr/share/asterisk/moh" doc:"folder of WAV files played to waiting callers"`
	TTSCommand string `key:"ivr.tts_command" env:"HOTLINE_TTS_COMMAND" default:"espeak-ng" doc:"program that speaks variable words; empty: none"`

	RecordingsDir string `key:"recordings.dir" env:"HOTLINE_RECORDINGS_DIR" doc:"sealed recordings; empty: data_dir/recordings"`
	RecordingKey  string `key:"recordings.key_file" env:"HOTLINE_RECORDINGS_KEY_FILE" doc:"key that seals recordings, made when absent; empty: data_dir/recordings.key. Without it no recording can be heard: back it up apart"`
	RetentionDays int    `key:"recordings.retention_days" env:"HOTLINE_RETENTION_DAYS" default:"180" doc:"recordings of queues without a setting of their own are deleted after so many days"`

	DialBlocked   []string `key:"dial.blocked" env:"HOTLINE_DIAL_BLOCKED" default:"870,878,881,882,883,888,979" doc:"beginnings of international numbers that are never called; by default satellites and worldwide premium numbers"`
	DialCountries []string `key:"dial.countries" env:"HOTLINE_DIAL_COUNTRIES" doc:"countries (ISO 3166) that may be called, comma separated; empty: all. Name yours: it is the best guard against toll fraud"`
	DialPerHour   int      `key:"dial.per_hour" env:"HOTLINE_DIAL_PER_HOUR" default:"60" doc:"calls out of one agent within an hour; 0: no limit"`

	DrainTimeout time.Duration `key:"drain_timeout" env:"HOTLINE_DRAIN_TIMEOUT" default:"60s" doc:"on SIGTERM running calls may go on for so long"`
	// TestHooks opens /debug routes that measure and disturb sound. For tests only.
	TestHooks bool `key:"test_hooks" env:"HOTLINE_TEST_HOOKS" default:"false" doc:"routes under /debug that measure and disturb sound; for tests only"`
}

// Load reads the file (empty: none), then the environment, and checks all of it. Errors name the setting, its source
// and what would do; all of them come at once.
func Load(path string, getenv func(string) string) (Config, error) {
	k := koanf.New("/") // settings are flat names with dots: no nesting by the library
	var errs []error
	values := map[string]any{}
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("read settings from %s: %w", path, err)
		}
		flatten("", k.Raw(), values)
	}
	var c Config
	known := map[string]bool{}
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key, env := f.Tag.Get("key"), f.Tag.Get("env")
		known[key] = true
		raw, source := any(f.Tag.Get("default")), "default"
		if x, ok := values[key]; ok {
			raw, source = x, path
		}
		if x := getenv(env); x != "" {
			raw, source = x, env
		}
		if err := set(v.Field(i), raw); err != nil {
			errs = append(errs, fmt.Errorf("%s (from %s): %w", key, source, err))
		}
	}
	for key := range values {
		if !known[key] {
			errs = append(errs, fmt.Errorf("%s (from %s): no such setting; see `hotline config`", key, path))
		}
	}
	c.fill()
	errs = append(errs, c.check()...)
	return c, errors.Join(errs...)
}

// flatten turns nested maps into names with dots; names that have dots already stay.
func flatten(prefix string, in map[string]any, out map[string]any) {
	for k, v := range in {
		if m, ok := v.(map[string]any); ok {
			flatten(prefix+k+".", m, out)
			continue
		}
		out[prefix+k] = v
	}
}

func set(f reflect.Value, raw any) error {
	s := fmt.Sprint(raw)
	if raw == nil {
		s = ""
	}
	switch f.Interface().(type) {
	case string:
		f.SetString(s)
	case bool:
		switch strings.ToLower(s) {
		case "1", "true", "yes", "on":
			f.SetBool(true)
		case "", "0", "false", "no", "off":
			f.SetBool(false)
		default:
			return fmt.Errorf("%q is neither true nor false", s)
		}
	case int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		f.SetInt(int64(n))
	case time.Duration:
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a time such as 300ms, 5s or 2m", s)
		}
		f.SetInt(int64(d))
	case []string:
		var out []string
		if list, ok := raw.([]any); ok {
			for _, x := range list {
				out = append(out, fmt.Sprint(x))
			}
		} else {
			for x := range strings.SplitSeq(s, ",") {
				if x = strings.TrimSpace(x); x != "" {
					out = append(out, x)
				}
			}
		}
		f.Set(reflect.ValueOf(out))
	}
	return nil
}

// fill gives settings that depend on others their values.
func (c *Config) fill() {
	if abs, err := filepath.Abs(c.DataDir); err == nil {
		c.DataDir = abs
	}
	if c.IVRDir == "" {
		c.IVRDir = filepath.Join(c.DataDir, "ivr")
	}
	if c.RecordingsDir == "" {
		c.RecordingsDir = filepath.Join(c.DataDir, "recordings")
	}
	if c.RecordingKey == "" {
		c.RecordingKey = filepath.Join(c.DataDir, "recordings.key")
	}
}

func (c *Config) check() (errs []error) {
	for _, a := range []struct{ key, addr string }{{"http.addr", c.HTTPAddr}, {"sip.addr", c.SIPAddr}, {"softphone.addr", c.WebRTCAddr}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is not host:port", a.key, a.addr))
		}
	}
	switch c.Driver {
	case "native":
	case "asterisk":
		if u, err := url.Parse(c.AsteriskURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			errs = append(errs, fmt.Errorf("telephony.asterisk.url: %q is not an address such as http://127.0.0.1:8088/ari", c.AsteriskURL))
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`).MatchString(c.AsteriskApp) {
			errs = append(errs, fmt.Errorf("telephony.asterisk.app: %q is not a name of letters, digits, - and _", c.AsteriskApp))
		}
		switch {
		case c.AsteriskSecret == "" && c.AsteriskFile == "":
			errs = append(errs, errors.New("telephony.asterisk.secret_file: no password is set; put it into a file, or into HOTLINE_ASTERISK_SECRET"))
		case c.AsteriskSecret != "" && c.AsteriskFile != "":
			errs = append(errs, errors.New("telephony.asterisk.secret_file: there is a password in telephony.asterisk.secret too; remove one"))
		}
	default:
		errs = append(errs, fmt.Errorf("telephony.driver: %q is not native or asterisk", c.Driver))
	}
	if c.MediaIP != "" {
		if _, err := netip.ParseAddr(c.MediaIP); err != nil {
			errs = append(errs, fmt.Errorf("media_ip: %q is not an IP address", c.MediaIP))
		}
	}
	if _, _, err := c.PortRange(); err != nil {
		errs = append(errs, err)
	}
	for _, p := range c.HTTPProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			errs = append(errs, fmt.Errorf("http.proxies: %q is not an address range such as 10.0.0.0/8", p))
		}
	}
	for _, p := range c.DialBlocked {
		if strings.Trim(strings.TrimPrefix(p, "+"), "0123456789") != "" || p == "+" {
			errs = append(errs, fmt.Errorf("dial.blocked: %q is not the beginning of an international number such as 979", p))
		}
	}
	for _, r := range c.DialCountries {
		if len(r) != 2 || strings.ToUpper(r) != r {
			errs = append(errs, fmt.Errorf("dial.countries: %q is not a country such as RU", r))
		}
	}
	if c.DialPerHour < 0 {
		errs = append(errs, fmt.Errorf("dial.per_hour: %d is below zero", c.DialPerHour))
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		errs = append(errs, fmt.Errorf("log.level: %q is not debug, info, warn or error", c.LogLevel))
	}
	return errs
}

// PortRange is rtp.ports as numbers; "0" means any free port, for tests.
func (c *Config) PortRange() (low, high uint16, err error) {
	if c.RTPPorts == "0" {
		return 0, 0, nil
	}
	a, b, ok := strings.Cut(c.RTPPorts, "-")
	lo, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	hi, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if !ok || err1 != nil || err2 != nil || lo < 1024 || hi <= lo+1 {
		return 0, 0, fmt.Errorf("rtp.ports: %q is not a range such as 20000-29999, from 1024 up", c.RTPPorts)
	}
	return uint16(lo), uint16(hi), nil
}

// AsteriskPassword is the ARI password, from the setting or its file.
func (c *Config) AsteriskPassword() (string, error) {
	if c.AsteriskFile == "" {
		return c.AsteriskSecret, nil
	}
	b, err := os.ReadFile(c.AsteriskFile)
	if err != nil {
		return "", fmt.Errorf("read telephony.asterisk.secret_file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Print writes the effective settings with their docs, as a file that Load takes. Secrets are masked.
func (c Config) Print(w io.Writer) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		val := v.Field(i).Interface()
		if d, ok := val.(time.Duration); ok {
			val = d.String()
		}
		text := fmt.Sprintf("%v", val)
		switch {
		case f.Tag.Get("secret") != "" && text != "":
			text = `"********"`
		case v.Field(i).Kind() == reflect.String:
			text = strconv.Quote(text)
		case v.Field(i).Kind() == reflect.Slice:
			text = "[" + strings.Join(v.Field(i).Interface().([]string), ", ") + "]"
		}
		def := f.Tag.Get("default")
		if def == "" {
			def = "empty"
		}
		fmt.Fprintf(w, "# %s\n# %s, default %s\n%s: %s\n\n", f.Tag.Get("doc"), f.Tag.Get("env"), def, f.Tag.Get("key"), text)
	}
}

// Env is os.Getenv, named here so that nobody else reads the environment.
func Env(name string) string { return os.Getenv(name) }

package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"hotline/internal/config"
	"hotline/internal/pg/cluster"
	"hotline/telephony/asterisk/check"
)

// finding is one line of the doctor: what was looked at, how it is, and what to do about it.
type finding struct {
	level string // ok, warning, error
	what  string
	fix   string
}

// Doctor looks at the machine and the configuration and says what is wrong and how to mend it. The error says how many
// findings stop the server. pbx: look at the Asterisk of the settings as well, though it is not the driver.
func Doctor(ctx context.Context, path string, env func(string) string, pbx bool, out io.Writer) error {
	cfg, err := config.Load(path, env)
	var fs []finding
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fs = append(fs, finding{"error", "settings: " + line, "see `hotline config` for names, meanings and defaults"})
		}
	} else {
		fs = append(fs, finding{"ok", "settings are consistent", ""})
	}
	server, live := running(cfg)
	if live {
		fs = append(fs, finding{"ok", fmt.Sprintf("a server runs on this data directory (process %d)", server.PID), ""})
	}
	fs = append(fs, doctorData(cfg)...)
	fs = append(fs, doctorDatabase(ctx, cfg, live)...)
	fs = append(fs, doctorSounds(ctx, cfg)...)
	if !live {
		fs = append(fs, doctorPorts(cfg)...)
	}
	fs = append(fs, doctorKernel()...)
	fs = append(fs, doctorFlows(cfg)...)
	if err == nil && (pbx || cfg.Driver == driverAsterisk) {
		fs = append(fs, doctorAsterisk(ctx, cfg, live)...)
	}
	bad := 0
	for _, f := range fs {
		mark := map[string]string{"ok": "  ok     ", "warning": "! warning", "error": "X ERROR  "}[f.level]
		fmt.Fprintf(out, "%s  %s\n", mark, f.what)
		if f.fix != "" {
			fmt.Fprintf(out, "             %s\n", f.fix)
		}
		if f.level == "error" {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d findings keep the server from working", bad)
	}
	return nil
}

func doctorData(cfg config.Config) []finding {
	if err := os.MkdirAll(cfg.DataDir, 0o755); err != nil {
		return []finding{{"error", fmt.Sprintf("data directory %s cannot be made: %v", cfg.DataDir, err), "set HOTLINE_DATA_DIR to a directory this user may write to"}}
	}
	probe := filepath.Join(cfg.DataDir, ".probe")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return []finding{{"error", fmt.Sprintf("data directory %s cannot be written: %v", cfg.DataDir, err), "give it to this user: chown"}}
	}
	_ = os.Remove(probe)
	var st unix.Statfs_t
	if err := unix.Statfs(cfg.DataDir, &st); err == nil {
		free := int64(st.Bavail) * st.Bsize >> 20
		text := fmt.Sprintf("data directory %s, %d MiB free (an hour of recorded talk takes 58 MiB)", cfg.DataDir, free)
		switch {
		case free < 200:
			return []finding{{"error", text, "free some space: below 200 MiB recordings and the journal will stop"}}
		case free < 2048:
			return []finding{{"warning", text, "plan for more than 2 GiB"}}
		}
		return []finding{{"ok", text, ""}}
	}
	return nil
}

func doctorDatabase(ctx context.Context, cfg config.Config, live bool) []finding {
	if cfg.DatabaseURL != "" || live {
		db, err := openDB(ctx, cfg)
		if err != nil {
			return []finding{{"error", fmt.Sprintf("database: %v", err), "check HOTLINE_DATABASE_URL: host, port, user, password, pg_hba.conf"}}
		}
		defer db.Close(context.WithoutCancel(ctx))
		var version string
		_ = db.Pool.QueryRow(ctx, `SHOW server_version`).Scan(&version)
		return []finding{{"ok", "database answers, PostgreSQL " + version, ""}}
	}
	bin, err := cluster.Find(ctx, 0)
	if err != nil {
		return []finding{{"error", fmt.Sprintf("no PostgreSQL for the private database: %v", err), "apt-get install postgresql, or set HOTLINE_DATABASE_URL"}}
	}
	fs := []finding{{"ok", "PostgreSQL programs in " + filepath.Dir(bin.Postgres()), ""}}
	if acc, err := cluster.PickAccount(filepath.Join(cfg.DataDir, "postgres"), ""); err != nil {
		fs = append(fs, finding{"error", fmt.Sprintf("no user to run PostgreSQL as: %v", err), "PostgreSQL refuses root: make the user postgres, or start Hotline as an ordinary user"})
	} else if err := acc.CanEnter(cfg.DataDir); err != nil {
		fs = append(fs, finding{"error", err.Error(), "chmod a+x the directories on the way, or choose another HOTLINE_DATA_DIR"})
	}
	return fs
}

func doctorSounds(ctx context.Context, cfg config.Config) []finding {
	var fs []finding
	for lang, dir := range map[string]string{"Russian": cfg.SoundsRU, "English": cfg.SoundsEN} {
		if m, _ := filepath.Glob(filepath.Join(dir, "*.wav")); len(m) == 0 {
			fs = append(fs, finding{"warning", fmt.Sprintf("no recorded %s words in %s: menus are spoken by the synthesiser", lang, dir),
				"apt-get install asterisk-core-sounds-ru-wav asterisk-core-sounds-en-wav"})
		} else {
			fs = append(fs, finding{"ok", fmt.Sprintf("%d recorded %s fragments", len(m), lang), ""})
		}
	}
	if m, _ := filepath.Glob(filepath.Join(cfg.Music, "*.wav")); len(m) == 0 {
		fs = append(fs, finding{"warning", "no music in " + cfg.Music + ": waiting callers hear a tone", "apt-get install asterisk-moh-opsound-wav, or set HOTLINE_MUSIC"})
	}
	if cfg.TTSCommand == "" {
		return append(fs, finding{"warning", "no speech synthesis: words without a recording stay silent", "set HOTLINE_TTS_COMMAND=espeak-ng"})
	}
	if _, err := exec.LookPath(cfg.TTSCommand); err != nil {
		return append(fs, finding{"warning", fmt.Sprintf("speech program %s is not there", cfg.TTSCommand), "apt-get install espeak-ng"})
	}
	return append(fs, finding{"ok", "speech program " + cfg.TTSCommand, ""})
}

func doctorPorts(cfg config.Config) []finding {
	var fs []finding
	for _, p := range []struct{ network, addr, setting string }{
		{"tcp", cfg.HTTPAddr, "HOTLINE_HTTP_ADDR"}, {"udp", cfg.SIPAddr, "HOTLINE_SIP_ADDR"}, {"tcp", cfg.SIPAddr, "HOTLINE_SIP_ADDR"},
		{"udp", cfg.WebRTCAddr, "HOTLINE_WEBRTC_ADDR"}, {"tcp", cfg.WebRTCAddr, "HOTLINE_WEBRTC_ADDR"},
	} {
		var c io.Closer
		var err error
		if p.network == "tcp" {
			c, err = net.Listen("tcp", p.addr)
		} else {
			c, err = net.ListenPacket("udp", p.addr)
		}
		if err != nil {
			fs = append(fs, finding{"error", fmt.Sprintf("%s %s: %v", p.network, p.addr, err), "stop what uses it (ss -lpn), or set " + p.setting})
			continue
		}
		_ = c.Close()
	}
	if len(fs) == 0 {
		fs = append(fs, finding{"ok", "ports of pages, SIP and browsers are free", ""})
	}
	if host, _, err := net.SplitHostPort(cfg.SIPAddr); err == nil && net.ParseIP(host) != nil && net.ParseIP(host).IsLoopback() {
		fs = append(fs, finding{"warning", "SIP listens on loopback only: callers must be on this machine", "set HOTLINE_SIP_ADDR and HOTLINE_MEDIA_IP for a real trunk, HOTLINE_WEBRTC_ADDR for agents elsewhere"})
	}
	return fs
}

func doctorKernel() []finding {
	b, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	if err != nil {
		return nil
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	if n < 4<<20 {
		return []finding{{"warning", fmt.Sprintf("the kernel gives sockets at most %d bytes: SIP loses packets in bursts", n), "sysctl -w net.core.rmem_max=8388608"}}
	}
	return nil
}

// doctorAsterisk looks at a running Asterisk. A running server of ours may hold its application.
func doctorAsterisk(ctx context.Context, cfg config.Config, live bool) []finding {
	secret, err := cfg.AsteriskPassword()
	if err != nil {
		return []finding{{"error", err.Error(), "make the file, readable by this user only"}}
	}
	app := cfg.AsteriskApp
	if live && cfg.Driver == driverAsterisk { // that is us
		app = ""
	}
	var fs []finding
	for _, f := range check.Run(ctx, check.Config{URL: cfg.AsteriskURL, User: cfg.AsteriskUser, Secret: secret, App: app, Music: cfg.AsteriskMusic}) {
		fs = append(fs, finding{string(f.Level), "Asterisk: " + f.What, f.Fix})
	}
	return fs
}

func doctorFlows(cfg config.Config) []finding {
	if _, err := os.Stat(filepath.Join(cfg.IVRDir, "routes.yaml")); errors.Is(err, os.ErrNotExist) {
		return []finding{{"ok", "no voice menus yet: the first start writes the demo set to " + cfg.IVRDir, ""}}
	}
	var b bytes.Buffer
	code := FlowCheck(cfg, "", "text", &b)
	level, fix := "ok", ""
	if code != 0 {
		level, fix = "error", "`hotline flow check` shows all of it; a running server keeps its last good version"
	}
	first := ""
	for s := bufio.NewScanner(&b); s.Scan(); {
		if first = s.Text(); strings.Contains(first, " error ") {
			break
		}
	}
	return []finding{{level, "voice menus in " + cfg.IVRDir + ": " + first, fix}}
}

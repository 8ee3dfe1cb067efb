package asterisk

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// noisy are modules of a stock configuration that open ports of their own, or want services that are not there.
var noisy = []string{"chan_iax2", "chan_unistim", "chan_motif", "pbx_dundi", "res_snmp", "res_xmpp", "res_hep", "res_config_ldap", "cdr_radius", "cel_radius", "chan_console"}

// stock takes the configuration that comes with the package, as someone has it who installed Asterisk and went no further,
// and has it edited.
func (a *Asterisk) stock() error {
	cache := filepath.Join(a.root, ".cache/asterisk")
	etc := filepath.Join(a.Dir, "etc")
	if err := os.CopyFS(etc, os.DirFS(filepath.Join(cache, "root/etc/asterisk"))); err != nil {
		return err
	}
	folders := map[string]string{"cachedir": "lib/cache", "varlibdir": "lib", "dbdir": "lib", "keydir": "lib", "spooldir": "spool", "rundir": "run", "logdir": "log", "etcdir": "etc"}
	text := "[directories]\n"
	for name, sub := range folders {
		text += fmt.Sprintf("ast%s = %s\n", name, filepath.Join(a.Dir, sub))
	}
	text += fmt.Sprintf("astmoddir = %s\nastdatadir = %s\n", filepath.Join(cache, "modules"), filepath.Join(cache, "share"))
	path := filepath.Join(etc, "asterisk.conf")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b = regexp.MustCompile(`(?ms)^\[directories\].*?^\[options\]`).ReplaceAllLiteral(b, []byte(text+"[options]"))
	if err := os.WriteFile(path, b, 0o644); err != nil {
		return err
	}
	text = ""
	for _, m := range noisy {
		text += "noload = " + m + ".so\n"
	}
	if err := appendTo(filepath.Join(etc, "modules.conf"), text); err != nil {
		return err
	}
	rtp := fmt.Sprintf("[general]\nrtpstart = %d\nrtpend = %d\n", a.ports.rtp, a.ports.rtp+a.opts.RTPPorts-1)
	if err := os.WriteFile(filepath.Join(etc, "rtp.conf"), []byte(rtp), 0o644); err != nil {
		return err
	}
	return a.opts.Stock(etc, a)
}

// appendTo adds lines to the end of a file.
func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("\n" + text)
	return err
}

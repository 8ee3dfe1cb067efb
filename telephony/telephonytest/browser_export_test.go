package telephonytest

import (
	"net/netip"
	"testing"

	"hotline/telephony/media"
)

// NewTestAudio is an Audio without a phone around it.
func NewTestAudio(t *testing.T) (*Audio, netip.AddrPort) {
	loop := netip.MustParseAddr("127.0.0.1")
	a, err := newAudio(loop, media.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	return a, netip.AddrPortFrom(loop, uint16(a.port()))
}

// SetTestRemote says where the Audio sends to.
func (a *Audio) SetTestRemote(r netip.AddrPort) { a.setRemote(r) }

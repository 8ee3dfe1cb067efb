package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"hotline/telephony"
	"hotline/telephony/media"
)

// direction is what one side does with audio (RFC 3264): bit 0 sends, bit 1 receives.
type direction uint8

const (
	inactive direction = 0
	sendOnly direction = 1
	recvOnly direction = 2
	sendRecv direction = 3
)

var directionNames = [...]string{"inactive", "sendonly", "recvonly", "sendrecv"}

func (d direction) String() string { return directionNames[d&3] }

// mirror is the same direction seen from the other side.
func (d direction) mirror() direction { return d>>1&1 | d<<1&2 }

// session is what we read from a description: the first audio stream over RTP/AVP that is not refused.
type session struct {
	index   int            // of the audio line among the m= lines
	lines   []mediaLine    // all m= lines, to refuse the others in an answer
	remote  netip.AddrPort // where audio goes; port 0: refused or removed
	laws    []media.Law    // G.711 laws offered, in the other side's order
	eventPT uint8          // telephone-event/8000; 0: not offered
	dir     direction      // as the sender sees it
	zeroIP  bool           // c=0.0.0.0: hold as RFC 2543 did it
	name    string         // host name in c=, when it was no address
}

type mediaLine struct{ kind, proto, formats string }

var errSDP = errors.New("bad session description")

// parseSDP reads a description, forgiving what real devices get wrong: missing s= or t=, odd o=, lines in any order,
// spaces at the ends, LF alone, no final line end. Unknown lines are skipped. It never keeps body.
func parseSDP(body []byte) (*session, error) {
	if len(body) > maxBody {
		return nil, fmt.Errorf("%w: too large", errSDP)
	}
	p := sdpParser{s: session{index: -1, dir: sendRecv}, sessionDir: sendRecv}
	for line := range strings.SplitSeq(string(body), "\n") {
		line = strings.TrimRight(line, "\r \t\x00")
		if len(line) < 2 || line[1] != '=' {
			continue
		}
		p.line(line[0], strings.TrimSpace(line[2:]))
	}
	return p.finish()
}

type sdpParser struct {
	s           session
	sessionConn string
	conn        string // of the audio line
	sessionDir  direction
	dirSet      bool
	inAudio     bool // lines belong to the chosen audio stream
	inMedia     bool
	port        uint16
	payloads    []uint8
	maps        map[uint8]string // rtpmap, lower case
}

func (p *sdpParser) line(kind byte, v string) {
	switch kind {
	case 'm':
		p.media(v)
	case 'c':
		if p.inAudio {
			p.conn = v
		} else if !p.inMedia {
			p.sessionConn = v
		}
	case 'a':
		if d, ok := readDirection(v); ok {
			if p.inAudio {
				p.s.dir, p.dirSet = d, true
			} else if !p.inMedia {
				p.sessionDir = d
			}
			return
		}
		if p.inAudio {
			p.attribute(v)
		}
	}
}

func readDirection(v string) (direction, bool) {
	for d, name := range directionNames {
		if strings.EqualFold(v, name) {
			return direction(d), true
		}
	}
	return 0, false
}

// media starts a media section: m=audio 49170[/n] RTP/AVP 0 8 101.
func (p *sdpParser) media(v string) {
	f := strings.Fields(v)
	p.inMedia, p.inAudio = true, false
	if len(p.s.lines) >= 16 {
		return
	}
	for len(f) < 4 {
		f = append(f, "0")
	}
	p.s.lines = append(p.s.lines, mediaLine{f[0], f[2], strings.Join(f[3:], " ")})
	portText, _, _ := strings.Cut(f[1], "/")
	port, ok := number(portText, 65535)
	// The first usable audio stream counts; one with port 0 only while there is no better.
	usable := ok && strings.EqualFold(f[0], "audio") && (strings.EqualFold(f[2], "RTP/AVP") || strings.EqualFold(f[2], "RTP/AVPF"))
	if !usable || p.s.index >= 0 && (p.port != 0 || port == 0) {
		return
	}
	p.s.index, p.inAudio = len(p.s.lines)-1, true
	p.port, p.conn, p.dirSet = uint16(port), "", false
	p.payloads, p.maps = nil, map[uint8]string{}
	for _, t := range f[3:] {
		if n, ok := number(t, 127); ok && len(p.payloads) < 64 {
			p.payloads = append(p.payloads, uint8(n))
		}
	}
}

// attribute reads a=rtpmap:101 telephone-event/8000.
func (p *sdpParser) attribute(v string) {
	name, rest, _ := strings.Cut(v, ":")
	if !strings.EqualFold(name, "rtpmap") {
		return
	}
	f := strings.Fields(rest)
	if len(f) < 2 {
		return
	}
	if n, ok := number(f[0], 127); ok {
		p.maps[uint8(n)] = strings.ToLower(f[1])
	}
}

func (p *sdpParser) finish() (*session, error) {
	s := &p.s
	if s.index < 0 {
		return nil, fmt.Errorf("%w: no audio over RTP/AVP", errSDP)
	}
	if !p.dirSet {
		s.dir = p.sessionDir
	}
	for _, pt := range p.payloads {
		name, mapped := p.maps[pt]
		switch {
		case pt == 0 && (!mapped || strings.HasPrefix(name, "pcmu/8000")):
			s.laws = append(s.laws, media.PCMU)
		case pt == 8 && (!mapped || strings.HasPrefix(name, "pcma/8000")):
			s.laws = append(s.laws, media.PCMA)
		case strings.HasPrefix(name, "telephone-event/8000") && pt >= 96 && s.eventPT == 0:
			s.eventPT = pt
		}
	}
	conn := p.conn
	if conn == "" {
		conn = p.sessionConn
	}
	return s, s.connection(conn, p.port)
}

// connection reads c=IN IP4 192.0.2.1[/ttl].
func (s *session) connection(v string, port uint16) error {
	f := strings.Fields(v)
	if len(f) < 3 {
		if port == 0 {
			return nil
		}
		return fmt.Errorf("%w: no connection address", errSDP)
	}
	host, _, _ := strings.Cut(f[2], "/")
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		// RFC 8866 allows a name. Nobody who calls us sends one, and looking it up would let a caller make us ask DNS.
		s.name = host
		return fmt.Errorf("%w: connection address %q is no IP address", errSDP, host)
	}
	ip = ip.Unmap()
	s.zeroIP = ip.IsUnspecified()
	s.remote = netip.AddrPortFrom(ip, port)
	return nil
}

// hostile says why we send no audio to an address; empty: it is fine. local is our own media address: loopback and
// link-local peers are for machines that are there themselves.
func hostile(remote, local netip.Addr) string {
	switch {
	case remote.IsUnspecified():
		return "unspecified address"
	case remote.IsMulticast():
		return "multicast address"
	case remote == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "broadcast address"
	case remote.IsLoopback() && !local.IsLoopback():
		return "loopback address from outside"
	case remote.Is4() != local.Is4():
		return "address family we have no media address in"
	}
	return ""
}

// pick chooses the law: the preferred one if offered, else the other side's first.
func (s *session) pick(prefer media.Law, preferred bool) (media.Law, bool) {
	if len(s.laws) == 0 {
		return 0, false
	}
	if preferred {
		for _, l := range s.laws {
			if l == prefer {
				return l, true
			}
		}
	}
	return s.laws[0], true
}

// description is what we say about our side.
type description struct {
	id, version uint64
	ip          netip.Addr
	port        uint16
	laws        []media.Law
	eventPT     uint8 // 0: none
	dir         direction
	answering   *session // the offer; nil: this is an offer
}

// bytes writes the description. An answer has as many m= lines as the offer, all but ours refused (RFC 3264 6).
func (d description) bytes() []byte {
	var b strings.Builder
	family := "IP4"
	if d.ip.Is6() {
		family = "IP6"
	}
	fmt.Fprintf(&b, "v=0\r\no=hotline %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
		d.id, d.version, family, d.ip, family, d.ip)
	if d.answering == nil {
		d.audio(&b, "RTP/AVP")
		return []byte(b.String())
	}
	for i, l := range d.answering.lines {
		if i == d.answering.index {
			d.audio(&b, l.proto)
			continue
		}
		fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", l.kind, l.proto, l.formats)
	}
	return []byte(b.String())
}

func (d description) audio(b *strings.Builder, proto string) {
	b.WriteString("m=audio ")
	b.WriteString(strconv.Itoa(int(d.port)))
	b.WriteString(" " + proto)
	for _, l := range d.laws {
		b.WriteString(" " + strconv.Itoa(int(l)))
	}
	if d.eventPT != 0 {
		b.WriteString(" " + strconv.Itoa(int(d.eventPT)))
	}
	b.WriteString("\r\n")
	if d.port == 0 {
		return
	}
	for _, l := range d.laws {
		name := "PCMU"
		if l == media.PCMA {
			name = "PCMA"
		}
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", l, name)
	}
	if d.eventPT != 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", d.eventPT, d.eventPT)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", d.dir)
}

// codecErr says that two sides share no codec, or why their audio cannot be.
func codecErr(why string) error { return fmt.Errorf("%w: %s", telephony.ErrNoCodec, why) }

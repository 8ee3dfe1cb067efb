package webrtc

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
	pion "github.com/pion/webrtc/v4"

	"hotline/telephony"
	"hotline/telephony/media"
)

const (
	maxSDP          = 64 << 10
	maxCandidateLen = 1 << 10
	maxCandidates   = 200 // per epoch, agent-desk section 3
	eventPT         = 126 // Chromium's number for telephone-event/8000
)

// plan is what one offer and our wishes come to.
type plan struct {
	law     media.Law // what the browser will send: the first codec of the answer
	laws    []media.Law
	eventPT uint8 // the browser's number; 0: it sends no keys
	send    bool  // we may send
	recv    bool  // the browser may send
}

// planOffer checks an offer and chooses the codecs: prefer first, then the other law, as far as the browser offers them
// and, when the page gave a list of codecs, as far as it is in there.
func planOffer(offer string, prefer media.Law, codecs []string) (plan, error) {
	if len(offer) > maxSDP {
		return plan{}, fmt.Errorf("%w: %d bytes are too many", ErrBadSDP, len(offer))
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(offer); err != nil {
		return plan{}, fmt.Errorf("%w: %w", ErrBadSDP, err)
	}
	audio, err := onlyAudio(&d)
	if err != nil {
		return plan{}, err
	}
	p := plan{send: true, recv: true}
	for _, a := range audio.Attributes {
		switch a.Key {
		case "recvonly":
			p.recv = false
		case "sendonly":
			p.send = false
		case "inactive":
			p.send, p.recv = false, false
		}
	}
	var has [2]bool
	for _, f := range audio.MediaName.Formats {
		switch pt, name := codecOf(audio, f); {
		case pt == int(media.PCMU) && name == "PCMU/8000":
			has[0] = true
		case pt == int(media.PCMA) && name == "PCMA/8000":
			has[1] = true
		case name == "TELEPHONE-EVENT/8000" && pt > 0 && pt < 128:
			p.eventPT = uint8(pt)
		}
	}
	other := media.PCMU
	if prefer != media.PCMA {
		prefer, other = media.PCMU, media.PCMA
	}
	for _, law := range []media.Law{prefer, other} {
		if has[lawIndex(law)] && listed(codecs, law) {
			p.laws = append(p.laws, law)
		}
	}
	if len(p.laws) == 0 {
		return plan{}, fmt.Errorf("%w: the browser offers %s, we need PCMA or PCMU", telephony.ErrNoCodec,
			strings.Join(codecNames(audio), ", "))
	}
	p.law = p.laws[0]
	return p, nil
}

func lawIndex(l media.Law) int {
	if l == media.PCMA {
		return 1
	}
	return 0
}

// onlyAudio returns the one audio line. A data channel beside it is fine (the page's standby has one), video is not.
func onlyAudio(d *sdp.SessionDescription) (*sdp.MediaDescription, error) {
	var audio *sdp.MediaDescription
	for _, m := range d.MediaDescriptions {
		switch m.MediaName.Media {
		case "audio":
			if audio != nil {
				return nil, fmt.Errorf("%w: more than one audio line", ErrBadSDP)
			}
			audio = m
		case "application":
		default:
			return nil, fmt.Errorf("%w: a line of %.20q", ErrBadSDP, m.MediaName.Media)
		}
	}
	if audio == nil {
		return nil, fmt.Errorf("%w: no audio line", ErrBadSDP)
	}
	if proto := strings.Join(audio.MediaName.Protos, "/"); !strings.Contains(proto, "TLS") {
		return nil, fmt.Errorf("%w: %.30q is not encrypted by DTLS", ErrBadSDP, proto)
	}
	return audio, nil
}

// codecOf resolves one format to its number and upper-case name/rate.
func codecOf(m *sdp.MediaDescription, format string) (int, string) {
	pt, err := strconv.Atoi(format)
	if err != nil {
		return -1, ""
	}
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		num, name, _ := strings.Cut(a.Value, " ")
		if num == format {
			return pt, strings.ToUpper(strings.TrimSuffix(strings.TrimSpace(name), "/1"))
		}
	}
	switch pt { // RFC 3551 table 4: these need no rtpmap
	case 0:
		return 0, "PCMU/8000"
	case 8:
		return 8, "PCMA/8000"
	}
	return pt, ""
}

// codecNames lists the offer's codecs for the error text.
func codecNames(m *sdp.MediaDescription) []string {
	var names []string
	for _, f := range m.MediaName.Formats {
		if _, name := codecOf(m, f); name != "" && len(names) < 8 {
			names = append(names, fmt.Sprintf("%.24s", name))
		}
	}
	return names
}

// listed reports whether the page's list of codecs allows the law. An empty list allows all. Entries look like PCMA,
// audio/PCMA or PCMA/8000.
func listed(codecs []string, law media.Law) bool {
	if len(codecs) == 0 {
		return true
	}
	want := [2]string{"PCMU", "PCMA"}[lawIndex(law)]
	for _, c := range codecs {
		c = strings.TrimPrefix(strings.ToUpper(c), "AUDIO/")
		if c, _, _ = strings.Cut(c, "/"); c == want {
			return true
		}
	}
	return false
}

// codecParameters are the codecs in pion's words, the numbers of Chromium.
func codecParameters(law media.Law) pion.RTPCodecParameters {
	mime := pion.MimeTypePCMU
	if law == media.PCMA {
		mime = pion.MimeTypePCMA
	}
	return pion.RTPCodecParameters{
		RTPCodecCapability: pion.RTPCodecCapability{MimeType: mime, ClockRate: 8000, Channels: 1},
		PayloadType:        pion.PayloadType(law),
	}
}

func eventParameters(pt uint8) pion.RTPCodecParameters {
	return pion.RTPCodecParameters{
		RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000},
		PayloadType:        pion.PayloadType(pt),
	}
}

// preferences is the order of the answer.
func (p plan) preferences() []pion.RTPCodecParameters {
	var out []pion.RTPCodecParameters
	for _, l := range p.laws {
		out = append(out, codecParameters(l))
	}
	if p.eventPT != 0 {
		out = append(out, eventParameters(p.eventPT)) // the browser chose the number
	}
	return out
}

package asterisk

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// ports are Asterisk's. They lie below the range that the kernel gives away by itself (from 32768), so that they are still
// free when a killed Asterisk comes back.
type ports struct {
	http, sip int
	rtp       int // the first; even
}

func freePorts(rtp int) (p ports, err error) {
	for range 100 {
		p = ports{http: 10000 + rand.IntN(5000), sip: 15000 + rand.IntN(5000), rtp: 20000 + 2*rand.IntN((12000-rtp)/2)}
		if free(p.http, false) && free(p.sip, true) {
			return p, nil
		}
	}
	return p, errors.New("no free ports for Asterisk on 127.0.0.1")
}

// free tells whether nobody has a TCP port of 127.0.0.1, and UDP as well if wanted.
func free(port int, udp bool) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	l.Close()
	if !udp {
		return true
	}
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

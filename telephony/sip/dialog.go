package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// dialog is one dialog's state (RFC 3261 12). It belongs to the leg's owner goroutine.
type dialog struct {
	s                   *Server
	callID              string
	localTag, remoteTag string
	local, remote       string // values of From and To in our requests, tags included
	localSeq, remoteSeq uint32
	routes              []string // Route values, first hop first
	target              string   // the other side's Contact: where requests go
	peer                hop      // where the dialog came from or was sent to
	sticky              bool     // always peer: the other side is behind something that translates addresses
	user                string   // user part of our Contact
}

// advertised is our host:port as others should use it.
func (s *Server) advertised() string {
	port := s.udp.LocalAddr().(*net.UDPAddr).Port
	return net.JoinHostPort(s.cfg.AdvertiseHost, strconv.Itoa(port))
}

// contact is our Contact value.
func (s *Server) contact(user, proto string) string {
	uri := "sip:" + user + "@" + s.advertised()
	if user == "" {
		uri = "sip:" + s.advertised()
	}
	if proto == "tcp" {
		uri += ";transport=tcp"
	}
	return "<" + uri + ">"
}

// newRequest builds a request of ours with everything every request needs. branch is its transaction's.
func (s *Server) newRequest(method, uri string, to hop, branch string) (*gosip.Request, error) {
	var u gosip.Uri
	if err := gosip.ParseUri(uri, &u); err != nil {
		return nil, fmt.Errorf("request URI %q: %w", uri, err)
	}
	req := gosip.NewRequest(gosip.RequestMethod(method), u)
	add := adder(req)
	add("Via", "SIP/2.0/"+strings.ToUpper(to.proto())+" "+s.advertised()+";branch="+branch+";rport")
	add("Max-Forwards", "70")
	return req, nil
}

func adder(msg gosip.Message) func(name, value string) {
	return func(name, value string) { msg.AppendHeader(gosip.NewHeader(name, value)) }
}

// request builds a request inside the dialog (RFC 3261 12.2.1.1). seq 0 takes the next number.
func (d *dialog) request(method string, to hop, branch string, seq uint32) (*gosip.Request, error) {
	uri, routes := d.target, d.routes
	if len(routes) > 0 && !loose(routes[0]) {
		// Strict routing: the first route is the request URI, the target goes last.
		a, ok := readAddress(routes[0])
		if !ok {
			return nil, errors.New("bad route")
		}
		uri, routes = a.uri, append(append([]string{}, routes[1:]...), "<"+d.target+">")
	}
	if seq == 0 {
		d.localSeq++
		seq = d.localSeq
	}
	req, err := d.s.newRequest(method, uri, to, branch)
	if err != nil {
		return nil, err
	}
	add := adder(req)
	for _, r := range routes {
		add("Route", r)
	}
	add("From", d.local)
	add("To", d.remote)
	add("Call-ID", d.callID)
	add("CSeq", strconv.FormatUint(uint64(seq), 10)+" "+method)
	if method != "ACK" && method != "BYE" {
		add("Contact", d.s.contact(d.user, to.proto()))
		add("Allow", allow)
	}
	add("User-Agent", d.s.cfg.UserAgent)
	return req, nil
}

// loose reports whether a route has the lr parameter.
func loose(route string) bool {
	a, ok := readAddress(route)
	if !ok {
		return false
	}
	u, err := a.parsed()
	return err == nil && u.UriParams.Has("lr")
}

// next is where requests of the dialog go now.
func (d *dialog) next(ctx context.Context) (hop, error) {
	if d.sticky {
		return d.alive(ctx)
	}
	uri := d.target
	if len(d.routes) > 0 {
		if a, ok := readAddress(d.routes[0]); ok {
			uri = a.uri
		}
	}
	hops, err := d.s.resolve(ctx, uri, d.peer.proto())
	if err != nil {
		return hop{}, err
	}
	to := hops[0]
	// A private address behind a public one cannot be reached: go back to where the dialog came from.
	if len(d.routes) == 0 && private(to.addr.Addr()) && !private(d.peer.addr.Addr()) {
		return d.alive(ctx)
	}
	if to.proto == "tcp" && d.peer.conn != nil && d.peer.addr.Addr() == to.addr.Addr() {
		return d.alive(ctx) // the peer's own connection does, whatever its port
	}
	return d.s.reach(ctx, to)
}

// alive is the peer's own hop, its connection opened again if it is gone.
func (d *dialog) alive(ctx context.Context) (hop, error) {
	if d.peer.conn == nil {
		return d.peer, nil
	}
	select {
	case <-d.peer.conn.gone:
		return d.s.reach(ctx, place{"tcp", d.peer.addr})
	default:
		return d.peer, nil
	}
}

func private(a netip.Addr) bool { return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() }

// place is a transport address not yet connected.
type place struct {
	proto string
	addr  netip.AddrPort
}

// reach makes a place usable, connecting if it is TCP.
func (s *Server) reach(ctx context.Context, p place) (hop, error) {
	if p.proto != "tcp" {
		return hop{s: s, addr: p.addr}, nil
	}
	c, err := s.connect(ctx, p.addr)
	if err != nil {
		return hop{}, err
	}
	return hop{s: s, addr: p.addr, conn: c}, nil
}

// resolveFor bounds a look-up in DNS.
const resolveFor = 3 * time.Second

// resolve finds where a URI's requests go (RFC 3263, without NAPTR): addresses at once, names by SRV when no port is
// given, else by A and AAAA. At least one place comes with a nil error.
func (s *Server) resolve(ctx context.Context, uri, proto string) ([]place, error) {
	var u gosip.Uri
	if err := gosip.ParseUri(uri, &u); err != nil || u.Host == "" {
		return nil, fmt.Errorf("resolve %q: not a SIP address", uri)
	}
	if t, ok := u.UriParams.Get("transport"); ok {
		proto = strings.ToLower(t)
	}
	if proto != "udp" && proto != "tcp" {
		return nil, fmt.Errorf("resolve %q: transport %q is not served", uri, proto)
	}
	return s.lookup(ctx, u.Host, u.Port, proto)
}

func (s *Server) lookup(ctx context.Context, host string, port int, proto string) ([]place, error) {
	at := func(ip netip.Addr, port int) place {
		if port == 0 {
			port = 5060
		}
		return place{proto, netip.AddrPortFrom(ip.Unmap(), uint16(port))}
	}
	if ip, ok := parseHost(host); ok {
		return []place{at(ip, port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, resolveFor)
	defer cancel()
	var out []place
	if port == 0 {
		if _, srv, err := net.DefaultResolver.LookupSRV(ctx, "sip", proto, host); err == nil {
			for _, r := range srv[:min(len(srv), 4)] {
				ips, _ := net.DefaultResolver.LookupNetIP(ctx, s.network(), strings.TrimSuffix(r.Target, "."))
				for _, ip := range ips {
					out = append(out, at(ip, int(r.Port)))
				}
			}
		}
	}
	if len(out) == 0 {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, s.network(), host)
		if err != nil {
			return nil, fmt.Errorf("resolve %q: %w", host, err)
		}
		for _, ip := range ips {
			out = append(out, at(ip, port))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("resolve %q: no address", host)
	}
	return out[:min(len(out), 8)], nil
}

// network is the address family our socket can send to.
func (s *Server) network() string {
	local := s.udp.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
	switch {
	case local.Is4():
		return "ip4"
	case local.IsUnspecified():
		return "ip"
	}
	return "ip6"
}

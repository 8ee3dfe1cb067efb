package aritest

import (
	"net"
	"sync"
	"sync/atomic"
)

// gate holds up all reading while it is shut.
type gate struct {
	mu   sync.Mutex // guards open
	open chan struct{}
	shut bool
}

func newGate() *gate {
	c := make(chan struct{})
	close(c)
	return &gate{open: c}
}

func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case shut && !g.shut:
		g.open = make(chan struct{})
	case !shut && g.shut:
		close(g.open)
	}
	g.shut = shut
}

func (g *gate) wait(closed <-chan struct{}) {
	for {
		g.mu.Lock()
		open, shut := g.open, g.shut
		g.mu.Unlock()
		if !shut {
			return
		}
		select {
		case <-open:
		case <-closed:
			return
		}
	}
}

type gatedListener struct {
	net.Listener
	gate *gate
}

func (l *gatedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gatedConn{Conn: c, gate: l.gate, closed: make(chan struct{})}, nil
}

type gatedConn struct {
	net.Conn
	gate   *gate                // of the whole server
	socket atomic.Pointer[gate] // of event sockets; nil: it is none
	once   sync.Once
	closed chan struct{}
}

func (c *gatedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.gate.wait(c.closed)
	if g := c.socket.Load(); g != nil {
		g.wait(c.closed)
	}
	return n, err
}

func (c *gatedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

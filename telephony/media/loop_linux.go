package media

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// loops are event loops that read all sockets of a pool: a goroutine each, bound to a thread, waiting in epoll. They
// save the wake-up of a goroutine for every packet (performance.md section 7). Receiving and sending never block.
type loops struct {
	all  []*loop
	next atomic.Uint32
}

// eventBatch is how many sockets one epoll_wait may report.
const eventBatch = 64

// loop is one of them.
type loop struct {
	ep   int // epoll
	wake int // eventfd: look at the mailbox
	done chan struct{}

	mu    sync.Mutex // guards the rest
	wires map[int32]*loopWire
	mail  []mail
	ended bool
}

// mail asks the loop to let go of a wire, or with wire nil to end; done is closed when it has.
type mail struct {
	wire *loopWire
	done chan struct{}
}

// newLoops starts n loops; close joins them.
func newLoops(n int) (*loops, error) {
	ls := &loops{}
	for range n {
		l, err := newLoop()
		if err != nil {
			_ = ls.close()
			return nil, fmt.Errorf("start media loop: %w", err)
		}
		ls.all = append(ls.all, l)
	}
	return ls, nil
}

func newLoop() (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err == nil {
		err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, wake, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(wake)})
	}
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	l := &loop{ep: ep, wake: wake, done: make(chan struct{}), wires: map[int32]*loopWire{}}
	go l.run()
	return l, nil
}

// close ends the loops and waits for them. Sockets still open hear nothing any more.
func (ls *loops) close() error {
	for _, l := range ls.all {
		l.post(nil)
		<-l.done
	}
	return nil
}

// listen implements openWire.
func (ls *loops) listen(addr netip.AddrPort) (boundWire, error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	w := &loopWire{fd: fd, loop: ls.all[int(ls.next.Add(1))%len(ls.all)]}
	if err := w.bind(addr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind %v: %w", addr, err)
	}
	return w, nil
}

// loopWire is a wire that a loop reads.
type loopWire struct {
	fd     int
	loop   *loop
	addr   netip.AddrPort
	socket *Socket // set by start

	// mu is held for reading while a packet is sent, so that the descriptor is not given to another file meanwhile.
	mu     sync.RWMutex
	closed bool
}

func (w *loopWire) bind(addr netip.AddrPort) error {
	// The system may grant less; packets lost for it show in the kernel's counters.
	_ = unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	_ = unix.SetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, socketBuffer)
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(addr.Port())}
	if addr.Addr().Is4() {
		to.(*unix.SockaddrInet4).Addr = addr.Addr().As4()
	} else {
		to = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	if err := unix.Bind(w.fd, to); err != nil {
		return err
	}
	got, err := unix.Getsockname(w.fd)
	if err != nil {
		return err
	}
	switch a := got.(type) {
	case *unix.SockaddrInet4:
		w.addr = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		w.addr = netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	default:
		return fmt.Errorf("address of an unknown family %T", got)
	}
	return nil
}

func (w *loopWire) local() netip.AddrPort { return w.addr }

// start gives the socket to its loop. A loop that has ended reads nothing; close works all the same.
func (w *loopWire) start(s *Socket) error {
	w.socket = s
	l := w.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return net.ErrClosed
	}
	err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, w.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(w.fd)})
	if err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	l.wires[int32(w.fd)] = w
	return nil
}

// close implements wire.
func (w *loopWire) close() error {
	w.mu.Lock()
	was := w.closed
	w.closed = true
	w.mu.Unlock()
	if was {
		return nil
	}
	if w.socket != nil {
		w.loop.post(w) // the loop lets go between two batches, when it holds no event of this socket
	}
	return unix.Close(w.fd)
}

// post puts a request into the loop's mailbox and waits until it was served. wire nil ends the loop.
func (l *loop) post(w *loopWire) {
	m := mail{wire: w, done: make(chan struct{})}
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	l.mail = append(l.mail, m)
	one := [8]byte{7: 1} // any number but zero
	_, err := unix.Write(l.wake, one[:])
	l.mu.Unlock()
	if err != nil && !errors.Is(err, unix.EAGAIN) { // EAGAIN: it has been woken more often than it can count
		return
	}
	<-m.done
}

// run is the loop's goroutine.
func (l *loop) run() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(l.done)
	events := make([]unix.EpollEvent, eventBatch)
	buf := make([]byte, maxPacket)
	for {
		n, err := unix.EpollWait(l.ep, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			n = 0 // cannot happen with a good descriptor; the mailbox is served below all the same
		}
		woken := false
		for i := range max(n, 0) {
			if fd := events[i].Fd; fd == int32(l.wake) {
				woken = true
			} else if w := l.wire(fd); w != nil {
				w.read(buf)
			}
		}
		if woken && !l.serveMail() {
			return
		}
	}
}

func (l *loop) wire(fd int32) *loopWire {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wires[fd]
}

// serveMail lets go of closed sockets. It is false when the loop must end.
func (l *loop) serveMail() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var count [8]byte
	_, _ = unix.Read(l.wake, count[:]) // resets it; it was readable
	for _, m := range l.mail {
		if m.wire == nil {
			l.ended = true
		} else {
			delete(l.wires, int32(m.wire.fd))
			_ = unix.EpollCtl(l.ep, unix.EPOLL_CTL_DEL, m.wire.fd, nil) // closing it would do the same
		}
		close(m.done)
	}
	l.mail = nil
	if l.ended {
		unix.Close(l.wake)
		unix.Close(l.ep)
	}
	return !l.ended
}

// read takes one datagram. If there are more, epoll tells again: a voice stream has one at a time, and asking for a
// second would cost a system call each.
func (w *loopWire) read(buf []byte) {
	var sa unix.RawSockaddrInet6 // the larger of the two
	size := uint32(unsafe.Sizeof(sa))
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(w.fd), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)),
		unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&sa)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 { // nothing there after all, or an ICMP answer to something we sent
		return
	}
	w.socket.receive(buf[:n], fromRaw(&sa))
}

// fromRaw reads an address as the kernel wrote it.
func fromRaw(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		in4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), swap16(in4.Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), swap16(sa.Port))
}

// swap16 turns network byte order in memory into a number, and back.
func swap16(v uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(&v))
	return uint16(b[0])<<8 | uint16(b[1])
}

// writeTo implements wire.
func (w *loopWire) writeTo(b []byte, to netip.AddrPort) error {
	if len(b) == 0 {
		return nil
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return net.ErrClosed
	}
	var errno unix.Errno
	switch {
	case to.Addr().Is4() == w.addr.Addr().Is4() && to.Addr().Is4():
		sa := unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swap16(to.Port()), Addr: to.Addr().As4()}
		_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	default: // an IPv4 address on an IPv6 socket goes out mapped
		sa := unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swap16(to.Port()), Addr: to.Addr().As16()}
		_, _, errno = unix.RawSyscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, uintptr(unsafe.Pointer(&sa)), unsafe.Sizeof(sa))
	}
	if errno != 0 {
		return errno
	}
	return nil
}

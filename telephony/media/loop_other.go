//go:build !linux

package media

import (
	"errors"
	"net/netip"
)

// loops need epoll.
type loops struct{}

func newLoops(int) (*loops, error) { return nil, errors.New("media loops: only on Linux") }

func (*loops) close() error { return nil }

func (*loops) listen(netip.AddrPort) (boundWire, error) { return nil, errors.ErrUnsupported }

package media

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"
)

// The generator of BenchmarkH1Paced is this test program once more, so that its processor time is its own.
const generatorEnv = "HOTLINE_MEDIA_TEST_GENERATOR"

// pacedCalls is how many streams of 50 packets a second the generator makes.
const pacedCalls = 200

// order tells the generator what to send.
type order struct {
	To     []netip.AddrPort
	Frames int
}

// generate is the generator: it says where its sockets are, and for each order sends every stream's frames, evenly
// spread over time, and says how many packets that were.
func generate(in io.Reader, out io.Writer) error {
	var conns []*net.UDPConn
	var addrs []netip.AddrPort
	for range pacedCalls {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return err
		}
		defer c.Close()
		conns, addrs = append(conns, c), append(addrs, c.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	enc, dec := json.NewEncoder(out), json.NewDecoder(in)
	if err := enc.Encode(addrs); err != nil {
		return err
	}
	p, seq := make([]byte, headerSize+frameSamples), uint16(0)
	for {
		var o order
		if err := dec.Decode(&o); err != nil {
			return nil
		}
		begin, sent := time.Now(), 0
		for range o.Frames {
			seq++
			for i, c := range conns {
				due := begin.Add(time.Duration(sent) * frameTime / pacedCalls)
				if wait := time.Until(due); wait > 0 {
					sleepPrecisely(wait)
				}
				putHeader(p, 0, false, seq, uint32(seq)*frameSamples, uint32(i+1))
				if _, err := c.WriteToUDPAddrPort(p, o.To[i]); err != nil {
					return err
				}
				sent++
			}
		}
		if err := enc.Encode(sent); err != nil {
			return err
		}
	}
}

// BenchmarkH1Paced is a relayed packet as calls send it, evenly spread, from another process: what our process pays,
// by goroutines and by event loops, against the floor.
func BenchmarkH1Paced(b *testing.B) {
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), generatorEnv+"=1"), os.Stderr
	stdin, err := cmd.StdinPipe()
	must(b, err)
	stdout, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		must(b, cmd.Wait())
	})
	enc, dec := json.NewEncoder(stdin), json.NewDecoder(bufio.NewReader(stdout))
	var from []netip.AddrPort
	must(b, dec.Decode(&from))
	_, drain := peer(b)

	push := func(to []netip.AddrPort) float64 {
		before := cpu()
		must(b, enc.Encode(order{To: to, Frames: 60}))
		var sent int
		must(b, dec.Decode(&sent))
		return float64((cpu() - before).Nanoseconds()) / float64(sent)
	}
	arms := [][]netip.AddrPort{
		pacedFloor(b, drain),
		pacedRelay(b, 0, from, drain),
		pacedRelay(b, 1, from, drain),
	}
	names := []string{"floor", "goroutines", "loops"}
	costs := make([][]float64, len(arms))
	const rounds = 7
	for round := range rounds {
		for k := range arms {
			i := (k + round) % len(arms)
			if ns := push(arms[i]); round > 0 { // the first is slow
				costs[i] = append(costs[i], ns)
			}
		}
	}
	for i := len(arms) - 1; i >= 0; i-- {
		var ratios []float64
		for k, ns := range costs[i] {
			ratios = append(ratios, ns/costs[0][k])
		}
		if i > 0 {
			b.ReportMetric(median(ratios), names[i]+"-ratio")
		}
		b.ReportMetric(median(costs[i]), names[i]+"-ns")
	}
}

// pacedFloor is a goroutine for each stream that reads and writes.
func pacedFloor(b *testing.B, drain netip.AddrPort) (at []netip.AddrPort) {
	for range pacedCalls {
		a, addr := peer(b)
		to, _ := peer(b)
		floor(b, a, to, drain)
		at = append(at, addr)
	}
	return at
}

// pacedRelay is a room for each stream.
func pacedRelay(b *testing.B, loops int, from []netip.AddrPort, drain netip.AddrPort) (at []netip.AddrPort) {
	ports := newPorts(b, PortsConfig{Any: true, Loops: loops})
	for i := range pacedCalls {
		in, out := openSocket(b, ports), openSocket(b, ports)
		must(b, in.SetRemote(from[i]))
		must(b, out.SetRemote(drain))
		r := NewRoom(RoomConfig{})
		b.Cleanup(r.Close)
		must(b, r.Join(in.e, Customer))
		must(b, r.Join(out.e, Agent))
		at = append(at, in.LocalAddr())
	}
	return at
}

// runGenerator is called by TestMain.
func runGenerator() int {
	if err := generate(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "generator:", err)
		return 1
	}
	return 0
}

package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"hotline/internal/config"
	"hotline/telephony/telephonytest"
)

// PhoneOptions are the arguments of `hotline phone`.
type PhoneOptions struct {
	Number, Server, User, Password string
	Register                       bool
	Port                           int
	TCP                            bool
	Tone                           float64
	Keys                           string
	Seconds                        int
	Save                           string
}

// RunPhone is `hotline phone`: it dials, or waits for one call and answers, and tells what it hears.
func RunPhone(ctx context.Context, cfg config.Config, o PhoneOptions, out io.Writer) error {
	server := o.Server
	if server == "" {
		server = cfg.SIPAddr
		if r, ok := running(cfg); ok {
			server = r.SIP
		}
	}
	p, err := telephonytest.NewPhone(telephonytest.PhoneConfig{User: o.User, Password: o.Password, Server: server, Port: o.Port, TCP: o.TCP})
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, stop := context.WithTimeout(ctx, time.Duration(o.Seconds)*time.Second+30*time.Second)
	defer stop()
	var c *telephonytest.PhoneCall
	if o.Number != "" {
		fmt.Fprintf(out, "dialling %s at %s as %s\n", o.Number, server, o.User)
		if c, err = p.Call(ctx, o.Number, telephonytest.CallOptions{Tone: o.Tone}); err != nil {
			return err
		}
	} else if c, err = waitForCall(ctx, p, o, server, out); err != nil {
		return err
	}
	if err := c.Connected(ctx); err != nil {
		return fmt.Errorf("no talk: %w", err)
	}
	fmt.Fprintln(out, "connected")
	pressAndTell(ctx, c, o, out)
	c.Hangup()
	if o.Save != "" {
		if err := c.SaveWAV(o.Save); err != nil {
			return err
		}
		fmt.Fprintf(out, "what was heard is in %s\n", o.Save)
	}
	return nil
}

func waitForCall(ctx context.Context, p *telephonytest.Phone, o PhoneOptions, server string, out io.Writer) (*telephonytest.PhoneCall, error) {
	if o.Register {
		host, _, _ := strings.Cut(server, ":")
		if err := p.Register(ctx, host, 300); err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "registered at %s\n", server)
	}
	fmt.Fprintf(out, "waiting for a call at %s\n", p.URI())
	select {
	case c := <-p.Incoming():
		user, name := c.Caller()
		fmt.Fprintf(out, "call from %s %s\n", user, name)
		c.Tone(o.Tone)
		return c, c.Answer()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// pressAndTell presses the keys and tells once a second how loud the line is.
func pressAndTell(ctx context.Context, c *telephonytest.PhoneCall, o PhoneOptions, out io.Writer) {
	left := o.Keys
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for s := 0; s < cmp.Or(o.Seconds, 30); s++ {
		if left != "" {
			now, rest, _ := strings.Cut(left, ",")
			left = rest
			if now != "" {
				fmt.Fprintf(out, "%2d s  pressing %d keys\n", s, len(now))
				c.Press(now)
			}
		}
		select {
		case <-c.Done():
			_, why := c.Why()
			fmt.Fprintf(out, "ended: %s\n", why)
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			fmt.Fprintf(out, "%2d s  %d packets, level %s\n", s+1, c.Packets(), bar(level(c.Heard())))
		}
	}
}

// level is the mean amplitude of the last second, 0..1.
func level(pcm []int16) float64 {
	if len(pcm) > 8000 {
		pcm = pcm[len(pcm)-8000:]
	}
	sum := 0.0
	for _, v := range pcm {
		sum += max(float64(v), -float64(v))
	}
	return sum / float64(max(1, len(pcm))) / 32768
}

func bar(v float64) string { return strings.Repeat("#", min(40, int(v*200))) }

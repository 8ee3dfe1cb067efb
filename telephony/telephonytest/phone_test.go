package telephonytest

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/telephony/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pair(t *testing.T, a, b PhoneConfig) (caller, called *Phone) {
	t.Helper()
	called, err := NewPhone(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(called.Close)
	a.Server = called.Addr().String()
	caller, err = NewPhone(a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(caller.Close)
	return caller, called
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), d)
	t.Cleanup(stop)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoPhonesTalk(t *testing.T) {
	for _, law := range []media.Law{media.PCMA, media.PCMU} {
		a, b := pair(t, PhoneConfig{User: "anna", Law: law}, PhoneConfig{User: "boris"})
		ctx := within(t, 20*time.Second)
		out, err := a.Call(ctx, "boris", CallOptions{From: "+74951112233", Name: "Anna", Tone: 1000})
		must(t, err)
		in := <-b.Incoming()
		if u, n := in.Caller(); u != "+74951112233" || n != "Anna" {
			t.Fatalf("caller %q %q", u, n)
		}
		<-out.Ringing()
		in.Tone(440)
		must(t, in.Answer())
		must(t, out.Connected(ctx))
		must(t, out.Hears(ctx, []float64{440}, []float64{1000}))
		must(t, in.Hears(ctx, []float64{1000}, []float64{440}))
		out.Press("12#")
		for in.Digits() != "12#" {
			if ctx.Err() != nil {
				t.Fatalf("keys heard: %q", in.Digits())
			}
			must(t, in.Hears(ctx, []float64{1000}, nil))
		}
		if dir, err := out.Reinvite(ctx, "sendonly"); err != nil || dir != "recvonly" {
			t.Fatalf("hold answered %q, %v", dir, err)
		}
		if in.Reinvites() != 1 {
			t.Fatal("re-INVITE not counted")
		}
		in.Hangup()
		<-out.Done()
		<-in.Done()
	}
}

func TestRefusedCancelledAndPing(t *testing.T) {
	a, b := pair(t, PhoneConfig{}, PhoneConfig{})
	ctx := within(t, 20*time.Second)
	out, err := a.Call(ctx, "x", CallOptions{})
	must(t, err)
	(<-b.Incoming()).Reject(603)
	var se *StatusError
	if err := out.Connected(ctx); !errors.As(err, &se) || se.Code != 603 {
		t.Fatalf("refusal: %v", err)
	}
	out, err = a.Call(ctx, "x", CallOptions{})
	must(t, err)
	in := <-b.Incoming()
	<-out.Ringing()
	out.Hangup()
	<-in.Done()
	<-out.Done()
	if code, _ := in.Why(); code != 487 {
		t.Fatalf("cancelled call ended with %d", code)
	}
	if code, err := a.Options(ctx); err != nil || code != 200 {
		t.Fatalf("options: %d %v", code, err)
	}
}

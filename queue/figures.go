package queue

import "time"

// Figures count the rows that entered a queue today (metrics.md section 1). T is the service level threshold, s the
// short-abandon limit of the queue at the moment the wait ended.
type Figures struct {
	N            int
	A, AT        int // answered; within T
	B, BT, BS    int // abandoned; within T; short
	C, CT        int // callbacks; within T
	V, D, F, W   int
	WaitA, WaitB time.Duration // sums
	FByReason    map[string]int
}

// Balanced reports whether every row has exactly one bucket: N = A + B + C + V + D + F + W.
func (f *Figures) Balanced() bool { return f.N == f.A+f.B+f.C+f.V+f.D+f.F+f.W }

// SL2 is the strict service level in percent, A_T / (A + B); nil is "no data".
func (f *Figures) SL2() *float64 { return percent(f.AT, f.A+f.B) }

// AB1 is the abandon rate in percent, B / E; nil is "no data".
func (f *Figures) AB1() *float64 { return percent(f.B, f.N-f.W) }

// ASA is the average speed of answer; nil is "no data".
func (f *Figures) ASA() *time.Duration {
	if f.A == 0 {
		return nil
	}
	d := f.WaitA / time.Duration(f.A)
	return &d
}

// end moves a row from waiting to its bucket.
func (f *Figures) end(c *caller, threshold, short instant) {
	f.N--
	f.W--
	within, brief := 0, 0
	if c.wait <= threshold {
		within = 1
	}
	if !c.later && c.wait <= short {
		brief = 1
	}
	f.addMany(c.outcome, c.reason, 1, within, brief, c.wait)
}

// addMany counts n finished rows with one outcome: how many of them within the threshold and the short-abandon limit,
// and the sum of their waits.
func (f *Figures) addMany(o Outcome, reason string, n, within, short int, wait time.Duration) {
	f.N += n
	switch o {
	case OutAnswered:
		f.A, f.AT, f.WaitA = f.A+n, f.AT+within, f.WaitA+wait
	case OutAbandoned:
		f.B, f.BT, f.BS, f.WaitB = f.B+n, f.BT+within, f.BS+short, f.WaitB+wait
	case OutCallback:
		f.C, f.CT = f.C+n, f.CT+within
	case OutVoicemail:
		f.V += n
	case OutDeflected:
		f.D += n
	default:
		f.F += n
		if f.FByReason == nil {
			f.FByReason = map[string]int{}
		}
		f.FByReason[reason] += n
	}
}

func percent(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	p := 100 * float64(part) / float64(whole)
	return &p
}

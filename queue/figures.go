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
	f.W--
	within := c.wait <= threshold
	f.add(c.outcome, c.reason, c.wait, within, !c.later && c.wait <= short)
}

func (f *Figures) add(o Outcome, reason string, wait time.Duration, within, short bool) {
	one := func(all, in *int) {
		*all++
		if within {
			*in++
		}
	}
	switch o {
	case OutAnswered:
		one(&f.A, &f.AT)
		f.WaitA += wait
	case OutAbandoned:
		one(&f.B, &f.BT)
		f.WaitB += wait
		if short {
			f.BS++
		}
	case OutCallback:
		one(&f.C, &f.CT)
	case OutVoicemail:
		f.V++
	case OutDeflected:
		f.D++
	default:
		f.F++
		if f.FByReason == nil {
			f.FByReason = map[string]int{}
		}
		f.FByReason[reason]++
	}
}

func percent(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	p := 100 * float64(part) / float64(whole)
	return &p
}

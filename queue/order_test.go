package queue

import (
	"testing"
	"time"
)

// TestOneOrder spells out reliability I10: class, effective wait, weight, arrival.
func TestOneOrder(t *testing.T) {
	q := func(weight int) *queueState { return &queueState{cfg: Queue{Weight: weight}} }
	light, heavy := q(1), q(2)
	at := func(since, credit time.Duration) instant { return since - credit }
	for _, tc := range []struct {
		name string
		a, b caller // a goes first
	}{
		{"class before everything", caller{q: light, prio: 1, eff: at(9, 0), seq: 9}, caller{q: heavy, eff: at(1, 0), seq: 1}},
		{"wait before weight", caller{q: light, eff: at(1, 0), seq: 9}, caller{q: heavy, eff: at(2, 0), seq: 1}},
		{"credit is wait", caller{q: light, eff: at(5, 4), seq: 9}, caller{q: light, eff: at(2, 0), seq: 1}},
		{"weight before arrival", caller{q: heavy, eff: at(1, 0), seq: 9}, caller{q: light, eff: at(1, 0), seq: 1}},
		{"then arrival", caller{q: light, eff: at(1, 0), seq: 1}, caller{q: light, eff: at(1, 0), seq: 2}},
		{"also between queues of one weight", caller{q: light, eff: at(1, 0), seq: 1}, caller{q: q(1), eff: at(1, 0), seq: 2}},
	} {
		if !tc.a.before(&tc.b) || tc.b.before(&tc.a) {
			t.Error(tc.name)
		}
	}
}

// TestFiguresOfTheBook are check vectors 1 and 2 of the metric definitions, as far as the live picture shows them.
func TestFiguresOfTheBook(t *testing.T) {
	two := func(p *float64) float64 { return float64(int(*p*100+0.5)) / 100 }
	one := Figures{N: 1060, A: 1000, AT: 860, B: 60, BT: 20, BS: 10}
	if sl, ab := two(one.SL2()), two(one.AB1()); sl != 81.13 || ab != 5.66 || !one.Balanced() {
		t.Errorf("vector 1: SL2 %v, AB1 %v", sl, ab)
	}
	all := Figures{N: 105, A: 80, AT: 60, B: 10, BT: 4, BS: 2, C: 4, CT: 3, V: 2, D: 3, F: 1, W: 5}
	if sl, ab := two(all.SL2()), two(all.AB1()); sl != 66.67 || ab != 10 || !all.Balanced() {
		t.Errorf("vector 2: SL2 %v, AB1 %v", sl, ab)
	}
	var none Figures
	if none.SL2() != nil || none.AB1() != nil || none.ASA() != nil {
		t.Error("0/0 is no data")
	}
}

// TestBuckets: each way out has its bucket; who waited before never leaves "short".
func TestBuckets(t *testing.T) {
	s := newState(time.Second, time.Minute, time.Minute)
	s.strict = true
	s.step(&event{kind: evSetQueue, queueCfg: &Queue{Key: "q", SLThresholdS: 20, ShortAbandonS: 5}}, 0)
	now := instant(0)
	leave := func(why LeaveReason, wait time.Duration, later bool) {
		r := s.step(&event{kind: evEnter, call: "c", since: noInstant, entry: &Entry{Call: "c", Queue: "q", Later: later}}, now)
		now += wait
		s.step(&event{kind: evLeave, call: "c", row: r.row, reason: string(why)}, now)
	}
	leave(LeftAbandoned, 5*time.Second, false)
	leave(LeftAbandoned, 5*time.Second, true)
	leave(LeftAbandoned, 21*time.Second, false)
	leave(LeftCallback, 20*time.Second, false)
	leave(LeftCallback, time.Minute, false)
	leave(LeftVoicemail, 0, false)
	leave(LeftDeflected, 0, false)
	leave(LeftTransferred, 0, false)
	leave(LeftFault, 0, false)
	f := s.queues["q"].fig
	if f.N != 9 || f.B != 3 || f.BT != 2 || f.BS != 1 || f.C != 2 || f.CT != 1 || f.V != 1 || f.D != 1 || f.F != 2 ||
		f.FByReason["fault"] != 1 || f.WaitB != 31*time.Second || !f.Balanced() {
		t.Errorf("%+v", f)
	}
}

package asterisk

import (
	"testing"
	"time"
)

// A slow probe does not move the clock; a lasting change is followed, even if all probes have become slower.
func TestOffsetIsThatOfTheQuickestProbe(t *testing.T) {
	const ms = time.Millisecond
	o := offset{}.measured(5*ms, 40*ms)
	if o.by != 5*ms {
		t.Errorf("the first one: %v", o.by)
	}
	o = o.measured(ms, 2*ms)
	if o.by != ms {
		t.Errorf("a quicker one: %v", o.by)
	}
	if o = o.measured(22*ms, 44*ms); o.by != ms {
		t.Errorf("a slow one: %v", o.by)
	}
	n := 0
	for ; o.by != 3000*ms && n < 100; n++ {
		o = o.measured(3000*ms, 44*ms)
	}
	if n < 5 || n > 20 {
		t.Errorf("a change was followed after %d probes", n)
	}
	for n = 0; o.by != -ms && n < 100; n++ {
		o = o.measured(-ms, 44*ms)
	}
	if n != 1 {
		t.Errorf("another probe as quick was followed after %d", n)
	}
}

package queue

import (
	"math"
	"testing"
	"time"
)

// interval is the mean of 30 batches with the half-width of its 99.9 % confidence interval (t, 29 degrees of freedom).
// The first tenth of the calls is left out: the centre starts empty.
func (m *sim) interval(of func(c *simCall) float64) (mean, half float64) {
	const batches, t999 = 30, 3.659
	calls := m.calls[len(m.calls)/10:]
	size := len(calls) / batches
	var sum, sq float64
	for b := range batches {
		var x float64
		for i := b * size; i < (b+1)*size; i++ {
			x += of(&calls[i])
		}
		x /= float64(size)
		sum += x
		sq += x * x
	}
	mean = sum / batches
	variance := (sq - sum*sum/batches) / (batches - 1)
	return mean, t999 * math.Sqrt(variance/batches)
}

func waited(c *simCall) float64 {
	if c.wait > 0 {
		return 1
	}
	return 0
}
func waitOf(c *simCall) float64 { return c.wait.Seconds() }
func leftOf(c *simCall) float64 {
	if c.state == 2 {
		return 1
	}
	return 0
}

// erlang is one row of performance.md section 5; times in seconds.
type erlang struct {
	name              string
	lambda, mu, theta float64
	agents, calls     int
	wait, left, mean  float64 // P(wait), P(abandon), mean wait
	long              bool
}

var erlangs = []erlang{
	{"C 9/1/10", 9, 1, 0, 10, 300_000, 0.668732, 0, 0.6687, false},
	{"C 90/100", 0.5, 1. / 180, 0, 100, 200_000, 0.216940, 0, 3.9049, false},
	{"C 9000/9100", 50, 1. / 180, 0, 9100, 5_000_000, 0.204172, 0, 0.3675, true},
	{"A 10/1/.5/10", 10, 1, 0.5, 10, 200_000, 0.619655, 0.103913, 0.2078, false},
	{"A 90/90", 0.5, 1. / 180, 1. / 60, 90, 200_000, 0.384239, 0.053233, 3.1940, false},
	{"A 90/100", 0.5, 1. / 180, 1. / 60, 100, 200_000, 0.124078, 0.013177, 0.7906, false},
	{"A 9000/9000", 50, 1. / 180, 1. / 120, 9000, 5_000_000, 0.451034, 0.004630, 0.5556, true},
}

// TestErlang simulates the textbook systems: the engine must wait as the formulas say.
func TestErlang(t *testing.T) {
	for _, row := range erlangs {
		t.Run(row.name, func(t *testing.T) {
			if row.long && !long(t) {
				t.Log("a row of 5 million calls is left out; the other rows are simulated")
				return
			}
			t.Parallel()
			m := newSim(7, []Queue{{Key: "q"}}, staff(row.agents, "q"))
			m.poisson(row.lambda, Entry{Queue: "q"})
			m.service = func() time.Duration { return m.exp(time.Duration(1e9 / row.mu)) }
			if row.theta > 0 {
				m.patient = func() time.Duration { return m.exp(time.Duration(1e9 / row.theta)) }
			}
			calls := row.calls
			if raceEnabled {
				calls /= 4
			}
			m.run(calls)
			m.accounts(t)
			m.row(t, "P(wait)", row.wait, waited)
			m.row(t, "mean wait", row.mean, waitOf)
			if row.theta > 0 {
				m.row(t, "P(abandon)", row.left, leftOf)
			}
		})
	}
}

func (m *sim) row(t *testing.T, what string, want float64, of func(*simCall) float64) {
	t.Helper()
	mean, half := m.interval(of)
	t.Logf("%-10s %.5f +- %.5f, formula %.5f", what, mean, half, want)
	if math.Abs(mean-want) > half {
		t.Errorf("%s: %.5f +- %.5f does not hold %.5f", what, mean, half, want)
	}
	if half > want && !raceEnabled { // the race detector leaves time for a quarter of the calls
		t.Errorf("%s: the interval +- %.5f around %.5f says nothing", what, half, mean)
	}
}

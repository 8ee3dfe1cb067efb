package cpu

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// A child's time counts below us while it runs and after its end; ours counts for us.
func TestTimeIsCountedWhereItIsUsed(t *testing.T) {
	ownBefore, err := Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	belowBefore, err := Below(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "while :; do :; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	used := func() time.Duration {
		sum, err := Below(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		return sum - belowBefore
	}
	for used() < 100*time.Millisecond {
		if t.Context().Err() != nil {
			t.Fatal("a busy child uses no time")
		}
	}
	child, err := Of(cmd.Process.Pid)
	if err != nil || child < 50*time.Millisecond {
		t.Errorf("the child itself: %v, %v", child, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if left := used(); left < 100*time.Millisecond {
		t.Errorf("after the child's end %v are left of it", left)
	}
	if own, err := Of(os.Getpid()); err != nil || own <= ownBefore {
		t.Errorf("we have used %v to look, %v before: %v", own, ownBefore, err)
	}
	if _, err := Of(cmd.Process.Pid); err == nil {
		t.Error("a process that is not there has a time")
	}
}

// Package cpu is in charge of reading how much processor time the processes under measurement have used.
package cpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of stat's times (proc(5): USER_HZ is 100 wherever Linux runs Go).
const tick = 10 * time.Millisecond

// Of is user and system time of a process so far, threads that have ended included, to 10 ms. The error is that the process
// is not there.
func Of(pid int) (time.Duration, error) {
	s, err := read(pid)
	return s.own, err
}

// Below is user and system time of all processes below a process, those that have ended and were waited for included.
func Below(pid int) (sum time.Duration, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	all := map[int]stat{}
	for _, d := range dirs {
		id, _ := strconv.Atoi(filepath.Base(d))
		if s, err := read(id); err == nil { // it may have ended meanwhile
			all[id] = s
		}
	}
	self, there := all[pid]
	if !there {
		return 0, fmt.Errorf("process %d is not there", pid)
	}
	sum = self.waited
	for id, s := range all {
		for up := id; ; {
			if up = all[up].parent; up == 0 {
				break
			}
			if up == pid {
				sum += s.own + s.waited
				break
			}
		}
	}
	return sum, nil
}

// stat is what we use of /proc/PID/stat.
type stat struct {
	parent      int
	own, waited time.Duration
}

// read takes fields 4 and 14 to 17. The name in field 2 may hold anything but is followed by the last `)`.
func read(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(f) < 15 {
		return stat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	var n [5]int
	for i, at := range []int{1, 11, 12, 13, 14} {
		if n[i], err = strconv.Atoi(f[at]); err != nil {
			return stat{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
	}
	return stat{parent: n[0], own: time.Duration(n[1]+n[2]) * tick, waited: time.Duration(n[3]+n[4]) * tick}, nil
}

package calllog

import (
	"fmt"
	"time"
)

const (
	// maxGroup is how many records one write and one fsync may carry.
	maxGroup = 512
	// idleSync is how long a record that nobody waits for may stay unsynced (a power cut, not a kill, loses it).
	idleSync = time.Second
)

// write is the writer goroutine: it takes what is there, writes it in one go and syncs if somebody waits. Records that
// arrive while a sync runs form the next group, so the group grows only when the disk is busy.
func (j *Journal) write() {
	defer close(j.done)
	tick := time.NewTicker(idleSync)
	defer tick.Stop()
	dirty := false
	for {
		select {
		case q := <-j.in:
			dirty = !j.writeGroup(j.collect(q))
		case <-tick.C:
			if dirty {
				dirty = j.current().f.Sync() != nil
			}
		case <-j.closing:
			for {
				select {
				case q := <-j.in:
					j.writeGroup(j.collect(q))
					continue
				default:
				}
				break
			}
			_ = j.current().f.Sync()
			return
		}
	}
}

func (j *Journal) collect(q request) []request {
	group := []request{q}
	for len(group) < maxGroup {
		select {
		case q := <-j.in:
			group = append(group, q)
		default:
			return group
		}
	}
	return group
}

func (j *Journal) current() *segment {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.segments[len(j.segments)-1]
}

// writeGroup writes and, if asked, syncs; it tells everybody who waits. It reports whether the file is synced.
func (j *Journal) writeGroup(group []request) (synced bool) {
	start := time.Now()
	var buf []byte
	durable := false
	seq := j.lastSeq()
	var err error
	for i := range group {
		seq++
		group[i].rec.Seq = seq
		if buf, err = encode(buf, group[i].rec); err != nil {
			seq--
			j.answer(group[i:i+1], err)
			group[i].reply = nil
			j.cfg.Log.Error("journal record refused", "call", group[i].rec.Call, "cause", err)
			continue
		}
		durable = durable || group[i].durable
	}
	s, err := j.room(int64(len(buf)), j.lastSeq()+1)
	if err == nil {
		if _, werr := s.f.WriteAt(buf, s.size); werr != nil {
			err = fmt.Errorf("write journal: %w", werr)
		}
	}
	if err == nil && durable {
		if serr := s.f.Sync(); serr != nil {
			err = fmt.Errorf("sync journal: %w", serr)
		}
	}
	j.mu.Lock()
	j.failed = err
	if err == nil {
		s.size += int64(len(buf))
		j.written = seq
	}
	j.mu.Unlock()
	if err != nil {
		j.m.errors.Inc()
		j.cfg.Log.Error("journal write failed", "cause", err, "records", len(group))
	} else {
		j.m.records.Add(float64(len(group)))
		if durable {
			j.m.sync.Observe(time.Since(start).Seconds())
		}
	}
	j.answer(group, err)
	select {
	case j.wake <- struct{}{}:
	default:
	}
	return durable && err == nil
}

func (j *Journal) answer(group []request, err error) {
	for _, q := range group {
		if q.reply != nil {
			q.reply <- written{seq: q.rec.Seq, err: err}
		}
	}
}

// room gives the segment that has n bytes free, starting a new one when needed, and keeps a spare preallocated so that
// a disk that fills up later does not stop the bookkeeping of calls.
func (j *Journal) room(n int64, first uint64) (*segment, error) {
	s := j.current()
	if s.size+n+headerLen > s.cap {
		if j.spare == nil {
			f, err := createSpare(j.cfg.Dir, max(j.cfg.SegmentBytes, n+headerLen))
			if err != nil {
				return nil, err
			}
			j.spare = f
		}
		fresh, err := adopt(j.cfg.Dir, j.spare, first, max(j.cfg.SegmentBytes, n+headerLen))
		if err != nil {
			return nil, err
		}
		_ = s.f.Sync()
		j.mu.Lock()
		j.spare = nil
		j.segments = append(j.segments, fresh)
		j.mu.Unlock()
		s = fresh
	}
	if j.spare == nil && s.size > s.cap/2 {
		f, err := createSpare(j.cfg.Dir, j.cfg.SegmentBytes)
		if err != nil {
			j.m.errors.Inc()
			j.cfg.Log.Error("journal cannot preallocate its next segment: free disk space", "cause", err)
		} else {
			j.spare = f
		}
	}
	return s, nil
}

// cursor is a reader's place in the file.
type cursor struct {
	seq uint64 // last record read
	seg string
	off int64
}

// read gives up to limit records after c.seq and moves c.
func (j *Journal) read(c *cursor, limit int) ([]Record, error) {
	var out []Record
	for len(out) < limit {
		s, written := j.segmentOf(c.seq + 1)
		if s == nil || c.seq >= written {
			return out, nil
		}
		if c.seg != s.path {
			c.seg, c.off = s.path, 0
		}
		r, n, err := s.readAt(c.off)
		if err != nil {
			return out, err
		}
		if n == 0 { // end of this segment: the record we look for is in a later one, or lost with a damaged tail
			nextSeq := j.firstAfter(s.first)
			if nextSeq == 0 {
				return out, nil
			}
			c.seq = max(c.seq, nextSeq-1)
			continue
		}
		c.off += n
		if r.Seq > c.seq {
			c.seq = r.Seq
			out = append(out, r)
		}
	}
	return out, nil
}

// skipDamage moves the reader behind the segment it stands in.
func (j *Journal) skipDamage(c *cursor) bool {
	s, _ := j.segmentOf(c.seq + 1)
	if s == nil {
		return false
	}
	nextSeq := j.firstAfter(s.first)
	if nextSeq == 0 {
		return false
	}
	c.seq = max(c.seq, nextSeq-1)
	return true
}

func (j *Journal) segmentOf(seq uint64) (*segment, uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := len(j.segments) - 1; i >= 0; i-- {
		if j.segments[i].first <= seq {
			return j.segments[i], j.written
		}
	}
	if len(j.segments) > 0 {
		return j.segments[0], j.written
	}
	return nil, j.written
}

func (j *Journal) firstAfter(first uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		if s.first > first {
			return s.first
		}
	}
	return 0
}

// trim removes segments whose records were all copied and that no live call began in.
func (j *Journal) trim(copied uint64) error {
	j.mu.Lock()
	oldest := copied + 1
	for _, c := range j.live {
		if first := c.first.Load(); first != 0 {
			oldest = min(oldest, first)
		}
	}
	var gone []*segment
	for len(j.segments) > 1 && j.segments[1].first <= oldest {
		gone = append(gone, j.segments[0])
		j.segments = j.segments[1:]
	}
	j.mu.Unlock()
	for _, s := range gone {
		_ = s.f.Close()
		if err := removeFile(s.path); err != nil {
			return err
		}
	}
	return nil
}

package calllog

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	headerLen = 8
	// maxRecord bounds one record; a larger one is refused at append and a torn length at replay.
	maxRecord = 256 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errTorn says that bytes which should be a record are not one.
var errTorn = errors.New("torn record")

// segment is one preallocated file of the journal. The writer goroutine appends; readers use ReadAt.
type segment struct {
	path  string
	first uint64 // sequence number of its first record
	f     *os.File
	size  int64 // bytes of records written
	cap   int64 // bytes preallocated
}

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%012d.log", first))
}

// createSegment makes and preallocates a file under a temporary name: it becomes a segment when it is renamed.
func createSpare(dir string, capacity int64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "spare.tmp"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create journal segment: %w", err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, capacity); err != nil {
		if errors.Is(err, unix.EOPNOTSUPP) {
			err = f.Truncate(capacity)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("preallocate journal segment: %w", err), f.Close(), os.Remove(f.Name()))
		}
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(fmt.Errorf("sync journal segment: %w", err), f.Close())
	}
	return f, nil
}

// adopt turns the spare file into the segment that begins at first.
func adopt(dir string, f *os.File, first uint64, capacity int64) (*segment, error) {
	s := &segment{path: segmentPath(dir, first), first: first, f: f, cap: capacity}
	if err := os.Rename(f.Name(), s.path); err != nil {
		return nil, fmt.Errorf("name journal segment: %w", err)
	}
	return s, syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open journal directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync journal directory: %w", err)
	}
	return nil
}

// encode appends the framed record to buf.
func encode(buf []byte, r Record) ([]byte, error) {
	payload, err := json.Marshal(r)
	if err != nil {
		return buf, fmt.Errorf("encode journal record %s: %w", r.Type, err)
	}
	if len(payload) > maxRecord {
		return buf, fmt.Errorf("encode journal record %s: %d bytes, at most %d are taken", r.Type, len(payload), maxRecord)
	}
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(payload)))
	buf = binary.LittleEndian.AppendUint32(buf, crc32.Checksum(payload, castagnoli))
	return append(buf, payload...), nil
}

// readAt reads the record at off. It gives io.EOF semantics by n == 0 and nil error: nothing is written there yet.
func (s *segment) readAt(off int64) (r Record, n int64, err error) {
	var head [headerLen]byte
	if off+headerLen > s.cap {
		return r, 0, nil
	}
	if _, err := s.f.ReadAt(head[:], off); err != nil {
		return r, 0, fmt.Errorf("%w: read header of %s at %d: %v", errTorn, s.path, off, err)
	}
	length := int64(binary.LittleEndian.Uint32(head[:4]))
	if length == 0 {
		return r, 0, nil
	}
	if length > maxRecord || off+headerLen+length > s.cap {
		return r, 0, fmt.Errorf("%w: length %d in %s at %d", errTorn, length, s.path, off)
	}
	payload := make([]byte, length)
	if _, err := s.f.ReadAt(payload, off+headerLen); err != nil {
		return r, 0, fmt.Errorf("%w: read %s at %d: %v", errTorn, s.path, off, err)
	}
	if crc32.Checksum(payload, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
		return r, 0, fmt.Errorf("%w: checksum in %s at %d", errTorn, s.path, off)
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return r, 0, fmt.Errorf("%w: decode %s at %d: %v", errTorn, s.path, off, err)
	}
	return r, headerLen + length, nil
}

// scan reads all records of the segment and sets its size. A torn record ends it with the error.
func (s *segment) scan(each func(Record)) error {
	for {
		r, n, err := s.readAt(s.size)
		if err != nil || n == 0 {
			return err
		}
		s.size += n
		each(r)
	}
}

// clearTail overwrites what follows the last good record, so that old bytes can never be taken for a record later.
func (s *segment) clearTail() error {
	if err := s.f.Truncate(s.size); err != nil {
		return fmt.Errorf("cut torn tail of %s: %w", s.path, err)
	}
	if err := unix.Fallocate(int(s.f.Fd()), 0, s.size, s.cap-s.size); err != nil {
		if err := s.f.Truncate(s.cap); err != nil {
			return fmt.Errorf("regrow %s: %w", s.path, err)
		}
	}
	return s.f.Sync()
}

// openSegments lists the journal's files in order and opens them.
func openSegments(dir string) ([]*segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list journal: %w", err)
	}
	var out []*segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".log")
		if !ok {
			continue
		}
		first, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0)
		if err != nil {
			return nil, fmt.Errorf("open journal segment: %w", err)
		}
		info, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("stat journal segment: %w", err), f.Close())
		}
		out = append(out, &segment{path: f.Name(), first: first, f: f, cap: info.Size()})
	}
	slices.SortFunc(out, func(a, b *segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return out, nil
}

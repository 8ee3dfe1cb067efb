package recordings

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
)

// file is a sealed file opened for reading, as far as it was written then. One goroutine uses it; it owns f.
type file struct {
	f      *os.File
	h      header
	seal   *seal
	start  int64 // offset of the first frame
	frames int64
	last   int // plain bytes of the last frame
	raw    []byte
}

// readFile reads the head of f and finds how many frames are whole. A torn last frame, or one being written just now, is
// left out. f stays the caller's when it fails.
func readFile(f *os.File, ids []age.Identity) (*file, error) {
	h, head, start, err := readHeader(f)
	if err != nil {
		return nil, err
	}
	r := &file{f: f, h: h, start: start}
	if r.seal, err = openSeal(h, head, ids); err != nil {
		return nil, err
	}
	return r, r.fit()
}

// fit finds how many frames are whole.
func (r *file) fit() error {
	info, err := r.f.Stat()
	if err != nil {
		return fmt.Errorf("size of a recording: %w", err)
	}
	body := info.Size() - r.start
	r.frames, r.last = body/r.h.sealed(), r.h.plain()
	if rest := int(body%r.h.sealed()) - frameHead - tagLen; rest > 0 { // a shorter last frame, whole or torn
		r.frames, r.last = r.frames+1, rest
	}
	for r.frames > 0 { // a lost power may leave a tail of any length that nobody wrote
		if _, err := r.frame(nil, r.frames-1); err == nil {
			break
		}
		r.frames, r.last = r.frames-1, r.h.plain()
	}
	return nil
}

// frame opens one frame into dst.
func (r *file) frame(dst []byte, i int64) ([]byte, error) {
	n := r.plainOf(i) + frameHead + tagLen
	if cap(r.raw) < n {
		r.raw = make([]byte, r.h.sealed())
	}
	raw := r.raw[:n]
	if _, err := r.f.ReadAt(raw, r.start+i*r.h.sealed()); err != nil {
		return nil, fmt.Errorf("read frame %d: %w", i, err)
	}
	if int(binary.LittleEndian.Uint32(raw)) != n-frameHead {
		return nil, fmt.Errorf("frame %d: %w", i, errFormat)
	}
	plain, err := r.seal.open(dst, i, raw[frameHead:])
	if err != nil {
		return nil, fmt.Errorf("frame %d: %w", i, err)
	}
	return plain, nil
}

// plainLen is the sound's size in bytes, sealedLen the file's up to the last whole frame.
func (r *file) plainLen() int64 {
	if r.frames == 0 {
		return 0
	}
	return (r.frames-1)*int64(r.h.plain()) + int64(r.last)
}

func (r *file) sealedLen() int64 {
	if r.frames == 0 {
		return r.start
	}
	return r.start + (r.frames-1)*r.h.sealed() + int64(frameHead+r.last+tagLen)
}

func (r *file) samples() int64 { return r.plainLen() / int64(r.h.Channels) }

// wavHead is the head of the WAV that exports n bytes of this sound: G.711 as it is, nothing transcoded.
func wavHead(law, channels int, n int64) []byte {
	tag := uint16(wavA)
	if law == ptMu {
		tag = wavMu
	}
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), uint32(4+26+12+8+n+n%2))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, 18)
	b = le.AppendUint16(b, tag)
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, rate)
	b = le.AppendUint32(b, uint32(rate*channels))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint16(b, 8)
	b = le.AppendUint16(b, 0)
	b = append(b, "fact"...)
	b = le.AppendUint32(b, 4)
	b = le.AppendUint32(b, uint32(n/int64(channels)))
	b = append(b, "data"...)
	return le.AppendUint32(b, uint32(n))
}

// wavSize is the size of that WAV: an odd chunk is padded.
func wavSize(law, channels int, n int64) int64 {
	return int64(len(wavHead(law, channels, n))) + n + n%2
}

// wav reads a sealed file as a WAV. One goroutine uses it. A frame that is damaged is silence, and told once.
type wav struct {
	*file
	head    []byte
	off     int64
	at      int64 // number of the frame in buf; -1: none
	buf     []byte
	damaged func(error)
}

func newWAV(f *file, damaged func(error)) *wav {
	return &wav{file: f, head: wavHead(f.h.Law, f.h.Channels, f.plainLen()), at: -1, damaged: damaged}
}

func (w *wav) size() int64 { return wavSize(w.h.Law, w.h.Channels, w.plainLen()) }

// Read implements io.Reader.
func (w *wav) Read(p []byte) (int, error) {
	if w.off >= w.size() {
		return 0, io.EOF
	}
	pos := w.off - int64(len(w.head))
	var n int
	switch {
	case pos < 0:
		n = copy(p, w.head[w.off:])
	case pos >= w.plainLen():
		n = copy(p, []byte{0})
	default:
		i := pos / int64(w.h.plain())
		w.load(i)
		n = copy(p, w.buf[pos-i*int64(w.h.plain()):])
	}
	w.off += int64(n)
	return n, nil
}

// load brings frame i into buf.
func (w *wav) load(i int64) {
	if i == w.at {
		return
	}
	plain, err := w.frame(w.buf[:0], i)
	if err != nil {
		plain = appendSilence(w.buf[:0], w.h.Law, w.plainOf(i))
		if w.damaged != nil {
			w.damaged(err)
			w.damaged = nil
		}
	}
	w.buf, w.at = plain, i
}

// plainOf is the plain size of frame i.
func (r *file) plainOf(i int64) int {
	if i == r.frames-1 {
		return r.last
	}
	return r.h.plain()
}

// Seek implements io.Seeker.
func (w *wav) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += w.off
	case io.SeekEnd:
		offset += w.size()
	default:
		return 0, errors.New("seek in a recording: unknown origin")
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a recording")
	}
	w.off = offset
	return offset, nil
}

// Close implements io.Closer.
func (w *wav) Close() error { return w.f.Close() }

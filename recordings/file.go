package recordings

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"
)

const (
	magic     = "HLREC1\n"
	rate      = 8000 // samples a second
	tagLen    = 16   // of AES-GCM
	maxHeader = 16 << 10
)

// errFormat says that a file is not one of ours or is damaged in its header.
var errFormat = errors.New("not a recording file")

// header is the clear part of a file. It names no person.
type header struct {
	Key      string    `json:"key"`
	Call     string    `json:"call"`
	Kind     string    `json:"kind"`
	Channels int       `json:"channels"`
	Law      int       `json:"law"` // payload type of the stored sound
	Started  time.Time `json:"started"`
	Days     int       `json:"days"`   // retention; 0: for ever
	Sealed   []byte    `json:"sealed"` // the file's key, wrapped by age
}

// seal is the cipher of one file.
type seal struct {
	aead cipher.AEAD
	bind []byte // hash of the header: frames of another file do not fit
}

func newSeal(key, head []byte) (seal, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, fmt.Errorf("cipher of a recording: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return seal{}, fmt.Errorf("cipher of a recording: %w", err)
	}
	sum := sha256.Sum256(head)
	return seal{aead: aead, bind: sum[:]}, nil
}

func (s seal) nonce(frame int64) []byte {
	n := make([]byte, s.aead.NonceSize())
	binary.BigEndian.PutUint64(n[len(n)-8:], uint64(frame))
	return n
}

// frame seals one second; the key is the file's own and each number is used once, so the nonce never repeats.
func (s seal) frame(dst []byte, number int64, plain []byte) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = s.aead.Seal(dst, s.nonce(number), plain, s.bind)
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func (s seal) open(number int64, sealed []byte) ([]byte, error) {
	return s.aead.Open(nil, s.nonce(number), sealed, s.bind)
}

// newFile writes the head of a file and gives its cipher.
func newFile(w io.Writer, h header, to age.Recipient) (seal, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return seal{}, fmt.Errorf("key of a recording: %w", err)
	}
	var wrapped bytes.Buffer
	aw, err := age.Encrypt(&wrapped, to)
	if err == nil {
		if _, err = aw.Write(key); err == nil {
			err = aw.Close()
		}
	}
	if err != nil {
		return seal{}, fmt.Errorf("wrap the key of a recording: %w", err)
	}
	h.Sealed = wrapped.Bytes()
	head, err := json.Marshal(h)
	if err != nil {
		return seal{}, fmt.Errorf("header of a recording: %w", err)
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	if _, err := w.Write(append(b, head...)); err != nil {
		return seal{}, fmt.Errorf("write the header of a recording: %w", err)
	}
	return newSeal(key, head)
}

// file is an open sealed file.
type file struct {
	f      *os.File
	h      header
	seal   seal
	start  int64 // offset of the first frame
	frames int64
	last   int // plain bytes of the last frame
}

// openFile reads the head and finds how many frames are whole. A torn last frame is left out.
func openFile(path string, id age.Identity) (_ *file, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	r := &file{f: f}
	if err := r.readHead(id); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	body, step := info.Size()-r.start, r.step()
	r.frames, r.last = body/step, r.h.Channels*rate
	if rest := body % step; rest > 4+tagLen { // a short last frame, whole or torn
		sealed := make([]byte, rest)
		if _, err := f.ReadAt(sealed, r.start+r.frames*step); err != nil {
			return nil, fmt.Errorf("read recording: %w", err)
		}
		if n := int64(binary.LittleEndian.Uint32(sealed)); n == rest-4 {
			if plain, err := r.seal.open(r.frames, sealed[4:]); err == nil {
				r.frames, r.last = r.frames+1, len(plain)
			}
		}
	}
	for r.frames > 0 { // a kill may tear the last frame in the middle of the block that holds it
		if _, err := r.frame(r.frames - 1); err == nil {
			break
		}
		r.frames, r.last = r.frames-1, r.h.Channels*rate
	}
	return r, nil
}

func (r *file) readHead(id age.Identity) error {
	b := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r.f, b); err != nil || string(b[:len(magic)]) != magic {
		return errFormat
	}
	n := binary.LittleEndian.Uint32(b[len(magic):])
	if n > maxHeader {
		return errFormat
	}
	head := make([]byte, n)
	if _, err := io.ReadFull(r.f, head); err != nil {
		return errFormat
	}
	if err := json.Unmarshal(head, &r.h); err != nil || r.h.Channels < 1 || r.h.Channels > 2 {
		return errFormat
	}
	kr, err := age.Decrypt(bytes.NewReader(r.h.Sealed), id)
	if err != nil {
		return fmt.Errorf("the key file does not open this recording: %w", err)
	}
	key, err := io.ReadAll(io.LimitReader(kr, 64))
	if err != nil || len(key) != 32 {
		return errFormat
	}
	r.seal, err = newSeal(key, head)
	r.start = int64(len(b)) + int64(n)
	return err
}

// step is the size of a whole sealed frame.
func (r *file) step() int64 { return int64(4 + r.h.Channels*rate + tagLen) }

// frame opens one second.
func (r *file) frame(i int64) ([]byte, error) {
	n := r.step()
	if i == r.frames-1 {
		n = int64(4 + r.last + tagLen)
	}
	sealed := make([]byte, n)
	if _, err := r.f.ReadAt(sealed, r.start+i*r.step()); err != nil {
		return nil, fmt.Errorf("read frame %d: %w", i, err)
	}
	if int64(binary.LittleEndian.Uint32(sealed)) != n-4 {
		return nil, fmt.Errorf("frame %d: %w", i, errFormat)
	}
	plain, err := r.seal.open(i, sealed[4:])
	if err != nil {
		return nil, fmt.Errorf("frame %d is damaged: %w", i, err)
	}
	return plain, nil
}

// plainLen is the sound's size in bytes.
func (r *file) plainLen() int64 {
	if r.frames == 0 {
		return 0
	}
	return (r.frames-1)*int64(r.h.Channels*rate) + int64(r.last)
}

func (r *file) durationMS() int { return int(r.plainLen() / int64(r.h.Channels) * 1000 / rate) }

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

// wav reads a sealed file as a WAV. One goroutine uses it.
type wav struct {
	*file
	head []byte
	off  int64
	at   int64 // number of the frame in buf; -1: none
	buf  []byte
}

func newWAV(f *file) *wav {
	return &wav{file: f, head: wavHead(f.h.Law, f.h.Channels, f.plainLen()), at: -1}
}

func (w *wav) size() int64 { return int64(len(w.head)) + w.plainLen() }

// Read implements io.Reader.
func (w *wav) Read(p []byte) (int, error) {
	if w.off >= w.size() {
		return 0, io.EOF
	}
	if w.off < int64(len(w.head)) {
		n := copy(p, w.head[w.off:])
		w.off += int64(n)
		return n, nil
	}
	pos := w.off - int64(len(w.head))
	i := pos / int64(w.h.Channels*rate)
	if i != w.at {
		plain, err := w.frame(i)
		if err != nil {
			return 0, err
		}
		w.buf, w.at = plain, i
	}
	n := copy(p, w.buf[pos-i*int64(w.h.Channels*rate):])
	w.off += int64(n)
	return n, nil
}

// Seek implements io.Seeker.
func (w *wav) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += w.off
	case io.SeekEnd:
		offset += w.size()
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a recording")
	}
	w.off = offset
	return offset, nil
}

// Close implements io.Closer.
func (w *wav) Close() error { return w.f.Close() }

// loadKey reads the installation's key or makes it.
func loadKey(path string) (*age.X25519Identity, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, fmt.Errorf("make the key of recordings: %w", err)
		}
		text := "# Key of the recordings. Without it none of them can be heard: keep a copy apart from this machine.\n" + id.String() + "\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write the key of recordings: %w", err)
		}
		return id, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the key of recordings: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "AGE-SECRET-KEY-") {
			id, err := age.ParseX25519Identity(line)
			if err != nil {
				return nil, fmt.Errorf("key of recordings in %s: %w", path, err)
			}
			return id, nil
		}
	}
	return nil, fmt.Errorf("no key in %s: restore it from your copy; a new one would open none of the old recordings", path)
}

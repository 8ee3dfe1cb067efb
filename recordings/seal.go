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
	"time"

	"filippo.io/age"
)

const (
	magic     = "HLREC1\n"
	rate      = 8000 // samples a second
	tagLen    = 16   // of AES-GCM
	frameHead = 4    // length of what follows
	maxHeader = 16 << 10
)

// frameSamples is the length of a frame, per channel. Readers take it from the header.
const frameSamples = rate / 2

var (
	// errFormat says that a file is not one of ours.
	errFormat = errors.New("not a recording file")
	// errNoSound says that a file ends within its head: it was killed before it could hold sound.
	errNoSound = errors.New("the file ends before any sound")
	errWrong   = errors.New("the key file does not open this recording")
)

// header is the clear part of a file. It names no person.
type header struct {
	Key      string    `json:"key"`
	Call     string    `json:"call"`
	Kind     string    `json:"kind"`
	Channels int       `json:"channels"`
	Law      int       `json:"law"`   // payload type of the stored sound
	Frame    int       `json:"frame"` // samples of a frame, per channel
	Started  time.Time `json:"started"`
	Days     int       `json:"days"`   // retention; 0: for ever
	Sealed   []byte    `json:"sealed"` // the file's key, wrapped by age
}

func (h header) valid() bool {
	return h.Channels >= 1 && h.Channels <= 2 && (h.Law == ptA || h.Law == ptMu) && h.Frame >= rate/100 && h.Frame <= 4*rate && keyName(h.Key)
}

// due is when the recording has to be gone; the zero time: never.
func (h header) due() time.Time {
	if h.Days <= 0 {
		return time.Time{}
	}
	return h.Started.UTC().AddDate(0, 0, h.Days)
}

// plain is the size of a whole frame, sealed that on disk.
func (h header) plain() int    { return h.Channels * h.Frame }
func (h header) sealed() int64 { return int64(frameHead + h.plain() + tagLen) }

// seal is the cipher of one file. One goroutine uses it.
type seal struct {
	aead  cipher.AEAD
	bind  []byte // hash of the header: frames of another file do not fit
	nonce [12]byte
}

func newSeal(key, head []byte) (*seal, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("cipher of a recording: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("cipher of a recording: %w", err)
	}
	sum := sha256.Sum256(head)
	return &seal{aead: aead, bind: sum[:]}, nil
}

// frame appends a sealed frame to dst. The key is the file's own and no number is written twice, so no nonce repeats.
func (s *seal) frame(dst []byte, number int64, plain []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(plain)+tagLen))
	binary.BigEndian.PutUint64(s.nonce[4:], uint64(number))
	return s.aead.Seal(dst, s.nonce[:], plain, s.bind)
}

// open unseals a frame, without its length, into dst.
func (s *seal) open(dst []byte, number int64, sealed []byte) ([]byte, error) {
	binary.BigEndian.PutUint64(s.nonce[4:], uint64(number))
	return s.aead.Open(dst, s.nonce[:], sealed, s.bind)
}

// newHead makes the head of a file and its cipher.
func newHead(h header, to age.Recipient) ([]byte, *seal, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, nil, fmt.Errorf("key of a recording: %w", err)
	}
	var wrapped bytes.Buffer
	aw, err := age.Encrypt(&wrapped, to)
	if err == nil {
		if _, err = aw.Write(key); err == nil {
			err = aw.Close()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("wrap the key of a recording: %w", err)
	}
	h.Sealed = wrapped.Bytes()
	head, err := json.Marshal(h)
	if err != nil {
		return nil, nil, fmt.Errorf("header of a recording: %w", err)
	}
	if len(head) > maxHeader || !h.valid() {
		return nil, nil, fmt.Errorf("header of a recording (%d bytes): %w", len(head), errFormat)
	}
	s, err := newSeal(key, head)
	b := binary.LittleEndian.AppendUint32([]byte(magic), uint32(len(head)))
	return append(b, head...), s, err
}

// readHeader reads the clear part and gives it and where the frames begin. No key is needed.
func readHeader(r io.Reader) (h header, head []byte, start int64, err error) {
	b := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, b); err != nil {
		return h, nil, 0, shortHead(err)
	}
	n := binary.LittleEndian.Uint32(b[len(magic):])
	if string(b[:len(magic)]) != magic || n > maxHeader {
		return h, nil, 0, errFormat
	}
	head = make([]byte, n)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, nil, 0, shortHead(err)
	}
	if err := json.Unmarshal(head, &h); err != nil || !h.valid() {
		return h, nil, 0, errFormat
	}
	return h, head, int64(len(b)) + int64(n), nil
}

func shortHead(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errNoSound
	}
	return fmt.Errorf("read the header: %w", err)
}

// openSeal unwraps the file's key.
func openSeal(h header, head []byte, ids []age.Identity) (*seal, error) {
	kr, err := age.Decrypt(bytes.NewReader(h.Sealed), ids...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWrong, err)
	}
	key, err := io.ReadAll(io.LimitReader(kr, 64))
	if err != nil || len(key) != 32 {
		return nil, errFormat
	}
	return newSeal(key, head)
}

package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFile bounds a prompt: 64 MiB are over 5 minutes of 48 kHz stereo, over an hour at 8 kHz mono.
const maxFile = 64 << 20

// Format tags of WAVE files.
const (
	wavPCM        = 1
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xfffe
)

// wavFormat is what a file's fmt chunk says.
type wavFormat struct {
	tag, channels, bits int
	rate                int
}

// readWAV reads a WAV file as mono samples at the file's own rate.
func readWAV(path string) (pcm []int16, rate int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, errors.Unwrap(err)
	}
	defer f.Close() // read only: nothing to lose
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, 0, err
	}
	if len(b) > maxFile {
		return nil, 0, fmt.Errorf("longer than %d MiB", maxFile>>20)
	}
	return parseWAV(b)
}

// parseWAV reads the chunks. Sizes that point behind the end, as programs leave them that write into a pipe, mean "to
// the end".
func parseWAV(b []byte) ([]int16, int, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, 0, errors.New("not a WAV file (no RIFF/WAVE at its beginning)")
	}
	var format *wavFormat
	for b = b[12:]; len(b) >= 8; {
		id, size := string(b[:4]), int64(binary.LittleEndian.Uint32(b[4:]))
		b = b[8:]
		body := b[:min(size, int64(len(b)))]
		switch id {
		case "fmt ":
			f, err := parseFormat(body)
			if err != nil {
				return nil, 0, err
			}
			format = &f
		case "data":
			if format == nil {
				return nil, 0, errors.New("data chunk comes before the fmt chunk")
			}
			return format.mono(body), format.rate, nil
		}
		b = b[min(size+size&1, int64(len(b))):] // chunks are padded to even sizes
	}
	return nil, 0, errors.New("no data chunk")
}

func parseFormat(b []byte) (wavFormat, error) {
	if len(b) < 16 {
		return wavFormat{}, errors.New("fmt chunk is cut off")
	}
	f := wavFormat{
		tag:      int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		rate:     int(binary.LittleEndian.Uint32(b[4:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	if f.tag == wavExtensible {
		if len(b) < 40 || !bytes.Equal(b[26:40], wavGUIDTail) {
			return f, errors.New("extensible format of an unknown kind")
		}
		f.tag = int(binary.LittleEndian.Uint16(b[24:]))
	}
	switch {
	case f.tag == wavPCM && f.bits == 16, (f.tag == wavALaw || f.tag == wavMuLaw) && f.bits == 8:
	default:
		return f, fmt.Errorf("encoding %d with %d bits: only PCM of 16 bits, A-law and mu-law can be played", f.tag, f.bits)
	}
	if f.channels != 1 && f.channels != 2 {
		return f, fmt.Errorf("%d channels: only mono and stereo can be played", f.channels)
	}
	if f.rate < 8000 || f.rate > 48000 {
		return f, fmt.Errorf("%d Hz: only 8000 to 48000 Hz can be played", f.rate)
	}
	return f, nil
}

// wavGUIDTail is what follows the format tag in the sub-format of an extensible file.
var wavGUIDTail = []byte{0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71}

// mono decodes samples and mixes stereo down.
func (f wavFormat) mono(b []byte) []int16 {
	var all []int16
	switch f.tag {
	case wavPCM:
		all = make([]int16, len(b)/2)
		for i := range all {
			all[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
		}
	case wavALaw:
		all = make([]int16, len(b))
		PCMA.Decode(all, b)
	default:
		all = make([]int16, len(b))
		PCMU.Decode(all, b)
	}
	if f.channels == 1 {
		return all
	}
	one := all[:len(all)/2]
	for i := range one {
		one[i] = int16((int(all[2*i]) + int(all[2*i+1])) / 2)
	}
	return one
}

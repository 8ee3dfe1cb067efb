package ivr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"
)

// wavInfo is what the header of a WAV file says.
type wavInfo struct {
	format   uint16 // 1 PCM, 6 A-law, 7 µ-law
	channels uint16
	rate     uint32
	bits     uint16
	dataAt   int64
	dataLen  int64
}

func (w wavInfo) duration() time.Duration {
	bytes := int64(w.rate) * int64(w.channels) * int64(w.bits) / 8
	if bytes == 0 {
		return 0
	}
	return time.Duration(float64(w.dataLen) / float64(bytes) * float64(time.Second))
}

// check tells why a recording cannot be played on a telephone line.
func (w wavInfo) check() error {
	switch {
	case w.channels != 1:
		return fmt.Errorf("%d channels, not one", w.channels)
	case w.rate < 8000 || w.rate > 48000:
		return fmt.Errorf("%d Hz, not 8000 to 48000", w.rate)
	case w.format == 1 && w.bits != 16:
		return fmt.Errorf("PCM of %d bits, not 16", w.bits)
	case w.format != 1 && w.format != 6 && w.format != 7:
		return fmt.Errorf("format %d, not PCM or G.711", w.format)
	case w.dataLen == 0:
		return errors.New("no sound in it")
	}
	return nil
}

// readWAV reads the header of a file of size bytes. A data length beyond the file, as programs write that stream, is
// cut to the file.
func readWAV(r io.ReaderAt, size int64) (wavInfo, error) {
	var w wavInfo
	var h [12]byte
	if _, err := r.ReadAt(h[:], 0); err != nil || string(h[:4]) != "RIFF" || string(h[8:]) != "WAVE" {
		return w, errors.New("not a WAV file")
	}
	for at := int64(12); at+8 <= size; {
		var c [8]byte
		if _, err := r.ReadAt(c[:], at); err != nil {
			return w, errors.New("cut off in the header")
		}
		n := int64(binary.LittleEndian.Uint32(c[4:]))
		switch string(c[:4]) {
		case "fmt ":
			var f [16]byte
			if _, err := r.ReadAt(f[:], at+8); err != nil {
				return w, errors.New("cut off in the header")
			}
			w.format, w.channels = binary.LittleEndian.Uint16(f[0:]), binary.LittleEndian.Uint16(f[2:])
			w.rate, w.bits = binary.LittleEndian.Uint32(f[4:]), binary.LittleEndian.Uint16(f[14:])
		case "data":
			if w.rate == 0 {
				return w, errors.New("data before format")
			}
			w.dataAt, w.dataLen = at+8, min(n, size-at-8)
			return w, nil
		}
		at += 8 + n + n%2
	}
	return w, errors.New("no data chunk")
}

func statWAV(path string) (wavInfo, error) {
	f, err := os.Open(path)
	if err != nil {
		return wavInfo{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return wavInfo{}, err
	}
	return readWAV(f, st.Size())
}

// wavHeader makes the header of mono PCM16.
func wavHeader(rate, dataLen uint32) []byte {
	h := make([]byte, 0, 44)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, 36+dataLen)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint32(h, rate)
	h = binary.LittleEndian.AppendUint32(h, rate*2)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, dataLen)
}

// holdMusic composes the default music: 32 s of quiet broken chords, 8 kHz, made so that its end meets its beginning.
func holdMusic() []byte {
	const rate, beat = 8000, 0.5
	chords := [][]float64{{220, 261.63, 329.63, 440}, {174.61, 220, 261.63, 349.23}, {196, 246.94, 293.66, 392}, {164.81, 196, 246.94, 329.63}}
	total := int(float64(len(chords)) * 16 * beat * rate)
	pcm := make([]float64, total)
	for bar := range len(chords) * 4 {
		ch := chords[bar/4]
		for i, note := range []int{0, 1, 2, 3} {
			hz := ch[note]
			start := int((float64(bar*4) + float64(i)) * beat * rate)
			for k := range int(1.6 * rate) { // rings on over the next notes, and over the seam
				t := float64(k) / rate
				env := math.Min(t/0.02, 1) * math.Exp(-2.2*t)
				pcm[(start+k)%total] += 0.16 * env * (math.Sin(2*math.Pi*hz*t) + 0.3*math.Sin(4*math.Pi*hz*t))
			}
		}
	}
	out := wavHeader(rate, uint32(total*2))
	for _, v := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(math.Max(-1, math.Min(1, v))*32000)))
	}
	return out
}

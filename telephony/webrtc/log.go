package webrtc

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLogs hands pion's log lines to slog. Its info and debug lines carry addresses of every candidate and are rarely
// wanted, so they become debug and trace below it; its errors are mostly a peer's fault and become warnings.
type pionLogs struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

const levelTrace = slog.LevelDebug - 4

type pionLog struct{ log *slog.Logger }

func (l pionLog) put(level slog.Level, msg string) {
	l.log.Log(context.Background(), level, "pion", "msg", msg)
}

func (l pionLog) putf(level slog.Level, format string, args ...any) {
	if l.log.Enabled(context.Background(), level) {
		l.put(level, fmt.Sprintf(format, args...))
	}
}

func (l pionLog) Trace(msg string)          { l.put(levelTrace, msg) }
func (l pionLog) Tracef(f string, a ...any) { l.putf(levelTrace, f, a...) }
func (l pionLog) Debug(msg string)          { l.put(levelTrace, msg) }
func (l pionLog) Debugf(f string, a ...any) { l.putf(levelTrace, f, a...) }
func (l pionLog) Info(msg string)           { l.put(slog.LevelDebug, msg) }
func (l pionLog) Infof(f string, a ...any)  { l.putf(slog.LevelDebug, f, a...) }
func (l pionLog) Warn(msg string)           { l.put(slog.LevelDebug, msg) }
func (l pionLog) Warnf(f string, a ...any)  { l.putf(slog.LevelDebug, f, a...) }
func (l pionLog) Error(msg string)          { l.put(slog.LevelWarn, msg) }
func (l pionLog) Errorf(f string, a ...any) { l.putf(slog.LevelWarn, f, a...) }

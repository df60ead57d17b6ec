package scout

/*
#include "glue.h"
*/
import "C"

import (
	"context"
	"io"
	"log/slog"
)

// LogLevel says how much a line of the log matters.
type LogLevel int32

// The levels, from what matters most.
const (
	LogError   LogLevel = C.SCOUT_LOG_ERROR
	LogWarning LogLevel = C.SCOUT_LOG_WARNING
	LogInfo    LogLevel = C.SCOUT_LOG_INFO
	LogDebug   LogLevel = C.SCOUT_LOG_DEBUG
)

// Level is the same for log/slog.
func (l LogLevel) Level() slog.Level {
	switch l {
	case LogError:
		return slog.LevelError
	case LogWarning:
		return slog.LevelWarn
	case LogInfo:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// LogLine is a line of the library's log.
type LogLine struct {
	Level LogLevel
	Text  string
}

// OpenLog makes the library, which is silent by default, keep its log for [NextLog]: at most `lines` lines, the newest, none of a level
// past max. It is one log for the whole process; opening it again forgets what was kept.
func OpenLog(max LogLevel, lines int) error {
	return failure(C.go_log_open(C.int32_t(max), C.uint64_t(lines)))
}

// CloseLog makes the library silent again and ends what waits in [NextLog].
func CloseLog() error { return OpenLog(LogError, 0) }

// NextLog takes the oldest line that is kept, and waits for one. io.EOF when the log is not open; the context's error when it ends first.
// For a program that logs by log/slog:
//
//	scout.OpenLog(scout.LogInfo, 1000)
//	go func() {
//		for {
//			line, err := scout.NextLog(ctx)
//			if err != nil { return }
//			slog.Log(ctx, line.Level.Level(), line.Text)
//		}
//	}()
func NextLog(ctx context.Context) (LogLine, error) {
	var line LogLine
	err := wait(ctx, func(timeout C.int64_t) (bool, error) {
		result := C.go_log_next(timeout)
		if err := failure(result); err != nil {
			return false, err
		}
		if Status(result.status) == StatusDone {
			return false, io.EOF
		}
		if result.value == nil {
			return false, nil
		}
		defer C.free(result.value)
		line = LogLine{LogLevel(result.number2), C.GoStringN((*C.char)(result.value), C.int(result.number))}
		return true, nil
	})
	return line, err
}

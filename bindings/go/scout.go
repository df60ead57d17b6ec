// Package scout runs Meta's Llama 4 in this process, by libscout.
//
//	model, err := scout.Load(ctx, "scout-tiny")
//	if err != nil { log.Fatal(err) }
//	defer model.Close()
//	for event, err := range model.Generate(ctx, "Tell me a story about a fox.") {
//		if err != nil { log.Fatal(err) }
//		fmt.Print(event.Text)
//	}
//
// Everything made here has a Close, which may be called twice, in any order, and from any goroutine, and never crashes what others are
// doing; what is forgotten is freed when the garbage collector finds it. A failed call returns an [*Error] with the library's status
// and its one-line message; compare with errors.Is(err, scout.ErrLimit). Text is bytes in a string, valid UTF-8 or not.
package scout

/*
#cgo pkg-config: scout
#include "glue.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// Status is what a call of the library came to: 0 well, negative a failure, positive information.
type Status int32

// The codes of scout/status.h.
const (
	StatusOK          Status = C.SCOUT_OK
	StatusDone        Status = C.SCOUT_DONE
	StatusAgain       Status = C.SCOUT_AGAIN
	StatusArgument    Status = C.SCOUT_ERR_ARGUMENT
	StatusFormat      Status = C.SCOUT_ERR_FORMAT
	StatusTruncated   Status = C.SCOUT_ERR_TRUNCATED
	StatusLimit       Status = C.SCOUT_ERR_LIMIT
	StatusUnsupported Status = C.SCOUT_ERR_UNSUPPORTED
	StatusCorrupt     Status = C.SCOUT_ERR_CORRUPT
	StatusIO          Status = C.SCOUT_ERR_IO
	StatusNoMemory    Status = C.SCOUT_ERR_NO_MEMORY
	StatusState       Status = C.SCOUT_ERR_STATE
	StatusDenied      Status = C.SCOUT_ERR_DENIED
	StatusCancelled   Status = C.SCOUT_ERR_CANCELLED
	StatusDevice      Status = C.SCOUT_ERR_DEVICE
	StatusInternal    Status = C.SCOUT_ERR_INTERNAL
)

// String names a status in words.
func (s Status) String() string { return C.GoString(C.scout_status_text(C.scout_status(s))) }

// Name is a status as the C header spells it, "SCOUT_ERR_LIMIT" for instance.
func (s Status) Name() string { return C.GoString(C.scout_status_name(C.scout_status(s))) }

// Error is a call that failed.
type Error struct {
	Status  Status
	Message string // one line that names the field, the value and the limit
}

// Error returns the message.
func (e *Error) Error() string {
	if e.Message == "" {
		return "scout: " + e.Status.String()
	}
	return "scout: " + e.Message
}

// Is tells whether target is the error of the same status, so that errors.Is(err, ErrState) works.
func (e *Error) Is(target error) bool {
	other, ok := target.(*Error)
	return ok && other.Message == "" && other.Status == e.Status
}

// One error for each status, to be compared with by errors.Is.
var (
	ErrArgument    = &Error{Status: StatusArgument}    // an argument is outside what is allowed
	ErrFormat      = &Error{Status: StatusFormat}      // a file or text breaks the rules of its format
	ErrTruncated   = &Error{Status: StatusTruncated}   // a file ends before what it announces
	ErrLimit       = &Error{Status: StatusLimit}       // well formed, but past a stated limit
	ErrUnsupported = &Error{Status: StatusUnsupported} // well formed, known, and not served by this build
	ErrCorrupt     = &Error{Status: StatusCorrupt}     // contents contradict their own rules
	ErrIO          = &Error{Status: StatusIO}          // the operating system refused or failed a read or write
	ErrNoMemory    = &Error{Status: StatusNoMemory}    // not enough memory, now or by plan
	ErrState       = &Error{Status: StatusState}       // the call does not fit the object's state: it is closed, or another goroutine is inside
	ErrDenied      = &Error{Status: StatusDenied}      // refused for safety
	ErrCancelled   = &Error{Status: StatusCancelled}   // ended by a cancel
	ErrDevice      = &Error{Status: StatusDevice}      // a device or its driver failed
	ErrInternal    = &Error{Status: StatusInternal}    // a defect of the library: please report it
	ErrAgain       = &Error{Status: StatusAgain}       // the engine's waiting list is full: submit again when a request has ended
)

// failure makes a result's error and frees its message.
func failure(result C.go_result) error {
	if result.status >= 0 && result.message == nil {
		return nil
	}
	e := &Error{Status: Status(result.status)}
	if result.message != nil {
		e.Message = C.GoString(result.message)
		C.free(unsafe.Pointer(result.message))
	}
	return e
}

// made is failure for calls that make a handle: a positive status without one is ErrAgain.
func made(result C.go_result) (unsafe.Pointer, error) {
	if err := failure(result); err != nil {
		return nil, err
	}
	if result.value == nil {
		return nil, &Error{Status: Status(result.status)}
	}
	return result.value, nil
}

// handle owns one native handle. Close frees it at once, or, while other goroutines are inside calls on it, when the last one leaves.
type handle struct {
	mu        sync.Mutex
	pointer   unsafe.Pointer
	users     int
	what      string
	free      func(unsafe.Pointer)
	interrupt func(unsafe.Pointer) // ends what the others wait for; may be nil
}

func newHandle(pointer unsafe.Pointer, what string, free, interrupt func(unsafe.Pointer)) *handle {
	h := &handle{pointer: pointer, what: what, free: free, interrupt: interrupt}
	runtime.SetFinalizer(h, func(h *handle) { h.close() })
	return h
}

// enter returns the native handle, kept alive until leave.
func (h *handle) enter() (unsafe.Pointer, error) {
	if h == nil {
		return nil, &Error{StatusArgument, "nil where a handle is wanted"}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.pointer == nil {
		return nil, &Error{StatusState, "the " + h.what + " is closed"}
	}
	h.users++
	return h.pointer, nil
}

func (h *handle) leave(pointer unsafe.Pointer) {
	h.mu.Lock()
	h.users--
	last := h.users == 0 && h.pointer == nil
	h.mu.Unlock()
	if last {
		h.free(pointer)
	}
}

func (h *handle) close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	pointer, busy := h.pointer, h.users != 0
	if pointer != nil {
		h.pointer = nil
		h.users++ // so that nobody frees before the others are told
	}
	h.mu.Unlock()
	if pointer == nil {
		return
	}
	runtime.SetFinalizer(h, nil)
	if busy && h.interrupt != nil {
		h.interrupt(pointer)
	}
	h.leave(pointer)
}

// descriptor is what f says, -1 when the object is closed.
func (h *handle) descriptor(f func(unsafe.Pointer) C.int32_t) int {
	pointer, err := h.enter()
	if err != nil {
		return -1
	}
	defer h.leave(pointer)
	return int(f(pointer))
}

// call runs f with the native handle, which lives until f returns.
func (h *handle) call(f func(unsafe.Pointer) C.go_result) (C.go_result, error) {
	pointer, err := h.enter()
	if err != nil {
		return C.go_result{}, err
	}
	defer h.leave(pointer)
	result := f(pointer)
	return result, failure(result)
}

// ids are filled by a call that says how many it has.
func (h *handle) ids(f func(pointer unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result) ([]int32, error) {
	result, err := h.call(func(p unsafe.Pointer) C.go_result { return f(p, nil, 0) })
	if err != nil || result.number == 0 {
		return nil, err
	}
	ids := make([]int32, result.number)
	result, err = h.call(func(p unsafe.Pointer) C.go_result { return f(p, idsPointer(ids), C.uint64_t(len(ids))) })
	if err != nil {
		return nil, err
	}
	return ids[:result.number], nil
}

func idsPointer(ids []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(ids))) }

// The library does not write to the bytes of a string, nor does it keep them.
func textPointer(text string) (*C.char, C.uint64_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.uint64_t(len(text))
}

// cString is text with its NUL; an error when there is one inside.
func cString(what, text string) (*C.char, error) {
	for i := 0; i < len(text); i++ {
		if text[i] == 0 {
			return nil, &Error{StatusArgument, fmt.Sprintf("%s has a NUL at byte %d", what, i)}
		}
	}
	return C.CString(text), nil
}

// Version is the library's version, "major.minor.patch".
func Version() string { return C.GoString(C.scout_version()) }

// BuildInfo is one line about the library's build, for bug reports.
func BuildInfo() string { return C.GoString(C.scout_build_info()) }

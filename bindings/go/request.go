package scout

/*
#include "glue.h"
*/
import "C"

import (
	"context"
	"io"
	"iter"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Stop says why an answer ended.
type Stop int32

// The reasons of an answer's end.
const (
	StopNone      Stop = C.SCOUT_STOP_NONE      // it did not: more events follow
	StopEnd       Stop = C.SCOUT_STOP_END       // the model ended its turn
	StopString    Stop = C.SCOUT_STOP_STRING    // a stop text
	StopLength    Stop = C.SCOUT_STOP_LENGTH    // a limit: Message says which
	StopCancelled Stop = C.SCOUT_STOP_CANCELLED // Cancel, or its engine was closed
	StopError     Stop = C.SCOUT_STOP_ERROR     // Status and Message say what
)

// TokenLogprob is a token with its log-probability.
type TokenLogprob struct {
	ID      int32
	Logprob float32
}

// Event is a piece of an answer: whole characters, with what they came from. It holds nothing of the library's.
type Event struct {
	Text     string
	IDs      []int32          // the tokens the text came from
	Logprobs []float32        // of these tokens, natural logarithm; nil unless asked for
	Top      [][]TokenLogprob // for each token the most likely ones, best first; nil unless asked for
	Stop     Stop             // not StopNone: the last event
	Tag      uint64           // as WithTag said
	Message  string           // in the last event what there is to say about its end
	Status   Status           // a failure where Stop is StopError or StopCancelled

	// In the last event:
	PromptTokens, CachedTokens, GeneratedTokens int64
	Queue, Prefill, Decode                      time.Duration
}

// Last tells whether the answer ends with this event.
func (e Event) Last() bool { return e.Stop != StopNone }

func eventOf(pointer unsafe.Pointer) Event {
	n := (*C.scout_event)(pointer)
	e := Event{
		Text:         C.GoStringN(n.text, C.int(n.text_size)),
		Stop:         Stop(n.stop),
		Tag:          uint64(n.tag),
		Status:       Status(n.status),
		PromptTokens: int64(n.prompt_tokens), CachedTokens: int64(n.cached_tokens), GeneratedTokens: int64(n.generated_tokens),
		Queue: milliseconds(n.queue_ms), Prefill: milliseconds(n.prefill_ms), Decode: milliseconds(n.decode_ms),
	}
	if e.Stop != StopNone {
		e.Message = C.GoString(n.message)
	}
	count, top := int(n.id_count), int(n.top_count)
	if count != 0 {
		e.IDs = append([]int32(nil), unsafe.Slice((*int32)(unsafe.Pointer(n.ids)), count)...)
	}
	if n.logprobs != nil {
		e.Logprobs = append([]float32(nil), unsafe.Slice((*float32)(unsafe.Pointer(n.logprobs)), count)...)
	}
	if n.top_ids != nil {
		ids := unsafe.Slice((*int32)(unsafe.Pointer(n.top_ids)), count*top)
		values := unsafe.Slice((*float32)(unsafe.Pointer(n.top_logprobs)), count*top)
		e.Top = make([][]TokenLogprob, count)
		for i := range e.Top {
			for j := i * top; j < (i+1)*top; j++ {
				e.Top[i] = append(e.Top[i], TokenLogprob{ids[j], values[j]})
			}
		}
	}
	return e
}

func milliseconds(ms C.double) time.Duration {
	return time.Duration(float64(ms) * float64(time.Millisecond))
}

// Request is an answer that is being made. One goroutine at a time reads it; any may cancel.
type Request struct {
	h      *handle
	inside sync.Mutex
	ended  bool // under inside
}

func newRequest(pointer unsafe.Pointer) *Request {
	return &Request{h: newHandle(pointer, "request",
		func(p unsafe.Pointer) { C.scout_request_free((*C.scout_request)(p)) },
		func(p unsafe.Pointer) { C.scout_request_cancel((*C.scout_request)(p)) })}
}

// How long a wait that a context can end stays inside the library.
const slice = 20 * time.Millisecond

// wait calls next with time-outs until it brings something, fails, or the context ends.
func wait(ctx context.Context, next func(timeoutMS C.int64_t) (bool, error)) error {
	for {
		timeout := C.int64_t(C.SCOUT_WAIT)
		if ctx.Done() != nil {
			timeout = C.int64_t(slice / time.Millisecond)
			if ctx.Err() != nil {
				timeout = 0
			} else if deadline, ok := ctx.Deadline(); ok {
				timeout = min(timeout, max(0, C.int64_t((time.Until(deadline)+time.Millisecond-1)/time.Millisecond)))
			}
		}
		over := ctx.Err()
		if done, err := next(timeout); done || err != nil {
			return err
		}
		if over != nil {
			return over
		}
	}
}

// Next returns the next event; io.EOF after the last. When ctx ends first it returns its error, and the request goes on. A request that
// failed is told by the last event's Stop, Status and Message; [Request.Events] makes an error of it.
func (r *Request) Next(ctx context.Context) (Event, error) {
	if !r.inside.TryLock() {
		return Event{}, &Error{StatusState, "another goroutine is inside this request"}
	}
	defer r.inside.Unlock()
	var event Event
	err := wait(ctx, func(timeout C.int64_t) (bool, error) {
		pointer, err := r.h.enter()
		if err != nil {
			return false, err
		}
		defer r.h.leave(pointer)
		if r.ended {
			return false, io.EOF
		}
		result := C.go_request_next((*C.scout_request)(pointer), timeout)
		if err := failure(result); err != nil {
			return false, err
		}
		if result.value == nil {
			if Status(result.status) == StatusDone {
				return false, io.EOF
			}
			return false, nil
		}
		event = eventOf(result.value)
		r.ended = event.Last()
		return true, nil
	})
	return event, err
}

// Events ranges over the rest of the answer. When ctx ends, the request is cancelled and the loop's last error is the context's; a
// failed request's is an [*Error], beside the last event. Leaving the loop early closes the request.
func (r *Request) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		defer context.AfterFunc(ctx, r.Cancel)()
		for {
			event, err := r.Next(context.Background())
			switch {
			case err == io.EOF:
				return
			case err != nil:
				yield(event, err)
				return
			case event.Stop == StopCancelled && ctx.Err() != nil:
				yield(event, ctx.Err())
				return
			case event.Stop == StopError:
				yield(event, &Error{event.Status, event.Message})
				return
			}
			if !yield(event, nil) {
				r.Close()
				return
			}
		}
	}
}

// Text waits for the end and returns the rest of the answer.
func (r *Request) Text(ctx context.Context) (string, error) {
	var text []byte
	for event, err := range r.Events(ctx) {
		if err != nil {
			return string(text), err
		}
		text = append(text, event.Text...)
	}
	return string(text), nil
}

// Descriptor is readable for poll and epoll while Next has something to say. Only to be polled, and not after Close; -1 where there is
// none. For many requests use one [Engine.Descriptor] instead.
func (r *Request) Descriptor() int {
	return r.h.descriptor(func(p unsafe.Pointer) C.int32_t { return C.scout_request_descriptor((*C.scout_request)(p)) })
}

// Cancel ends the request; its last event says StopCancelled. From any goroutine; harmless after the end and after Close.
func (r *Request) Cancel() {
	if pointer, err := r.h.enter(); err == nil {
		C.scout_request_cancel((*C.scout_request)(pointer))
		r.h.leave(pointer)
	}
}

// IDs are the tokens generated so far, as far as their events were taken.
func (r *Request) IDs() ([]int32, error) {
	return r.h.ids(func(p unsafe.Pointer, ids *C.int32_t, capacity C.uint64_t) C.go_result {
		return C.go_request_ids((*C.scout_request)(p), ids, capacity)
	})
}

// Close cancels what still runs and frees the request. It may be called twice.
func (r *Request) Close() error {
	r.h.close()
	runtime.KeepAlive(r)
	return nil
}

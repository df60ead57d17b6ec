package scout

/*
#include "glue.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Engine runs many requests of one model together. Any goroutine may submit; one at a time takes events or runs steps.
type Engine struct {
	h       *handle
	inside  sync.Mutex
	stepped bool
}

// NewEngine makes an engine. Closing it ends its requests with a last event; what they hold can still be read.
func (m *Model) NewEngine(options ...EngineOption) (*Engine, error) {
	native := new(C.scout_engine_options)
	C.scout_engine_options_init(native, C.sizeof_scout_engine_options)
	for _, option := range options {
		option.applyEngine(native)
	}
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result { return C.go_engine_new((*C.scout_model)(p), native) })
	if err != nil {
		return nil, err
	}
	return newEngine(result.value, native.mode == C.SCOUT_ENGINE_STEPPED), nil
}

// DefaultEngine is the engine that [Model.Start] and [Model.Generate] use: for its figures, and for chats without an engine of one's own.
// Closing it lets go of it; the engine stays the model's.
func (m *Model) DefaultEngine() (*Engine, error) {
	result, err := m.h.call(func(p unsafe.Pointer) C.go_result { return C.go_model_engine((*C.scout_model)(p)) })
	if err != nil {
		return nil, err
	}
	return newEngine(result.value, false), nil
}

func newEngine(pointer unsafe.Pointer, stepped bool) *Engine {
	return &Engine{stepped: stepped, h: newHandle(pointer, "engine",
		func(p unsafe.Pointer) { C.scout_engine_free((*C.scout_engine)(p)) },
		func(p unsafe.Pointer) { C.scout_engine_wake((*C.scout_engine)(p)) })}
}

// Submit asks for an answer to a conversation, which is copied. A full waiting list is [ErrAgain].
func (e *Engine) Submit(chat *Chat, options ...RequestOption) (*Request, error) {
	said, err := chat.h.enter()
	if err != nil {
		return nil, err
	}
	defer chat.h.leave(said)
	return submit(e.h, options, func(p unsafe.Pointer, native *C.scout_request_options) C.go_result {
		return C.go_submit((*C.scout_engine)(p), (*C.scout_chat)(said), native)
	})
}

// SubmitText asks for an answer to a text, as [Model.Start] does.
func (e *Engine) SubmitText(prompt string, options ...RequestOption) (*Request, error) {
	return submit(e.h, options, func(p unsafe.Pointer, native *C.scout_request_options) C.go_result {
		bytes, size := textPointer(prompt)
		return C.go_submit_text((*C.scout_engine)(p), bytes, size, native)
	})
}

// SubmitIDs asks for token ids to be continued, as they are.
func (e *Engine) SubmitIDs(ids []int32, options ...RequestOption) (*Request, error) {
	return submit(e.h, options, func(p unsafe.Pointer, native *C.scout_request_options) C.go_result {
		return C.go_submit_tokens((*C.scout_engine)(p), idsPointer(ids), C.uint64_t(len(ids)), native)
	})
}

func submit(h *handle, options []RequestOption, call func(unsafe.Pointer, *C.scout_request_options) C.go_result) (*Request, error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	native, release, err := nativeRequest(options, &pins)
	if err != nil {
		return nil, err
	}
	defer release()
	pointer, err := h.enter()
	if err != nil {
		return nil, err
	}
	defer h.leave(pointer)
	request, err := made(call(pointer, native))
	if err != nil {
		return nil, err
	}
	return newRequest(request), nil
}

// Next returns the next event of any of the engine's requests; its Tag tells whose. Who reads a request first keeps it: a request whose
// own methods are used is left out here, one that was given here is [ErrState] there. When ctx ends first Next returns its error; when the
// engine is closed meanwhile, [ErrState]. A stepped engine does not wait: [ErrAgain] when there is nothing. Keep each [Request] until its
// last event has come: one that is forgotten is freed by the garbage collector, and what was to come of it does not.
func (e *Engine) Next(ctx context.Context) (Event, error) {
	if !e.inside.TryLock() {
		return Event{}, &Error{StatusState, "another goroutine is inside this engine"}
	}
	defer e.inside.Unlock()
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, e.wake)()
	}
	for {
		timeout := C.int64_t(C.SCOUT_WAIT)
		over := ctx.Err()
		if over != nil {
			timeout = 0
		}
		if event, found, err := e.take(timeout); found || err != nil {
			return event, err
		}
		if e.stepped {
			return Event{}, &Error{StatusAgain, "no event: run a step"}
		}
		if over != nil {
			return Event{}, over
		}
	}
}

// take asks once; without an event the time is up, or a wake ended the wait.
func (e *Engine) take(timeout C.int64_t) (event Event, found bool, err error) {
	pointer, err := e.h.enter()
	if err != nil {
		return
	}
	defer e.h.leave(pointer)
	result := C.go_engine_next((*C.scout_engine)(pointer), timeout)
	if err = failure(result); err != nil {
		return
	}
	if Status(result.status) == StatusDone {
		err = &Error{StatusState, "the engine is closed"}
	} else if found = result.value != nil; found {
		event = eventOf(result.value)
	}
	return
}

func (e *Engine) wake() {
	if pointer, err := e.h.enter(); err == nil {
		C.scout_engine_wake((*C.scout_engine)(pointer))
		e.h.leave(pointer)
	}
}

// Descriptor is readable for poll and epoll while Next has an event to give. Only to be polled, and not after Close; -1 where there is none.
func (e *Engine) Descriptor() int {
	return e.h.descriptor(func(p unsafe.Pointer) C.int32_t { return C.scout_engine_descriptor((*C.scout_engine)(p)) })
}

// Step runs a stepped engine for about budget, rounded up to a layer. It tells whether work is left.
func (e *Engine) Step(budget time.Duration) (bool, error) {
	result, err := e.h.call(func(p unsafe.Pointer) C.go_result {
		return C.go_engine_step((*C.scout_engine)(p), C.int64_t(budget/time.Millisecond))
	})
	return err == nil && Status(result.status) == StatusOK, err
}

// Stats are figures about an engine.
type Stats struct {
	Waiting, Running, Steps, Rows                                    int64
	PromptTokens, CachedTokens, GeneratedTokens, Preemptions         int64
	LocalPages, LocalPagesUsed, LocalPagesCached, LocalPagesPeak     int64
	GlobalPages, GlobalPagesUsed, GlobalPagesCached, GlobalPagesPeak int64
	PagePositions, Context                                           int64
	KVBytes, WorkspaceBytes                                          uint64
	PicturesEncoded, PictureCacheHits, PictureCacheMisses            int64 // so far
	PictureCacheEntries                                              int64 // pictures of which is kept what was computed
	PictureCacheBytes, PictureCacheLimitBytes                        uint64
}

// Stats returns the engine's figures.
func (e *Engine) Stats() (Stats, error) {
	n := new(C.scout_engine_stats)
	n.struct_size = C.sizeof_scout_engine_stats
	_, err := e.h.call(func(p unsafe.Pointer) C.go_result { return C.go_engine_get_stats((*C.scout_engine)(p), n) })
	return Stats{
		int64(n.waiting), int64(n.running), int64(n.steps), int64(n.rows),
		int64(n.prompt_tokens), int64(n.cached_tokens), int64(n.generated_tokens), int64(n.preemptions),
		int64(n.local_pages), int64(n.local_pages_used), int64(n.local_pages_cached), int64(n.local_pages_peak),
		int64(n.global_pages), int64(n.global_pages_used), int64(n.global_pages_cached), int64(n.global_pages_peak),
		int64(n.page_positions), int64(n.context), uint64(n.kv_bytes), uint64(n.workspace_bytes),
		int64(n.pictures_encoded), int64(n.picture_cache_hits), int64(n.picture_cache_misses),
		int64(n.picture_cache_entries), uint64(n.picture_cache_bytes), uint64(n.picture_cache_limit_bytes),
	}, err
}

// Close ends the engine's requests with a last event and frees the engine. It may be called twice.
func (e *Engine) Close() error {
	e.h.close()
	return nil
}

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
	return &Engine{stepped: native.mode == C.SCOUT_ENGINE_STEPPED,
		h: newHandle(result.value, "engine", func(p unsafe.Pointer) { C.scout_engine_free((*C.scout_engine)(p)) }, nil)}, nil
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

// SubmitIDs asks for token ids to be continued, as they are.
func (e *Engine) SubmitIDs(ids []int32, options ...RequestOption) (*Request, error) {
	return submit(e.h, options, func(p unsafe.Pointer, native *C.scout_request_options) C.go_result {
		return C.go_submit_tokens((*C.scout_engine)(p), idsPointer(ids), C.uint64_t(len(ids)), native)
	})
}

func submit(h *handle, options []RequestOption, call func(unsafe.Pointer, *C.scout_request_options) C.go_result) (*Request, error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	native := nativeRequest(options, &pins)
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

// Next returns the next event of any of the engine's requests; its Tag tells whose. Use this or a request's own methods, not both. When
// ctx ends first it returns its error. A stepped engine does not wait: [ErrAgain] when there is nothing.
func (e *Engine) Next(ctx context.Context) (Event, error) {
	if !e.inside.TryLock() {
		return Event{}, &Error{StatusState, "another goroutine is inside this engine"}
	}
	defer e.inside.Unlock()
	var event Event
	err := wait(ctx, func(timeout C.int64_t) (bool, error) {
		pointer, err := e.h.enter()
		if err != nil {
			return false, err
		}
		defer e.h.leave(pointer)
		// A slice even where the context never ends: closing the engine ends the wait.
		if timeout < 0 {
			timeout = C.int64_t(slice / time.Millisecond)
		}
		result := C.go_engine_next((*C.scout_engine)(pointer), timeout)
		if err := failure(result); err != nil {
			return false, err
		}
		if result.value == nil {
			if e.stepped {
				return false, &Error{StatusAgain, "no event: run a step"}
			}
			return false, nil
		}
		event = eventOf(result.value)
		return true, nil
	})
	return event, err
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
	}, err
}

// Close ends the engine's requests with a last event and frees the engine. It may be called twice.
func (e *Engine) Close() error {
	e.h.close()
	return nil
}

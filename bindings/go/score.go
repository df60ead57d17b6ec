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
	"unsafe"
)

// ScoreBlock is a run of consecutive results. It holds nothing of the library's.
type ScoreBlock struct {
	Positions  []int64   // ascending
	Logprobs   []float32 // ln p of the token at each position given those before it; NaN at position 0; nil with logits
	Logits     []float32 // [positions][vocabulary] of what follows; nil unless asked for
	Vocabulary int
}

// Row is the logits of one of the block's positions.
func (b ScoreBlock) Row(i int) []float32 { return b.Logits[i*b.Vocabulary : (i+1)*b.Vocabulary] }

// Scores is scoring that is under way. One goroutine at a time reads; any may cancel.
type Scores struct {
	h      *handle
	inside sync.Mutex
}

// Score starts to compute the log-probabilities of given tokens.
func (e *Engine) Score(ids []int32) (*Scores, error) { return e.ScoreWith(ids, ScoreOptions{}) }

// ScoreLogits starts to compute whole rows of logits, of these positions (ascending) or of all.
func (e *Engine) ScoreLogits(ids []int32, positions ...int64) (*Scores, error) {
	return e.ScoreWith(ids, ScoreOptions{Logits: true, Positions: positions})
}

// ScoreOptions say what is scored.
type ScoreOptions struct {
	Logits    bool     // whole rows of logits, of all positions unless some are named; else log-probabilities
	Positions []int64  // ascending: of what [Model.ExpandPrompt] gives
	Images    []*Image // each "<|image|>" among the ids becomes the tokens of the next of these
}

// ScoreWith starts to compute what the options say.
func (e *Engine) ScoreWith(ids []int32, options ScoreOptions) (*Scores, error) {
	var pins runtime.Pinner
	defer pins.Unpin()
	native := new(C.scout_score_options)
	C.scout_score_options_init(native, C.sizeof_scout_score_options)
	if options.Logits {
		native.logits = 1
	}
	if positions := options.Positions; len(positions) != 0 {
		native.positions, native.position_count = (*C.int64_t)(unsafe.Pointer(&positions[0])), C.uint64_t(len(positions))
		pins.Pin(&positions[0])
	}
	var release func()
	var err error
	native.images, native.image_count, release, err = holdImages(options.Images, &pins)
	if err != nil {
		return nil, err
	}
	defer release()
	pointer, err := e.h.enter()
	if err != nil {
		return nil, err
	}
	defer e.h.leave(pointer)
	scores, err := made(C.go_score((*C.scout_engine)(pointer), idsPointer(ids), C.uint64_t(len(ids)), native))
	if err != nil {
		return nil, err
	}
	return &Scores{h: newHandle(scores, "scoring",
		func(p unsafe.Pointer) { C.scout_scores_free((*C.scout_scores)(p)) },
		func(p unsafe.Pointer) { C.scout_scores_cancel((*C.scout_scores)(p)) })}, nil
}

// Next returns the next block; io.EOF after the last. When ctx ends first it returns its error.
func (s *Scores) Next(ctx context.Context) (ScoreBlock, error) {
	if !s.inside.TryLock() {
		return ScoreBlock{}, &Error{StatusState, "another goroutine is inside these scores"}
	}
	defer s.inside.Unlock()
	var block ScoreBlock
	err := wait(ctx, func(timeout C.int64_t) (bool, error) {
		pointer, err := s.h.enter()
		if err != nil {
			return false, err
		}
		defer s.h.leave(pointer)
		result := C.go_scores_next((*C.scout_scores)(pointer), timeout)
		if err := failure(result); err != nil {
			return false, err
		}
		if result.value == nil {
			if Status(result.status) == StatusDone {
				return false, io.EOF
			}
			return false, nil
		}
		n := (*C.scout_score_block)(result.value)
		count := int(n.count)
		block = ScoreBlock{Vocabulary: int(n.vocabulary)}
		block.Positions = append(block.Positions, unsafe.Slice((*int64)(unsafe.Pointer(n.positions)), count)...)
		if n.logprobs != nil {
			block.Logprobs = append(block.Logprobs, unsafe.Slice((*float32)(unsafe.Pointer(n.logprobs)), count)...)
		}
		if n.logits != nil {
			block.Logits = append(block.Logits, unsafe.Slice((*float32)(unsafe.Pointer(n.logits)), count*block.Vocabulary)...)
		}
		return true, nil
	})
	return block, err
}

// Blocks ranges over the rest. When ctx ends, the scoring is cancelled. Leaving the loop early closes the scores.
func (s *Scores) Blocks(ctx context.Context) iter.Seq2[ScoreBlock, error] {
	return func(yield func(ScoreBlock, error) bool) {
		defer context.AfterFunc(ctx, s.Cancel)()
		for {
			block, err := s.Next(context.Background())
			if err == io.EOF {
				return
			}
			if err != nil && ctx.Err() != nil {
				err = ctx.Err()
			}
			if !yield(block, err) || err != nil {
				s.Close()
				return
			}
		}
	}
}

// Descriptor is readable for poll and epoll while Next has something to say. Only to be polled, and not after Close; -1 where there is none.
func (s *Scores) Descriptor() int {
	return s.h.descriptor(func(p unsafe.Pointer) C.int32_t { return C.scout_scores_descriptor((*C.scout_scores)(p)) })
}

// Cancel ends the scoring; Next then returns [ErrCancelled]. From any goroutine.
func (s *Scores) Cancel() {
	if pointer, err := s.h.enter(); err == nil {
		C.scout_scores_cancel((*C.scout_scores)(pointer))
		s.h.leave(pointer)
	}
}

// Close cancels what still runs and frees the scores. It may be called twice.
func (s *Scores) Close() error {
	s.h.close()
	return nil
}

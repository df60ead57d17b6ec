// How many pages an engine gets.
//
// Given are bytes for keys and values, or the default: a quarter of what is left, at most 4 GiB. Never more is taken. Chunk-local
// pages (three quarters of a Llama 4's layers) hold the current attention chunk of every running request; global pages hold
// everything. One page of each group costs what its layers cost.
//
//  * What one request of X positions needs: all its pages of the global group; of the local group the pages of one chunk, and of
//    the further chunks that the rows of one step may reach into.
//  * The context X: the caller's, refused when one such request does not fit; else as many positions as one request can have, at
//    most what the model was made for.
//  * Local pages: what one request of X needs; beyond that up to half of the bytes, because short requests use both groups alike;
//    at most what max_running requests of X need. Global pages: the rest, with the same bound.
//  * Where the context is free and longer than a chunk, the local half comes first and the context is what the global rest holds.
#pragma once

#include <cstdint>

#include "model/model.h"

namespace scout::api {

struct PageCosts {
  int32_t page_size = 0;           // positions
  uint64_t local_page_bytes = 0;   // 0 where the model has no chunked layers
  uint64_t global_page_bytes = 0;  // 0 where it has no others
  int64_t chunk = 0;

  int64_t LocalPages(int64_t positions, int32_t step_rows) const;
  int64_t GlobalPages(int64_t positions) const;
  // Of one request. Throws kLimit beyond 64 bits.
  uint64_t BytesFor(int64_t positions, int32_t step_rows) const;
};

// Page size: 64 positions, halved until a page is no longer than a chunk (tiny models).
PageCosts CostsOf(const model::Model& model, DType kv_format);

constexpr int32_t kDefaultStepRows = 512;

struct EngineSize {
  int64_t context = 0;
  int64_t local_pages = 0;
  int64_t global_pages = 0;
  uint64_t bytes = 0;
};

// `context` 0 = as many as fit, at most `model_context`. Throws kNoMemory naming what one request needs, what there is, and the
// context that would fit.
EngineSize SizeEngine(const PageCosts& costs, int64_t context, int64_t model_context, uint64_t kv_bytes, int32_t step_rows,
                      int32_t max_running);

constexpr uint64_t kMostDefaultKvBytes = uint64_t{4} << 30;
// A quarter of what is left, at most kMostDefaultKvBytes; that also where nothing is known.
uint64_t DefaultKvBytes(uint64_t total_bytes, uint64_t left_bytes);

}  // namespace scout::api

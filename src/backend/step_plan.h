// One step of the engine as plain data: which rows run, where their keys and values go, which pages they may read, and
// which rows need logits. The scheduler writes it, the model and the backends read it; nothing in it is a pointer.
//
// Letters: N rows of the step, S sequences, G page groups, M rows with logits.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace scout {

// Three quarters of the layers see only their attention chunk: their pages (kLocalPages) start at chunk starts and are freed
// when the chunk ends. The other layers see everything (kGlobalPages).
constexpr int kPageGroups = 2;
constexpr int kLocalPages = 0;
constexpr int kGlobalPages = 1;

struct StepPlan {
  std::vector<int32_t> token;     // [N] ids
  std::vector<int32_t> position;  // [N] absolute, 0-based; consecutive inside a sequence

  // Sequence s owns rows sequence_begin[s] .. sequence_begin[s + 1].
  std::vector<int32_t> sequence_begin;   // [S + 1]
  std::vector<int32_t> sequence_length;  // [S] positions known once the step has run: last position + 1

  struct Pages {
    std::vector<int64_t> slot;            // [N] page * page_size + index in the page: where row n's K and V go; -1 = nowhere
    std::vector<int32_t> page;            // flat list of page numbers
    std::vector<int32_t> begin;           // [S + 1] sequence s owns page[begin[s]] .. page[begin[s + 1]]
    std::vector<int32_t> first_position;  // [S] position of the first slot of the sequence's first page: 0 for global pages,
                                          // the start of the first row's attention chunk for local ones
  };
  std::array<Pages, kPageGroups> pages;

  std::vector<int32_t> logit_row;  // [M] rows of the step, ascending

  // Rows whose embedding is replaced by a row of a picture's features: empty where there are none, else [N], -1 or an index into
  // the step's features (those given to the runner, counted one behind the other).
  std::vector<int32_t> feature_row;

  int rows() const { return static_cast<int>(token.size()); }
  int sequences() const { return static_cast<int>(sequence_length.size()); }
};

// How positions map to a sequence's page list. With an attention chunk C (0 = none) no page spans two chunks: every chunk takes
// ceil(C / page_size) pages, the last of them perhaps not full.
struct PageGeometry {
  int32_t page_size = 0;  // positions per page
  int64_t chunk = 0;      // C in positions; 0 for global pages

  struct Place {
    int64_t page;   // index into the sequence's page list
    int64_t index;  // slot inside that page
  };
  int64_t PagesPerChunk() const { return (chunk + page_size - 1) / page_size; }
  int64_t ChunkStart(int64_t position) const { return chunk == 0 ? 0 : position / chunk * chunk; }
  // `first_position` is the list's first position, a chunk start.
  Place Find(int64_t position, int64_t first_position) const {
    if (chunk == 0) return {position / page_size, position % page_size};
    const int64_t in_chunk = position % chunk;
    return {(position / chunk - first_position / chunk) * PagesPerChunk() + in_chunk / page_size, in_chunk % page_size};
  }
  // Pages needed to hold positions [first_position, end).
  int64_t PagesFor(int64_t first_position, int64_t end) const {
    return end <= first_position ? 0 : Find(end - 1, first_position).page + 1;
  }
};

}  // namespace scout

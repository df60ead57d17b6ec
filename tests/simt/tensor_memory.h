// What the machine remembers of a block's tensor memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace scout::simt {

// A word of a warp's store: which of its lanes gives it, and where it goes, counted from the store's address.
struct TensorWord {
  int thread, lane, column;
  uint32_t value;
};

// A product that has been asked for and is not over.
struct TensorProduct {
  int first_sum = 0, sums = 0, first_factor = 0;  // columns
  std::vector<const std::byte*> b;                // pieces of sixteen bytes
  std::vector<uint32_t> b_words;                  // as they were
};
// Those that one thread has committed together.
struct TensorBatch {
  int thread = 0;
  std::byte* arrivals = nullptr;
  std::vector<TensorProduct> products;
  bool over = false;
};

// A use, and what tells of it: a warp's own time, or arrivals.
struct TensorUse {
  uint32_t time = 0;       // barriers before it; 0: there was none
  uint32_t warp_time = 0;  // of a store or a load
  int16_t thread = 0;      // of that warp, or whose product it was
  uint32_t undone = 0;     // lanes that have not said that theirs is there
  const std::byte* arrivals = nullptr;
  uint32_t phase = 0;
};
// Sixteen lanes of a column.
struct TensorTrace {
  TensorUse stored, loaded;      // by warps
  TensorUse brought, factor;     // by products: as sums, and read
  bool is_product = false;       // which of the two wrote last
  int coming = -1, reading = 0;  // the thread whose product is on its way here, and products that read it
};

struct TensorMemory {
  static constexpr int kLanes = 128, kColumns = 512, kGroup = 16;
  struct Reserved {
    int first, columns, warp;
  };
  std::vector<Reserved> reserved;
  int free_columns = kColumns;
  std::vector<uint32_t> words = std::vector<uint32_t>(kLanes * kColumns, 0xffffffff);
  std::vector<float> sums = std::vector<float>(kLanes * kColumns);  // of products that are on their way
  std::vector<TensorTrace> traces = std::vector<TensorTrace>(kLanes / kGroup * kColumns);
  // Of shared memory, by pieces: products that read them, or what told of the last.
  struct Read {
    int reading = 0;
    TensorUse last;
  };
  std::map<const std::byte*, Read> read;
  // Of each thread.
  std::vector<bool> fenced;
  std::vector<std::vector<TensorWord>> stores;  // that are not there yet; lanes and columns are the memory's
  std::vector<std::vector<TensorTrace*>> loads;
  std::vector<std::vector<TensorProduct>> open;  // not committed
  std::vector<std::vector<std::shared_ptr<TensorBatch>>> batches;
};

}  // namespace scout::simt

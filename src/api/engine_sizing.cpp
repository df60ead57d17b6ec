#include "api/engine_sizing.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"

namespace scout::api {
namespace {

constexpr int32_t kPageSize = 64;
constexpr int64_t kMostPages = INT32_MAX / 2;  // page numbers are 32 bits

// The largest number of positions whose cost is within `bytes`: the cost never falls as positions grow.
int64_t MostPositions(const PageCosts& costs, uint64_t bytes, int64_t most, int32_t step_rows) {
  int64_t low = 0, high = most;  // low fits
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (costs.BytesFor(middle, step_rows) <= bytes) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

}  // namespace

int64_t PageCosts::LocalPages(int64_t positions, int32_t step_rows) const {
  if (local_page_bytes == 0) return 0;
  const PageGeometry geometry{page_size, chunk};
  // The worst cut: a step begins with the last position of a chunk.
  return geometry.PagesFor(0, chunk == 0 ? positions : std::min(positions, chunk - 1 + step_rows));
}

int64_t PageCosts::GlobalPages(int64_t positions) const {
  return global_page_bytes == 0 ? 0 : PageGeometry{page_size, 0}.PagesFor(0, positions);
}

uint64_t PageCosts::BytesFor(int64_t positions, int32_t step_rows) const {
  const auto local = static_cast<uint64_t>(LocalPages(positions, step_rows));
  const auto global = static_cast<uint64_t>(GlobalPages(positions));
  return CheckedAdd(CheckedMul(local, local_page_bytes, "local pages"), CheckedMul(global, global_page_bytes, "global pages"),
                    "keys and values");
}

PageCosts CostsOf(const model::Model& model, DType kv_format) {
  PageCosts costs;
  costs.chunk = model.config().attention_chunk;
  costs.page_size = kPageSize;
  while (costs.chunk > 0 && costs.page_size > 1 && costs.page_size > costs.chunk) costs.page_size /= 2;
  const auto positions = static_cast<uint64_t>(costs.page_size);
  costs.local_page_bytes = CheckedMul(model.BytesPerPosition(kLocalPages, kv_format, kv_format), positions, "a local page");
  costs.global_page_bytes = CheckedMul(model.BytesPerPosition(kGlobalPages, kv_format, kv_format), positions, "a global page");
  return costs;
}

EngineSize SizeEngine(const PageCosts& costs, int64_t context, int64_t model_context, uint64_t kv_bytes, int32_t step_rows,
                      int32_t max_running) {
  const int64_t most = std::min<int64_t>(context > 0 ? context : std::max<int64_t>(model_context, 1), kMostPages);
  const int64_t fits = MostPositions(costs, kv_bytes, most, step_rows);
  if (fits == 0 || (context > 0 && fits < context)) {
    const int64_t wanted = context > 0 ? context : 1;
    Fail(ErrorCode::kNoMemory, "a request of ", wanted, " positions needs ", costs.BytesFor(wanted, step_rows),
         " bytes of keys and values, kv_bytes is ", kv_bytes,
         fits == 0 ? ": give more" : StrCat(": give more, or a context of at most ", fits));
  }

  EngineSize size;
  size.context = fits;
  const auto pages = [](uint64_t bytes, uint64_t page_bytes) {
    return static_cast<int64_t>(std::min<uint64_t>(bytes / page_bytes, kMostPages));
  };
  const int64_t least_local = costs.LocalPages(fits, step_rows);
  const int64_t least_global = costs.GlobalPages(fits);
  const int64_t most_local = std::min(least_local * max_running, kMostPages);
  // Grows the context's claim only where the caller has none: there the global rest may be less than one longest request needs.
  const bool yields = context == 0 && costs.chunk > 0 && fits > costs.chunk;
  if (costs.local_page_bytes > 0) {
    uint64_t room = kv_bytes / 2;
    if (!yields) room = std::min(room, kv_bytes - static_cast<uint64_t>(least_global) * costs.global_page_bytes);
    size.local_pages = std::clamp(pages(room, costs.local_page_bytes), least_local, std::max(least_local, most_local));
  }
  const uint64_t rest = kv_bytes - static_cast<uint64_t>(size.local_pages) * costs.local_page_bytes;
  if (costs.global_page_bytes > 0) {
    const int64_t most_global = std::min(least_global * max_running, kMostPages);
    size.global_pages = std::min(pages(rest, costs.global_page_bytes), most_global);
    size.context = std::min(size.context, size.global_pages * costs.page_size);
  }
  size.bytes = static_cast<uint64_t>(size.local_pages) * costs.local_page_bytes +
               static_cast<uint64_t>(size.global_pages) * costs.global_page_bytes;
  return size;
}

uint64_t DefaultKvBytes(uint64_t total_bytes, uint64_t left_bytes) {
  return total_bytes == 0 ? kMostDefaultKvBytes : std::min(left_bytes / 4, kMostDefaultKvBytes);
}

}  // namespace scout::api

#include "gpu/step.h"

#include <algorithm>
#include <cmath>

#include "base/math.h"

namespace scout::gpu {

void Scratch::Reset() {
  used_ = 0;
  if (blocks_.size() > 1) {  // one block of their size instead
    blocks_.clear();
    blocks_.emplace_back(device_, total_, staging_, "a step");
  }
}
uint8_t* Scratch::Take(size_t bytes) {
  bytes = (std::max<size_t>(bytes, 1) + 255) / 256 * 256;
  if (blocks_.empty() || bytes > blocks_.back().size() - used_) {
    const size_t size = std::max(bytes, total_ / 2);
    blocks_.emplace_back(device_, size, staging_, "a step");
    total_ += size;
    used_ = 0;
  }
  uint8_t* const here = blocks_.back().data() + used_;
  used_ += bytes;
  return here;
}

Step::Step(std::shared_ptr<Device> device, bool fast, LibraryUse library_use)
    : device_(std::move(device)),
      fast_(fast),
      operation_(device_, false),
      step_(device_, false),
      staging_(device_, true),
      fault_(device_, 256, false, "a step"),
      library_use_(library_use),
      held_(device_) {
  const int32_t none = kNoFault;
  device_->Upload(fault_.data(), &none, sizeof none);
  device_->Check(device_->driver().MakeStream(&stream_), "a stream");
}
Step::~Step() {
  if (library_) {
    static_cast<void>(device_->driver().Synchronize(stream_));  // its products are done before another stream has it
    library_pool_->Give(std::move(library_));
  }
  device_->driver().FreeStream(stream_);
}

bool Step::OpenLibrary() {
  if (library_use_ == LibraryUse::kNever || !device_->has_library()) return false;
  if (!library_pool_) {
    library_pool_ = device_->library_pool();
    library_ = library_pool_->Take();
  }
  return library_ != nullptr;
}
bool Step::MultiplyByLibrary(const HalfProduct& product) {
  SCOUT_CHECK(!holds_back(), "a product by a library among launches that are held back");
  const DeviceBlock& workspace = library_->workspace;
  const LibraryStatus status = library_->opened.library->Multiply(stream_, product, workspace.data(), workspace.size());
  if (status.ok()) return true;
  if (!status.refused) {
    device_->GiveUpLibrary(status);
    return false;
  }
  library_->Refuse(product);
  last_refusal_ = StrCat(library_->opened.name, " refuses products of ", product.rows, " rows with ",
                         InfoOf(product.bf16 ? DType::kBF16 : DType::kF16).name, " weights of ", product.outputs, " x ", product.k,
                         ": ", status.call, ": ", status.status.text, " (", status.status.code, ")");
  device_->TellRefusal(product, last_refusal_);
  return false;
}

void Step::Begin(const StepPlan& plan) {
  Release();
  plan_ = &plan;
  token_ = Send(std::span(plan.token));
  position_ = Send(std::span(plan.position));
  for (size_t group = 0; group < kPageGroups; ++group) {
    slot_[group] = Send(std::span(plan.pages[group].slot));
    page_[group] = Send(std::span(plan.pages[group].page));
  }
}

void Step::End() {
  plan_ = nullptr;
  const int32_t* const found = Fetch(fault(), 1);
  Wait();
  if (*found == kNoFault) return;
  const int32_t none = kNoFault;
  device_->Upload(fault_.data(), &none, sizeof none);
  Fail(ErrorCode::kInternal, "internal error: an expert that is not there was chosen");
}

void Step::Release() {
  put_off_ = {};
  held_.Drop();
  const DriverStatus status = device_->driver().Synchronize(stream_);  // nothing may still read what is given up
  plan_ = nullptr;
  tiles_.clear();
  temperatures_.clear();
  operation_.Reset();
  step_.Reset();
  staging_.Reset();
  device_->Check(status, "a step");
}

void Step::Wait() {
  held_.Flush(stream_);
  device_->Check(device_->driver().Synchronize(stream_), "a step");
}

void* Step::SendBytes(const void* from, size_t bytes) {
  void* const to = step_.Take(bytes);
  if (bytes == 0) return to;
  void* const staged = staging_.Take(bytes);
  std::memcpy(staged, from, bytes);
  device_->Check(device_->driver().CopyIn(stream_, to, staged, bytes), "a copy to the device");
  return to;
}
const void* Step::FetchBytes(const void* from, size_t bytes) {
  held_.Flush(stream_);
  void* const staged = staging_.Take(bytes);
  if (bytes > 0) device_->Check(device_->driver().CopyOut(stream_, staged, from, bytes), "a copy from the device");
  return staged;
}
void Step::LaunchBytes(const char* what, const void* kernel, int64_t x, int64_t y, unsigned threads, size_t shared_bytes,
                       const void* arguments, size_t bytes, Start start) {
  if (x == 0 || y == 0) return;
  if (x > 0x7fffffff || y > 65535) Fail(ErrorCode::kLimit, device_->name(), ": ", what, " over a grid of ", x, " x ", y);
  const Grid grid = {static_cast<unsigned>(x), static_cast<unsigned>(y)};
  const KernelLaunch launch = {what, kernel, grid, threads, shared_bytes, arguments, bytes, start == Start::kEarly};
  if (holds_back())
    held_.Add(launch);
  else
    device_->Check(device_->driver().Launch(stream_, launch), what);
}

AttentionTiles& Step::Tiles(const AttentionTiles& key) {
  for (AttentionTiles& tiles : tiles_)
    if (tiles == key) return tiles;
  AttentionTiles tiles = key;
  PlanAttention(plan(), tiles);
  tiles.device_items = Send(std::span<const AttentionItem>(tiles.items));
  tiles.device_fast_items = Send(std::span<const AttentionItem>(tiles.fast_items));
  tiles.device_merges = Send(std::span<const MergeSpansItem>(tiles.merges));
  tiles_.push_back(std::move(tiles));
  return tiles_.back();
}

// As ref/rope_norm_store.cpp has it.
const float* Step::Temperatures(double length, double scale) {
  for (const Temperature& t : temperatures_)
    if (t.length == length && t.scale == scale) return t.values;
  std::vector<float> values;
  for (const int32_t position : plan().position) {
    const float steps = std::floor((static_cast<float>(position) + 1.0f) / static_cast<float>(length));
    values.push_back(static_cast<float>(Log(1.0 + static_cast<double>(steps))) * static_cast<float>(scale) + 1.0f);
  }
  temperatures_.push_back({length, scale, Send(std::span<const float>(values))});
  return temperatures_.back().values;
}

const float* Step::InvFreq(std::span<const float> inv_freq) {
  for (const auto& known : frequencies_)
    if (std::equal(inv_freq.begin(), inv_freq.end(), known->values.begin(), known->values.end()))
      return reinterpret_cast<const float*>(known->block.data());
  auto fresh = std::make_unique<Frequencies>();
  fresh->values.assign(inv_freq.begin(), inv_freq.end());
  fresh->block = DeviceBlock(device_, inv_freq.size_bytes(), false, "frequencies");
  device_->Upload(fresh->block.data(), inv_freq.data(), inv_freq.size_bytes());
  frequencies_.push_back(std::move(fresh));
  return reinterpret_cast<const float*>(frequencies_.back()->block.data());
}

void PlanAttention(const StepPlan& plan, AttentionTiles& tiles) {
  const StepPlan::Pages& lists = plan.pages[static_cast<size_t>(tiles.group)];
  const PageGeometry& geometry = tiles.geometry;
  const int32_t group = tiles.heads / tiles.kv_heads;
  for (int s = 0; s < plan.sequences(); ++s) {
    const auto sequence = static_cast<size_t>(s);
    const int32_t end_row = plan.sequence_begin[sequence + 1], page_begin = lists.begin[sequence];
    const int64_t pages = lists.begin[sequence + 1] - page_begin;
    for (int64_t i = 0; i < pages; ++i) {
      const int64_t page = lists.page[static_cast<size_t>(page_begin + i)];
      SCOUT_CHECK(page >= 0 && page < tiles.page_count, "page ", page, " of ", tiles.page_count);
    }
    const auto first_key_of = [&](int32_t row) {
      return tiles.mask == AttentionMask::kChunk ? geometry.ChunkStart(plan.position[static_cast<size_t>(row)]) : int64_t{0};
    };
    for (int32_t row = plan.sequence_begin[sequence]; row < end_row;) {
      if (lists.slot[static_cast<size_t>(row)] < 0) {
        tiles.padding = true;
        ++row;
        continue;
      }
      // Rows that share their first key.
      const int64_t first_key = first_key_of(row);
      int32_t end = row + 1;
      while (end < end_row && lists.slot[static_cast<size_t>(end)] >= 0 && first_key_of(end) == first_key) ++end;
      const int32_t all_pairs = (end - row) * group;
      const bool fast = tiles.fast && all_pairs >= kFastQueries;
      const int32_t tile_pairs = fast ? kFastQueries : std::min(kTileQueries, kTileValues / tiles.head_dim);
      const int32_t partial_tiles = (tile_pairs + kTileQueries - 1) / kTileQueries;
      int32_t span_keys = kSpanKeys;
      if (fast) {  // spans only where there are too few tiles to fill a device
        const int64_t keys = plan.position[static_cast<size_t>(end - 1)] + 1 - first_key;
        const int64_t blocks = (all_pairs + tile_pairs - 1) / tile_pairs * int64_t{tiles.kv_heads};
        const int64_t wanted = std::max<int64_t>(1, kFastBlocks / blocks);
        const int64_t each = (keys + wanted - 1) / wanted;
        span_keys = static_cast<int32_t>(std::max<int64_t>(kSpanKeys, (each + kBlockKeys - 1) / kBlockKeys * kBlockKeys));
      }
      for (int32_t pair = 0; pair < all_pairs; pair += tile_pairs) {
        AttentionItem item{};
        item.row = row + pair / group;
        item.pair = pair % group;
        item.pairs = std::min(tile_pairs, all_pairs - pair);
        item.page_begin = page_begin;
        item.list_position = lists.first_position[sequence];
        item.first_key = static_cast<int32_t>(first_key);
        const int32_t last = plan.position[static_cast<size_t>(row + (pair + item.pairs - 1) / group)];
        for (const int64_t key : {first_key, static_cast<int64_t>(last)}) {
          const int64_t page = geometry.Find(key, item.list_position).page;
          SCOUT_CHECK(page >= 0 && page < pages, "position ", key, " is on no page of sequence ", s);
        }
        const int32_t spans = (last - item.first_key) / span_keys + 1;
        if (spans > 1)
          tiles.merges.push_back({item.row, item.pair, item.pairs, item.first_key, tiles.partials, span_keys, partial_tiles});
        for (int32_t span = 0; span < spans; ++span) {
          item.span_begin = item.first_key + span * span_keys;
          item.span_end = std::min(last + 1 - span_keys, item.span_begin) + span_keys;
          item.partial = -1;
          if (spans > 1) {
            item.partial = tiles.partials;
            tiles.partials += partial_tiles;
          }
          (fast ? tiles.fast_items : tiles.items).push_back(item);
        }
      }
      row = end;
    }
  }
}

}  // namespace scout::gpu

#include "backend/host_pages.h"

#include <cstring>

#include "backend/page_format.h"
#include "base/checked.h"

namespace scout {
HostPages::HostPages(const PageGroupSpec& spec) : spec_(spec) {
  SCOUT_CHECK(spec.layers >= 0 && spec.page_size > 0 && spec.kv_heads > 0 && spec.head_dim > 0 && spec.page_count >= 0,
              "a page group of ", spec.layers, " layers, ", spec.page_size, " positions, ", spec.kv_heads, " x ", spec.head_dim);
  const auto heads = static_cast<uint64_t>(spec.kv_heads);
  k_head_bytes_ = HeadBytes(spec.k_format, spec.head_dim);
  v_head_bytes_ = HeadBytes(spec.v_format, spec.head_dim);
  const uint64_t k = CheckedMul(heads, k_head_bytes_, "bytes of a position");
  const uint64_t v = CheckedMul(heads, v_head_bytes_, "bytes of a position");
  const uint64_t layer =
      CheckedMul(CheckedAdd(k, v, "bytes of a position"), static_cast<uint64_t>(spec.page_size), "bytes of a page");
  const uint64_t page = CheckedMul(layer, static_cast<uint64_t>(spec.layers), "bytes of a page");
  const uint64_t all = CheckedMul(page, static_cast<uint64_t>(spec.page_count), "bytes of a page pool");
  layer_bytes_ = layer;
  page_bytes_ = page;
  memory_ = HostMemory(all);
}

std::byte* HostPages::Checked(int64_t page, size_t bytes) const {
  SCOUT_CHECK(page >= 0 && page < spec_.page_count, "page ", page, " of ", spec_.page_count);
  SCOUT_CHECK(bytes == page_bytes_, bytes, " bytes for a page of ", page_bytes_);
  return memory_.data() + Offset(page, 0);
}

template <typename Byte, typename Copy>
void HostPages::ForHeads(int64_t page, Byte* canonical, const Copy& copy) const {
  for (int32_t layer = 0; layer < spec_.layers; ++layer) {
    for (const bool keys : {true, false}) {
      const size_t bytes = keys ? k_head_bytes_ : v_head_bytes_;
      for (int64_t slot = 0; slot < spec_.page_size; ++slot) {
        for (int64_t head = 0; head < spec_.kv_heads; ++head, canonical += bytes)
          copy(canonical, (keys ? K(page, layer, head) : V(page, layer, head)) + static_cast<size_t>(slot) * bytes, bytes);
      }
    }
  }
}

void HostPages::ReadPage(int64_t page, std::span<std::byte> out) const {
  Checked(page, out.size());
  ForHeads(page, out.data(),
           [](std::byte* canonical, const std::byte* here, size_t bytes) { std::memcpy(canonical, here, bytes); });
}

void HostPages::WritePage(int64_t page, std::span<const std::byte> in) {
  Checked(page, in.size());
  ForHeads(page, in.data(), [](const std::byte* canonical, std::byte* here, size_t bytes) { std::memcpy(here, canonical, bytes); });
}

void HostPages::CopyPage(int64_t from, int64_t to) {
  const std::byte* const source = Checked(from, page_bytes_);
  std::byte* const target = Checked(to, page_bytes_);
  if (from != to && page_bytes_ != 0) std::memcpy(target, source, page_bytes_);
}

}  // namespace scout

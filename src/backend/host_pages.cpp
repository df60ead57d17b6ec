#include "backend/host_pages.h"

#include <cstring>

#include "backend/page_format.h"
#include "base/checked.h"

namespace scout {
HostPages::HostPages(const PageGroupSpec& spec) : spec_(spec) {
  SCOUT_CHECK(spec.layers >= 0 && spec.page_size > 0 && spec.kv_heads > 0 && spec.head_dim > 0 && spec.page_count >= 0,
              "a page group of ", spec.layers, " layers, ", spec.page_size, " positions, ", spec.kv_heads, " x ", spec.head_dim);
  const auto heads = static_cast<uint64_t>(spec.kv_heads);
  const uint64_t k = CheckedMul(heads, HeadBytes(spec.k_format, spec.head_dim), "bytes of a position");
  const uint64_t v = CheckedMul(heads, HeadBytes(spec.v_format, spec.head_dim), "bytes of a position");
  const uint64_t layer =
      CheckedMul(CheckedAdd(k, v, "bytes of a position"), static_cast<uint64_t>(spec.page_size), "bytes of a page");
  const uint64_t page = CheckedMul(layer, static_cast<uint64_t>(spec.layers), "bytes of a page");
  const uint64_t all = CheckedMul(page, static_cast<uint64_t>(spec.page_count), "bytes of a page pool");
  k_slot_bytes_ = k;
  v_slot_bytes_ = v;
  layer_bytes_ = layer;
  page_bytes_ = page;
  memory_ = HostMemory(all);
}

std::byte* HostPages::Checked(int64_t page, size_t bytes) const {
  SCOUT_CHECK(page >= 0 && page < spec_.page_count, "page ", page, " of ", spec_.page_count);
  SCOUT_CHECK(bytes == page_bytes_, bytes, " bytes for a page of ", page_bytes_);
  return memory_.data() + Offset(page, 0);
}

void HostPages::ReadPage(int64_t page, std::span<std::byte> out) const {
  const std::byte* const from = Checked(page, out.size());
  if (!out.empty()) std::memcpy(out.data(), from, out.size());
}

void HostPages::WritePage(int64_t page, std::span<const std::byte> in) {
  std::byte* const to = Checked(page, in.size());
  if (!in.empty()) std::memcpy(to, in.data(), in.size());
}

void HostPages::CopyPage(int64_t from, int64_t to) {
  const std::byte* const source = Checked(from, page_bytes_);
  std::byte* const target = Checked(to, page_bytes_);
  if (from != to && page_bytes_ != 0) std::memcpy(target, source, page_bytes_);
}

}  // namespace scout

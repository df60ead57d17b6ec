// Key and value pages in the process's own memory: a page holds, for each layer of its group, K then V, each [kv head][slot][d]; of
// Q8_0, d / 32 blocks of 34 bytes (quant/q8_0.h) for each head of a slot. So what a head's attention reads lies together, where the
// canonical layout (Backend::PageBytes) has a head's slots far apart: too far for a processor to see what it will want next.
#pragma once

#include <span>

#include "backend/ops.h"
#include "base/host_memory.h"

namespace scout {

class HostPages final : public KvPages {
 public:
  // Throws kArgument for formats other than F32, F16, BF16 and, where 32 divides the size of a head, Q8_0; kNoMemory when there is
  // no such block.
  explicit HostPages(const PageGroupSpec& spec);

  const PageGroupSpec& spec() const override { return spec_; }
  size_t size_bytes() const override { return memory_.size(); }

  size_t page_bytes() const { return page_bytes_; }
  // One page's bytes, in the canonical layout. Each throws an internal error when there is no such page, or the span is not
  // page_bytes() long.
  void ReadPage(int64_t page, std::span<std::byte> out) const;
  void WritePage(int64_t page, std::span<const std::byte> in);
  void CopyPage(int64_t from, int64_t to);

  // One head's values of the first slot, of one layer in one page; those of the slots follow each other by k_head_bytes()
  // (v_head_bytes()).
  std::byte* K(int64_t page, int32_t layer, int64_t head) const {
    return memory_.data() + Offset(page, layer) + static_cast<size_t>(head * spec_.page_size) * k_head_bytes_;
  }
  std::byte* V(int64_t page, int32_t layer, int64_t head) const {
    return K(page, layer, spec_.kv_heads) + static_cast<size_t>(head * spec_.page_size) * v_head_bytes_;
  }
  size_t k_head_bytes() const { return k_head_bytes_; }
  size_t v_head_bytes() const { return v_head_bytes_; }

 private:
  std::byte* Checked(int64_t page, size_t bytes) const;
  // copy(a head's bytes in the canonical layout, the same here, their number) for each head of each slot of a page.
  template <typename Byte, typename Copy>
  void ForHeads(int64_t page, Byte* canonical, const Copy& copy) const;
  size_t Offset(int64_t page, int32_t layer) const {
    return static_cast<size_t>(page) * page_bytes_ + static_cast<size_t>(layer) * layer_bytes_;
  }

  PageGroupSpec spec_;
  size_t k_head_bytes_ = 0, v_head_bytes_ = 0, layer_bytes_ = 0, page_bytes_ = 0;
  HostMemory memory_;
};

}  // namespace scout

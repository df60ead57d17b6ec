// What a backend can do besides the contract when its prepared weights may be kept in a packed side-file: give their bytes away as
// they lie, and take them back without reading the checkpoint. A backend that also derives from this says so; others need not know
// of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ops.h"

namespace scout {

// A part of a prepared weight: rows of one format, of all experts, in the backend's own arrangement.
struct StoredPart {
  std::string_view format;  // as InfoOf names it
  uint64_t rows = 0, cols = 0, experts = 0;
  uint64_t row_bytes = 0, panel_bytes = 0;  // panel_bytes is 0 where rows stand alone
  std::span<const std::byte> bytes;         // [experts][rows]; of an import: aligned to 64, and there as long as their owner
};

class PackedWeights {
 public:
  virtual ~PackedWeights() = default;

  // Names the arrangement and its version: what one instance exports another with the same id imports.
  virtual std::string LayoutId() const = 0;
  // A weight's parts, whose bytes live as long as it.
  virtual std::vector<StoredPart> ExportWeight(const Weight& weight) const = 0;
  // The weight that PrepareWeight(desc) would make, over bytes that `owner` keeps. Every field is compared with what desc asks for;
  // throws kFormat naming the first that differs. The bytes themselves are not looked at. May be called from several threads at
  // once.
  virtual std::unique_ptr<Weight> ImportWeight(const WeightDesc& desc, std::span<const StoredPart> parts,
                                               std::shared_ptr<const void> owner) const = 0;
};

}  // namespace scout

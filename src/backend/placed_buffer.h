// Memory of a placed backend: a buffer, a weight, pages, each with parts on instances.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "backend/ops.h"
#include "base/error.h"

namespace scout {

// Which instances hold the valid bytes of which range: ranges are ascending and apart; what is in none was never written.
class HolderMap {
 public:
  struct Range {
    size_t begin, end;
    uint32_t holders;  // bit i: instance i
  };
  HolderMap() { ranges_.reserve(64); }

  // [begin, end) is now valid on `instance` and nowhere else.
  void Write(size_t begin, size_t end, int instance) {
    if (begin >= end) return;
    Cut(begin);
    Cut(end);
    const auto first = LowerBound(begin), last = LowerBound(end);
    const Range range{begin, end, uint32_t{1} << instance};
    if (first == last) {
      ranges_.insert(first, range);
    } else {
      *first = range;
      ranges_.erase(first + 1, last);
    }
    Join();
  }
  // copy(begin, end, holders) for every piece of [begin, end) that is valid, but not on `instance`, where it then is, too.
  template <typename Copy>
  void Read(size_t begin, size_t end, int instance, const Copy& copy) {
    const uint32_t bit = uint32_t{1} << instance;
    bool missing = false;
    for (const Range& range : ranges_) missing |= range.begin < end && begin < range.end && (range.holders & bit) == 0;
    if (!missing) return;
    Cut(begin);
    Cut(end);
    for (Range& range : ranges_) {
      if (range.begin < begin || range.end > end || (range.holders & bit) != 0) continue;
      copy(range.begin, range.end, range.holders);
      range.holders |= bit;
    }
    Join();
  }
  // visit(begin, end, holders) for every valid piece of [begin, end).
  template <typename Visit>
  void ForEach(size_t begin, size_t end, const Visit& visit) const {
    for (const Range& range : ranges_)
      if (range.begin < end && begin < range.end) visit(std::max(begin, range.begin), std::min(end, range.end), range.holders);
  }
  // Those that hold all of [begin, end) that was written; 0 where nothing was.
  uint32_t HoldersOf(size_t begin, size_t end) const {
    uint32_t holders = 0;
    bool any = false;
    ForEach(begin, end, [&](size_t, size_t, uint32_t of_range) {
      holders = any ? holders & of_range : of_range;
      any = true;
    });
    return holders;
  }
  const std::vector<Range>& ranges() const { return ranges_; }

 private:
  std::vector<Range>::iterator LowerBound(size_t at) {
    return std::lower_bound(ranges_.begin(), ranges_.end(), at,
                            [](const Range& range, size_t value) { return range.begin < value; });
  }
  // No range goes over `at` afterwards.
  void Cut(size_t at) {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      if (ranges_[i].begin >= at || ranges_[i].end <= at) continue;
      Range rest = ranges_[i];
      rest.begin = at;
      ranges_[i].end = at;
      ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(i) + 1, rest);
      return;
    }
  }
  void Join() {
    size_t kept = 0;
    for (size_t i = 1; i < ranges_.size(); ++i) {
      Range& last = ranges_[kept];
      if (last.end == ranges_[i].begin && last.holders == ranges_[i].holders) {
        last.end = ranges_[i].end;
      } else {
        ranges_[++kept] = ranges_[i];
      }
    }
    if (!ranges_.empty()) ranges_.resize(kept + 1);
  }

  std::vector<Range> ranges_;
};

class PlacedBuffer final : public Buffer {
 public:
  explicit PlacedBuffer(size_t bytes) : bytes_(bytes) {}
  size_t size_bytes() const override { return bytes_; }

  std::vector<std::unique_ptr<Buffer>> part;  // by instance; null where it has none
  HolderMap valid;

 private:
  size_t bytes_;
};

class PlacedWeight final : public Weight {
 public:
  struct Piece {
    int owner = 0;
    int32_t first = 0, last = 0;  // experts; [0, 1) where there is one matrix
    std::unique_ptr<Weight> weight;
  };
  PlacedWeight(std::vector<Piece> pieces, int64_t experts) : pieces_(std::move(pieces)), experts_(experts) {}
  int64_t rows() const override { return pieces_.front().weight->rows(); }
  int64_t cols() const override { return pieces_.front().weight->cols(); }
  int64_t experts() const override { return experts_; }
  size_t size_bytes() const override {
    size_t bytes = 0;
    for (const Piece& piece : pieces_) bytes += piece.weight->size_bytes();
    return bytes;
  }
  const std::vector<Piece>& pieces() const { return pieces_; }
  // Where there is one piece.
  int owner() const { return pieces_.front().owner; }
  const Weight* only() const { return pieces_.front().weight.get(); }

 private:
  std::vector<Piece> pieces_;
  int64_t experts_;
};

class PlacedPages final : public KvPages {
 public:
  struct Place {
    int owner;
    int32_t layer;  // among those of the owner
  };
  explicit PlacedPages(const PageGroupSpec& spec) : spec_(spec) {}
  const PageGroupSpec& spec() const override { return spec_; }
  size_t size_bytes() const override {
    size_t bytes = 0;
    for (const auto& pages : part) bytes += pages ? pages->size_bytes() : 0;
    return bytes;
  }

  std::vector<std::unique_ptr<KvPages>> part;  // by instance; null where it has no layer
  std::vector<Place> place;                    // [layers]
  size_t layer_bytes = 0;                      // of one layer in a page

 private:
  PageGroupSpec spec_;
};

}  // namespace scout

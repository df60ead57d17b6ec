// The bytes of every token, and the way back from bytes to the id: the hash table that the merging of byte pairs leans on.
//
// Token bytes lie one after another in one block. The table is open-addressed with linear probing, eight bytes per slot
// (upper half of the hash, id), at most half full. The hash is ours: two 64-bit words of the text, overlapping for short
// texts, mixed by a 64x64 -> 128-bit multiplication. A vocabulary made to collide is answered by another seed, and after
// a few of them refused, so a hostile file costs linear time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "prompt/lent_array.h"

namespace scout::prompt {

using TokenId = int32_t;
inline constexpr TokenId kNoToken = -1;

class TokenTable {
 public:
  struct Slot {
    uint32_t tag;  // upper half of the hash
    TokenId id;    // kNoToken: free
  };
  // All that a table is, to be kept and lent to another.
  struct Parts {
    std::span<const char> blob;
    std::span<const uint32_t> begin;  // [tokens + 1]
    std::span<const Slot> slots;
    uint64_t longest, seed;
  };

  TokenTable() { begin_.push_back(0); }
  // A table over memory that outlives it; nothing is added to it. Throws kFormat unless every token lies in the blob, has 1 to
  // `most_bytes` bytes, and every search ends: whatever the memory holds, no method leaves it.
  TokenTable(const Parts& parts, size_t most_bytes);
  Parts parts() const { return {blob_.span(), begin_.span(), slots_.span(), longest_, seed_}; }

  // Sets bytes aside for so many tokens; only ever a hint from a size already checked against the input.
  void Reserve(size_t tokens, size_t bytes);

  // Appends a token and returns its id. It cannot be found by its bytes until Index has been called for it.
  TokenId Add(std::string_view bytes);

  // Makes the token findable. Returns the id that already has these bytes, or kNoToken when there was none.
  TokenId Index(TokenId id);

  // The id with exactly these bytes among those indexed, or kNoToken.
  TokenId Find(std::string_view bytes) const;

  // 0 <= id < size(). Valid as long as the table does not change.
  std::string_view Bytes(TokenId id) const {
    const auto i = static_cast<size_t>(id);
    return {blob_.data() + begin_[i], begin_[i + 1] - begin_[i]};
  }

  size_t size() const { return begin_.size() - 1; }
  size_t longest_indexed() const { return longest_; }  // in bytes

 private:
  bool Place(uint64_t hash, TokenId id);
  void Rebuild(size_t capacity);
  uint64_t Hash(std::string_view bytes) const;

  LentArray<char> blob_;
  LentArray<uint32_t> begin_;  // [size + 1] offsets into blob_
  LentArray<Slot> slots_;      // a power of two
  std::vector<TokenId> indexed_;
  size_t longest_ = 0;
  uint64_t seed_ = 0x9e3779b97f4a7c15u;
};

}  // namespace scout::prompt

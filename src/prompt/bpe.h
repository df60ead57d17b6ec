// Byte-pair merging of one piece of text: start from single bytes, repeatedly merge the adjacent pair that comes first in
// the vocabulary's order (the leftmost among equals) until no pair is in the vocabulary.
//
// Two ways to say what may merge and in which order:
//  * by rank (tiktoken): two neighbours may merge when their joined bytes are a token; the token's id is the rank;
//  * by pair (Hugging Face, GGUF): a list of merges names the pairs. The rank of a merge is the id of what it makes when the
//    list is sorted that way, else its place in the list. For a list made from a tiktoken vocabulary both give the same
//    tokens: merging by rank only ever uses, for each token, the one pair that its own bytes end in when merged alone, and
//    every such list holds that pair.
//
// Cost for a piece of n bytes. Up to kSmallPiece bytes: all ranks are scanned at each merge, n^2 small steps in a fixed
// array. Above: O(n log n) by a tournament. The rank of each symbol with its right neighbour stands in an array indexed by
// the symbol's first byte, and above it stands a tree of minima in which a node looks after sixteen (one cache line). A
// merge descends to the leftmost smallest rank, changes three ranks, and repairs at most three paths. Nothing stale is ever
// stored, so memory is bounded: about 10.3 bytes per byte of the piece.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "prompt/token_table.h"

namespace scout::prompt {

inline constexpr uint32_t kNoRank = UINT32_MAX;

struct Merge {
  TokenId left = kNoToken, right = kNoToken, result = kNoToken;
};

// The merges of a vocabulary that lists pairs: (left id, right id) -> rank. Open addressing, 16 bytes per slot.
class PairTable {
 public:
  struct Slot {
    uint64_t key;
    uint32_t rank;  // kNoRank: free
    uint32_t unused;
  };
  // All that a table is, to be kept and lent to another.
  struct Parts {
    std::span<const Slot> slots;
    std::span<const TokenId> results;
    uint64_t multiplier;
  };

  // A table over memory that outlives it. Throws kFormat unless every rank has a result among `tokens` tokens and every search
  // ends.
  PairTable(const Parts& parts, size_t tokens);
  Parts parts() const { return {slots_.span(), results_.span(), multiplier_}; }
  // Ranks are below this.
  size_t rank_limit(size_t tokens) const { return results_.empty() ? tokens : results_.size(); }

  // Ranks are results when these never decrease, else places in the list. Throws kFormat when a pair occurs twice.
  explicit PairTable(const std::vector<Merge>& merges);

  uint32_t Rank(TokenId left, TokenId right) const;
  // What the merge of this rank makes.
  TokenId Result(uint32_t rank) const { return results_.empty() ? static_cast<TokenId>(rank) : results_[rank]; }
  bool ranks_are_ids() const { return results_.empty(); }

 private:
  bool Place(uint64_t key, uint32_t rank);

  LentArray<Slot> slots_;
  LentArray<TokenId> results_;  // by rank; empty when the rank is the id
  uint64_t multiplier_ = 0x9e3779b97f4a7c15u;
};

// What merging cost, for tests that hold it to its bound.
struct BpeWork {
  uint64_t lookups = 0;     // questions to the vocabulary
  uint64_t tree_steps = 0;  // nodes and blocks of the tournament touched
};

class Bpe {
 public:
  static constexpr size_t kSmallPiece = 64;
  static constexpr size_t kBytePairs = 65536;

  // `tokens` is borrowed and must outlive this; so must `pairs`, which may be null: then merging is by rank. Throws kFormat
  // when one of the 256 single bytes is not a token.
  Bpe(const TokenTable& tokens, const PairTable* pairs);
  // The same with ranks that an earlier one had: [65536] in memory that outlives this. Throws kFormat for a rank that is none, too.
  Bpe(const TokenTable& tokens, const PairTable* pairs, std::span<const uint32_t> byte_pair_ranks);
  std::span<const uint32_t> byte_pair_ranks() const { return byte_pair_ranks_.span(); }

  // Appends the ids of `piece`. `work` may be null.
  void Encode(std::string_view piece, std::vector<TokenId>& out, BpeWork* work = nullptr) const;

 private:
  uint32_t RankOfBytes(std::string_view piece, size_t at) const {
    return byte_pair_ranks_[size_t{static_cast<unsigned char>(piece[at])} << 8 | static_cast<unsigned char>(piece[at + 1])];
  }
  template <typename Rule>
  void Small(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const;
  template <typename Rule>
  void Large(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const;
  template <typename Rule>
  void Run(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const;

  void FindBytes();

  const TokenTable& tokens_;
  const PairTable* pairs_;
  TokenId byte_ids_[256];
  LentArray<uint32_t> byte_pair_ranks_;  // [65536] of two single bytes: every merging begins with these
};

}  // namespace scout::prompt

#include "prompt/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace scout::prompt {
namespace {

constexpr size_t kBlock = 64;  // ranks per leaf of the tournament
constexpr size_t kLongestProbe = 256;
constexpr int kMultipliersTried = 8;

inline uint64_t PairKey(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}
inline size_t PairHash(uint64_t key, uint64_t multiplier) {
  const uint64_t h = key * multiplier;
  return static_cast<size_t>((h ^ h >> 32) * multiplier >> 20);
}

// Rank of two neighbours that span `joined`.
struct ByRank {
  const TokenTable& tokens;
  uint32_t Rank(std::string_view joined, TokenId, TokenId) const { return static_cast<uint32_t>(tokens.Find(joined)); }
  TokenId Result(uint32_t rank) const { return static_cast<TokenId>(rank); }
};
struct ByPair {
  const PairTable& pairs;
  uint32_t Rank(std::string_view, TokenId left, TokenId right) const { return pairs.Rank(left, right); }
  TokenId Result(uint32_t rank) const { return pairs.Result(rank); }
};
static_assert(static_cast<uint32_t>(kNoToken) == kNoRank);

inline uint32_t MinOfBlock(const uint32_t* ranks) {
  uint32_t best[4] = {kNoRank, kNoRank, kNoRank, kNoRank};
  for (size_t i = 0; i < kBlock; i += 4)
    for (size_t j = 0; j < 4; ++j) best[j] = std::min(best[j], ranks[i + j]);
  return std::min(std::min(best[0], best[1]), std::min(best[2], best[3]));
}

// The smallest of an array of ranks, kept up to date: tree_[1] is the root, the leaves are blocks of the array.
class Tournament {
 public:
  explicit Tournament(const std::vector<uint32_t>& ranks)
      : ranks_(ranks), leaves_(std::bit_ceil(ranks.size() / kBlock)), tree_(2 * leaves_, kNoRank) {
    for (size_t b = 0; b * kBlock < ranks.size(); ++b) tree_[leaves_ + b] = MinOfBlock(&ranks[b * kBlock]);
    for (size_t node = leaves_ - 1; node >= 1; --node) tree_[node] = std::min(tree_[2 * node], tree_[2 * node + 1]);
  }

  uint32_t Smallest() const { return tree_[1]; }

  // Where the smallest rank stands, the leftmost among equals.
  size_t Where() {
    const uint32_t rank = tree_[1];
    size_t node = 1;
    while (node < leaves_) node = 2 * node + (tree_[2 * node] == rank ? 0 : 1);
    steps_ += static_cast<uint64_t>(std::bit_width(leaves_));
    size_t at = (node - leaves_) * kBlock;
    while (ranks_[at] != rank) ++at;
    return at;
  }

  // To be called when ranks of the block have changed.
  void Repair(size_t block) {
    size_t node = leaves_ + block;
    uint32_t best = MinOfBlock(&ranks_[block * kBlock]);
    for (;;) {
      ++steps_;
      if (tree_[node] == best) return;
      tree_[node] = best;
      if (node == 1) return;
      best = std::min(best, tree_[node ^ 1]);
      node >>= 1;
    }
  }

  uint64_t steps() const { return steps_; }

 private:
  const std::vector<uint32_t>& ranks_;  // [a multiple of kBlock]
  size_t leaves_;                       // a power of two
  std::vector<uint32_t> tree_;          // [2 * leaves_]
  uint64_t steps_ = 0;
};

}  // namespace

PairTable::PairTable(const std::vector<Merge>& merges) {
  bool sorted = true;
  for (size_t i = 1; i < merges.size() && sorted; ++i) sorted = merges[i - 1].result <= merges[i].result;
  if (!sorted) {
    results_.reserve(merges.size());
    for (const Merge& merge : merges) results_.push_back(merge.result);
  }
  const size_t capacity = std::bit_ceil(std::max<size_t>(16, merges.size() * 2));
  for (int attempt = 0; attempt < kMultipliersTried; ++attempt) {
    slots_.assign(capacity, Slot{0, kNoRank});
    bool placed = true;
    for (size_t i = 0; i < merges.size() && placed; ++i) {
      const Merge& merge = merges[i];
      if (Rank(merge.left, merge.right) != kNoRank)
        Fail(ErrorCode::kFormat, "merge ", i, " joins tokens ", merge.left, " and ", merge.right, ", which an earlier merge joins too");
      placed = Place(PairKey(merge.left, merge.right), sorted ? static_cast<uint32_t>(merge.result) : static_cast<uint32_t>(i));
    }
    if (placed) return;
    multiplier_ = multiplier_ * 0xd1342543de82ef95u + 0x632be59bd9b4e01au;
    multiplier_ |= 1;
  }
  Fail(ErrorCode::kLimit, "the ", merges.size(), " merges collide in every one of ", kMultipliersTried, " hash functions");
}

bool PairTable::Place(uint64_t key, uint32_t rank) {
  const size_t mask = slots_.size() - 1;
  size_t at = PairHash(key, multiplier_) & mask;
  for (size_t probe = 0; probe < kLongestProbe; ++probe, at = (at + 1) & mask) {
    if (slots_[at].rank != kNoRank) continue;
    slots_[at] = {key, rank};
    return true;
  }
  return false;
}

uint32_t PairTable::Rank(TokenId left, TokenId right) const {
  const uint64_t key = PairKey(left, right);
  const size_t mask = slots_.size() - 1;
  for (size_t at = PairHash(key, multiplier_) & mask;; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.rank == kNoRank || slot.key == key) return slot.rank;
  }
}

Bpe::Bpe(const TokenTable& tokens, const PairTable* pairs) : tokens_(tokens), pairs_(pairs) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const TokenId id = tokens.Find(std::string_view(&c, 1));
    if (id == kNoToken) {
      Fail(ErrorCode::kFormat, "the vocabulary of ", tokens.size(), " tokens has none for the single byte ", byte,
           "; all 256 are needed to encode any text");
    }
    byte_ids_[byte] = id;
  }
}

void Bpe::Encode(std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const {
  if (piece.size() == 1) {
    out.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
  } else if (pairs_) {
    Run(ByPair{*pairs_}, piece, out, work);
  } else {
    Run(ByRank{tokens_}, piece, out, work);
  }
}

template <typename Rule>
void Bpe::Run(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const {
  if (piece.size() <= kSmallPiece)
    Small(rule, piece, out, work);
  else
    Large(rule, piece, out, work);
}

template <typename Rule>
void Bpe::Small(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const {
  // Symbol i spans [begin[i], begin[i + 1]); rank[i] is that of its merge with symbol i + 1.
  uint8_t begin[kSmallPiece + 1];
  uint32_t rank[kSmallPiece];
  TokenId id[kSmallPiece];
  size_t count = piece.size();
  uint64_t lookups = 0;
  for (size_t i = 0; i < count; ++i) {
    begin[i] = static_cast<uint8_t>(i);
    id[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  }
  begin[count] = static_cast<uint8_t>(count);
  const auto rank_of = [&](size_t i) {
    if (i + 1 >= count) return kNoRank;
    ++lookups;
    return rule.Rank(piece.substr(begin[i], static_cast<size_t>(begin[i + 2] - begin[i])), id[i], id[i + 1]);
  };
  for (size_t i = 0; i < count; ++i) rank[i] = rank_of(i);
  for (;;) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i)
      if (rank[i] < rank[best]) best = i;
    if (rank[best] == kNoRank) break;
    id[best] = rule.Result(rank[best]);
    const size_t moved = count - best - 2;  // symbols behind the one that goes
    std::memmove(begin + best + 1, begin + best + 2, moved + 1);
    std::memmove(rank + best + 1, rank + best + 2, moved * sizeof rank[0]);
    std::memmove(id + best + 1, id + best + 2, moved * sizeof id[0]);
    --count;
    rank[best] = rank_of(best);
    if (best > 0) rank[best - 1] = rank_of(best - 1);
  }
  out.insert(out.end(), id, id + count);
  if (work) work->lookups += lookups;
}

template <typename Rule>
void Bpe::Large(const Rule& rule, std::string_view piece, std::vector<TokenId>& out, BpeWork* work) const {
  // All three are indexed by the first byte of a symbol; length also by its last byte, so that the left neighbour of a
  // symbol at p begins at p - length[p - 1]. Token lengths fit 16 bits (the vocabulary's limit).
  const size_t n = piece.size();
  std::vector<TokenId> id(n);
  std::vector<uint16_t> length(n, 1);
  std::vector<uint32_t> rank((n + kBlock - 1) / kBlock * kBlock, kNoRank);
  uint64_t lookups = 0;
  for (size_t i = 0; i < n; ++i) id[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  const auto rank_of = [&](size_t at) {
    const size_t next = at + length[at];
    if (next >= n) return kNoRank;
    const size_t joined = size_t{length[at]} + length[next];
    if (joined > tokens_.longest_indexed()) return kNoRank;
    ++lookups;
    return rule.Rank(piece.substr(at, joined), id[at], id[next]);
  };
  for (size_t i = 0; i < n; ++i) rank[i] = rank_of(i);
  Tournament tournament(rank);
  while (tournament.Smallest() != kNoRank) {
    const size_t at = tournament.Where();
    const size_t gone = at + length[at];
    const auto joined = static_cast<uint16_t>(length[at] + length[gone]);
    id[at] = rule.Result(rank[at]);
    length[at] = joined;
    length[at + joined - 1] = joined;
    rank[gone] = kNoRank;
    rank[at] = rank_of(at);
    size_t first_block = at / kBlock;
    if (at > 0) {
      const size_t left = at - length[at - 1];
      rank[left] = rank_of(left);
      if (left / kBlock != first_block) tournament.Repair(left / kBlock);
    }
    tournament.Repair(first_block);
    if (gone / kBlock != first_block) tournament.Repair(gone / kBlock);
  }
  for (size_t at = 0; at < n; at += length[at]) out.push_back(id[at]);
  if (work) {
    work->lookups += lookups;
    work->tree_steps += tournament.steps();
  }
}

}  // namespace scout::prompt

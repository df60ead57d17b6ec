#include "prompt/bpe.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

#include "base/error.h"

namespace scout::prompt {
namespace {

constexpr size_t kFan = 16;  // ranks that one node of the tournament looks after
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

// The smallest of kFan ranks: one cache line.
inline uint32_t MinOf(const uint32_t* ranks) {
#if defined(__SSE4_1__)
  const auto* lines = reinterpret_cast<const __m128i*>(ranks);
  const __m128i ab = _mm_min_epu32(_mm_loadu_si128(lines), _mm_loadu_si128(lines + 1));
  const __m128i cd = _mm_min_epu32(_mm_loadu_si128(lines + 2), _mm_loadu_si128(lines + 3));
  __m128i least = _mm_min_epu32(ab, cd);
  least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0x4e));
  least = _mm_min_epu32(least, _mm_shuffle_epi32(least, 0xb1));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(least));
#else
  return *std::min_element(ranks, ranks + kFan);
#endif
}

// The ranks of a long piece with their smallest kept up to date: level 0 holds the ranks, and entry i of a level the
// smallest of entries kFan * i to kFan * i + kFan - 1 of the level below. The top level is one entry.
class Tournament {
 public:
  explicit Tournament(size_t count) {
    for (size_t size = count; size > 1 || levels_.empty(); size = (size + kFan - 1) / kFan)
      levels_.emplace_back((size + kFan - 1) / kFan * kFan, kNoRank);
    levels_.emplace_back(1, kNoRank);
  }

  std::vector<uint32_t>& ranks() { return levels_[0]; }

  // To be called once the ranks are filled in.
  void Build() {
    for (size_t k = 1; k < levels_.size(); ++k)
      for (size_t i = 0; i * kFan < levels_[k - 1].size(); ++i) levels_[k][i] = MinOf(&levels_[k - 1][i * kFan]);
  }

  uint32_t Smallest() const { return levels_.back()[0]; }

  // Where the smallest rank stands, the leftmost among equals.
  size_t Where() {
    const uint32_t rank = Smallest();
    size_t at = 0;
    for (size_t k = levels_.size() - 1; k-- > 0;) {
      at *= kFan;
      while (levels_[k][at] != rank) ++at;
    }
    steps_ += levels_.size();
    return at;
  }

  // To be called after the rank at `at` has changed, or others in the same group of kFan.
  void Repair(size_t at) {
    for (size_t k = 1; k < levels_.size(); ++k) {
      ++steps_;
      const size_t group = at / kFan;
      const uint32_t least = MinOf(&levels_[k - 1][group * kFan]);
      if (levels_[k][group] == least) return;
      levels_[k][group] = least;
      at = group;
    }
  }

  uint64_t steps() const { return steps_; }

 private:
  std::vector<std::vector<uint32_t>> levels_;
  uint64_t steps_ = 0;
};

}  // namespace

PairTable::PairTable(const std::vector<Merge>& merges) {
  bool sorted = true;
  for (size_t i = 1; i < merges.size() && sorted; ++i) sorted = merges[i - 1].result <= merges[i].result;
  if (!sorted) {
    std::vector<TokenId> results;
    results.reserve(merges.size());
    for (const Merge& merge : merges) results.push_back(merge.result);
    results_ = LentArray(std::move(results));
  }
  const size_t capacity = std::bit_ceil(std::max<size_t>(16, merges.size() * 2));
  for (int attempt = 0; attempt < kMultipliersTried; ++attempt) {
    slots_.assign(capacity, Slot{0, kNoRank, 0});
    bool placed = true;
    for (size_t i = 0; i < merges.size() && placed; ++i) {
      const Merge& merge = merges[i];
      if (Rank(merge.left, merge.right) != kNoRank)
        Fail(ErrorCode::kFormat, "merge ", i, " joins tokens ", merge.left, " and ", merge.right,
             ", which an earlier merge joins too");
      placed = Place(PairKey(merge.left, merge.right), sorted ? static_cast<uint32_t>(merge.result) : static_cast<uint32_t>(i));
    }
    if (placed) return;
    multiplier_ = multiplier_ * 0xd1342543de82ef95u + 0x632be59bd9b4e01au;
    multiplier_ |= 1;
  }
  Fail(ErrorCode::kLimit, "the ", merges.size(), " merges collide in every one of ", kMultipliersTried, " hash functions");
}

PairTable::PairTable(const Parts& parts, size_t tokens) : multiplier_(parts.multiplier) {
  const auto refuse = [](std::string_view what, uint64_t found, std::string_view expected) {
    Fail(ErrorCode::kFormat, "the merge table's ", what, " is ", found, ", expected ", expected);
  };
  const size_t slots = parts.slots.size(), ranks = parts.results.empty() ? tokens : parts.results.size();
  if (slots == 0 || (slots & (slots - 1)) != 0) refuse("number of slots", slots, "a power of two");
  size_t used = 0, outside = 0;
  for (const Slot& slot : parts.slots) {
    used += slot.rank != kNoRank ? 1 : 0;
    outside += slot.rank != kNoRank && slot.rank >= ranks ? 1 : 0;
  }
  if (outside > 0) refuse("number of ranks without a result", outside, "0");
  if (used * 2 > slots) refuse("number of used slots", used, StrCat("at most half of ", slots));
  for (const TokenId id : parts.results)
    if (id < 0 || static_cast<size_t>(id) >= tokens) refuse("result", static_cast<uint32_t>(id), StrCat("a token below ", tokens));
  slots_.Lend(parts.slots);
  results_.Lend(parts.results);
}

bool PairTable::Place(uint64_t key, uint32_t rank) {
  const size_t mask = slots_.size() - 1;
  size_t at = PairHash(key, multiplier_) & mask;
  for (size_t probe = 0; probe < kLongestProbe; ++probe, at = (at + 1) & mask) {
    if (slots_[at].rank != kNoRank) continue;
    slots_.Mutable(at) = {key, rank, 0};
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

void Bpe::FindBytes() {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const TokenId id = tokens_.Find(std::string_view(&c, 1));
    if (id == kNoToken) {
      Fail(ErrorCode::kFormat, "the vocabulary of ", tokens_.size(), " tokens has none for the single byte ", byte,
           "; all 256 are needed to encode any text");
    }
    byte_ids_[byte] = id;
  }
}

Bpe::Bpe(const TokenTable& tokens, const PairTable* pairs) : tokens_(tokens), pairs_(pairs) {
  FindBytes();
  std::vector<uint32_t> ranks(kBytePairs);
  for (size_t pair = 0; pair < ranks.size(); ++pair) {
    const char joined[2] = {static_cast<char>(pair >> 8), static_cast<char>(pair & 255)};
    ranks[pair] = pairs ? pairs->Rank(byte_ids_[pair >> 8], byte_ids_[pair & 255])
                        : static_cast<uint32_t>(tokens.Find(std::string_view(joined, 2)));
  }
  byte_pair_ranks_ = LentArray(std::move(ranks));
}

Bpe::Bpe(const TokenTable& tokens, const PairTable* pairs, std::span<const uint32_t> byte_pair_ranks)
    : tokens_(tokens), pairs_(pairs) {
  FindBytes();
  if (byte_pair_ranks.size() != kBytePairs)
    Fail(ErrorCode::kFormat, byte_pair_ranks.size(), " ranks of pairs of bytes, expected ", kBytePairs);
  const size_t limit = pairs ? pairs->rank_limit(tokens.size()) : tokens.size();
  for (const uint32_t rank : byte_pair_ranks)
    if (rank != kNoRank && rank >= limit)
      Fail(ErrorCode::kFormat, "a pair of bytes has the rank ", rank, ", expected less than ", limit);
  byte_pair_ranks_.Lend(byte_pair_ranks);
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
  for (size_t i = 0; i + 1 < count; ++i) rank[i] = RankOfBytes(piece, i);
  rank[count - 1] = kNoRank;
  for (;;) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i)
      if (rank[i] < rank[best]) best = i;
    // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): every entry up to the size is written
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
  Tournament tournament(n);
  std::vector<uint32_t>& rank = tournament.ranks();
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
  for (size_t i = 0; i + 1 < n; ++i) rank[i] = RankOfBytes(piece, i);
  tournament.Build();
  while (tournament.Smallest() != kNoRank) {
    const size_t at = tournament.Where();
    const size_t gone = at + length[at];
    const auto joined = static_cast<uint16_t>(length[at] + length[gone]);
    id[at] = rule.Result(rank[at]);
    length[at] = joined;
    length[at + joined - 1] = joined;
    rank[gone] = kNoRank;
    rank[at] = rank_of(at);
    if (at > 0) {
      const size_t left = at - length[at - 1];
      rank[left] = rank_of(left);
      if (left / kFan != at / kFan) tournament.Repair(left);
    }
    tournament.Repair(at);
    if (gone / kFan != at / kFan) tournament.Repair(gone);
  }
  for (size_t at = 0; at < n; at += length[at]) out.push_back(id[at]);
  if (work) {
    work->lookups += lookups;
    work->tree_steps += tournament.steps();
  }
}

}  // namespace scout::prompt

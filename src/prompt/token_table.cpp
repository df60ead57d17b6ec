#include "prompt/token_table.h"

#include <cstring>

#include "base/error.h"

namespace scout::prompt {
namespace {

// Random keys at half load leave no run near this long (the expected longest is about 60 for a million keys).
constexpr size_t kLongestProbe = 256;
constexpr int kSeedsTried = 8;

inline uint64_t Load64(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline uint64_t Load32(const char* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

inline uint64_t Mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

uint64_t TokenTable::Hash(std::string_view bytes) const {
  constexpr uint64_t kOdd1 = 0xd6e8feb86659fd93u, kOdd2 = 0xa0761d6478bd642fu;
  const char* p = bytes.data();
  size_t n = bytes.size();
  uint64_t state = seed_ ^ n * kOdd2;
  uint64_t a = 0, b = 0;
  while (n > 16) {
    state = Mix(Load64(p) ^ kOdd1, Load64(p + 8) ^ state);
    p += 16;
    n -= 16;
  }
  if (n >= 8) {
    a = Load64(p);
    b = Load64(p + n - 8);
  } else if (n >= 4) {
    a = Load32(p);
    b = Load32(p + n - 4);
  } else if (n > 0) {
    a = static_cast<uint64_t>(static_cast<unsigned char>(p[0])) << 16 |
        static_cast<uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 | static_cast<unsigned char>(p[n - 1]);
  }
  return Mix(Mix(a ^ kOdd1, b ^ state), kOdd2);
}

TokenTable::TokenTable(const Parts& parts, size_t most_bytes) : longest_(parts.longest), seed_(parts.seed) {
  const auto refuse = [](std::string_view what, uint64_t found, std::string_view expected) {
    Fail(ErrorCode::kFormat, "the token table's ", what, " is ", found, ", expected ", expected);
  };
  if (parts.begin.empty()) refuse("number of offsets", 0, "one more than tokens");
  if (parts.begin[0] != 0) refuse("first offset", parts.begin[0], "0");
  if (parts.begin.back() != parts.blob.size()) refuse("last offset", parts.begin.back(), std::to_string(parts.blob.size()));
  const size_t count = parts.begin.size() - 1;
  uint32_t least = UINT32_MAX, most = 0, furthest = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t size = parts.begin[i + 1] - parts.begin[i];  // of a descent: more than any token has
    least = size < least ? size : least;
    most = size > most ? size : most;
    furthest = parts.begin[i] > furthest ? parts.begin[i] : furthest;
  }
  if (count > 0 && (least == 0 || most > most_bytes)) refuse("size of a token", least == 0 ? 0 : most, StrCat("1 to ", most_bytes));
  if (furthest > parts.blob.size()) refuse("largest offset", furthest, StrCat("at most ", parts.blob.size()));
  if (parts.longest > most_bytes) refuse("longest token", parts.longest, StrCat("at most ", most_bytes));
  const size_t slots = parts.slots.size();
  if ((slots & (slots - 1)) != 0) refuse("number of slots", slots, "a power of two");
  size_t used = 0, outside = 0;
  for (const Slot& slot : parts.slots) {
    used += slot.id != kNoToken ? 1 : 0;
    outside += slot.id != kNoToken && static_cast<uint32_t>(slot.id) >= count ? 1 : 0;
  }
  if (outside > 0) refuse("number of slots with an id outside it", outside, "0");
  if (used * 2 > slots) refuse("number of used slots", used, StrCat("at most half of ", slots));
  blob_.Lend(parts.blob);
  begin_.Lend(parts.begin);
  slots_.Lend(parts.slots);
}

void TokenTable::Reserve(size_t tokens, size_t bytes) {
  begin_.reserve(tokens + 1);
  blob_.reserve(bytes);
}

TokenId TokenTable::Add(std::string_view bytes) {
  if (blob_.size() + bytes.size() > UINT32_MAX)
    Fail(ErrorCode::kLimit, "the tokens of the vocabulary hold more than ", UINT32_MAX, " bytes together");
  blob_.Append(bytes);
  begin_.push_back(static_cast<uint32_t>(blob_.size()));
  return static_cast<TokenId>(size() - 1);
}

TokenId TokenTable::Find(std::string_view bytes) const {
  if (slots_.empty() || bytes.size() > longest_) return kNoToken;
  const uint64_t hash = Hash(bytes);
  const size_t mask = slots_.size() - 1;
  const auto tag = static_cast<uint32_t>(hash >> 32);
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    const Slot slot = slots_[at];
    if (slot.id == kNoToken) return kNoToken;
    if (slot.tag == tag && Bytes(slot.id) == bytes) return slot.id;
  }
}

bool TokenTable::Place(uint64_t hash, TokenId id) {
  const size_t mask = slots_.size() - 1;
  size_t at = hash & mask;
  for (size_t probe = 0; probe < kLongestProbe; ++probe, at = (at + 1) & mask) {
    if (slots_[at].id != kNoToken) continue;
    slots_.Mutable(at) = {static_cast<uint32_t>(hash >> 32), id};
    return true;
  }
  return false;
}

void TokenTable::Rebuild(size_t capacity) {
  for (int attempt = 0; attempt < kSeedsTried; ++attempt) {
    slots_.assign(capacity, Slot{0, kNoToken});
    bool placed = true;
    for (const TokenId id : indexed_) placed = placed && Place(Hash(Bytes(id)), id);
    if (placed) return;
    seed_ = Mix(seed_ + 0x632be59bd9b4e019u, 0xe7037ed1a0b428dbu);
  }
  Fail(ErrorCode::kLimit, "the texts of ", indexed_.size(), " tokens collide in every one of ", kSeedsTried, " hash functions");
}

TokenId TokenTable::Index(TokenId id) {
  const std::string_view bytes = Bytes(id);
  const TokenId other = Find(bytes);
  if (other != kNoToken) return other;
  indexed_.push_back(id);
  if (bytes.size() > longest_) longest_ = bytes.size();
  if (indexed_.size() * 2 > slots_.size()) {
    Rebuild(slots_.empty() ? 64 : slots_.size() * 2);
  } else if (!Place(Hash(bytes), id)) {
    Rebuild(slots_.size());
  }
  return kNoToken;
}

}  // namespace scout::prompt

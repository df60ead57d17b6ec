#include "prompt/tokenizer_image.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace scout::prompt {
namespace {

constexpr uint64_t kAlignment = 64;
constexpr uint32_t kImageVersion = 1;
constexpr size_t kMaxStops = 4096;

constexpr uint32_t kMergeByPair = 1, kWholePiecesFirst = 2, kAllFlags = 3;  // flags

struct ImageHeader {
  uint32_t version, flags;
  uint64_t tokens, blob_bytes, slots, pair_slots, results, merges, stops;
  uint64_t longest, seed, multiplier;
  int64_t bos;  // -1: the file names none
};

template <typename T>
constexpr bool kNoHoles = std::is_trivially_copyable_v<T>&& std::has_unique_object_representations_v<T>;
static_assert(kNoHoles<ImageHeader> && kNoHoles<TokenTable::Slot> && kNoHoles<PairTable::Slot> && kNoHoles<Merge>);
static_assert(sizeof(TokenKind) == 1);

// Goes over a block in the order of its arrays.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> image) : image_(image) {}

  template <typename T>
  std::span<const T> Take(uint64_t count, std::string_view what) {
    const uint64_t begin = CheckedAlign(at_, kAlignment, "offset of a table");
    const uint64_t bytes = CheckedMul(count, sizeof(T), "bytes of a table");
    at_ = CheckedAdd(begin, bytes, "end of a table");
    if (at_ > image_.size())
      Fail(ErrorCode::kTruncated, "the tokenizer's ", what, " (", count, ") end at byte ", at_, " of ", image_.size());
    return {reinterpret_cast<const T*>(image_.data() + begin), static_cast<size_t>(count)};
  }
  void End() const {
    if (at_ != image_.size()) Fail(ErrorCode::kFormat, "the tokenizer's tables end at byte ", at_, " of ", image_.size());
  }

 private:
  std::span<const std::byte> image_;
  uint64_t at_ = 0;
};

void Limit(uint64_t value, uint64_t limit, std::string_view what) {
  if (value > limit) Fail(ErrorCode::kLimit, "the tokenizer has ", value, " ", what, "; the limit is ", limit);
}

void CheckToken(int64_t id, uint64_t tokens, std::string_view what) {
  if (id < 0 || static_cast<uint64_t>(id) >= tokens)
    Fail(ErrorCode::kFormat, "the tokenizer's ", what, " is ", id, ", expected a token below ", tokens);
}

template <typename T>
void Append(std::string& image, std::span<const T> values) {
  image.resize(static_cast<size_t>(CheckedAlign(image.size(), kAlignment, "offset of a table")), '\0');
  if (!values.empty()) image.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

}  // namespace

std::string WriteImage(const Tokenizer& tokenizer) {
  const Vocabulary& vocabulary = tokenizer.vocabulary();
  const TokenTable::Parts tokens = vocabulary.tokens.parts();
  const PairTable::Parts pairs = tokenizer.pairs() ? tokenizer.pairs()->parts() : PairTable::Parts{};
  ImageHeader header = {};
  header.version = kImageVersion;
  header.flags = (tokenizer.pairs() ? kMergeByPair : 0u) | (vocabulary.whole_pieces_first ? kWholePiecesFirst : 0u);
  header.tokens = tokenizer.size();
  header.blob_bytes = tokens.blob.size();
  header.slots = tokens.slots.size();
  header.pair_slots = pairs.slots.size();
  header.results = pairs.results.size();
  header.merges = tokenizer.merges().size();
  header.stops = vocabulary.stops.size();
  header.longest = tokens.longest;
  header.seed = tokens.seed;
  header.multiplier = pairs.multiplier;
  header.bos = vocabulary.bos.value_or(kNoToken);
  std::string image;
  Append(image, std::span<const ImageHeader>(&header, 1));
  Append(image, tokens.begin);
  Append(image, tokens.slots);
  Append(image, pairs.slots);
  Append(image, pairs.results);
  Append(image, tokenizer.merges());
  Append(image, tokenizer.bpe().byte_pair_ranks());
  Append(image, std::span<const TokenId>(vocabulary.stops));
  Append(image, std::span<const TokenKind>(vocabulary.kinds));
  Append(image, tokens.blob);
  return image;
}

std::shared_ptr<const Tokenizer> ReadImage(std::span<const std::byte> image, std::shared_ptr<const void> owner) {
  SCOUT_CHECK(reinterpret_cast<uintptr_t>(image.data()) % kAlignment == 0, "a tokenizer's tables past a line of ", kAlignment);
  Cursor cursor(image);
  ImageHeader header;
  std::memcpy(&header, cursor.Take<ImageHeader>(1, "header").data(), sizeof header);
  if (header.version != kImageVersion)
    Fail(ErrorCode::kUnsupported, "version ", header.version, " of a tokenizer's tables; version ", kImageVersion, " is read");
  if ((header.flags & ~kAllFlags) != 0) Fail(ErrorCode::kFormat, "the tokenizer's flags are ", header.flags, ", expected 0 to 3");
  Limit(header.tokens, kMaxTokens, "tokens");
  Limit(header.merges, kMaxMerges, "merges");
  Limit(header.results, kMaxMerges, "results of merges");
  Limit(header.slots, 4 * kMaxTokens, "slots");
  Limit(header.pair_slots, 4 * kMaxMerges, "slots of merges");
  Limit(header.stops, kMaxStops, "stop tokens");

  TokenTable::Parts tokens = {};
  LentTables lent;
  PairTable::Parts pairs = {};
  tokens.begin = cursor.Take<uint32_t>(CheckedAdd(header.tokens, 1, "offsets"), "offsets");
  tokens.slots = cursor.Take<TokenTable::Slot>(header.slots, "slots");
  pairs.slots = cursor.Take<PairTable::Slot>(header.pair_slots, "slots of merges");
  pairs.results = cursor.Take<TokenId>(header.results, "results of merges");
  lent.merges = cursor.Take<Merge>(header.merges, "merges");
  lent.byte_pair_ranks = cursor.Take<uint32_t>(Bpe::kBytePairs, "ranks of pairs of bytes");
  const auto stops = cursor.Take<TokenId>(header.stops, "stop tokens");
  const auto kinds = cursor.Take<uint8_t>(header.tokens, "kinds");
  tokens.blob = cursor.Take<char>(header.blob_bytes, "bytes of tokens");
  cursor.End();
  tokens.longest = header.longest;
  tokens.seed = header.seed;
  pairs.multiplier = header.multiplier;

  Vocabulary vocabulary;
  vocabulary.tokens = TokenTable(tokens, kMaxTokenBytes);
  vocabulary.kinds.reserve(kinds.size());
  for (const uint8_t kind : kinds) {
    if (kind > static_cast<uint8_t>(TokenKind::kUnused))
      Fail(ErrorCode::kFormat, "a token is of kind ", int{kind}, ", expected 0 to 3");
    vocabulary.kinds.push_back(static_cast<TokenKind>(kind));
  }
  vocabulary.merge_by_pair = (header.flags & kMergeByPair) != 0;
  vocabulary.whole_pieces_first = (header.flags & kWholePiecesFirst) != 0;
  if (header.bos != kNoToken) {
    CheckToken(header.bos, header.tokens, "begin of text");
    vocabulary.bos = static_cast<TokenId>(header.bos);
  }
  for (const TokenId id : stops) CheckToken(id, header.tokens, "stop token");
  vocabulary.stops.assign(stops.begin(), stops.end());
  if (vocabulary.merge_by_pair) lent.pairs = pairs;
  return std::make_shared<const Tokenizer>(std::move(vocabulary), lent, std::move(owner));
}

}  // namespace scout::prompt

// Text to token ids and back.
//
// Thread rule: const after construction; every method may be called from any thread at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/bpe.h"
#include "prompt/token_table.h"
#include "prompt/utf8.h"
#include "prompt/vocabulary.h"

namespace scout::prompt {

struct EncodeOptions {
  // The spellings of control and added tokens in the text become those tokens (the longest where several fit). Only for
  // trusted text: otherwise whoever writes the text can end a turn and begin another. Never the default.
  bool allow_special = false;
  bool add_bos = false;  // begin with the begin-of-text token; kState when the vocabulary has none
};

// Tables as Tokenizer makes them from a vocabulary.
struct LentTables {
  std::span<const Merge> merges;
  std::optional<PairTable::Parts> pairs;  // where merges say what may merge
  std::span<const uint32_t> byte_pair_ranks;
};

class Tokenizer {
 public:
  // Throws kFormat when two control tokens share a name or a single byte is no token.
  explicit Tokenizer(Vocabulary vocabulary);
  // The same over tables that an earlier one made, in memory that `owner` keeps (tokenizer_image.h). `vocabulary` holds its tokens
  // and kinds, and no merges: those are lent. Throws kFormat for what a table may not hold.
  Tokenizer(Vocabulary vocabulary, const LentTables& lent, std::shared_ptr<const void> owner);
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Any bytes of any length, NUL included; see pretokenize.h for bytes that are not UTF-8. Without allow_special the result
  // holds text tokens only, and Decode(Encode(text)) is the text, byte for byte.
  std::vector<TokenId> Encode(std::string_view text, const EncodeOptions& options = {}) const;
  void EncodeAppend(std::string_view text, const EncodeOptions& options, std::vector<TokenId>& out) const;
  // Encode(text, options).size() without keeping the ids.
  size_t Count(std::string_view text, const EncodeOptions& options = {}) const;

  // The bytes of the ids joined. Control and unused tokens are left out, or written with their names. Throws kArgument for
  // an id outside [0, size()).
  std::string Decode(std::span<const TokenId> ids, bool include_special = false) const;

  // The bytes of one token, its name for a control token; valid while the tokenizer lives. Throws kArgument.
  std::string_view TokenBytes(TokenId id) const;
  // Whether decoding for a reader leaves the token out: control tokens and unused rows. Throws kArgument.
  bool IsSpecial(TokenId id) const;
  TokenKind Kind(TokenId id) const;
  // The control or added token of that name, kNoToken when there is none.
  TokenId Find(std::string_view name) const;

  // Ids run over [0, size()). A model may have more rows than this; its further ids stand for nothing.
  size_t size() const { return vocabulary_.tokens.size(); }
  std::optional<TokenId> bos() const { return bos_; }
  // The ids that end an answer, ascending: what the file names, and <|end_of_text|>, <|eom|> and <|eot|> where they exist
  // (files often name only one of them).
  std::span<const TokenId> stops() const { return stops_; }
  bool IsStop(TokenId id) const;

  // SHA-256, in hexadecimal, over every token in the order of ids: its kind (1 byte), its size (4 bytes, little-endian), its
  // bytes; then every merge (left and right, 4 bytes each). Equal fingerprints mean equal ids for every text.
  std::string Fingerprint() const;
  // Throws kCorrupt, naming both, when the fingerprint is not `expected`.
  void CheckFingerprint(std::string_view expected) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::span<const Merge> merges() const { return merges_; }
  const PairTable* pairs() const { return pairs_ ? &*pairs_ : nullptr; }
  const Bpe& bpe() const { return *bpe_; }

 private:
  void Finish();
  // `flush(out)` is called after every piece and may take ids away.
  template <typename Flush>
  void EncodeText(std::string_view text, std::vector<TokenId>& out, const Flush& flush) const;
  template <typename Flush>
  void Walk(std::string_view text, const EncodeOptions& options, std::vector<TokenId>& out, const Flush& flush) const;
  // The control or added token whose name begins at `at`, the longest; sets its length.
  TokenId NameAt(std::string_view text, size_t at, size_t* length) const;
  void Check(TokenId id) const;

  std::shared_ptr<const void> owner_;  // of lent tables
  Vocabulary vocabulary_;
  std::span<const Merge> merges_;
  std::optional<PairTable> pairs_;
  std::optional<Bpe> bpe_;
  std::optional<TokenId> bos_;
  std::vector<TokenId> stops_;

  TokenTable names_;                  // of control and added tokens
  std::vector<TokenId> name_ids_;     // [names_.size()]
  std::vector<size_t> name_lengths_;  // distinct, longest first
  bool name_begins_[256] = {};        // by first byte
};

}  // namespace scout::prompt

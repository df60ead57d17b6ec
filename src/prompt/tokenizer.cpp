#include "prompt/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "prompt/llama4_tokens.h"
#include "prompt/pretokenize.h"
#include "prompt/sha256.h"

namespace scout::prompt {

Tokenizer::Tokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  merges_ = vocabulary_.merges;
  if (vocabulary_.merge_by_pair) pairs_.emplace(vocabulary_.merges);
  bpe_.emplace(vocabulary_.tokens, pairs_ ? &*pairs_ : nullptr);
  Finish();
}

Tokenizer::Tokenizer(Vocabulary vocabulary, const LentTables& lent, std::shared_ptr<const void> owner)
    : owner_(std::move(owner)), vocabulary_(std::move(vocabulary)), merges_(lent.merges) {
  if (lent.pairs) pairs_.emplace(*lent.pairs, size());
  bpe_.emplace(vocabulary_.tokens, pairs_ ? &*pairs_ : nullptr, lent.byte_pair_ranks);
  Finish();
}

// The names of control and added tokens, and the ids that begin and end a text.
void Tokenizer::Finish() {
  const TokenTable& tokens = vocabulary_.tokens;
  for (size_t i = 0; i < size(); ++i) {
    const TokenKind kind = vocabulary_.kinds[i];
    if (kind != TokenKind::kControl && kind != TokenKind::kAdded) continue;
    const auto id = static_cast<TokenId>(i);
    const std::string_view name = tokens.Bytes(id);
    const TokenId earlier = names_.Index(names_.Add(name));
    if (earlier != kNoToken) {
      Fail(ErrorCode::kFormat, "the control tokens ", name_ids_[static_cast<size_t>(earlier)], " and ", id, " are both called \"",
           Escape(name), "\"");
    }
    name_ids_.push_back(id);
    name_lengths_.push_back(name.size());
    name_begins_[static_cast<unsigned char>(name[0])] = true;
  }
  std::sort(name_lengths_.begin(), name_lengths_.end(), std::greater<>());
  name_lengths_.erase(std::unique(name_lengths_.begin(), name_lengths_.end()), name_lengths_.end());

  const auto control = [&](const char* name) {
    const TokenId id = Find(name);
    return id != kNoToken && Kind(id) == TokenKind::kControl ? id : kNoToken;
  };
  bos_ = vocabulary_.bos;
  if (const TokenId id = control(kBeginOfText); !bos_ && id != kNoToken) bos_ = id;
  stops_ = vocabulary_.stops;
  for (const char* name : {kEndOfText, kEndOfMessage, kEndOfTurn})
    if (const TokenId id = control(name); id != kNoToken) stops_.push_back(id);
  std::sort(stops_.begin(), stops_.end());
  stops_.erase(std::unique(stops_.begin(), stops_.end()), stops_.end());
}

void Tokenizer::Check(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= size())
    Fail(ErrorCode::kArgument, "token id ", id, " is outside the vocabulary's ids 0 to ", size() - 1);
}

template <typename Flush>
void Tokenizer::EncodeText(std::string_view text, std::vector<TokenId>& out, const Flush& flush) const {
  PieceScanner scanner(text);
  std::string_view piece;
  while (scanner.Next(&piece)) {
    const TokenId whole = vocabulary_.whole_pieces_first ? vocabulary_.tokens.Find(piece) : kNoToken;
    if (whole != kNoToken)
      out.push_back(whole);
    else
      bpe_->Encode(piece, out);
    flush(out);
  }
}

template <typename Flush>
void Tokenizer::Walk(std::string_view text, const EncodeOptions& options, std::vector<TokenId>& out, const Flush& flush) const {
  if (options.add_bos) {
    if (!bos_) Fail(ErrorCode::kState, "the vocabulary has no begin-of-text token to begin with");
    out.push_back(*bos_);
  }
  if (!options.allow_special) return EncodeText(text, out, flush);
  // The text between two special spellings is split on its own, as if nothing were around it.
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const TokenId id = NameAt(text, at, &length);
    if (id == kNoToken) {
      ++at;
      continue;
    }
    EncodeText(text.substr(begin, at - begin), out, flush);
    out.push_back(id);
    at += length;
    begin = at;
  }
  EncodeText(text.substr(begin), out, flush);
}

TokenId Tokenizer::NameAt(std::string_view text, size_t at, size_t* length) const {
  if (!name_begins_[static_cast<unsigned char>(text[at])]) return kNoToken;
  for (const size_t candidate : name_lengths_) {
    if (candidate > text.size() - at) continue;
    const TokenId name = names_.Find(text.substr(at, candidate));
    if (name == kNoToken) continue;
    *length = candidate;
    return name_ids_[static_cast<size_t>(name)];
  }
  return kNoToken;
}

void Tokenizer::EncodeAppend(std::string_view text, const EncodeOptions& options, std::vector<TokenId>& out) const {
  Walk(text, options, out, [](std::vector<TokenId>&) {});
}

std::vector<TokenId> Tokenizer::Encode(std::string_view text, const EncodeOptions& options) const {
  std::vector<TokenId> out;
  EncodeAppend(text, options, out);
  return out;
}

size_t Tokenizer::Count(std::string_view text, const EncodeOptions& options) const {
  constexpr size_t kKept = 4096;  // ids held before they are counted and dropped
  size_t count = 0;
  std::vector<TokenId> some;
  Walk(text, options, some, [&](std::vector<TokenId>& ids) {
    if (ids.size() < kKept) return;
    count += ids.size();
    ids.clear();
  });
  return count + some.size();
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool include_special) const {
  std::string out;
  for (const TokenId id : ids)
    if (include_special || !IsSpecial(id)) out.append(TokenBytes(id));
  return out;
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  Check(id);
  return vocabulary_.tokens.Bytes(id);
}

TokenKind Tokenizer::Kind(TokenId id) const {
  Check(id);
  return vocabulary_.kinds[static_cast<size_t>(id)];
}

bool Tokenizer::IsSpecial(TokenId id) const {
  const TokenKind kind = Kind(id);
  return kind == TokenKind::kControl || kind == TokenKind::kUnused;
}

TokenId Tokenizer::Find(std::string_view name) const {
  const TokenId found = names_.Find(name);
  return found == kNoToken ? kNoToken : name_ids_[static_cast<size_t>(found)];
}

bool Tokenizer::IsStop(TokenId id) const { return std::binary_search(stops_.begin(), stops_.end(), id); }

std::string Tokenizer::Fingerprint() const {
  Sha256 hash;
  const auto word = [&](size_t value) {
    const char bytes[4] = {static_cast<char>(value & 0xff), static_cast<char>(value >> 8 & 0xff),
                           static_cast<char>(value >> 16 & 0xff), static_cast<char>(value >> 24 & 0xff)};
    hash.Update(std::string_view(bytes, 4));
  };
  for (size_t i = 0; i < size(); ++i) {
    const std::string_view bytes = vocabulary_.tokens.Bytes(static_cast<TokenId>(i));
    const char kind = static_cast<char>(vocabulary_.kinds[i]);
    hash.Update(std::string_view(&kind, 1));
    word(bytes.size());
    hash.Update(bytes);
  }
  for (const Merge& merge : merges_) {
    word(static_cast<size_t>(merge.left));
    word(static_cast<size_t>(merge.right));
  }
  return hash.Finish();
}

void Tokenizer::CheckFingerprint(std::string_view expected) const {
  const std::string found = Fingerprint();
  if (found != expected) Fail(ErrorCode::kCorrupt, "the vocabulary's fingerprint is ", found, ", expected ", Escape(expected));
}

}  // namespace scout::prompt

#include "prompt/vocabulary.h"

#include "base/error.h"

namespace scout::prompt {

void Vocabulary::Add(std::string_view bytes, TokenKind kind, std::string_view where) {
  if (tokens.size() >= kMaxTokens) Fail(ErrorCode::kLimit, where, ": more than ", kMaxTokens, " tokens");
  if (bytes.empty()) Fail(ErrorCode::kFormat, where, ": an empty token");
  const size_t limit = kind == TokenKind::kText ? kMaxTokenBytes : kMaxNameBytes;
  if (bytes.size() > limit)
    Fail(ErrorCode::kLimit, where, ": a token of ", bytes.size(), " bytes, \"", Escape(bytes), "\"; the limit is ", limit);
  const TokenId id = tokens.Add(bytes);
  kinds.push_back(kind);
  if (kind != TokenKind::kText) return;
  const TokenId earlier = tokens.Index(id);
  if (earlier != kNoToken)
    Fail(ErrorCode::kFormat, where, ": token ", id, " has the same text as token ", earlier, ", \"", Escape(bytes), "\"");
}

TokenId CheckedId(const Vocabulary& vocabulary, int64_t id, std::string_view where) {
  if (id < 0 || static_cast<uint64_t>(id) >= vocabulary.tokens.size())
    Fail(ErrorCode::kFormat, where, " is ", id, ", outside the vocabulary's ids 0 to ", vocabulary.tokens.size() - 1);
  return static_cast<TokenId>(id);
}

}  // namespace scout::prompt

// A vocabulary in one normal form, whatever file it came from, and its three readers.
//
// Rules that hold for every source, each refused with a message that names the token:
//  * ids run from 0 without a hole; 1 to kMaxTokens tokens; a token has 1 to kMaxTokenBytes bytes, a control token's name
//    1 to kMaxNameBytes;
//  * no two text tokens have the same bytes and no two control or added tokens the same name (a text token and a control
//    token may share a spelling: they are never looked up in the same table);
//  * bytes 0x00 to 0xff are all text tokens, so every byte string can be encoded. A token may hold any byte, NUL included.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "prompt/bpe.h"
#include "prompt/token_table.h"

namespace scout::prompt {

inline constexpr size_t kMaxTokens = size_t{1} << 22;
inline constexpr size_t kMaxMerges = size_t{1} << 22;
inline constexpr size_t kMaxTokenBytes = 65535;
inline constexpr size_t kMaxSpellingBytes = 2 * kMaxTokenBytes;  // in the byte-level spelling a byte takes one or two
inline constexpr size_t kMaxNameBytes = 256;
inline constexpr size_t kMaxAddedTokens = 65536;

enum class TokenKind : uint8_t {
  kText,     // what text is made of; its bytes are text
  kControl,  // structure; its bytes are its name
  kAdded,    // text that the splitter takes as one token where special spellings are allowed
  kUnused,   // a row without meaning, such as padding of the table
};

struct Vocabulary {
  TokenTable tokens;             // id -> bytes; text tokens are indexed
  std::vector<TokenKind> kinds;  // [tokens.size()]
  std::vector<Merge> merges;
  bool merge_by_pair = false;      // merges say what may merge; otherwise ranks are ids
  bool whole_pieces_first = true;  // a piece that is a token is that token, whatever merging would make of it
  std::optional<TokenId> bos;      // as the file says; a name is the fallback
  std::vector<TokenId> stops;      // as the file says; names are added to them

  // Adds a token with the next id and checks its size. `where` names it in messages ("tokenizer.ggml.tokens[17]").
  void Add(std::string_view bytes, TokenKind kind, std::string_view where);
};

// What a GGUF file says, as plain data. Views are borrowed for the call.
struct GgufVocabulary {
  std::string_view architecture;                            // general.architecture
  std::string_view model;                                   // tokenizer.ggml.model
  std::span<const std::string_view> tokens;                 // tokenizer.ggml.tokens
  std::optional<std::span<const int64_t>> types;            // tokenizer.ggml.token_type; all text when absent
  std::optional<std::span<const std::string_view>> merges;  // tokenizer.ggml.merges; merging is by rank when absent
  std::optional<size_t> score_count;                        // length of tokenizer.ggml.scores, otherwise unused
  std::optional<int64_t> bos, eos;                          // tokenizer.ggml.bos_token_id, .eos_token_id
  std::vector<int64_t> more_eos;                            // tokenizer.ggml.eos_token_ids
};

// The splitter is chosen by the architecture (only "llama4" is served): tokenizer.ggml.pre says "default" in files in the
// wild. Tokens "[PADn]" of a full-size Llama 4 vocabulary, which converters write for control tokens they did not know, get
// their names back.
Vocabulary ReadGgufVocabulary(const GgufVocabulary& source);

// A tiktoken file: one "BASE64 RANK" a line, ranks in order from 0, and behind them Llama 4's 2,048 control tokens. Lines
// end with LF or CR LF; empty lines are skipped; a byte order mark is refused. `name` is used in messages.
Vocabulary ReadTiktokenVocabulary(std::string_view text, std::string_view name);

// A Hugging Face tokenizer.json of a byte-level BPE model with Llama 4's split pattern. Patterns in the file are compared
// with that one and never executed; a normalizer, another pre-tokenizer or another decoder is refused as unsupported. The
// post-processor is ignored: what it adds is the caller's choice here.
Vocabulary ReadJsonVocabulary(std::string_view text, std::string_view name);

// `id` as a token of the vocabulary. Throws kFormat for one outside it; `where` names the key that held it.
TokenId CheckedId(const Vocabulary& vocabulary, int64_t id, std::string_view where);

}  // namespace scout::prompt

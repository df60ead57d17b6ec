// What the engine needs from a tokenizer: the bytes of one token. Implemented over prompt::Tokenizer, and by tests.
#pragma once

#include <cstdint>
#include <string_view>

namespace scout::engine {

class TokenText {
 public:
  virtual ~TokenText() = default;
  // Valid for as long as the object; empty for ids that have no text.
  virtual std::string_view Bytes(int32_t id) const = 0;
  virtual bool IsSpecial(int32_t id) const = 0;
};

}  // namespace scout::engine

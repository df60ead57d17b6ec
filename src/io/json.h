// A JSON reader for untrusted text, as events.
//
// config.json, safetensors headers, shard indices and tokenizer.json all come from strangers. This reader keeps no tree:
// it walks the text once and tells a handler what it meets, so memory is the handler's business. It never recurses (a
// stack of one byte per open bracket, at most `max_depth`), refuses a key that occurs twice in one object, refuses text
// that is not UTF-8 and escapes that are lone surrogates, and never asks the host's locale how a number looks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace scout::io {

struct JsonLimits {
  int max_depth = 64;                     // open brackets at once
  uint64_t max_keys = uint64_t{1} << 22;  // in one object
  bool check_keys = true;                 // count them and refuse duplicates; false for a second walk of a text that passed
};

// What a reader of JSON overrides. Views are valid until the call returns. A method may throw to stop the walk; Refuse
// adds the place. Numbers written without '.', 'e' and 'E' arrive as Uint when they are >= 0 and fit 64 bits, as Int when
// they are negative and fit, else as Float; a number outside the range of a double is refused.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void Null() {}
  virtual void Bool(bool /*value*/) {}
  virtual void Int(int64_t /*value*/) {}
  virtual void Uint(uint64_t /*value*/) {}
  virtual void Float(double /*value*/) {}
  virtual void String(std::string_view /*value*/) {}
  virtual void BeginObject() {}
  virtual void Key(std::string_view /*key*/) {}
  virtual void EndObject() {}
  virtual void BeginArray() {}
  virtual void EndArray() {}

  // Byte offset, in the text, of the event being delivered.
  uint64_t offset() const { return offset_; }

  // "NAME: line 3, offset 120: " for the event being delivered.
  std::string Where() const;

 protected:
  template <typename... Parts>
  [[noreturn]] void Refuse(ErrorCode code, const Parts&... parts) const {
    throw Error(code, Where() + StrCat(parts...));
  }

 private:
  friend class JsonParser;
  std::string_view name_;
  std::string_view text_;
  uint64_t offset_ = 0;
};

// Walks `text`, which must hold exactly one value (white space around it is fine, a byte order mark is not). `name` says in
// messages which file this is. Throws kFormat, and kLimit for a text of 4 GiB and more or an object of too many keys.
void ParseJson(std::string_view text, std::string_view name, JsonHandler& handler, const JsonLimits& limits = {});

// Whether all of `bytes` is well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool IsUtf8(std::string_view bytes);

}  // namespace scout::io

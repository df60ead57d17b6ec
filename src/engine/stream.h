// From tokens to text: token bytes become whole characters, a stop string ends the text before it, and whatever could still
// be the beginning of a stop string is held back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/utf8.h"

namespace scout::engine {

// Finds the first of several strings in a stream of bytes, one automaton per string (Knuth, Morris and Pratt, 1977). First is
// the one complete first; of several complete at the same byte, the longest. Where the stream is cut changes nothing.
class StopMatcher {
 public:
  StopMatcher() = default;
  explicit StopMatcher(std::vector<std::string> strings);  // none empty

  // Reads `text` up to and including the byte that completes a string. Returns the bytes read.
  size_t Read(std::string_view text);
  size_t matched() const { return matched_; }  // size of the string that is complete, 0 = none yet
  size_t held() const { return held_; }        // bytes at the end of what was read that may begin a string
  bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    std::string text;
    std::vector<uint32_t> border;  // [size] of text[0 .. i]: its longest proper prefix that is also a suffix
    size_t state = 0;              // bytes of `text` that the stream ends with
  };
  std::vector<Pattern> patterns_;
  size_t matched_ = 0;
  size_t held_ = 0;
};

class Stream {
 public:
  Stream() = default;
  explicit Stream(std::vector<std::string> stop_strings) : stops_(std::move(stop_strings)) {}

  // Appends to `out` the text that these bytes made certain. Returns true when a stop string is complete: then the stream has
  // ended, nothing of the stop string is in any text, and further calls append nothing.
  bool Append(std::string_view bytes, std::string& out);
  // Ends the stream without a stop string: what was held back becomes text, half a character becomes U+FFFD. That may complete
  // a stop string (one that contains U+FFFD): true as above.
  bool Flush(std::string& out);
  // Whether bytes are held back.
  bool holding() const { return !held_.empty() || utf8_.pending() > 0; }

 private:
  bool Release(std::string& out);

  prompt::Utf8Assembler utf8_;
  StopMatcher stops_;
  std::string held_;  // whole characters not yet released
  size_t read_ = 0;   // of held_, by the matcher
  bool ended_ = false;
};

}  // namespace scout::engine

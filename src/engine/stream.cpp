#include "engine/stream.h"

#include <algorithm>

namespace scout::engine {

StopMatcher::StopMatcher(std::vector<std::string> strings) {
  for (std::string& text : strings) {
    Pattern pattern;
    pattern.border.assign(text.size(), 0);
    for (size_t i = 1; i < text.size(); ++i) {
      size_t length = pattern.border[i - 1];
      while (length > 0 && text[length] != text[i]) length = pattern.border[length - 1];
      pattern.border[i] = static_cast<uint32_t>(length + (text[length] == text[i] ? 1 : 0));
    }
    pattern.text = std::move(text);
    patterns_.push_back(std::move(pattern));
  }
}

size_t StopMatcher::Read(std::string_view text) {
  for (size_t at = 0; at < text.size(); ++at) {
    held_ = 0;
    for (Pattern& pattern : patterns_) {
      while (pattern.state > 0 && pattern.text[pattern.state] != text[at]) pattern.state = pattern.border[pattern.state - 1];
      if (pattern.text[pattern.state] == text[at]) ++pattern.state;
      held_ = std::max(held_, pattern.state);
      if (pattern.state == pattern.text.size()) matched_ = std::max(matched_, pattern.state);
    }
    if (matched_ > 0) return at + 1;
  }
  return text.size();
}

bool Stream::Append(std::string_view bytes, std::string& out) {
  if (ended_) return true;
  utf8_.Append(bytes, held_);
  return Release(out);
}

bool Stream::Flush(std::string& out) {
  if (ended_) return true;
  utf8_.Flush(held_);
  if (Release(out)) return true;
  out.append(held_);
  held_.clear();
  read_ = 0;
  ended_ = true;
  return false;
}

bool Stream::Release(std::string& out) {
  const size_t end = read_ + stops_.Read(std::string_view(held_).substr(read_));
  if (stops_.matched() > 0) {
    out.append(held_, 0, end - stops_.matched());
    held_.clear();
    ended_ = true;
    return true;
  }
  // A stop string may begin inside a character of the text only if it is no valid UTF-8 itself, which is refused when the
  // request is made; so what is released ends with a whole character.
  const size_t certain = end - stops_.held();
  out.append(held_, 0, certain);
  held_.erase(0, certain);
  read_ = held_.size();
  return false;
}

}  // namespace scout::engine

// Memory for many small strings that live and die together: the keys, tokens and merges of a header. One allocation per
// 64 KiB instead of one per string, and the views handed out never move.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace scout::io {

class StringArena {
 public:
  // Room for `size` bytes, to be written by the caller.
  char* Allocate(size_t size) {
    if (size > kBlock / 4) {  // a block of its own; the current one stays open
      large_.push_back(NewBlock(size));
      return large_.back().get();
    }
    if (size > left_) {
      blocks_.push_back(NewBlock(kBlock));
      next_ = blocks_.back().get();
      left_ = kBlock;
    }
    char* out = next_;
    next_ += size;
    left_ -= size;
    return out;
  }

  std::string_view Copy(std::string_view text) {
    if (text.empty()) return {};
    char* out = Allocate(text.size());
    std::memcpy(out, text.data(), text.size());
    return {out, text.size()};
  }

 private:
  using Block = std::unique_ptr<char[]>;
  static Block NewBlock(size_t size) { return Block(new char[size]); }  // unlike make_unique, not zeroed

  static constexpr size_t kBlock = 64 * 1024;
  std::vector<Block> blocks_, large_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace scout::io

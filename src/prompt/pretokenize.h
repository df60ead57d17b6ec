// The split of a text into pieces, inside which byte-pair merging then happens.
//
// Llama 4 splits with one regular expression (the "o200k" pattern, kLlama4SplitPattern). This is that pattern as a
// hand-written scanner: no expression engine, constant stack, and linear time, because from any position it looks at most
// to the end of the run of letters, marks, symbols or white space that it stands in, and whatever it looked at without
// taking it is taken by the next piece or two. Why each step equals what a backtracking engine would find is said
// beside the step in pretokenize.cpp.
//
// Bytes that are not well-formed UTF-8: each such byte counts as one character of the class "other" (neither letter, mark,
// number nor white space), so every byte belongs to exactly one piece and the pieces joined are the text again. tiktoken
// takes no such text; for valid UTF-8 the pieces equal tiktoken's.
#pragma once

#include <cstdint>
#include <string_view>

namespace scout::prompt {

// The pattern as checkpoints spell it. It is compared with what a file brings, and never executed.
extern const std::string_view kLlama4SplitPattern;

class PieceScanner {
 public:
  // `text` is borrowed and must outlive the scanner.
  explicit PieceScanner(std::string_view text);

  // Sets `piece` to the next piece, never empty; false at the end of the text.
  bool Next(std::string_view* piece);

  // Bytes looked at so far, those looked at twice counted twice. At most four times the text's size: tests hold it there.
  uint64_t bytes_examined() const { return examined_; }

 private:
  const unsigned char* at_;
  const unsigned char* end_;
  uint64_t examined_ = 0;
};

}  // namespace scout::prompt

// NumPy's .npy format, version 1.0: a 2-D float32 array in C order, written row by row.
// Layout: "\x93NUMPY" 1 0, u16 header length, a Python dictionary padded with blanks and a newline to a multiple of 64 bytes, data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

namespace cli {

class NpyWriter {
 public:
  // Throws Failure when the file cannot be written. The file takes its name when Finish is called; before that it is PATH.part.
  NpyWriter(const std::string& path, uint64_t rows, uint64_t cols);
  ~NpyWriter();  // removes an unfinished file
  void Append(const float* values, size_t count);
  void Finish();

 private:
  std::string path_;
  std::string part_;
  std::ofstream file_;
  uint64_t left_;
};

}  // namespace cli

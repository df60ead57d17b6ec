#include "npy.h"

#include <cstdio>

#include "common.h"

namespace cli {

NpyWriter::NpyWriter(const std::string& path, uint64_t rows, uint64_t cols)
    : path_(path), part_(path + ".part"), file_(part_, std::ios::binary), left_(rows * cols) {
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " + std::to_string(cols) + "), }";
  constexpr size_t kPrefix = 10;
  header.resize((kPrefix + header.size() + 1 + 63) / 64 * 64 - kPrefix - 1, ' ');
  header += '\n';
  const char prefix[kPrefix] = {
      '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  file_.write(prefix, kPrefix);
  file_.write(header.data(), static_cast<std::streamsize>(header.size()));
  if (!file_) throw Failure(part_ + ": cannot be written");
}

NpyWriter::~NpyWriter() {
  if (!part_.empty()) {
    file_.close();
    std::remove(part_.c_str());
  }
}

void NpyWriter::Append(const float* values, size_t count) {
  if (count > left_) throw Failure(path_ + ": more values than announced");
  left_ -= count;
  file_.write(reinterpret_cast<const char*>(values), static_cast<std::streamsize>(count * sizeof(float)));
  if (!file_) throw Failure(part_ + ": cannot be written: is the disk full?");
}

void NpyWriter::Finish() {
  if (left_ != 0) throw Failure(path_ + ": " + std::to_string(left_) + " values are missing");
  file_.close();
  if (!file_ || std::rename(part_.c_str(), path_.c_str()) != 0) throw Failure(path_ + ": cannot be written");
  part_.clear();
}

}  // namespace cli

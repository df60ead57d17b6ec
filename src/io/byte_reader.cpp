#include "io/byte_reader.h"

#include <algorithm>

namespace scout::io {

ByteReader::ByteReader(const FileReader& file, uint64_t begin)
    : file_(file), at_(std::min(begin, file.size())), buffer_(new std::byte[kBuffer]) {}

std::string ByteReader::Where(uint64_t offset) const {
  std::string out = StrCat(file_.name(), ": offset ", offset, ": ");
  if (!subject_kind_.empty()) out += StrCat(subject_kind_, " ", Escape(subject_name_), ": ");
  return out;
}

void ByteReader::Need(uint64_t bytes, std::string_view field) const {
  if (bytes > remaining())
    Refuse(ErrorCode::kTruncated, at_, field, " needs ", bytes, " bytes, the file has ", remaining(), " left");
}

void ByteReader::ReadBytes(std::span<std::byte> out, std::string_view field) {
  Need(out.size(), field);
  while (!out.empty()) {
    if (at_ < buffer_begin_ || at_ >= buffer_end_) {
      if (out.size() >= kBuffer) {  // large pieces go straight to where they belong
        file_.ReadAt(at_, out);
        at_ += out.size();
        return;
      }
      const auto size = static_cast<size_t>(std::min<uint64_t>(kBuffer, remaining()));
      buffer_end_ = 0;  // nothing, should the read throw
      file_.ReadAt(at_, {buffer_.get(), size});
      buffer_begin_ = at_;
      buffer_end_ = at_ + size;
    }
    const auto piece = static_cast<size_t>(std::min<uint64_t>(out.size(), buffer_end_ - at_));
    std::memcpy(out.data(), buffer_.get() + (at_ - buffer_begin_), piece);
    out = out.subspan(piece);
    at_ += piece;
  }
}

}  // namespace scout::io

// A cursor over a file's header: little-endian numbers and counted strings, never past the end.
//
// A header can hold twenty million bytes (a vocabulary), so it is read in pieces of 64 KiB. Every read is compared with the
// bytes that remain before anything is allocated or copied; what is missing is said with its name and offset.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.h"
#include "io/file_reader.h"

namespace scout::io {

static_assert(std::endian::native == std::endian::little, "files are little-endian and read in place");

class ByteReader {
 public:
  // Reads file[begin, file.size()). The file outlives the reader.
  ByteReader(const FileReader& file, uint64_t begin);

  uint64_t offset() const { return at_; }
  uint64_t remaining() const { return file_.size() - at_; }

  // What the fields being read belong to, for messages: "key general.name". The text outlives its use.
  void SetSubject(std::string_view kind, std::string_view name) {
    subject_kind_ = kind;
    subject_name_ = name;
  }

  // `field` names what is read: "n_dims", "the value".
  template <typename T>
  T Read(std::string_view field) {
    static_assert(std::is_arithmetic_v<T>);
    T value;
    ReadBytes(std::as_writable_bytes(std::span(&value, 1)), field);
    return value;
  }

  void ReadBytes(std::span<std::byte> out, std::string_view field);

  // Goes on `bytes` bytes later.
  void Skip(uint64_t bytes, std::string_view field) {
    Need(bytes, field);
    at_ += bytes;
  }

  // Throws kTruncated unless `bytes` more bytes are there.
  void Need(uint64_t bytes, std::string_view field) const;

  // "NAME: offset 24: key general.name: " for a value that began at `offset`.
  std::string Where(uint64_t offset) const;

  template <typename... Parts>
  [[noreturn]] void Refuse(ErrorCode code, uint64_t offset, const Parts&... parts) const {
    throw Error(code, Where(offset) + StrCat(parts...));
  }

 private:
  static constexpr size_t kBuffer = 64 * 1024;

  const FileReader& file_;
  uint64_t at_;
  std::string_view subject_kind_, subject_name_;
  std::unique_ptr<std::byte[]> buffer_;
  uint64_t buffer_begin_ = 0, buffer_end_ = 0;  // file offsets of what the buffer holds
};

}  // namespace scout::io

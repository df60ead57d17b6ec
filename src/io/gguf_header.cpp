#include "io/gguf_header.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "io/byte_reader.h"
#include "io/gguf_types.h"
#include "io/json.h"

namespace scout::io {
namespace {

// Value types, by their number in the file.
enum ValueType : uint32_t { kU8, kI8, kU16, kI16, kU32, kI32, kF32, kBool, kString, kArray, kU64, kI64, kF64, kValueTypes };

struct ValueTypeInfo {
  std::string_view name;
  uint32_t bytes;  // in the file; of a string or array, the least it can take
};
constexpr ValueTypeInfo kValueTypeInfo[kValueTypes] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},    {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 8}, {"array", 12}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

// Arrays of 8- and 16-bit numbers are widened to 64 bits. What that adds beyond twice their size in the file is bounded, so
// that a header cannot cost much more memory than it has bytes.
constexpr uint64_t kMaxWidening = 3 * 1024 * 1024;

// What a side-file that holds the tokenizer's tables lets its reader pass over.
constexpr std::string_view kTokenizerKeys = "tokenizer.ggml.";
constexpr uint64_t kLeastSkipped = 4096;  // bytes

constexpr uint64_t kLeastKeyBytes = 8 + 1 + 4 + 1;             // length, one character, type, a byte
constexpr uint64_t kLeastTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // length, one character, rank, one dimension, type, offset

class HeaderParser {
 public:
  HeaderParser(const FileReader& file, uint32_t file_index, std::span<const PackSkip> skips)
      : file_(file), file_index_(file_index), skips_(skips), reader_(file, 0) {}

  GgufHeader Parse() {
    ReadPreamble();
    header_.metadata = std::make_unique<MetadataStore>();
    for (uint64_t i = 0; i < keys_; ++i) ReadKey();
    reader_.SetSubject({}, {});
    header_.metadata->Seal(file_.name());
    header_.tensors.reserve(tensors_);  // bounded: the file has kLeastTensorBytes for each
    for (uint64_t i = 0; i < tensors_; ++i) ReadTensor();
    PlaceTensors();
    return std::move(header_);
  }

 private:
  void ReadPreamble() {
    char magic[4];
    reader_.ReadBytes(std::as_writable_bytes(std::span(magic)), "the magic");
    if (std::memcmp(magic, "GGUF", 4) != 0)
      reader_.Refuse(ErrorCode::kFormat, 0, "the magic is \"", Escape({magic, 4}), "\", expected \"GGUF\"");
    header_.version = reader_.Read<uint32_t>("the version");
    if (header_.version == 0x02000000 || header_.version == 0x03000000)
      reader_.Refuse(ErrorCode::kUnsupported, 4, "a big-endian file (version ", header_.version,
                     "); only little-endian ones are read");
    if (header_.version != 2 && header_.version != 3)
      reader_.Refuse(ErrorCode::kUnsupported, 4, "version ", header_.version, "; versions 2 and 3 are read");
    tensors_ = Count("the number of tensors", kMaxGgufTensors);
    keys_ = Count("the number of keys", kMaxGgufKeys);
    reader_.Need(keys_ * kLeastKeyBytes + tensors_ * kLeastTensorBytes, "a table of that many keys and tensors");
  }

  uint64_t Count(std::string_view field, uint64_t limit) {
    const uint64_t at = reader_.offset();
    const auto count = reader_.Read<uint64_t>(field);
    if (count > limit) reader_.Refuse(ErrorCode::kLimit, at, field, " is ", count, "; the limit is ", limit);
    return count;
  }

  // A string's bytes, copied to the arena. Its length is compared with the limit, then with what the file has left.
  std::string_view ReadText(std::string_view field, uint64_t limit) {
    const uint64_t length = Count(field, limit);
    reader_.Need(length, field);
    if (length == 0) return {};
    char* text = header_.metadata->arena().Allocate(length);
    reader_.ReadBytes({reinterpret_cast<std::byte*>(text), length}, field);
    return {text, length};
  }

  void ReadKey() {
    reader_.SetSubject({}, {});
    const uint64_t at = reader_.offset();
    const std::string_view key = ReadText("a key's length", kMaxGgufKeyBytes);
    if (key.empty()) reader_.Refuse(ErrorCode::kFormat, at, "a key of length 0");
    CheckName("key", key, at);
    reader_.SetSubject("key", key);
    const uint64_t type_at = reader_.offset();
    const uint32_t type = ReadType("the value type");
    if (key == "general.alignment") CheckAlignmentType(type, type_at);
    const uint64_t value_at = reader_.offset();
    for (const PackSkip& skip : skips_)
      if (skip.file == file_index_ && skip.begin == value_at) return reader_.Skip(skip.end - skip.begin, "a skipped array");
    MetaValue value = ReadValue(type);
    if (type == kArray && key.starts_with(kTokenizerKeys) && reader_.offset() - value_at >= kLeastSkipped)
      header_.large.push_back({file_index_, value_at, reader_.offset()});
    if (key == "general.alignment") SetAlignment(std::get<uint64_t>(value), type_at + 4);
    header_.metadata->Add(key, std::move(value), at);
  }

  void CheckName(std::string_view kind, std::string_view name, uint64_t at) {
    if (name.find('\0') != std::string_view::npos)
      reader_.Refuse(ErrorCode::kFormat, at, "a ", kind, " with a NUL byte: \"", Escape(name), "\"");
    if (!IsUtf8(name)) reader_.Refuse(ErrorCode::kFormat, at, "a ", kind, " that is not UTF-8: \"", Escape(name), "\"");
  }

  uint32_t ReadType(std::string_view field) {
    const uint64_t at = reader_.offset();
    const auto type = reader_.Read<uint32_t>(field);
    if (type >= kValueTypes) reader_.Refuse(ErrorCode::kFormat, at, field, " is ", type, "; types 0 to 12 exist");
    return type;
  }

  void CheckAlignmentType(uint32_t type, uint64_t at) {
    if (type != kU32) reader_.Refuse(ErrorCode::kFormat, at, "is of type ", kValueTypeInfo[type].name, ", expected u32");
  }

  void SetAlignment(uint64_t value, uint64_t at) {
    if (value < kMinGgufAlignment || value > kMaxGgufAlignment || (value & (value - 1)) != 0)
      reader_.Refuse(ErrorCode::kFormat, at, "is ", value, ", expected a power of two from ", kMinGgufAlignment, " to ",
                     kMaxGgufAlignment);
    header_.alignment = value;
  }

  bool ReadBool() {
    const uint64_t at = reader_.offset();
    const auto byte = reader_.Read<uint8_t>("a bool");
    if (byte > 1) reader_.Refuse(ErrorCode::kFormat, at, "a bool is the byte ", static_cast<int>(byte), ", expected 0 or 1");
    return byte == 1;
  }

  MetaValue ReadValue(uint32_t type) {
    static constexpr std::string_view kField = "the value";
    switch (type) {
      case kU8:
        return uint64_t{reader_.Read<uint8_t>(kField)};
      case kI8:
        return int64_t{reader_.Read<int8_t>(kField)};
      case kU16:
        return uint64_t{reader_.Read<uint16_t>(kField)};
      case kI16:
        return int64_t{reader_.Read<int16_t>(kField)};
      case kU32:
        return uint64_t{reader_.Read<uint32_t>(kField)};
      case kI32:
        return int64_t{reader_.Read<int32_t>(kField)};
      case kU64:
        return reader_.Read<uint64_t>(kField);
      case kI64:
        return reader_.Read<int64_t>(kField);
      case kF32:
        return static_cast<double>(reader_.Read<float>(kField));
      case kF64:
        return reader_.Read<double>(kField);
      case kBool:
        return ReadBool();
      case kString:
        return ReadText("the string's length", kMaxGgufStringBytes);
      default:
        return std::unique_ptr<const MetaArray>(ReadArray());
    }
  }

  template <typename Stored, typename Wide>
  void ReadNumbers(uint64_t count, std::vector<Wide>& out) {
    if constexpr (sizeof(Stored) < 4) {
      widening_ += (sizeof(Wide) - 2 * sizeof(Stored)) * count;
      if (widening_ > kMaxWidening)
        reader_.Refuse(ErrorCode::kLimit, reader_.offset(), "arrays of 8- and 16-bit numbers would take more than ", kMaxWidening,
                       " bytes beyond twice their size");
    }
    out.reserve(count);
    Stored piece[512];
    while (count > 0) {
      const auto n = static_cast<size_t>(std::min<uint64_t>(count, std::size(piece)));
      reader_.ReadBytes(std::as_writable_bytes(std::span(piece, n)), "an array's items");
      for (size_t i = 0; i < n; ++i) out.push_back(static_cast<Wide>(piece[i]));
      count -= n;
    }
  }

  std::unique_ptr<MetaArray> ReadArray() {
    const uint64_t type_at = reader_.offset();
    const uint32_t type = ReadType("the array's item type");
    if (type == kArray) reader_.Refuse(ErrorCode::kUnsupported, type_at, "an array of arrays");
    const uint64_t count = Count("the array's count", kMaxGgufArray);
    reader_.Need(CheckedMul(count, kValueTypeInfo[type].bytes, "the array's bytes"), "an array of that count");
    auto array = std::make_unique<MetaArray>();
    using Kind = MetaArray::Kind;
    switch (type) {
      case kU8:
        array->kind = Kind::kUint;
        ReadNumbers<uint8_t>(count, array->uints);
        break;
      case kU16:
        array->kind = Kind::kUint;
        ReadNumbers<uint16_t>(count, array->uints);
        break;
      case kU32:
        array->kind = Kind::kUint;
        ReadNumbers<uint32_t>(count, array->uints);
        break;
      case kU64:
        array->kind = Kind::kUint;
        ReadNumbers<uint64_t>(count, array->uints);
        break;
      case kI8:
        array->kind = Kind::kInt;
        ReadNumbers<int8_t>(count, array->ints);
        break;
      case kI16:
        array->kind = Kind::kInt;
        ReadNumbers<int16_t>(count, array->ints);
        break;
      case kI32:
        array->kind = Kind::kInt;
        ReadNumbers<int32_t>(count, array->ints);
        break;
      case kI64:
        array->kind = Kind::kInt;
        ReadNumbers<int64_t>(count, array->ints);
        break;
      case kF32:
        array->kind = Kind::kFloat;
        ReadNumbers<float>(count, array->floats);
        break;
      case kF64:
        array->kind = Kind::kFloat;
        ReadNumbers<double>(count, array->floats);
        break;
      case kBool: {
        array->kind = Kind::kBool;
        const uint64_t at = reader_.offset();
        ReadNumbers<uint8_t>(count, array->ints);
        for (uint64_t i = 0; i < count; ++i)
          if (array->ints[i] > 1)
            reader_.Refuse(ErrorCode::kFormat, at + i, "a bool is the byte ", array->ints[i], ", expected 0 or 1");
        break;
      }
      default:
        array->kind = Kind::kString;
        array->strings.reserve(count);  // 16 bytes each, where the file has at least 8
        for (uint64_t i = 0; i < count; ++i) array->strings.push_back(ReadText("a string's length", kMaxGgufStringBytes));
    }
    return array;
  }

  void ReadTensor() {
    reader_.SetSubject({}, {});
    const uint64_t name_at = reader_.offset();
    const auto length = reader_.Read<uint64_t>("a tensor name's length");
    if (length == 0 || length > kMaxGgufTensorName)
      reader_.Refuse(ErrorCode::kFormat, name_at, "a tensor name of ", length, " bytes, expected 1 to ", kMaxGgufTensorName);
    char text[kMaxGgufTensorName];
    reader_.ReadBytes(std::as_writable_bytes(std::span(text, length)), "a tensor name");
    CheckName("tensor name", {text, length}, name_at);
    TensorInfo tensor;
    tensor.name.assign(text, length);
    tensor.file = file_index_;
    reader_.SetSubject("tensor", tensor.name);

    const uint64_t rank_at = reader_.offset();
    const auto rank = reader_.Read<uint32_t>("the number of dimensions");
    if (rank < 1 || rank > kMaxRank) reader_.Refuse(ErrorCode::kFormat, rank_at, rank, " dimensions, expected 1 to ", kMaxRank);
    tensor.shape.rank = static_cast<int>(rank);
    const uint64_t dims_at = reader_.offset();
    for (uint32_t i = 0; i < rank; ++i) {  // fastest first in the file, slowest first here
      const uint64_t at = reader_.offset();
      const auto dim = reader_.Read<uint64_t>("a dimension");
      if (dim == 0 || dim > INT64_MAX)
        reader_.Refuse(ErrorCode::kFormat, at, "dimension ", i, " is ", static_cast<int64_t>(dim), ", expected at least 1");
      tensor.shape.dims[rank - 1 - i] = dim;
    }
    const uint64_t type_at = reader_.offset();
    const auto type_id = reader_.Read<uint32_t>("the type");
    const GgufType* type = FindGgufType(type_id);
    if (!type) reader_.Refuse(ErrorCode::kUnsupported, type_at, "the type ", type_id, " is none that this version knows");
    tensor.dtype = type->dtype;
    tensor.dtype_name = type->name;
    if (tensor.shape.last() % type->values_per_block != 0)
      reader_.Refuse(ErrorCode::kFormat, dims_at, "rows of ", tensor.shape.last(), " values are not whole ", type->name,
                     " blocks of ", type->values_per_block);
    tensor.bytes = TensorBytes(tensor.shape, *type, dims_at);
    tensor.offset = reader_.Read<uint64_t>("the offset");  // from the data's begin, until PlaceTensors
    CheckPlace(tensor, reader_.offset() - 8);
    header_.tensors.push_back(std::move(tensor));
  }

  uint64_t TensorBytes(const Shape& shape, const GgufType& type, uint64_t at) {
    uint64_t elements = 1, bytes = 0;
    bool fits = true;
    for (int i = 0; i < shape.rank; ++i) fits = fits && !__builtin_mul_overflow(elements, shape[i], &elements);
    fits = fits && elements <= INT64_MAX &&
           !__builtin_mul_overflow(elements / type.values_per_block, uint64_t{type.bytes_per_block}, &bytes);
    if (!fits || bytes > INT64_MAX)
      reader_.Refuse(ErrorCode::kLimit, at, "the shape ", ToString(shape), " of ", type.name, " takes more than 2^63 - 1 bytes");
    return bytes;
  }

  // The data's layout is fully determined: anything else is an overlap, a gap or a lie.
  void CheckPlace(const TensorInfo& tensor, uint64_t at) {
    if (tensor.offset % header_.alignment != 0)
      reader_.Refuse(ErrorCode::kFormat, at, "the offset ", tensor.offset, " is not a multiple of the alignment ",
                     header_.alignment);
    if (tensor.offset != data_bytes_)
      reader_.Refuse(ErrorCode::kFormat, at, "the offset is ", tensor.offset, ", ",
                     tensor.offset < data_bytes_ ? "inside" : "leaving a gap after", " the tensor before it, expected ",
                     data_bytes_);
    uint64_t end = 0;
    if (__builtin_add_overflow(data_bytes_, tensor.bytes, &end) || end > INT64_MAX - header_.alignment)
      reader_.Refuse(ErrorCode::kLimit, at, "the data up to its end takes more than 2^63 - 1 bytes");
    data_bytes_ = CheckedAlign(end, header_.alignment, "the data's bytes");
  }

  void PlaceTensors() {
    reader_.SetSubject({}, {});
    header_.data_begin = CheckedAlign(reader_.offset(), header_.alignment, "the data's begin");
    for (TensorInfo& tensor : header_.tensors) {
      const uint64_t relative = tensor.offset;
      tensor.offset = CheckedAdd(header_.data_begin, relative, "a tensor's offset");
      const uint64_t end = CheckedAdd(tensor.offset, tensor.bytes, "a tensor's end");
      if (end > file_.size())
        Fail(ErrorCode::kTruncated, file_.name(), ": offset ", tensor.offset, ": tensor ", Escape(tensor.name), " ends at ", end,
             ", the file at ", file_.size());
    }
  }

  const FileReader& file_;
  const uint32_t file_index_;
  const std::span<const PackSkip> skips_;
  ByteReader reader_;
  GgufHeader header_;
  uint64_t tensors_ = 0, keys_ = 0;
  uint64_t data_bytes_ = 0;  // of the tensors so far, padded
  uint64_t widening_ = 0;
};

}  // namespace

GgufHeader ReadGgufHeader(const FileReader& file, uint32_t file_index, std::span<const PackSkip> skips) {
  return HeaderParser(file, file_index, skips).Parse();
}

}  // namespace scout::io

#include "io/safetensors.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "io/json.h"

namespace scout::io {
namespace {

constexpr uint64_t kPreamble = 8;  // bytes of the header's length

struct NamedDType {
  std::string_view name;
  DType dtype;
};
constexpr NamedDType kDTypes[] = {
    {"BF16", DType::kBF16},      {"F16", DType::kF16}, {"F32", DType::kF32}, {"F64", DType::kF64}, {"F8_E4M3", DType::kF8E4M3},
    {"F8_E5M2", DType::kF8E5M2}, {"I8", DType::kI8},   {"U8", DType::kU8},   {"I16", DType::kI16}, {"U16", DType::kU16},
    {"I32", DType::kI32},        {"U32", DType::kU32}, {"I64", DType::kI64}, {"U64", DType::kU64}, {"BOOL", DType::kBool},
};

// First pass: how many entries there are, so that the second can reserve exactly and a swarm of them is refused for nothing.
class EntryCounter : public JsonHandler {
 public:
  uint64_t entries = 0;

 private:
  void BeginObject() override { ++depth_; }
  void EndObject() override { --depth_; }
  void Key(std::string_view /*key*/) override { entries += depth_ == 1; }
  int depth_ = 0;
};

// Second pass: a state machine over the events. Every state knows which events it takes; all others are refused by name.
class EntryReader : public JsonHandler {
 public:
  explicit EntryReader(std::vector<TensorInfo>& out) : out_(out) {}

 private:
  enum class State { kTop, kEntries, kEntryOrMap, kField, kDType, kShape, kShapeItem, kOffsets, kOffsetItem, kMap, kMapValue };

  void BeginObject() override {
    if (state_ == State::kTop) {
      state_ = State::kEntries;
    } else if (state_ == State::kEntryOrMap) {
      state_ = metadata_ ? State::kMap : State::kField;
      tensor_ = {};
      tensor_.name = name_;
      have_dtype_ = have_shape_ = have_offsets_ = false;
    } else {
      Unexpected("an object");
    }
  }

  void Key(std::string_view key) override {
    if (state_ == State::kEntries) {
      metadata_ = key == "__metadata__";
      if (key.empty()) Refuse(ErrorCode::kFormat, "a tensor with an empty name");
      if (key.size() > kMaxSafetensorsName)
        Refuse(ErrorCode::kLimit, "a tensor name of ", key.size(), " bytes; the limit is ", kMaxSafetensorsName);
      if (key.find('\0') != std::string_view::npos) Refuse(ErrorCode::kFormat, "a tensor name with a NUL: \"", Escape(key), "\"");
      name_ = key;
      state_ = State::kEntryOrMap;
    } else if (state_ == State::kMap) {
      state_ = State::kMapValue;
    } else if (key == "dtype") {
      state_ = State::kDType;
    } else if (key == "shape") {
      state_ = State::kShape;
    } else if (key == "data_offsets") {
      state_ = State::kOffsets;
    } else {
      Refuse(ErrorCode::kFormat, Tensor(), "the field \"", Escape(key), "\" is none of dtype, shape, data_offsets");
    }
  }

  void String(std::string_view value) override {
    if (state_ == State::kMapValue) {
      state_ = State::kMap;
    } else if (state_ == State::kDType) {
      const auto* found =
          std::find_if(std::begin(kDTypes), std::end(kDTypes), [&](const NamedDType& d) { return d.name == value; });
      if (found == std::end(kDTypes))
        Refuse(ErrorCode::kUnsupported, Tensor(), "the dtype \"", Escape(value), "\" is not supported");
      tensor_.dtype = found->dtype;
      tensor_.dtype_name = found->name;
      have_dtype_ = true;
      state_ = State::kField;
    } else {
      Unexpected("a string");
    }
  }

  void BeginArray() override {
    if (state_ == State::kShape) {
      state_ = State::kShapeItem;
    } else if (state_ == State::kOffsets) {
      state_ = State::kOffsetItem;
      offsets_seen_ = 0;
    } else {
      Unexpected("an array");
    }
  }

  void Uint(uint64_t value) override {
    if (state_ == State::kShapeItem) {
      if (tensor_.shape.rank == kMaxRank) Refuse(ErrorCode::kFormat, Tensor(), "more than ", kMaxRank, " dimensions");
      tensor_.shape.dims[static_cast<size_t>(tensor_.shape.rank++)] = value;
    } else if (state_ == State::kOffsetItem) {
      if (offsets_seen_ == 2) Refuse(ErrorCode::kFormat, Tensor(), "data_offsets has more than 2 entries");
      offsets_[offsets_seen_++] = value;
    } else {
      Unexpected("a number");
    }
  }

  void EndArray() override {
    if (state_ == State::kShapeItem) {
      have_shape_ = true;
    } else {
      if (offsets_seen_ != 2) Refuse(ErrorCode::kFormat, Tensor(), "data_offsets has ", offsets_seen_, " entries, expected 2");
      if (offsets_[1] < offsets_[0])
        Refuse(ErrorCode::kFormat, Tensor(), "data_offsets [", offsets_[0], ", ", offsets_[1], "] end before they begin");
      have_offsets_ = true;
    }
    state_ = State::kField;
  }

  void EndObject() override {
    if (state_ == State::kField) FinishTensor();
    state_ = State::kEntries;  // after the outermost object nothing can follow: the walk itself refuses it
  }

  void Null() override { Unexpected("null"); }
  void Bool(bool) override { Unexpected("a bool"); }
  void Int(int64_t value) override { Unexpected(StrCat("the number ", value)); }
  void Float(double value) override { Unexpected(StrCat("the number ", value)); }

  void FinishTensor() {
    if (!have_dtype_ || !have_shape_ || !have_offsets_)
      Refuse(ErrorCode::kFormat, Tensor(), "without ", !have_dtype_ ? "dtype" : !have_shape_ ? "shape" : "data_offsets");
    uint64_t bytes = InfoOf(tensor_.dtype).bytes_per_block;
    bool fits = true;
    for (int i = 0; i < tensor_.shape.rank; ++i) fits = fits && !__builtin_mul_overflow(bytes, tensor_.shape[i], &bytes);
    // A zero among huge dimensions would hide an overflow, so the product is taken without it too.
    uint64_t nonzero = 1;
    for (int i = 0; i < tensor_.shape.rank; ++i)
      if (tensor_.shape[i] != 0) fits = fits && !__builtin_mul_overflow(nonzero, tensor_.shape[i], &nonzero);
    if (!fits)
      Refuse(ErrorCode::kLimit, Tensor(), "the shape ", ToString(tensor_.shape), " of ", tensor_.dtype_name,
             " takes more than 2^64 bytes");
    if (bytes != offsets_[1] - offsets_[0])
      Refuse(ErrorCode::kFormat, Tensor(), "the shape ", ToString(tensor_.shape), " of ", tensor_.dtype_name, " takes ", bytes,
             " bytes, data_offsets hold ", offsets_[1] - offsets_[0]);
    tensor_.offset = offsets_[0];  // from the data's begin, until the caller places it
    tensor_.bytes = bytes;
    out_.push_back(std::move(tensor_));
  }

  std::string Tensor() const { return StrCat("tensor ", Escape(name_), ": "); }

  [[noreturn]] void Unexpected(std::string_view found) {
    switch (state_) {
      case State::kTop:
        Refuse(ErrorCode::kFormat, "the header is ", found, ", expected an object");
      case State::kEntryOrMap:
        if (metadata_) Refuse(ErrorCode::kFormat, "__metadata__ is ", found, ", expected an object");
        Refuse(ErrorCode::kFormat, Tensor(), "is ", found, ", expected an object");
      case State::kMapValue:
        Refuse(ErrorCode::kFormat, "__metadata__ holds ", found, ", expected strings");
      case State::kDType:
        Refuse(ErrorCode::kFormat, Tensor(), "dtype is ", found, ", expected a string");
      case State::kShape:
        Refuse(ErrorCode::kFormat, Tensor(), "shape is ", found, ", expected an array");
      case State::kShapeItem:
        Refuse(ErrorCode::kFormat, Tensor(), "shape holds ", found, ", expected whole numbers from 0");
      case State::kOffsets:
        Refuse(ErrorCode::kFormat, Tensor(), "data_offsets is ", found, ", expected an array");
      default:
        Refuse(ErrorCode::kFormat, Tensor(), "data_offsets hold ", found, ", expected whole numbers from 0");
    }
  }

  std::vector<TensorInfo>& out_;
  State state_ = State::kTop;
  bool metadata_ = false;
  std::string name_;
  TensorInfo tensor_;
  bool have_dtype_ = false, have_shape_ = false, have_offsets_ = false;
  uint64_t offsets_[2] = {};
  int offsets_seen_ = 0;
};

}  // namespace

std::vector<TensorInfo> ReadSafetensorsHeader(const FileReader& file, uint32_t file_index) {
  uint64_t length = 0;
  if (file.size() < kPreamble)
    Fail(ErrorCode::kTruncated, file.name(), ": offset 0: the header's length needs 8 bytes, the file has ", file.size());
  file.ReadAt(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length > kMaxSafetensorsHeader)
    Fail(ErrorCode::kLimit, file.name(), ": offset 0: the header's length is ", length, "; the limit is ", kMaxSafetensorsHeader);
  if (length < 2)
    Fail(ErrorCode::kTruncated, file.name(), ": offset 0: the header's length is ", length,
         "; the shortest header, {}, has 2 bytes");
  if (length > file.size() - kPreamble)
    Fail(ErrorCode::kTruncated, file.name(), ": offset 0: the header's length is ", length, ", the file has ",
         file.size() - kPreamble, " bytes after it");
  std::string text(static_cast<size_t>(length), '\0');
  file.ReadAt(kPreamble, std::as_writable_bytes(std::span(text)));
  if (text[0] != '{')
    Fail(ErrorCode::kFormat, file.name(), ": offset 8: the header begins with '", Escape(text.substr(0, 1)), "', expected '{'");

  const std::string name = file.name() + " header";
  JsonLimits limits{.max_depth = 64, .max_keys = kMaxSafetensorsKeys};
  EntryCounter counter;
  ParseJson(text, name, counter, limits);
  if (counter.entries > kMaxSafetensorsTensors + 1)
    Fail(ErrorCode::kLimit, file.name(), ": ", counter.entries, " tensors in the header; the limit is ", kMaxSafetensorsTensors);
  std::vector<TensorInfo> tensors;
  tensors.reserve(counter.entries);
  EntryReader reader(tensors);
  limits.check_keys = false;  // the first walk did
  ParseJson(text, name, reader, limits);

  std::sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
  });
  const uint64_t data_begin = kPreamble + length;
  const uint64_t data_bytes = file.size() - data_begin;
  uint64_t expected = 0;
  for (TensorInfo& tensor : tensors) {
    if (tensor.offset != expected)
      Fail(ErrorCode::kFormat, file.name(), ": tensor ", Escape(tensor.name), " begins at ", tensor.offset, " of the data, ",
           tensor.offset < expected ? "inside" : "leaving a hole after", " the tensor before it, which ends at ", expected);
    expected += tensor.bytes;  // both ends were 64-bit numbers in the file
    if (expected > data_bytes)
      Fail(ErrorCode::kTruncated, file.name(), ": tensor ", Escape(tensor.name), " ends at ", expected,
           " of the data, the file has ", data_bytes, " bytes of it");
    tensor.offset += data_begin;
    tensor.file = file_index;
  }
  if (expected != data_bytes)
    Fail(ErrorCode::kFormat, file.name(), ": ", data_bytes - expected, " bytes follow the last tensor, which ends at ", expected,
         " of the data");
  return tensors;
}

}  // namespace scout::io

#include "io/hf_config.h"

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "io/json.h"

namespace scout::io {
namespace {

constexpr size_t kMaxPathBytes = 2 * 1024 * 1024;  // of all paths together
constexpr size_t kMaxValues = 32768;

class Flattener : public JsonHandler {
 public:
  explicit Flattener(MetadataStore& out) : out_(out) {}

 private:
  // An open object or list. `path` is how much of path_ names it.
  struct Level {
    bool list = false;
    size_t path = 0;
    uint64_t index = 0;  // of the next item of a list
    uint64_t begin = 0;  // where it stands in the text
    bool mixed = false;  // a list of several kinds, or of lists and objects
    MetaArray items;     // of a list; numbers collect in `numbers` until their kind is known
    bool floats = false, negative = false, large = false;
    std::vector<double> doubles;
  };

  void BeginObject() override { Open(false); }
  void BeginArray() override {
    if (levels_.empty()) Refuse(ErrorCode::kFormat, "the text is an array, expected an object");
    Open(true);
  }

  void Open(bool list) {
    if (!levels_.empty() && levels_.back().list) {
      Level& parent = levels_.back();
      parent.mixed = true;
      path_.resize(parent.path);
      AppendName(StrCat(parent.index++));
    }
    Level level;
    level.list = list;
    level.path = path_.size();
    level.begin = offset();
    levels_.push_back(std::move(level));
  }

  void Key(std::string_view key) override {
    path_.resize(levels_.back().path);
    AppendName(key);
  }

  void AppendName(std::string_view name) {
    if (path_.size() + name.size() + 1 > kMaxPathBytes)
      Refuse(ErrorCode::kLimit, "the paths of all values take more than ", kMaxPathBytes, " bytes");
    if (!path_.empty()) path_ += '.';
    path_ += name;
  }

  void EndObject() override { levels_.pop_back(); }

  void EndArray() override {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    path_.resize(level.path);
    if (level.mixed) return;
    if (level.floats || level.large) {  // large: past int64, kept as it is only when nothing is negative or a float
      if (level.large && !level.floats && !level.negative) {
        level.items.kind = MetaArray::Kind::kUint;
        for (const int64_t bits : level.items.ints) level.items.uints.push_back(static_cast<uint64_t>(bits));
      } else {
        level.items.kind = MetaArray::Kind::kFloat;
        level.items.floats = std::move(level.doubles);
      }
      level.items.ints = {};
    }
    Store(std::make_unique<const MetaArray>(std::move(level.items)), level.begin);
  }

  // The list that takes the value being delivered as its next item, or null when the value stands alone.
  Level* ListFor(MetaArray::Kind kind) {
    if (levels_.empty()) Refuse(ErrorCode::kFormat, "the text is a single value, expected an object");
    Level& level = levels_.back();
    if (!level.list) return nullptr;
    if (level.index++ == 0)
      level.items.kind = kind;
    else if (level.items.kind != kind)
      level.mixed = true;
    return &level;
  }

  void Number(int64_t bits, double value, bool is_float, bool negative, bool large, MetaValue alone) {
    Level* list = ListFor(MetaArray::Kind::kInt);
    if (!list) return Store(std::move(alone), offset());
    if (list->mixed) return;
    list->floats |= is_float;
    list->negative |= negative;
    list->large |= large;
    list->items.ints.push_back(bits);
    list->doubles.push_back(value);
  }

  void Int(int64_t value) override { Number(value, static_cast<double>(value), false, value < 0, false, MetaValue(value)); }
  void Uint(uint64_t value) override {
    Number(static_cast<int64_t>(value), static_cast<double>(value), false, false, value > INT64_MAX, MetaValue(value));
  }
  void Float(double value) override { Number(0, value, true, value < 0, false, MetaValue(value)); }

  void Bool(bool value) override {
    if (Level* list = ListFor(MetaArray::Kind::kBool))
      list->items.ints.push_back(value);
    else
      Store(MetaValue(value), offset());
  }

  void String(std::string_view value) override {
    if (Level* list = ListFor(MetaArray::Kind::kString))
      list->items.strings.push_back(out_.arena().Copy(value));
    else
      Store(MetaValue(out_.arena().Copy(value)), offset());
  }

  void Null() override {
    if (levels_.empty()) Refuse(ErrorCode::kFormat, "the text is null, expected an object");
    if (levels_.back().list) {
      levels_.back().mixed = true;
      ++levels_.back().index;
      return;
    }
    out_.AddNull(StorePath(), offset());
  }

  void Store(MetaValue value, uint64_t at) { out_.Add(StorePath(), std::move(value), at); }

  std::string_view StorePath() {
    path_bytes_ += path_.size();
    if (path_bytes_ > kMaxPathBytes) Refuse(ErrorCode::kLimit, "the paths of all values take more than ", kMaxPathBytes, " bytes");
    if (out_.size() >= kMaxValues) Refuse(ErrorCode::kLimit, "more than ", kMaxValues, " values");
    return out_.arena().Copy(path_);
  }

  MetadataStore& out_;
  std::vector<Level> levels_;
  std::string path_;
  size_t path_bytes_ = 0;
};

}  // namespace

std::unique_ptr<MetadataStore> FlattenJson(std::string_view text, std::string_view name) {
  auto out = std::make_unique<MetadataStore>();
  Flattener flattener(*out);
  ParseJson(text, name, flattener);
  out->Seal(name);
  return out;
}

}  // namespace scout::io

// Typed access to metadata: any type whose value is losslessly what was asked for, a sentence otherwise.
#include <cmath>

#include "base/error.h"
#include "io/checkpoint.h"

namespace scout::io {
namespace {

std::string Describe(const MetaValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return StrCat("the signed integer ", *i);
  if (const auto* u = std::get_if<uint64_t>(&value)) return StrCat("the unsigned integer ", *u);
  if (const auto* f = std::get_if<double>(&value)) return StrCat("the float ", *f);
  if (const auto* b = std::get_if<bool>(&value)) return StrCat("the bool ", *b);
  if (const auto* s = std::get_if<std::string_view>(&value)) return StrCat("the string \"", Escape(*s), "\"");
  const auto& array = std::get<std::unique_ptr<const MetaArray>>(value);
  static constexpr std::string_view kNames[] = {"signed integers", "unsigned integers", "floats", "bools", "strings"};
  return StrCat("an array of ", array->size(), " ", kNames[static_cast<size_t>(array->kind)]);
}

[[noreturn]] void Mismatch(const Metadata& from, std::string_view key, const MetaValue& value, std::string_view wanted) {
  Fail(ErrorCode::kFormat, from.Where(key), "the key ", Escape(key), " holds ", Describe(value), ", expected ", wanted);
}

}  // namespace

size_t MetaArray::size() const {
  switch (kind) {
    case Kind::kUint:
      return uints.size();
    case Kind::kFloat:
      return floats.size();
    case Kind::kString:
      return strings.size();
    default:
      return ints.size();
  }
}

std::optional<uint64_t> Metadata::FindUint(std::string_view key, uint64_t min, uint64_t max) const {
  const MetaValue* value = Find(key);
  if (!value) return std::nullopt;
  std::optional<uint64_t> found;
  if (const auto* i = std::get_if<int64_t>(value)) {
    if (*i >= 0) found = static_cast<uint64_t>(*i);
  } else if (const auto* u = std::get_if<uint64_t>(value)) {
    found = *u;
  }
  if (!found || *found < min || *found > max) Mismatch(*this, key, *value, StrCat("an integer from ", min, " to ", max));
  return found;
}

std::optional<double> Metadata::FindFloat(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (!value) return std::nullopt;
  if (const auto* f = std::get_if<double>(value)) return *f;
  constexpr uint64_t kExact = uint64_t{1} << 53;  // integers beyond may lose their last bits in a double
  if (const auto* i = std::get_if<int64_t>(value); i && *i >= -static_cast<int64_t>(kExact) && *i <= static_cast<int64_t>(kExact))
    return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(value); u && *u <= kExact) return static_cast<double>(*u);
  Mismatch(*this, key, *value, "a number");
}

std::optional<bool> Metadata::FindBool(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (!value) return std::nullopt;
  if (const auto* b = std::get_if<bool>(value)) return *b;
  if (const auto* i = std::get_if<int64_t>(value); i && (*i == 0 || *i == 1)) return *i == 1;
  if (const auto* u = std::get_if<uint64_t>(value); u && *u <= 1) return *u == 1;
  Mismatch(*this, key, *value, "true or false");
}

std::optional<std::string_view> Metadata::FindString(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (!value) return std::nullopt;
  if (const auto* s = std::get_if<std::string_view>(value)) return *s;
  Mismatch(*this, key, *value, "a string");
}

const MetaArray* Metadata::FindArray(std::string_view key) const {
  const MetaValue* value = Find(key);
  if (!value) return nullptr;
  if (const auto* array = std::get_if<std::unique_ptr<const MetaArray>>(value)) return array->get();
  Mismatch(*this, key, *value, "an array");
}

}  // namespace scout::io

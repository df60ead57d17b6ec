#include "io/metadata_store.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace scout::io {

void MetadataStore::Seal(std::string_view file_name) {
  file_name_ = file_name;
  by_key_.resize(entries_.size());
  std::iota(by_key_.begin(), by_key_.end(), 0u);
  std::sort(by_key_.begin(), by_key_.end(), [&](uint32_t a, uint32_t b) {
    const int order = entries_[a].key.compare(entries_[b].key);
    return order != 0 ? order < 0 : a < b;
  });
  for (size_t i = 1; i < by_key_.size(); ++i) {
    const Entry& first = entries_[by_key_[i - 1]];
    const Entry& second = entries_[by_key_[i]];
    if (first.key == second.key)
      Fail(ErrorCode::kFormat, file_name, ": offset ", second.offset, ": the key ", Escape(second.key),
           " occurs twice, first at offset ", first.offset);
  }
}

const MetadataStore::Entry* MetadataStore::FindEntry(std::string_view key) const {
  const auto at = std::lower_bound(by_key_.begin(), by_key_.end(), key,
                                   [&](uint32_t index, std::string_view wanted) { return entries_[index].key < wanted; });
  if (at == by_key_.end() || entries_[*at].key != key) return nullptr;
  return &entries_[*at];
}

const MetaValue* MetadataStore::Find(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry && !entry->null ? &entry->value : nullptr;
}

bool MetadataStore::IsNull(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry && entry->null;
}

std::string MetadataStore::Where(std::string_view key) const {
  const Entry* entry = FindEntry(key);
  return entry ? StrCat(file_name_, ": offset ", entry->offset, ": ") : std::string();
}

std::vector<std::string_view> MetadataStore::Keys() const {
  std::vector<std::string_view> out;
  for (const Entry& entry : entries_)
    if (!entry.null) out.push_back(entry.key);
  return out;
}

}  // namespace scout::io

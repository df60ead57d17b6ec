// The one implementation of Metadata: entries in file order, found by binary search.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/checkpoint.h"
#include "io/string_arena.h"

namespace scout::io {

class MetadataStore : public Metadata {
 public:
  // Keys and strings given to Add live here.
  StringArena& arena() { return arena_; }

  // `offset` is where the key stands in its file, for the message about a duplicate.
  void Add(std::string_view key, MetaValue value, uint64_t offset) { entries_.push_back({key, std::move(value), offset, false}); }
  void AddNull(std::string_view key, uint64_t offset) { entries_.push_back({key, MetaValue(), offset, true}); }

  // Sorts; `file_name` begins messages from here on. Throws kFormat when a key occurs twice, naming both places. Nothing is found
  // before.
  void Seal(std::string_view file_name);

  size_t size() const { return entries_.size(); }

  const MetaValue* Find(std::string_view key) const override;
  std::vector<std::string_view> Keys() const override;
  bool IsNull(std::string_view key) const override;
  std::string Where(std::string_view key) const override;

 private:
  struct Entry {
    std::string_view key;
    MetaValue value;
    uint64_t offset;
    bool null;
  };
  const Entry* FindEntry(std::string_view key) const;

  std::string file_name_;
  StringArena arena_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> by_key_;  // indices of entries_, sorted by key
};

}  // namespace scout::io

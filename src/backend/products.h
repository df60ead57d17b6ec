// The library's side of product_plugin.h: the library that serves dense products of a backend, if one is there.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "backend/product_plugin.h"

namespace scout {

class ProductLibrary {
 public:
  // The plug-in "onednn", from `folder` or beside libscout. Null where it is not there or is refused, which costs one line of the
  // log for each reason in the life of the process. Any thread.
  static std::unique_ptr<ProductLibrary> Open(const std::string& folder);
  // Over a table that stays; for tests, and for Open.
  explicit ProductLibrary(const ProductPluginTable& table, const char* name) : table_(table), name_(name) {}

  const char* name() const { return name_; }
  // False from its first failure on.
  bool usable() const { return !failed_.load(std::memory_order_relaxed); }
  // False where it did not compute the tile; the first time costs a line of the log, and the library is not asked again. Any
  // thread.
  bool Multiply(const ProductTile& tile) noexcept;

 private:
  const ProductPluginTable& table_;
  const char* const name_;
  std::atomic<bool> failed_{false};
};

}  // namespace scout

#include "backend/products.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/plugin.h"

namespace scout {
namespace {

constexpr std::string_view kPlugin = "onednn";

// What was said already; a model and each of its engines ask anew.
struct Said {
  std::mutex mutex;
  std::vector<std::string> lines;
};
Said& TheSaid() {
  static Said* const said = new Said;  // never destroyed: other threads may be here when the process ends
  return *said;
}

void SayOnce(LogLevel level, const std::string& line) {
  {
    Said& said = TheSaid();
    const std::lock_guard lock(said.mutex);
    if (std::find(said.lines.begin(), said.lines.end(), line) != said.lines.end()) return;
    said.lines.push_back(line);
  }
  Log(level, line);
}

}  // namespace

std::unique_ptr<ProductLibrary> ProductLibrary::Open(const std::string& folder) {
  const bool there = IsPluginThere(kPlugin, folder);
  try {
    const PluginEntry& entry = OpenPlugin({.name = kPlugin,
                                           .contract = SCOUT_PRODUCT_CONTRACT,
                                           .folder = folder,
                                           .purpose = "a library for products of float weights"});
    const auto* const table = static_cast<const ProductPluginTable*>(entry.table);
    ProductMessage message = {};
    const char* const name = table->open(&message);
    if (name == nullptr) Fail(ErrorCode::kUnsupported, "the plug-in ", kPlugin, " is of no use: ", message.text);
    SayOnce(LogLevel::kInfo, StrCat(name, " serves products of float weights with many rows"));
    return std::make_unique<ProductLibrary>(*table, name);
  } catch (const Error& error) {
    SayOnce(there ? LogLevel::kWarning : LogLevel::kInfo, StrCat(error.what(), "; own kernels serve"));
    return nullptr;
  }
}

bool ProductLibrary::Multiply(const ProductTile& tile) noexcept {
  if (!usable()) return false;
  ProductMessage message = {};
  if (table_.multiply(&tile, &message) == 0) return true;
  if (!failed_.exchange(true)) Log(LogLevel::kWarning, name_, ": ", message.text, "; own kernels serve from here on");
  return false;
}

}  // namespace scout

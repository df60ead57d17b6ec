#include "gpu/library_pool.h"

#include <utility>

#include "base/log.h"

namespace scout::gpu {

void LibraryPool::Reserve() {
  const std::lock_guard lock(mutex_);
  if (!spare_) spare_ = Make();
}
std::unique_ptr<LibraryPlace> LibraryPool::Take() {
  const std::lock_guard lock(mutex_);
  if (!device_->has_library()) return nullptr;
  std::unique_ptr<LibraryPlace> place = spare_ ? std::move(spare_) : Make();
  if (place) ++taken_;
  return place;
}
void LibraryPool::Give(std::unique_ptr<LibraryPlace> place) {
  const std::lock_guard lock(mutex_);
  --taken_;
  if (!spare_ && device_->has_library() && !device_->lost()) spare_ = std::move(place);
}

std::unique_ptr<LibraryPlace> LibraryPool::Make() {
  if (none_ || !device_->has_library()) return nullptr;
  auto place = std::make_unique<LibraryPlace>();
  place->opened = device_->driver().OpenLibrary();
  none_ = !place->opened.library && place->opened.why.empty();
  if (none_) return nullptr;
  try {
    if (!place->opened.library) Fail(ErrorCode::kUnsupported, device_->name(), ": ", place->opened.why);
    place->workspace = DeviceBlock(device_, LibraryPlace::kWorkspace, false, place->opened.name.c_str());
  } catch (const Error& error) {
    // Streams that have a place keep it.
    if (error.code() == ErrorCode::kNoMemory && taken_ > 0)
      Log(LogLevel::kWarning, error.what(), "; own kernels serve another instance's products of halves");
    else
      device_->GiveUpLibrary(error);
    return nullptr;
  }
  return place;
}

void Device::TellRefusal(const HalfProduct& product, const std::string& why) {
  const std::tuple shape(product.bf16, product.outputs, product.k);
  const std::lock_guard lock(library_mutex_);
  if (std::find(refusals_told_.begin(), refusals_told_.end(), shape) != refusals_told_.end()) return;
  refusals_told_.push_back(shape);
  Log(LogLevel::kInfo, name_, ": ", why, "; own kernels serve them");
}

std::shared_ptr<LibraryPool> Device::library_pool() {
  const std::lock_guard lock(pool_mutex_);
  std::shared_ptr<LibraryPool> pool = library_pool_.lock();
  if (!pool) library_pool_ = pool = std::make_shared<LibraryPool>(shared_from_this());
  return pool;
}

}  // namespace scout::gpu

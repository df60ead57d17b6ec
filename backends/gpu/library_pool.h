// A vendor's library of matrix products on a device: a place for each stream that asks it, the first of which is taken when a model
// is loaded, so that a step need not and what is free afterwards is free for others.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>

#include "gpu/device.h"

namespace scout::gpu {

// The library as one stream asks it.
struct LibraryPlace {
  static constexpr size_t kWorkspace = size_t{32} << 20;
  DeviceBlock workspace;
  OpenedLibrary opened;  // gone before its workspace is

  // The shapes that it has refused, the last of them: it is not asked for them again.
  struct Shape {
    bool bf16 = false;
    int64_t outputs = 0, rows = 0, k = 0;
    bool operator==(const Shape&) const = default;
  };
  static Shape ShapeOf(const HalfProduct& product) { return {product.bf16, product.outputs, product.rows, product.k}; }
  bool Refuses(const HalfProduct& product) const {
    return std::find(refused.begin(), refused.end(), ShapeOf(product)) != refused.end();
  }
  void Refuse(const HalfProduct& product) { refused[refusals++ % refused.size()] = ShapeOf(product); }
  std::array<Shape, 64> refused;
  size_t refusals = 0;
};

// The places of a device. It lives as long as a backend that has met a weight for the library, or a stream that has a place.
class LibraryPool {
 public:
  explicit LibraryPool(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  LibraryPool(const LibraryPool&) = delete;
  LibraryPool& operator=(const LibraryPool&) = delete;

  // Sees to it that the next Take needs no memory. Where that cannot be, own kernels serve, which a line of the log has told.
  void Reserve();
  // A place, or null where own kernels serve, which has been told. Throws where the device is lost.
  std::unique_ptr<LibraryPlace> Take();
  // Of a stream whose products are done. One is kept.
  void Give(std::unique_ptr<LibraryPlace> place);

 private:
  std::unique_ptr<LibraryPlace> Make();

  const std::shared_ptr<Device> device_;
  std::mutex mutex_;
  std::unique_ptr<LibraryPlace> spare_;
  int taken_ = 0;      // that streams have
  bool none_ = false;  // a device that never had a library
};

}  // namespace scout::gpu

// libscout-onednn.so: tiles of dense products by oneDNN, 2.6 or later.
//
// A tile is one call of a matmul primitive on the thread that asks: whatever threads this oneDNN was built over are told that there
// is one, for the time of the call. Primitives take milliseconds to make, so they are kept, and tiles are cut into few different
// numbers of rows. Each call has a stream and scratch memory of its own, from a list of idle ones.
#include <oneapi/dnnl/dnnl.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "backend/product_plugin.h"
#include "base/fixed_text.h"
#include "base/plugin_entry.h"

#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB
#include <tbb/task_arena.h>
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_THREADPOOL
#include <oneapi/dnnl/dnnl_threadpool.hpp>
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
// Of the OpenMP library that oneDNN brings with it, whichever that is.
extern "C" int omp_get_max_threads() __attribute__((weak));
extern "C" void omp_set_num_threads(int) __attribute__((weak));
#endif

namespace scout {
namespace {

// Runs `call` with one thread, and leaves the thread's own setting, which a host's OpenMP may be using, as it was.
template <typename Call>
void OnThisThread(const Call& call) {
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB
  tbb::task_arena(1, 1).execute(call);
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_THREADPOOL
  struct Alone {
    int before = 0;
    Alone() {
      dnnl_threadpool_interop_get_max_concurrency(&before);
      dnnl_threadpool_interop_set_max_concurrency(1);
    }
    ~Alone() { dnnl_threadpool_interop_set_max_concurrency(before); }
  } const alone;
  call();
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
  struct Alone {
    int before = 0;
    Alone() {
      if (omp_get_max_threads == nullptr || omp_set_num_threads == nullptr) return;
      before = omp_get_max_threads();
      if (before != 1) omp_set_num_threads(1);
    }
    ~Alone() {
      if (before > 1) omp_set_num_threads(before);
    }
  } const alone;
  call();
#else
  call();
#endif
}

using Dims = dnnl::memory::dims;
constexpr auto kF32 = dnnl::memory::data_type::f32;

dnnl::matmul::primitive_desc Describe(const dnnl::engine& engine, const dnnl::memory::desc& x, const dnnl::memory::desc& w,
                                      const dnnl::memory::desc& y) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attr.set_fpmath_mode(dnnl::fpmath_mode::strict);  // a variable of the environment may say that float32 need not be float32
#if DNNL_VERSION_MAJOR >= 3
  return {engine, x, w, y, attr};
#else
  return {dnnl::matmul::desc(x, w, y), attr, engine};
#endif
}

// A primitive for tiles of one shape.
struct Product {
  dnnl::memory::desc x, w, y, scratch;
  dnnl::matmul primitive;

  Product(const dnnl::engine& engine, const ProductTile& tile)
      : x(Dims{tile.rows, tile.depth}, kF32, Dims{tile.x_stride, 1}),
        w(Dims{tile.depth, tile.outputs}, kF32, Dims{tile.w_stride, 1}),
        y(Dims{tile.rows, tile.outputs}, kF32, Dims{tile.y_stride, 1}) {
    const auto description = Describe(engine, x, w, y);
    scratch = description.scratchpad_desc();
    primitive = dnnl::matmul(description);
  }
};

// What one call works with.
struct Desk {
  dnnl::stream stream;
  dnnl::memory scratch;
  size_t scratch_bytes = 0;
  explicit Desk(const dnnl::engine& engine) : stream(engine) {}
};

class Products {
 public:
  Products() : engine_(dnnl::engine::kind::cpu, 0) {}

  void Multiply(const ProductTile& tile) {
    std::unique_ptr<Desk> desk = TakeDesk();
    for (int64_t done = 0; done < tile.rows;) {
      ProductTile piece = tile;
      piece.rows = RowsOf(tile.rows - done);
      piece.x += done * tile.x_stride;
      piece.y += done * tile.y_stride;
      Run(*ProductFor(piece), piece, *desk);
      done += piece.rows;
    }
    const std::lock_guard lock(mutex_);  // a desk that was in use when something failed is not used again
    desks_.push_back(std::move(desk));
  }

 private:
  using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t>;
  static constexpr size_t kMostProducts = 256;

  // Multiples of 512, then one of each smaller size, and what is left under 32.
  static int64_t RowsOf(int64_t left) {
    for (const int64_t rows : {512, 256, 128, 64, 32})
      if (left >= rows) return rows;
    return left;
  }

  std::unique_ptr<Desk> TakeDesk() {
    {
      const std::lock_guard lock(mutex_);
      if (!desks_.empty()) {
        std::unique_ptr<Desk> desk = std::move(desks_.back());
        desks_.pop_back();
        return desk;
      }
    }
    return std::make_unique<Desk>(engine_);
  }

  std::shared_ptr<const Product> ProductFor(const ProductTile& tile) {
    const Key key(tile.rows, tile.depth, tile.outputs, tile.x_stride, tile.w_stride, tile.y_stride);
    const std::lock_guard lock(mutex_);
    for (const auto& [of, product] : products_)
      if (of == key) return product;
    if (products_.size() >= kMostProducts) products_.clear();
    // Others wait here, for most likely they want the same.
    products_.emplace_back(key, std::make_shared<const Product>(engine_, tile));
    return products_.back().second;
  }

  void Run(const Product& product, const ProductTile& tile, Desk& desk) {
    const size_t scratch_bytes = product.scratch.get_size();
    if (scratch_bytes > desk.scratch_bytes) {
      desk.scratch_bytes = 0;
      desk.scratch = dnnl::memory(
          dnnl::memory::desc(Dims{static_cast<int64_t>(scratch_bytes)}, dnnl::memory::data_type::u8, dnnl::memory::format_tag::a),
          engine_);
      desk.scratch_bytes = scratch_bytes;
    }
    const dnnl::memory x(product.x, engine_, const_cast<float*>(tile.x)), w(product.w, engine_, const_cast<float*>(tile.w)),
        y(product.y, engine_, tile.y);
    const dnnl::memory scratch(product.scratch, engine_, scratch_bytes > 0 ? desk.scratch.get_data_handle() : nullptr);
    product.primitive.execute(desk.stream,
                              {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}, {DNNL_ARG_SCRATCHPAD, scratch}});
    desk.stream.wait();
  }

  dnnl::engine engine_;
  std::mutex mutex_;
  std::vector<std::pair<Key, std::shared_ptr<const Product>>> products_;
  std::vector<std::unique_ptr<Desk>> desks_;
};

// Made at the first use and never destroyed: other threads may be inside it when the process ends.
Products& TheProducts() {
  static Products* const products = new Products;
  return *products;
}

// 0, or what was thrown is written down.
template <typename Call>
int32_t Guarded(ProductMessage* message, const Call& call) noexcept {
  try {
    OnThisThread(call);
    return 0;
  } catch (const std::bad_alloc&) {
    CopyText("no memory for a product", message->text);
  } catch (const std::exception& error) {  // dnnl::error among them
    CopyText(error.what(), message->text);
  } catch (...) {
    CopyText("a product failed and does not say why", message->text);
  }
  return 1;
}

const char* RuntimeName(unsigned runtime) {
  switch (runtime) {
    case DNNL_RUNTIME_SEQ:
      return "sequential";
    case DNNL_RUNTIME_OMP:
      return "OpenMP";
    case DNNL_RUNTIME_TBB:
      return "TBB";
    case DNNL_RUNTIME_THREADPOOL:
      return "thread pool";
    default:
      return nullptr;
  }
}

const char* Open(ProductMessage* message) noexcept {
  static char name[64] = {};
  static std::mutex mutex;
  const int32_t failed = Guarded(message, [] {
    const std::lock_guard lock(mutex);
    if (name[0] != 0) return;
    const dnnl_version_t& version = *dnnl_version();
    const char* const runtime = RuntimeName(version.cpu_runtime);
    char found[sizeof name] = {};
    std::snprintf(found, sizeof found, "oneDNN %d.%d.%d (%s)", version.major, version.minor, version.patch,
                  runtime == nullptr ? "SYCL" : runtime);
    if (version.cpu_runtime != DNNL_CPU_RUNTIME || version.major != DNNL_VERSION_MAJOR || runtime == nullptr) {
      char text[200];
      std::snprintf(text, sizeof text, "it was built for oneDNN %d with another kind of threads than %s has", DNNL_VERSION_MAJOR,
                    found);
      throw std::runtime_error(text);
    }
    // The library writes to no stream and no file, whatever variables say.
    dnnl_set_verbose(0);
    dnnl_set_jit_dump(0);
    // A small product shows what is wrong before something depends on it.
    constexpr int64_t kRows = 33, kDepth = 16, kOutputs = 48;
    std::vector<float> x(kRows * kDepth), w(kDepth * kOutputs), y(kRows * kOutputs);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i % 5) - 2;
    TheProducts().Multiply({kRows, kDepth, kOutputs, x.data(), kDepth, w.data(), kOutputs, y.data(), kOutputs});
    for (size_t n = 0; n < kRows; ++n) {
      for (size_t o = 0; o < kOutputs; ++o) {
        float sum = 0;
        for (size_t i = 0; i < kDepth; ++i) sum += x[n * kDepth + i] * w[i * kOutputs + o];
        if (sum != y[n * kOutputs + o]) throw std::runtime_error("it computes a small product of integers wrongly");
      }
    }
    std::memcpy(name, found, sizeof name);
  });
  return failed == 0 ? name : nullptr;
}

int32_t Multiply(const ProductTile* tile, ProductMessage* message) noexcept {
  return Guarded(message, [&] { TheProducts().Multiply(*tile); });
}

}  // namespace
}  // namespace scout

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;

extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept {
  static const scout::ProductPluginTable kTable = {scout::Open, scout::Multiply};
  static const scout::PluginEntry kEntry = {scout::kPluginMagic,   sizeof(scout::PluginEntry), "onednn",
                                            SCOUT_PLUGIN_CONTRACT, SCOUT_PLUGIN_VERSION,       &kTable};
  return &kEntry;
}

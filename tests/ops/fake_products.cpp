// Compiled several times: a plug-in for products that counts what it is asked, and what may be wrong with others. Each lies in a
// folder of its own.
#include <atomic>
#include <cstdio>

#include "backend/product_plugin.h"
#include "base/plugin_entry.h"

namespace {

std::atomic<int64_t> g_calls{0};

#if defined(FAKE_IS_OTHER_VERSION)
constexpr char kContract[] = "products-0123456789abcdef";
#else
constexpr char kContract[] = SCOUT_PLUGIN_CONTRACT;
#endif

const char* Open([[maybe_unused]] scout::ProductMessage* message) noexcept {
#if defined(FAKE_IS_USELESS)
  std::snprintf(message->text, sizeof message->text, "its processor is not here");
  return nullptr;
#else
  return "fake 1.0";
#endif
}

int32_t Multiply(const scout::ProductTile* tile, [[maybe_unused]] scout::ProductMessage* message) noexcept {
  [[maybe_unused]] const int64_t call = ++g_calls;
#if defined(FAKE_IS_FAILING)
  if (call >= 4) {
    for (int64_t n = 0; n < tile->rows; ++n)
      for (int64_t o = 0; o < tile->outputs; ++o) tile->y[n * tile->y_stride + o] = 1e9f;
    std::snprintf(message->text, sizeof message->text, "call %d is one too many", 4);
    return 1;
  }
#endif
  // The order of sums of the kernels that it stands for: blocks of 128 of K.
  for (int64_t n = 0; n < tile->rows; ++n) {
    for (int64_t o = 0; o < tile->outputs; ++o) {
      float total = 0;
      for (int64_t at = 0; at < tile->depth; at += 128) {
        float sum = 0;
        for (int64_t i = at; i < at + 128 && i < tile->depth; ++i)
          sum = __builtin_fmaf(tile->x[n * tile->x_stride + i], tile->w[i * tile->w_stride + o], sum);
        total = at == 0 ? sum : total + sum;
      }
      tile->y[n * tile->y_stride + o] = total;
    }
  }
  return 0;
}

const scout::ProductPluginTable kTable = {Open, Multiply};
const scout::PluginEntry kEntry = {scout::kPluginMagic, sizeof(scout::PluginEntry), "onednn", kContract, "0.0.9", &kTable};

}  // namespace

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;
extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept { return &kEntry; }
extern "C" __attribute__((visibility("default"))) int64_t fake_calls() noexcept;
extern "C" int64_t fake_calls() noexcept { return g_calls; }

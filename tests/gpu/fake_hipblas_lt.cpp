// Built as libhipblaslt.so.1 and libhipblaslt.so.0: a library of that name that multiplies on the host, at once, and only what it
// is told in full: an algorithm that it has given, layouts, types and the transposition of the left factor. Numbers and structs are
// those of hipBLASLt's public header, written down here once more.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "quant/bf16.h"
#include "quant/f16.h"

extern "C" {

int planted_version = SCOUT_PLANTED_VERSION;
int planted_create = 0, planted_version_status = 0;  // what hipblasLtCreate and hipblasLtGetVersion say
int planted_find = 0;                                // and hipblasLtMatmulAlgoGetHeuristic
int planted_handles = 0, planted_things = 0;         // that live

struct Description {
  int compute, scale, transposed[2];
};
struct Layout {
  int type;
  uint64_t rows, cols;
  int64_t stride;
};
struct Preference {
  uint64_t workspace;
};
struct Algorithm {
  uint8_t data[16];
  size_t most_workspace;
};
struct Found {
  Algorithm algo;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

int hipblasLtCreate(void** out) {
  if (planted_create != 0) return planted_create;
  *out = &planted_handles;
  ++planted_handles;
  return 0;
}
int hipblasLtDestroy(void*) { return --planted_handles, 0; }
int hipblasLtGetVersion(void* handle, int* version) {
  if (handle != &planted_handles) return 1;
  *version = planted_version;
  return planted_version_status;
}
int hipblasLtMatmulDescCreate(Description** out, int compute, int scale) {
  *out = new Description{compute, scale, {111, 111}};
  return ++planted_things, 0;
}
int hipblasLtMatmulDescSetAttribute(Description* description, int word, const void* value, size_t bytes) {
  if (bytes != 4 || word < 0 || word > 1) return 3;
  std::memcpy(&description->transposed[word], value, bytes);
  return 0;
}
int hipblasLtMatmulDescDestroy(Description* description) {
  delete description;
  return --planted_things, 0;
}
int hipblasLtMatrixLayoutCreate(Layout** out, int type, uint64_t rows, uint64_t cols, int64_t stride) {
  *out = new Layout{type, rows, cols, stride};
  return ++planted_things, 0;
}
int hipblasLtMatrixLayoutDestroy(Layout* layout) {
  delete layout;
  return --planted_things, 0;
}
int hipblasLtMatmulPreferenceCreate(Preference** out) {
  *out = new Preference{};
  return ++planted_things, 0;
}
int hipblasLtMatmulPreferenceSetAttribute(Preference* preference, int word, const void* value, size_t bytes) {
  if (word != 1 || bytes != 8) return 3;
  std::memcpy(&preference->workspace, value, bytes);
  return 0;
}
int hipblasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  return --planted_things, 0;
}
int hipblasLtMatmulAlgoGetHeuristic(void* handle, Description* description, Layout* left, Layout* right, Layout* addend,
                                    Layout* out, Preference* preference, int most, Found* found, int* count) {
  *count = 0;
  if (planted_find != 0) return planted_find;
  if (handle != &planted_handles || most != 1) return 3;
  const bool halves = left->type == right->type && (left->type == 2 || left->type == 14);
  if (!halves || addend->type != 0 || out->type != 0 || description->compute != 2 || description->scale != 0) return 7;
  if (description->transposed[0] != 112 || description->transposed[1] != 111) return 7;
  if (left->rows != right->rows || left->cols != out->rows || right->cols != out->cols) return 3;
  if (preference->workspace < 64) return 7;
  found->algo = {{'p', 'l', 'a', 'n'}, 64};
  found->workspace = 64;
  found->state = 0;
  *count = 1;
  return 0;
}
#if !SCOUT_PLANTED_WITHOUT_PRODUCT
int hipblasLtMatmul(void*, Description*, const void* factor, const void* a, Layout* left, const void* b, Layout* right,
                    const void* addend_factor, const void* c, Layout*, void* d, Layout* out, const Algorithm* algo, void* workspace,
                    size_t workspace_bytes, void*) {
  if (std::memcmp(algo->data, "plan", 4) != 0 || algo->most_workspace != 64 || workspace_bytes < 64) return 3;
  std::memset(workspace, 0x5a, 64);
  const auto value = [&](const void* from, uint64_t at) {
    const uint16_t bits = static_cast<const uint16_t*>(from)[at];
    return left->type == 14 ? scout::quant::Bf16ToF32(bits) : scout::quant::F16ToF32(bits);
  };
  const float alpha = *static_cast<const float*>(factor), beta = *static_cast<const float*>(addend_factor);
  for (uint64_t n = 0; n < out->cols; ++n)
    for (uint64_t m = 0; m < out->rows; ++m) {
      float sum = 0;
      for (uint64_t i = 0; i < left->rows; ++i)
        sum += value(a, i + m * static_cast<uint64_t>(left->stride)) * value(b, i + n * static_cast<uint64_t>(right->stride));
      const uint64_t at = m + n * static_cast<uint64_t>(out->stride);
      static_cast<float*>(d)[at] = alpha * sum + (beta != 0 ? beta * static_cast<const float*>(c)[at] : 0);
    }
  return 0;
}
#endif

}  // extern "C"

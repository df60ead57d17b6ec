// The kernels of a device, as what Driver::Launch takes, and how they want to be launched. Made by kernel_table.inl, which is
// compiled once for each kind of device.
#pragma once

#include <array>
#include <cstddef>

namespace scout::gpu {

constexpr int kFloatFormats = 3;   // F32 F16 BF16
constexpr int kBlockFormats = 10;  // Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K

constexpr int kTileSizes = 2;  // kManyRows[]

struct KernelTable {
  // Under Numerics::kFast, activations being halves.
  struct FastProduct {
    std::array<const void*, kTileSizes> kernel;
    std::array<size_t, kTileSizes> shared_bytes;
    struct Wide {  // in tiles of kWideRows[]
      std::array<const void*, kTileSizes> kernel;
      std::array<size_t, kTileSizes> shared_bytes;
    } wide, tensor;  // by four warps; in tensor memory
  };
  struct FloatFormat {
    const void* embed;
    const void* product;
    const void* float_rows;  // weights of the role kManyRows
    const void* round_rows;  // under Numerics::kFast; null where such products are as ever
    const void* pack_rows;   // for products of four warps
    FastProduct fast;
  };
  struct BlockFormat {
    const void* embed;
    const void* few;
    std::array<const void*, kTileSizes> many;
    const void* float_rows;
    FastProduct fast;
    size_t few_shared_bytes;
    int few_terms, few_staged;  // of that: floats, and pieces of sixteen bytes
    std::array<size_t, kTileSizes> many_shared_bytes;
    int group;  // values of an activation's scale
  };
  FloatFormat floats[kFloatFormats];
  BlockFormat blocks[kBlockFormats];
  const void *rms_norm, *quantize32, *quantize256, *swiglu, *gather, *scale_rows, *combine, *route, *count_slots, *list_slots;
  std::array<const void*, 2> few_tasks;  // a step of few rows, over block formats and over floats
  const void *rope_norm_store, *attend, *merge_spans, *zero_padding, *merge_attention, *sample_blocks;
  const void *finish, *scatter, *unfold, *add_positions, *layer_norm, *rotate, *group_attend, *pixel_shuffle, *check, *probe_copy,
      *probe_matrix;
  const void *check_fast, *check_tensor;  // what only Numerics::kFast uses
  const void *attend_f16, *attend_bf16;   // in the order of float matrix instructions
  const void* scale_product;
  int warp;
  int few_outputs, value_outputs, many_outputs, float_outputs;  // of a block
  int float_tile_rows;
  size_t float_shared_bytes;
  size_t (*attend_shared_bytes)(int d);
  size_t (*attend_fast_shared_bytes)(int d);
};

}  // namespace scout::gpu

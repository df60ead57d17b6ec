// Compiles every kernel and gives their table. Included by one source file for each kind of device.
#pragma once

#include "gpu/attention.h"
#include "gpu/check.h"
#include "gpu/fast_attention.h"
#include "gpu/few.h"
#include "gpu/kernel_table.h"
#include "gpu/probe.h"
#include "gpu/product.h"
#include "gpu/product_fast.h"
#include "gpu/product_many.h"
#include "gpu/product_tensor.h"
#include "gpu/product_wide.h"
#include "gpu/rows.h"
#include "gpu/sample.h"
#include "gpu/vision.h"

namespace scout::SCOUT_GPU {

template <typename Weight>
gpu::KernelTable::FastProduct WithWide(gpu::KernelTable::FastProduct product) {
  product.wide = {{Handle<&ProductWide<Weight, gpu::kWideRows[0]>, gpu::ProductArgs>(),
                   Handle<&ProductWide<Weight, gpu::kWideRows[1]>, gpu::ProductArgs>()},
                  {WideShape<Weight, gpu::kWideRows[0]>::kSharedBytes, WideShape<Weight, gpu::kWideRows[1]>::kSharedBytes}};
  product.tensor = {{Handle<&ProductTensor<Weight, gpu::kWideRows[0]>, gpu::ProductArgs>(),
                     Handle<&ProductTensor<Weight, gpu::kWideRows[1]>, gpu::ProductArgs>()},
                    {TensorShape<Weight, gpu::kWideRows[0]>::kSharedBytes, TensorShape<Weight, gpu::kWideRows[1]>::kSharedBytes}};
  return product;
}
template <typename F>
gpu::KernelTable::FloatFormat FloatKernels() {
  return {Handle<&EmbedValues<F>, gpu::EmbedArgs>(),
          Handle<&ProductValues<F>, gpu::ProductArgs>(),
          Handle<&ProductFloats<FloatRow<F>>, gpu::ProductArgs>(),
          nullptr,
          nullptr,
          {}};
}
template <typename F>
gpu::KernelTable::FloatFormat HalfKernels() {
  gpu::KernelTable::FloatFormat kernels = FloatKernels<F>();
  kernels.round_rows = Handle<&RoundRows<F>, gpu::RoundRowsArgs>();
  kernels.pack_rows = Handle<&PackRows<HalfOfFormat<F>::kBf16>, gpu::PackRowsArgs>();
  kernels.fast = WithWide<WideHalves<F>>({{Handle<&ProductFast<F, gpu::kManyRows[0]>, gpu::ProductArgs>(),
                                           Handle<&ProductFast<F, gpu::kManyRows[1]>, gpu::ProductArgs>()},
                                          {FastShape<gpu::kManyRows[0]>::kSharedBytes, FastShape<gpu::kManyRows[1]>::kSharedBytes},
                                          {},
                                          {}});
  return kernels;
}
template <typename F>
gpu::KernelTable::BlockFormat BlockKernels() {
  return {Handle<&EmbedBlocks<F>, gpu::EmbedArgs>(),
          Handle<&ProductFew<F>, gpu::ProductArgs>(),
          {Handle<&ProductMany<F, gpu::kManyRows[0]>, gpu::ProductArgs>(),
           Handle<&ProductMany<F, gpu::kManyRows[1]>, gpu::ProductArgs>()},
          Handle<&ProductFloats<BlockRow<F>>, gpu::ProductArgs>(),
          WithWide<WideBlocks<F>>(
              {{Handle<&ProductFastBlocks<F, gpu::kManyRows[0]>, gpu::ProductArgs>(),
                Handle<&ProductFastBlocks<F, gpu::kManyRows[1]>, gpu::ProductArgs>()},
               {FastBlockShape<F, gpu::kManyRows[0]>::kSharedBytes, FastBlockShape<F, gpu::kManyRows[1]>::kSharedBytes},
               {},
               {}}),
          FewShape<F>::kSharedBytes,
          2 * FewShape<F>::kFloats,
          FewShape<F>::kStages * kFewOutputs * FewShape<F>::kPieces,
          {ManyShape<F, gpu::kManyRows[0]>::kSharedBytes, ManyShape<F, gpu::kManyRows[1]>::kSharedBytes},
          F::kValues};
}

inline const gpu::KernelTable& Kernels() {
  static const gpu::KernelTable table = {
      {FloatKernels<F32Values>(), HalfKernels<F16Values>(), HalfKernels<BF16Values>()},
      {BlockKernels<Q4_0>(), BlockKernels<Q4_1>(), BlockKernels<Q5_0>(), BlockKernels<Q5_1>(), BlockKernels<Q8_0>(),
       BlockKernels<Q2_K>(), BlockKernels<Q3_K>(), BlockKernels<Q4_K>(), BlockKernels<Q5_K>(), BlockKernels<Q6_K>()},
      Handle<&RmsNorm, gpu::RmsNormArgs>(),
      Handle<&Quantize<32>, gpu::QuantizeArgs>(),
      Handle<&Quantize<256>, gpu::QuantizeArgs>(),
      Handle<&SwiGlu, gpu::SwiGluArgs>(),
      Handle<&Gather, gpu::GatherArgs>(),
      Handle<&ScaleRows, gpu::ScaleRowsArgs>(),
      Handle<&Combine, gpu::CombineArgs>(),
      Handle<&Route, gpu::RouteArgs>(),
      Handle<&CountSlots, gpu::GroupArgs>(),
      Handle<&ListSlots, gpu::GroupArgs>(),
      {Handle<&FewTasks<false>, gpu::FewArgs>(), Handle<&FewTasks<true>, gpu::FewArgs>()},
      Handle<&RopeNormStore, gpu::RopeArgs>(),
      Handle<&Attend, gpu::AttentionArgs>(),
      Handle<&MergeSpans, gpu::MergeSpansArgs>(),
      Handle<&ZeroPadding, gpu::ZeroRowsArgs>(),
      Handle<&MergeAttention, gpu::MergeAttentionArgs>(),
      Handle<&SampleBlocks, gpu::SampleArgs>(),
      Handle<&Finish, gpu::FinishArgs>(),
      Handle<&Scatter, gpu::ScatterArgs>(),
      Handle<&Unfold, gpu::UnfoldArgs>(),
      Handle<&AddPositions, gpu::AddPositionsArgs>(),
      Handle<&LayerNorm, gpu::LayerNormArgs>(),
      Handle<&Rotate, gpu::RotateArgs>(),
      Handle<&GroupAttend, gpu::GroupAttentionArgs>(),
      Handle<&PixelShuffle, gpu::PixelShuffleArgs>(),
      Handle<&CheckInstructions, gpu::CheckArgs>(),
      Handle<&ProbeCopy, gpu::ProbeCopyArgs>(),
      Handle<&ProbeMatrix, gpu::ProbeMatrixArgs>(),
      Handle<&CheckFast, gpu::CheckFastArgs>(),
      Handle<&CheckTensor, gpu::CheckFastArgs>(),
      Handle<&AttendFast<F16Half>, gpu::AttentionArgs>(),
      Handle<&AttendFast<Bf16Half>, gpu::AttentionArgs>(),
      Handle<&ScaleProduct, gpu::ScaleProductArgs>(),
      kWarp,
      kFewOutputs,
      kBlockThreads / kLanes16,
      ManyShape<Q4_K, gpu::kManyRows[0]>::kOutputs,
      FloatShape::kTile,
      FloatShape::kTile,
      FloatShape::kSharedBytes,
      [](int d) { return AttentionShape::SharedBytes(d); },
      [](int d) { return FastAttentionShape::SharedBytes(d); }};
  return table;
}

}  // namespace scout::SCOUT_GPU

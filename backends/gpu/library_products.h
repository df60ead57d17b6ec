// Dense products of halves by a vendor's library, under Numerics::kFast and where it is there: of weights that are F16 or BF16 in
// all their parts and meet more rows than a step that is held back has.
#pragma once

#include "gpu/operations.h"

namespace scout::gpu {

// Whether a weight's format is one that the library multiplies.
inline bool IsHalves(DType format) { return format == DType::kF16 || format == DType::kBF16; }

// out[n, o] = or += W[o] . x[n] for the weight's first parts; how many of them. The others are for own kernels: all of them where
// the library does not serve this weight and so many rows, some after a failure, which has been told.
size_t ProductsByLibrary(Step& step, const DeviceWeight& weight, const float* x, int64_t rows, float* out, bool add);

}  // namespace scout::gpu

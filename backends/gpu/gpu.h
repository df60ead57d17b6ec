// The words in which kernels are written.
//
// Kernel sources here are compiled by nvcc, by hipcc and, for tests, by the host's compiler against an emulator (tests/simt). None
// of them is the real one: <gpu_vendor.h> is backends/cuda's, backends/hip's or the emulator's, whichever folder CMake names (so is
// <gpu_matrix.h>), and SCOUT_GPU is the namespace (scout::cuda, scout::hip, scout::simt32, scout::simt64). A kernel source has no
// conditional on a vendor; a test looks for one.
//
//   GPU_KERNEL, GPU_FUNCTION        what stands before a kernel (void included) and before a function of the device
//   GPU_LARGE_KERNEL                the same, where registers for two blocks of 256 threads are better than spilling for more
//   kWarp                           lanes of a warp, 32 or 64
//   Thread() Threads() BlockX() BlockY() BlockZ() GridX()      blocks have one dimension, grids up to three
//   SyncBlock() SyncWarp(mask)      barriers; order accesses to shared memory
//   ShflXor(mask, x, bits) Shfl(mask, x, lane) Ballot(mask, p) Popcount(m)     all lanes of the mask come here together
//   SharedCursor, Shared<T>         the block's shared memory, array by array, each aligned to 16 bytes; elements are read into
//                                   typed variables (`const float x = tile[i]`)
//   SharedBytes(array, first, count)      a pointer to bytes of it that are read before the next word is used
//   kAsyncCopies                    whether such copies leave the threads free for something else
//   AsyncCopy16(to, from) AsyncCommit() AsyncWait<groups left>()      device to shared memory; there after the wait and a barrier
//   AtomicAdd(shared, x) AtomicMax(pointer, x)
//   Fma Sqrt Divide                 one rounding each; + - * are never contracted (a compiler's flag)
//   RoundToInt                      nearest, ties to even
//   BitsOf FloatOf DoubleOf F16ToF32 F32ToF16 Dot4              bits, halves, four products of signed bytes
//   Int4                            sixteen aligned bytes
//   Handle<&Kernel, Arguments>()    what Driver::Launch takes; a kernel has one argument, a plain struct
//   MatrixI8<K>                     a warp's product of signed bytes (traits.h)
//   MatrixHalf<bf16>                the same of halves, with sums in float32 whose order is the device's own
#pragma once

#include <gpu_vendor.h>

#include "gpu/traits.h"

#include <gpu_matrix.h>

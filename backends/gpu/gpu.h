// The words in which kernels are written.
//
// Kernel sources here are compiled by nvcc, by hipcc and, for tests, by the host's compiler against an emulator (tests/simt). None
// of them is the real one: <gpu_vendor.h> is backends/cuda's, backends/hip's or the emulator's, whichever folder CMake names (so is
// <gpu_matrix.h>), and SCOUT_GPU is the namespace (scout::cuda, scout::hip, scout::simt32, scout::simt64). A kernel source has no
// conditional on a vendor; a test looks for one.
//
//   GPU_KERNEL, GPU_FUNCTION        what stands before a kernel (void included) and before a function of the device
//   GPU_LARGE_KERNEL                the same, where registers for two blocks of 256 threads are better than spilling for more
//   GPU_WIDE_KERNEL                 the same for 288 threads, one block at a time with as many registers as it wants
//   GPU_TENSOR_KERNEL(threads, blocks)      the same for so many threads, and blocks at a time
//   GPU_FLOW_KERNEL                 the same, where registers for four such blocks hide the wait for memory
//   kWarp                           lanes of a warp, 32 or 64
//   Thread() Threads() BlockX() BlockY() BlockZ() GridX()      blocks have one dimension, grids up to three
//   SyncBlock() SyncWarp(mask)      barriers; order accesses to shared memory
//   ShflXor(mask, x, bits) Shfl(mask, x, lane) Ballot(mask, p) Popcount(m)     all lanes of the mask come here together
//   SharedCursor, Shared<T>         the block's shared memory, array by array, each aligned to 16 bytes; elements are read into
//                                   typed variables (`const float x = tile[i]`)
//   SharedBytes(array, first, count)      a pointer to bytes of it that are read before the next word is used
//   kAsyncCopies                    whether such copies leave the threads free for something else
//   AsyncCopy16(to, from) AsyncCommit() AsyncWait<groups left>()      device to shared memory; there after the wait and a barrier
//   Arrivals                        eight bytes of shared memory in which arrivals are counted, phase after phase
//   InitArrivals(shared, n) Arrive(shared) ArriveExpecting(shared, bytes)      a phase is over after n arrivals and the bytes that
//                                   were announced; what a warp did before a SyncWarp and an arrival, who waits will see as done
//   BulkCopy(to, from, bytes, shared)      device to shared memory, in sixteens; counted in Arrivals, there for who waits for them
//   WaitArrivals(shared, parity)    until a phase of that parity, 0 for the first, is over
//   kWideProducts                   whether the device has these and products of four warps (traits.h)
//   kTensorProducts                 the same of products in tensor memory
//   InPlace(argument)               a kernel's own argument, where it lies: for members with an index
//   WaitForEarlier()                a launch that may begin before the ones before it have ended (KernelLaunch::early) waits for
//   them
//                                   here: every thread, before it reads or writes anything of theirs
//   StartNext()                     the launch after this one may begin when every block has come here or ended
//   PrefetchL2(from, bytes)         into the second level cache, by the whole block, of memory that nobody writes meanwhile; or
//                                   nothing
//   AtomicAdd(shared, x) AtomicMax(pointer, x)
//   Fma Sqrt Divide                 one rounding each; + - * are never contracted (a compiler's flag)
//   RoundToInt                      nearest, ties to even
//   BitsOf FloatOf DoubleOf F16ToF32 F32ToF16 Dot4              bits, halves, four products of signed bytes
//   FloatOfByte(word, i)            signed byte i of a word as a float, exactly
//   Bf16Pair(low, high)             two floats rounded to bf16 (nearest, ties to even), the first in the word's low half
//   Int4                            sixteen aligned bytes
//   Handle<&Kernel, Arguments>()    what Driver::Launch takes; a kernel has one argument, a plain struct
//   MatrixI8<K>                     a warp's product of signed bytes (traits.h)
//   WideMultiplyAdd<bf16, columns>  a product by four warps that runs while they go on (traits.h)
//   TensorMultiplyAdd               a product in tensor memory that one thread begins (traits.h)
//   MatrixHalf<bf16>                the same of halves, with sums in float32 whose order is the device's own
#pragma once

#include <gpu_vendor.h>

#include "gpu/traits.h"

#include <gpu_matrix.h>

// A library of matrix products with cuBLASLt's calls, for the emulator: it keeps to what it is told of layouts, transposition,
// alignment and workspace, and multiplies on the host when the stream's turn comes. It can fail at any call, and mistake what it
// was told.
#pragma once

#include <cstdint>
#include <functional>

#include "simt_driver.h"

namespace scout::simt {

// What the library takes for something else.
enum class Mistake {
  kNone,
  kNotTransposed,  // the left factor
  kLeftStride,     // each by one more than it is
  kRightStride,
  kOutStride,
  kNoAddend,
  kHalfSums,   // sums are rounded to the factors' format
  kOtherHalf,  // BF16 for F16, and the reverse
};
constexpr Mistake kMistakes[] = {Mistake::kNotTransposed, Mistake::kLeftStride, Mistake::kRightStride, Mistake::kOutStride,
                                 Mistake::kNoAddend,      Mistake::kHalfSums,   Mistake::kOtherHalf};

// How a shape is refused.
enum class Refusal { kNone, kNoAlgorithm, kSearch, kFound, kProduct };
constexpr Refusal kRefusals[] = {Refusal::kNoAlgorithm, Refusal::kSearch, Refusal::kFound, Refusal::kProduct};

// Of all fake libraries there are: tests run one after the other.
struct FakeLibrary {
  Mistake mistake = Mistake::kNone;
  Refusal refusal = Refusal::kNone;
  uint64_t refused_outputs = 0, refused_rows = 0;  // of which products; 0: of any
  int64_t fail_at = -1;                            // the call that fails, from 0
  int status = 14;                                 // with what; 3 is want of memory
  int64_t calls = 0, products = 0;
  int64_t things = 0;  // that it has made and that were not given back
  int64_t opened = 0;  // handles
  int64_t plans = 0;   // asked for
  std::string failed;  // the call that has failed
  gpu::RacePlan race{64, 64, {72, 136}, 1, 1, {}};
};
extern FakeLibrary fake_library;

// Gives a driver the library, which begins anew.
void GiveFakeLibrary(SimtDriver& driver);

}  // namespace scout::simt

// What the processor can do, and how much of it this process may use.
#pragma once

#include <string>

namespace scout {

// Levels of instruction sets, each including the ones before it.
enum class Isa {
  kGeneric,  // the baseline the library is built for (x86-64-v2)
  kAvx2,     // AVX2, FMA and F16C
  kAvx512,   // AVX-512 F, BW, VL, DQ and VNNI
};

const char* NameOf(Isa isa);  // "generic", "avx2", "avx512"

// The best level that processor and system offer.
Isa DetectIsa();

// Whether AMD made it.
bool ProcessorIsAmd();

// Whether it has AVX-512 BF16; what else that needs of processor and system is DetectIsa() == Isa::kAvx512.
bool ProcessorMultipliesBf16();

// "AMD EPYC 9965 192-Core Processor", or "processor" where it does not say.
std::string ProcessorName();

// Threads that can run at once: the affinity mask's size, or less where a control group's quota allows less; at least 1.
// Reads files under `root` (tests point it elsewhere).
int UsableThreads(const std::string& root = "");

}  // namespace scout

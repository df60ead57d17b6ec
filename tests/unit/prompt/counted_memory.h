// Live and peak bytes of this program's operator new, for tests that bound what a call may take.
#pragma once

#include <cstddef>

namespace scout::test {

size_t LiveBytes();
// The largest number of live bytes since the last ResetPeak.
size_t PeakBytes();
void ResetPeak();
// Whether the counts are kept: not under a sanitizer, which has an allocator of its own.
bool MemoryIsCounted();

}  // namespace scout::test

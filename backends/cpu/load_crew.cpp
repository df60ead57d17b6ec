#include "cpu/load_crew.h"

#include <algorithm>

#include "base/shared_instance.h"

namespace scout::cpu {
namespace {

// Reads that may wait at once beside the threads that pack. Disks reach their rate with a few large reads in flight.
constexpr int kReaders = 3;
// However many compute threads there are: each holds a staging buffer, and no disk feeds more.
constexpr int kMost = 16;

}  // namespace

std::shared_ptr<LoadCrew> LoadCrew::Shared(int threads) {
  std::shared_ptr<LoadCrew> crew = SharedInstance<LoadCrew>();
  crew->pool_.Grow(std::min(threads, kMost) + kReaders - 1);
  return crew;
}

void LoadCrew::ForEach(int64_t count, const std::function<void(int64_t, StagingBuffer&)>& task) {
  pool_.Run(kMost + kReaders, count, [&](int64_t i, int) {
    const StagingPool::Handle staging(staging_);
    task(i, *staging);
  });
}

}  // namespace scout::cpu

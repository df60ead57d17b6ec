#include "gpu/launch_list.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace scout::gpu {

void LaunchList::Launches::Clear() {
  launches.clear();
  at.clear();
  words.clear();
}
KernelLaunch LaunchList::Launches::Of(size_t i) const {
  KernelLaunch launch = launches[i];
  launch.arguments = words.data() + at[i];
  return launch;
}
bool LaunchList::Launches::SameKernels(const Launches& other) const {
  return std::equal(launches.begin(), launches.end(), other.launches.begin(), other.launches.end(),
                    [](const KernelLaunch& a, const KernelLaunch& b) {
                      return a.kernel == b.kernel && a.threads == b.threads && a.argument_bytes == b.argument_bytes &&
                             a.early == b.early;
                    });
}
bool LaunchList::Launches::Same(size_t i, const Launches& other) const {
  const KernelLaunch a = Of(i), b = other.Of(i);
  return a.grid.x == b.grid.x && a.grid.y == b.grid.y && a.shared_bytes == b.shared_bytes &&
         std::memcmp(a.arguments, b.arguments, a.argument_bytes) == 0;
}

LaunchList::~LaunchList() {
  for (Known& known : known_) Forget(known);
}

void LaunchList::Add(const KernelLaunch& launch) {
  const size_t at = held_.words.size();
  held_.words.resize(at + (launch.argument_bytes + 7) / 8);
  std::memcpy(held_.words.data() + at, launch.arguments, launch.argument_bytes);
  held_.at.push_back(at);
  held_.launches.push_back(launch);
}

void LaunchList::Flush(Stream stream) {
  if (empty()) return;
  const struct Clearing {
    Launches& launches;
    ~Clearing() { launches.Clear(); }
  } clearing{held_};  // whatever fails: what has been handed over is not to be again
  Known* const known = held_.launches.size() > 1 ? Find() : nullptr;
  if (known && LaunchAsGraph(stream, *known)) return;
  for (size_t i = 0; i < held_.launches.size(); ++i) {
    const KernelLaunch launch = held_.Of(i);
    device_->Check(device_->driver().Launch(stream, launch), launch.what);
  }
}

// Null where the sequence is new: it is remembered, and gets its graph when it comes again.
LaunchList::Known* LaunchList::Find() {
  ++flushes_;
  for (Known& known : known_) {
    if (!known.launches.SameKernels(held_)) continue;
    known.used = flushes_;
    return &known;
  }
  if (known_.size() < kMostGraphs) {
    known_.emplace_back();
  } else {
    // The least recently used one makes room, at the end.
    const auto oldest =
        std::min_element(known_.begin(), known_.end(), [](const Known& a, const Known& b) { return a.used < b.used; });
    Forget(*oldest);
    *oldest = Known();
    std::iter_swap(oldest, known_.end() - 1);
  }
  known_.back().launches = held_;
  known_.back().used = flushes_;
  return nullptr;
}

bool LaunchList::LaunchAsGraph(Stream stream, Known& known) {
  if (known.refused) return false;
  Driver& driver = device_->driver();
  DriverStatus status;
  if (!known.graph) {
    std::vector<KernelLaunch> launches;
    for (size_t i = 0; i < held_.launches.size(); ++i) launches.push_back(held_.Of(i));
    status = driver.MakeGraph(launches, &known.graph);
    if (!status.ok()) known.graph = nullptr;
  } else {
    for (size_t i = 0; i < held_.launches.size() && status.ok(); ++i)
      if (!held_.Same(i, known.launches)) status = driver.UpdateGraph(known.graph, i, held_.Of(i));
  }
  if (status.ok()) {
    std::swap(known.launches, held_);  // what the graph has now, whatever comes of launching it
    device_->Check(driver.LaunchGraph(stream, known.graph), "a step as one graph");
    return true;
  }
  Forget(known);
  known.refused = true;
  if (status.lost) device_->Check(status, "a graph of a step");
  return false;
}

void LaunchList::Forget(Known& known) {
  if (known.graph) device_->driver().FreeGraph(known.graph);
  known.graph = nullptr;
}

}  // namespace scout::gpu

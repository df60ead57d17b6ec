// What happens later than it is asked for: bulk copies and the arrivals that tell of them, products of four warps.
#include <algorithm>
#include <cstring>

#include "machine.h"

namespace scout::simt {
namespace {

constexpr int kGroup = 128;  // threads of four warps
// Sums that are not there yet: NaN.
constexpr uint32_t kNotThere = 0xffffffff;

}  // namespace

Machine::Arrivals& Machine::ArrivalsAt(const std::byte* at) {
  const auto found = arrivals_.find(at);
  if (found == arrivals_.end() || (found->second.made == time_ && found->second.maker != running_))
    Raise("arrivals at byte " + std::to_string(at - shared_.data()) + " of shared memory, which are not made yet");
  return found->second;
}

void Machine::InitArrivals(std::byte* at, int count) {
  Touch(at, 8, Access::kWrite);
  if (arrivals_.contains(at)) Raise("makes the same arrivals again");
  if (count < 1 || reinterpret_cast<uintptr_t>(at) % 8 != 0) Raise("makes arrivals of " + std::to_string(count) + " threads");
  Arrivals& made = arrivals_[at];
  made.count = made.missing = count;
  made.made = time_;
  made.maker = running_;
  made.released.assign(warps_.size(), 0);
  made.releasing = made.released;
}

void Machine::Wake(const std::byte* arrivals) {
  for (unsigned t = 0; t < launch_->threads; ++t)
    if (states_[t] == State::kArrivals && threads_[t].arrivals == arrivals) states_[t] = State::kReady;
}

void Machine::EndPhases(const std::byte* at, Arrivals& arrivals) {
  if (arrivals.missing > 0 || arrivals.bytes != 0) return;
  arrivals.missing = arrivals.count;
  ++arrivals.phase;
  for (size_t w = 0; w < arrivals.released.size(); ++w)
    arrivals.released[w] = std::max(arrivals.released[w], arrivals.releasing[w]);
  Wake(at);
}

void Machine::Arrive(std::byte* at, int64_t bytes) {
  Interrupt();
  Arrivals& arrivals = ArrivalsAt(at);
  if (arrivals.missing == 0) Raise("arrives where all have arrived");
  // What this warp did up to its last operation together, and whatever that thread itself knew, comes before what waits do next.
  const auto my_warp = static_cast<size_t>(running_ / launch_->warp);
  for (size_t w = 0; w < arrivals.releasing.size(); ++w) {
    const uint32_t known = w == my_warp ? warps_[w].time : Known(running_, w);
    arrivals.releasing[w] = std::max(arrivals.releasing[w], known);
  }
  arrivals.bytes += bytes;
  --arrivals.missing;
  EndPhases(at, arrivals);
  // Who waits may find copies to land.
  Wake(at);
}

void Machine::BulkCopy(std::byte* to, const std::byte* from, int64_t bytes, std::byte* at) {
  Interrupt();
  Arrivals& arrivals = ArrivalsAt(at);
  const auto begin = static_cast<size_t>(to - shared_.data()), size = static_cast<size_t>(bytes);
  if (bytes <= 0 || bytes % 16 != 0 || begin % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0)
    Raise("a bulk copy of " + std::to_string(bytes) + " bytes that does not lie in pieces of sixteen");
  if (to < shared_.data() || begin + size > launch_->shared_bytes) Raise("a bulk copy past the end of shared memory");
  for (size_t i = begin / kTraced; i < (begin + size) / kTraced; ++i) {
    Trace& trace = trace_[i];
    if (trace.coming)
      Raise("begins a bulk copy to byte " + std::to_string(i * kTraced) + " of shared memory, to which another is on its way");
    if (trace.write_time == time_ && !trace.brought && !Ordered(trace.writer, trace.write_warp_time))
      Raise("begins a bulk copy to byte " + std::to_string(i * kTraced) + " of shared memory, which thread " +
            std::to_string(trace.writer) + " has written since the last barrier");
    RequireUnread(trace, i);
    if (tensor_) CheckTensorUnread(shared_.data() + i * kTraced);
    trace.coming = true;
  }
  std::memset(to, 0xff, size);
  arrivals.copies.push_back({to, from, size, 0});
  Wake(at);
}

void Machine::Land(const std::byte* at, Arrivals& arrivals) {
  for (const Copy& copy : arrivals.copies) {
    const auto begin = static_cast<size_t>(copy.to - shared_.data());
    std::memcpy(copy.to, copy.from, copy.bytes);
    for (size_t i = begin / kTraced; i < (begin + copy.bytes) / kTraced; ++i) {
      Trace& trace = trace_[i];
      trace.coming = false;
      trace.write_time = time_;
      trace.brought = at;
      trace.brought_phase = arrivals.phase + 1;
    }
    arrivals.bytes -= static_cast<int64_t>(copy.bytes);
  }
  arrivals.copies.clear();
  if (!arrivals.batches.empty()) {
    const std::shared_ptr<TensorBatch> batch = arrivals.batches.front();
    arrivals.batches.erase(arrivals.batches.begin());
    LandProducts(*batch);
    if (arrivals.missing == 0) Raise("products arrive where all have arrived");
    --arrivals.missing;
  }
  EndPhases(at, arrivals);
}

void Machine::WaitArrivals(std::byte* at, int parity) {
  Interrupt();
  Arrivals& arrivals = ArrivalsAt(at);
  Thread& self = threads_[static_cast<size_t>(running_)];
  while (static_cast<int>(arrivals.phase & 1) == (parity & 1)) {
    Land(at, arrivals);
    if (static_cast<int>(arrivals.phase & 1) != (parity & 1)) break;
    self.arrivals = at;
    Wait(State::kArrivals);
  }
  waited_ = true;
  self.waited[at] = arrivals.phase;
  if (tensor_) tensor_->fenced[static_cast<size_t>(running_)] = false;
  for (size_t w = 0; w < warps_.size(); ++w) Known(running_, w) = std::max(Known(running_, w), arrivals.released[w]);
}

void Machine::CheckEnd() {
  for (const auto& [at, arrivals] : arrivals_) {
    if (arrivals.copies.empty()) continue;
    faulted_ = true;
    fault_ = "block " + std::to_string(block_[0]) + "," + std::to_string(block_[1]) + "," + std::to_string(block_[2]) +
             ": the kernel ends while bulk copies are on their way";
  }
  if (tensor_ && !faulted_) CheckTensorEnd();
}

void Machine::WideFence() { threads_[static_cast<size_t>(running_)].fenced = true; }

void Machine::WideMultiply(float* c, int values, const uint32_t* a, uint64_t b, Pieces pieces, const char* what,
                           Multiply multiply) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  if (launch_->warp * 4 != kGroup) Raise("a product of four warps where they have not 32 lanes");
  if (!self.fenced) Raise("a product of four warps without a fence before it");
  // The second factor must be there for each warp. Only copies may have brought it: what threads write themselves, such a product
  // sees after another kind of fence, which there is not.
  if (lane() == 0) {
    for (const std::byte* const piece : pieces(b)) {
      const auto first = static_cast<size_t>(piece - shared_.data()) / kTraced;
      for (size_t i = first; i < first + 16 / kTraced; ++i) {
        RequireThere(trace_[i], i, Access::kRead);
        if (!Brought(trace_[i]))
          Raise("a product of four warps reads byte " + std::to_string(i * kTraced) +
                " of shared memory, which no copy has brought");
      }
    }
  }
  const int first = running_ / kGroup * kGroup;
  if (first + kGroup > static_cast<int>(launch_->threads)) Raise("a product of four warps without all of them");
  wide_[static_cast<size_t>(running_)] = {c, a, b, what, nullptr};
  StateOf(running_) = State::kWide;
  bool complete = true;
  for (int t = first; t < first + kGroup && complete; ++t) {
    if (StateOf(t) == State::kDone) Raise("a product of four warps waits for thread " + std::to_string(t) + ", which has left");
    complete = StateOf(t) == State::kWide;
  }
  if (!complete) {
    Wait(State::kWide);
  } else {
    const auto made = std::make_shared<WideProduct>();
    made->values = values;
    made->b = pieces(b);
    made->sums.resize(static_cast<size_t>(kGroup * values));
    for (int i = 0; i < kGroup; ++i) {
      const WideRecord& record = wide_[static_cast<size_t>(first + i)];
      if (std::strcmp(record.what, what) != 0 || record.b != b)
        Raise("a product of four warps that differs in thread " + std::to_string(first + i));
      made->c[i] = record.c;
      made->a[i] = record.a;
      std::memcpy(made->a_words[i], record.a, sizeof made->a_words[i]);
      // What earlier products will have added.
      std::copy_n(record.c, values, made->SumsOf(i));
      const auto follow = [&](const std::shared_ptr<WideProduct>& earlier) {
        if (earlier->c[i] == record.c) std::copy_n(earlier->SumsOf(i), std::min(values, earlier->values), made->SumsOf(i));
      };
      const Thread& thread = threads_[static_cast<size_t>(first + i)];
      for (const auto& group : thread.wide_groups)
        for (const auto& earlier : group) follow(earlier);
      for (const auto& earlier : thread.wide_open) follow(earlier);
    }
    made->b_bytes.resize(16 * made->b.size());
    for (size_t i = 0; i < made->b.size(); ++i) std::memcpy(made->b_bytes.data() + 16 * i, made->b[i], 16);
    multiply(*made);
    for (int i = 0; i < kGroup; ++i) {
      WideRecord& record = wide_[static_cast<size_t>(first + i)];
      std::memset(record.c, static_cast<int>(kNotThere & 0xff), static_cast<size_t>(values) * sizeof(float));
      record.product = made;
      StateOf(first + i) = State::kReady;
    }
  }
  self.wide_open.push_back(std::move(wide_[static_cast<size_t>(running_)].product));
  Interrupt();
}

void Machine::WideCommit() {
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.wide_groups.push_back(std::move(self.wide_open));
  self.wide_open.clear();
  self.fenced = false;
}

void Machine::WideWait(size_t groups_left) {
  Interrupt();
  Thread& self = threads_[static_cast<size_t>(running_)];
  const auto i = static_cast<size_t>(running_ % kGroup);
  while (self.wide_groups.size() > groups_left) {
    for (const auto& product : self.wide_groups.front()) {
      if (std::memcmp(product->a_words[i], product->a[i], sizeof product->a_words[i]) != 0)
        Raise("has changed the first factor of a product of four warps before its wait");
      if (lane() == 0)
        for (size_t piece = 0; piece < product->b.size(); ++piece)
          if (std::memcmp(product->b[piece], product->b_bytes.data() + 16 * piece, 16) != 0)
            Raise("byte " + std::to_string(product->b[piece] - shared_.data()) +
                  " of shared memory, in the second factor of a product of four warps, has changed before its wait");
      for (int v = 0; v < product->values; ++v) {
        uint32_t bits = 0;
        std::memcpy(&bits, product->c[i] + v, sizeof bits);
        if (bits != kNotThere) Raise("has changed the sums of a product of four warps before its wait");
      }
    }
    auto done = std::move(self.wide_groups.front());
    self.wide_groups.erase(self.wide_groups.begin());
    for (const auto& product : done) {
      bool last = true;
      const auto follows = [&](const auto& other) { return other != product && other->c[i] == product->c[i]; };
      for (size_t at = static_cast<size_t>(std::find(done.begin(), done.end(), product) - done.begin()) + 1; at < done.size(); ++at)
        last = last && !follows(done[at]);
      for (const auto& group : self.wide_groups) last = last && std::none_of(group.begin(), group.end(), follows);
      last = last && std::none_of(self.wide_open.begin(), self.wide_open.end(), follows);
      if (last) std::copy_n(product->SumsOf(static_cast<int>(i)), product->values, product->c[i]);
    }
  }
}

}  // namespace scout::simt

#include "machine.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

namespace scout::simt {
namespace {

// A warp has at most so many lanes.
constexpr int kMaxWarp = 64;
thread_local Machine* current = nullptr;

std::string Number(uint64_t value) { return std::to_string(value); }

}  // namespace

Machine::Machine() = default;
Machine::~Machine() = default;

Machine& Machine::Current() { return *current; }

uint64_t Machine::Random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

void Machine::Prepare(const Launch& launch, const Schedule& schedule) {
  if (launch.threads == 0 || launch.threads > 1024 || (launch.warp != 32 && launch.warp != 64))
    throw Fault("a launch of " + Number(launch.threads) + " threads in warps of " + std::to_string(launch.warp));
  own_ = launch;
  launch_ = &own_;
  schedule_ = schedule;
  random_ = schedule.seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
  threads_.resize(std::max<size_t>(threads_.size(), launch.threads));
  for (Thread& thread : threads_)
    if (!thread.fiber) thread.fiber = std::make_unique<Fiber>();
  shared_.resize(launch.shared_bytes);
  trace_.resize(launch.shared_bytes / kTraced + 1);

  blocks_ = uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
  // A random order of blocks: steps of a size that has no factor in common with their number.
  stride_ = 1;
  at_ = 0;
  if (schedule.random && blocks_ > 1) {
    do stride_ = 1 + Random() % (blocks_ - 1);
    while (std::gcd(stride_, blocks_) != 1);
    at_ = Random() % blocks_;
  }
  done_blocks_ = 0;
  faulted_ = false;
  block_begun_ = false;
  earlier_done_ = true;
}

void Machine::Run(const Launch& launch, const Schedule& schedule) {
  Prepare(launch, schedule);
  Finish();
}

void Machine::Begin(const Launch& launch, const Schedule& schedule) {
  Prepare(launch, schedule);
  if (blocks_ == 0) return;
  Machine* const former = std::exchange(current, this);
  earlier_done_ = false;
  StartBlock();
  RunThreads();
  block_begun_ = true;
  current = former;
}

void Machine::Finish() {
  Machine* const former = std::exchange(current, this);
  earlier_done_ = true;
  if (block_begun_) {
    for (unsigned t = 0; t < launch_->threads; ++t)
      if (threads_[t].state == State::kEarlier) threads_[t].state = State::kReady;
    RunThreads();
    EndBlock();
  }
  while (done_blocks_ < blocks_ && !faulted_) {
    StartBlock();
    RunThreads();
    EndBlock();
  }
  current = former;
  launch_ = nullptr;
  if (faulted_) throw Fault(fault_);
}

void Machine::StartBlock() {
  block_[0] = static_cast<unsigned>(at_ % launch_->grid[0]);
  block_[1] = static_cast<unsigned>(at_ / launch_->grid[0] % launch_->grid[1]);
  block_[2] = static_cast<unsigned>(at_ / launch_->grid[0] / launch_->grid[1]);
  const auto count = static_cast<int>(launch_->threads);
  // Shared memory begins as rubbish: NaN in every float format.
  std::fill(shared_.begin(), shared_.end(), std::byte{0xff});
  std::fill(trace_.begin(), trace_.end(), Trace());
  warp_time_.assign(static_cast<size_t>((count + launch_->warp - 1) / launch_->warp), 1);
  arrivals_.clear();
  wide_.assign(static_cast<size_t>(count), {});
  tensor_.reset();
  time_ = 1;
  at_barrier_ = 0;
  live_ = count;
  last_ = -1;
  for (int t = 0; t < count; ++t) {
    Thread& thread = threads_[static_cast<size_t>(t)];
    thread.state = State::kReady;
    thread.shared_used = 0;
    thread.waited_for_earlier = false;
    thread.open.clear();
    thread.groups.clear();
    thread.known.assign(warp_time_.size(), 0);
    thread.waited.clear();
    thread.fenced = false;
    thread.wide_open.clear();
    thread.wide_groups.clear();
    thread.fiber->Start(&Machine::Entry, this);
  }
}

void Machine::RunThreads() {
  while (live_ > 0 && !faulted_) {
    running_ = Next();
    if (running_ < 0) return;
    last_ = running_;
    threads_[static_cast<size_t>(running_)].fiber->Resume();
  }
}

void Machine::EndBlock() {
  if (live_ > 0 && !faulted_) {
    faulted_ = true;
    fault_ = "block " + Number(block_[0]) + "," + Number(block_[1]) + "," + Number(block_[2]) +
             ": no thread can go on: " + WhereAllWait();
  }
  if (!faulted_) CheckEnd();
  ++done_blocks_;
  at_ = (at_ + stride_) % blocks_;
}

void Machine::WaitForEarlier() {
  threads_[static_cast<size_t>(running_)].waited_for_earlier = true;
  if (!earlier_done_) Wait(State::kEarlier);
}

void Machine::Prefetch(const std::byte* from, int64_t bytes) {
  if (bytes < 0 || (bytes > 0 && launch_->memory && !launch_->memory->Holds(from, static_cast<size_t>(bytes))))
    Raise("fetches " + std::to_string(bytes) + " bytes ahead that are not of one block of device memory");
}

void Machine::Entry(void* argument) {
  auto* const self = static_cast<Machine*>(argument);
  Thread& thread = self->threads_[static_cast<size_t>(self->running_)];
  try {
    self->launch_->run(self->launch_->arguments);
    if (self->launch_->early && !thread.waited_for_earlier)
      self->Raise("leaves a launch that may begin early without waiting for what is before it");
    if (!thread.open.empty() || !thread.groups.empty()) self->Raise("leaves the kernel without waiting for its copies");
    if (!thread.wide_open.empty() || !thread.wide_groups.empty())
      self->Raise("leaves the kernel without waiting for its products of four warps");
    if (self->tensor_) self->CheckTensorLeave();
  } catch (const Fault& fault) {
    self->faulted_ = true;
    self->fault_ = fault.what();
  }
  thread.state = State::kDone;
  --self->live_;
  thread.fiber->Suspend();
}

int Machine::Next() {
  const auto count = static_cast<int>(launch_->threads);
  int at = schedule_.random ? static_cast<int>(Random() % static_cast<uint64_t>(count)) : last_ + 1;
  for (int i = 0; i < count; ++i, ++at) {
    if (at >= count) at = 0;
    if (threads_[static_cast<size_t>(at)].state == State::kReady) return at;
  }
  return -1;
}

void Machine::Wait(State state) {
  Thread& thread = threads_[static_cast<size_t>(running_)];
  thread.state = state;
  thread.fiber->Suspend();
}

void Machine::Interrupt() {
  if (schedule_.random && Random() % 32 == 0) Wait(State::kReady);
}

// Unwinds the thread's own stack; the block's other threads are left where they are and run no more.
void Machine::Raise(const std::string& message) {
  throw Fault("block " + Number(block_[0]) + "," + Number(block_[1]) + "," + Number(block_[2]) + ", thread " +
              std::to_string(running_) + ": " + message);
}

void Machine::Barrier() {
  if (++at_barrier_ < static_cast<int>(launch_->threads)) return Wait(State::kBarrier);
  at_barrier_ = 0;
  ++time_;
  if (tensor_) tensor_->fenced.assign(tensor_->fenced.size(), false);
  for (unsigned t = 0; t < launch_->threads; ++t) threads_[t].state = State::kReady;
  Wait(State::kReady);  // so that who comes last is not always who goes first
}

void Machine::Collect(const char* what, LaneMask mask, void* record, Apply apply) {
  const int warp = launch_->warp, my_lane = lane(), first = running_ - my_lane;
  const int lanes = std::min(warp, static_cast<int>(launch_->threads) - first);
  if ((mask >> my_lane & 1) == 0) Raise(std::string(what) + " with a mask that leaves out its own lane " + std::to_string(my_lane));
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.what = what;
  self.mask = mask;
  self.record = record;
  void* records[kMaxWarp] = {};
  bool complete = true;
  LaneMask present = 0;
  for (int l = 0; l < warp; ++l) {
    const bool wanted = (mask >> l & 1) != 0;
    if (l >= lanes) {
      // The lanes past the end of a partial last warp may be named by a full mask.
      continue;
    }
    const Thread& other = threads_[static_cast<size_t>(first + l)];
    if (!wanted) continue;
    if (l != my_lane) {
      if (other.state == State::kDone)
        Raise(std::string(what) + " waits for lane " + std::to_string(l) + ", which has left the kernel");
      if (other.state == State::kBarrier)
        Raise(std::string(what) + " waits for lane " + std::to_string(l) + ", which is at a barrier");
      if (other.state != State::kWarp) {  // kEarlier too: it will come
        complete = false;
        continue;
      }
      if (other.mask != mask || std::strcmp(other.what, what) != 0) {
        Raise(std::string(what) + " meets lane " + std::to_string(l) + " at " + other.what +
              (other.mask != mask ? " with another mask" : ""));
      }
    }
    records[l] = other.record;
    present |= LaneMask{1} << l;
  }
  if (!complete) return Wait(State::kWarp);
  apply(records, present);
  const LaneMask full = lanes == 64 ? ~LaneMask{0} : (LaneMask{1} << lanes) - 1;
  if (present == full) ++warp_time_[static_cast<size_t>(first / warp)];
  for (int l = 0; l < lanes; ++l)
    if (present >> l & 1) threads_[static_cast<size_t>(first + l)].state = State::kReady;
  Interrupt();
}

std::byte* Machine::TakeShared(size_t bytes) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  const size_t begin = (self.shared_used + 15) / 16 * 16;
  if (begin + bytes > launch_->shared_bytes)
    Raise("takes " + Number(begin + bytes) + " bytes of shared memory, the launch gives " + Number(launch_->shared_bytes));
  self.shared_used = begin + bytes;
  return shared_.data() + begin;
}

// Whether what `other` did at its warp's `warp_time`, since the last barrier, certainly came before what the running thread does
// now.
bool Machine::Ordered(int16_t other, uint32_t warp_time) const {
  if (other == running_) return true;
  const int warp = launch_->warp;
  if (other / warp == running_ / warp && warp_time < warp_time_[static_cast<size_t>(running_ / warp)]) return true;
  return warp_time < threads_[static_cast<size_t>(running_)].known[static_cast<size_t>(other / warp)];
}

// What a bulk copy brings must be there, for this thread.
void Machine::RequireThere(const Trace& trace, size_t i, Access access) {
  const char* const verb = access == Access::kRead ? "reads" : "writes";
  if (trace.coming)
    Raise(std::string(verb) + " byte " + Number(i * kTraced) + " of shared memory, to which a bulk copy is on its way");
  if (!trace.brought || trace.write_time != time_) return;
  const auto& waited = threads_[static_cast<size_t>(running_)].waited;
  const auto known = waited.find(trace.brought);
  if (known == waited.end() || known->second < trace.brought_phase)
    Raise(std::string(verb) + " byte " + Number(i * kTraced) +
          " of shared memory, which a bulk copy has brought that this thread has not waited for");
}
void Machine::RequireUnread(const Trace& trace, size_t i) {
  const int warp = launch_->warp;
  const bool peers = trace.peers && trace.reader / warp == running_ / warp &&
                     trace.read_warp_time == warp_time_[static_cast<size_t>(running_ / warp)];
  if (trace.read_time == time_ && (trace.many_warps || !Ordered(trace.reader, trace.read_warp_time) || peers)) {
    Raise("writes byte " + Number(i * kTraced) + " of shared memory, which thread " + std::to_string(trace.reader) +
          " or another has read since the last barrier");
  }
}

void Machine::Touch(const std::byte* address, size_t bytes, Access access) {
  Interrupt();
  const auto begin = static_cast<size_t>(address - shared_.data());
  const auto warp = static_cast<size_t>(running_ / launch_->warp);
  for (size_t i = begin / kTraced; i < (begin + bytes + kTraced - 1) / kTraced; ++i) {
    Trace& trace = trace_[i];
    const bool atomics = access == Access::kAtomic && trace.atomic;
    RequireThere(trace, i, access);
    if (trace.write_time == time_ && !trace.brought && !atomics && !Ordered(trace.writer, trace.write_warp_time)) {
      Raise(std::string(access == Access::kRead ? "reads" : "writes") + " byte " + Number(i * kTraced) +
            " of shared memory, which thread " + std::to_string(trace.writer) + " has written since the last barrier");
    }
    if (access == Access::kRead) {
      const bool again = trace.read_time == time_;
      const bool same_warp = trace.reader / launch_->warp == running_ / launch_->warp;
      trace.many_warps = again && (trace.many_warps || !same_warp);
      trace.peers = again && same_warp && trace.read_warp_time == warp_time_[warp] && (trace.peers || trace.reader != running_);
      trace.reader = static_cast<int16_t>(running_);
      trace.read_time = time_;
      trace.read_warp_time = warp_time_[warp];
      continue;
    }
    RequireUnread(trace, i);
    if (tensor_) CheckTensorUnread(shared_.data() + i * kTraced);
    trace.brought = nullptr;
    trace.write_time = time_;
    trace.write_warp_time = warp_time_[warp];
    trace.writer = static_cast<int16_t>(running_);
    trace.atomic = access == Access::kAtomic;
  }
}

void Machine::CopyLater(std::byte* to, const std::byte* from, size_t bytes) {
  // What lies there is lost from now on, and what comes is not there yet.
  Touch(to, bytes, Access::kWrite);
  std::memset(to, 0xff, bytes);
  threads_[static_cast<size_t>(running_)].open.push_back({to, from, bytes});
}

void Machine::CommitCopies() {
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.groups.push_back(std::move(self.open));
  self.open.clear();
}

void Machine::WaitCopies(size_t groups_left) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  while (self.groups.size() > groups_left) {
    for (const Copy& copy : self.groups.front()) {
      Touch(copy.to, copy.bytes, Access::kWrite);
      std::memcpy(copy.to, copy.from, copy.bytes);
    }
    self.groups.erase(self.groups.begin());
  }
}

std::string Machine::WhereAllWait() const {
  int barrier = 0, done = 0, warp = 0, first_warp = -1, arrivals = 0, wide = 0;
  for (unsigned t = 0; t < launch_->threads; ++t) {
    barrier += threads_[t].state == State::kBarrier;
    done += threads_[t].state == State::kDone;
    arrivals += threads_[t].state == State::kArrivals;
    wide += threads_[t].state == State::kWide;
    if (threads_[t].state == State::kWarp && warp++ == 0) first_warp = static_cast<int>(t);
  }
  std::string text = std::to_string(barrier) + " of " + Number(launch_->threads) + " threads wait at a barrier, " +
                     std::to_string(done) + " have left the kernel";
  if (warp > 0)
    text += ", " + std::to_string(warp) + " wait for their warp (thread " + std::to_string(first_warp) + " at " +
            threads_[static_cast<size_t>(first_warp)].what + ")";
  if (arrivals > 0) text += ", " + std::to_string(arrivals) + " wait for arrivals";
  if (wide > 0) text += ", " + std::to_string(wide) + " wait for their four warps";
  return text;
}

}  // namespace scout::simt

#include "machine.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

namespace scout::simt {
namespace {

std::string Number(uint64_t value) { return std::to_string(value); }

}  // namespace

Machine::Machine() = default;
Machine::~Machine() = default;

constinit thread_local Machine* Machine::current_ = nullptr;

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
  for (Thread& thread : threads_) {
    if (!thread.fiber) thread.fiber = std::make_unique<Fiber>();
    if (!faulted_) continue;
    thread.copies.clear();
    thread.landed = 0;
    thread.groups_waited = thread.groups;
    thread.wide_open.clear();
    thread.wide_groups.clear();
  }
  states_.resize(threads_.size());
  wide_.resize(threads_.size());
  warps_.resize((launch.threads + static_cast<unsigned>(launch.warp) - 1) / static_cast<unsigned>(launch.warp));
  known_.assign(launch.threads * warps_.size(), 0);
  shared_.resize(launch.shared_bytes);
  trace_.resize(launch.shared_bytes / kTraced + 1);
  // What was before this time is as good as nothing.
  if (faulted_ || time_ > uint32_t{1} << 31) {
    std::fill(trace_.begin(), trace_.end(), Trace());
    time_ = 1;
  }

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
  Machine* const former = std::exchange(current_, this);
  earlier_done_ = false;
  StartBlock();
  RunThreads();
  block_begun_ = true;
  current_ = former;
}

void Machine::Finish() {
  Machine* const former = std::exchange(current_, this);
  earlier_done_ = true;
  if (block_begun_) {
    for (unsigned t = 0; t < launch_->threads; ++t)
      if (states_[t] == State::kEarlier) states_[t] = State::kReady;
    RunThreads();
    EndBlock();
  }
  while (done_blocks_ < blocks_ && !faulted_) {
    StartBlock();
    RunThreads();
    EndBlock();
  }
  current_ = former;
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
  for (size_t w = 0; w < warps_.size(); ++w) {
    Warp& warp = warps_[w];
    const int lanes = std::min(launch_->warp, count - static_cast<int>(w) * launch_->warp);
    warp.lanes = lanes == 64 ? ~LaneMask{0} : (LaneMask{1} << lanes) - 1;
    warp.done = warp.at_barrier = warp.waiting = 0;
    warp.differ = false;
    warp.time = 1;
  }
  if (waited_) {
    std::fill(known_.begin(), known_.end(), 0);
    for (Thread& thread : threads_) thread.waited.clear();
    waited_ = false;
  }
  arrivals_.clear();
  tensor_.reset();
  block_time_ = ++time_;
  at_barrier_ = 0;
  live_ = count;
  last_ = -1;
  for (int t = 0; t < count; ++t) {
    Thread& thread = threads_[static_cast<size_t>(t)];
    StateOf(t) = State::kReady;
    thread.shared_used = 0;
    thread.waited_for_earlier = false;
    thread.fenced = false;
    thread.fiber->Start(&Machine::Entry, this);
  }
}

// Threads hand over to one another; they come back here when none can go on.
void Machine::RunThreads() {
  if (live_ > 0 && !faulted_ && PickNext()) threads_[static_cast<size_t>(running_)].fiber->Resume();
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
    if (!thread.copies.empty() || thread.groups_waited < thread.groups)
      self->Raise("leaves the kernel without waiting for its copies");
    if (!thread.wide_open.empty() || !thread.wide_groups.empty())
      self->Raise("leaves the kernel without waiting for its products of four warps");
    if (self->tensor_) self->CheckTensorLeave();
  } catch (const Fault& fault) {
    self->faulted_ = true;
    self->fault_ = fault.what();
  }
  const int ended = self->running_;
  self->StateOf(ended) = State::kDone;
  self->MyWarp().done |= LaneMask{1} << self->lane();
  thread.fiber->End();
  if (--self->live_ > 0 && !self->faulted_ && self->PickNext()) {
    thread.fiber->GoOnWith(*self->threads_[static_cast<size_t>(self->running_)].fiber);
  } else {
    thread.fiber->Suspend();
  }
}

int Machine::Next() {
  const auto count = static_cast<int>(launch_->threads);
  int at = schedule_.random ? static_cast<int>(Random() % static_cast<uint64_t>(count)) : last_ + 1;
  if (at >= count) at = 0;
  if (StateOf(at) == State::kReady) return at;
  const auto find = [&](int begin, int end) {
    const void* const found =
        std::memchr(states_.data() + begin, static_cast<int>(State::kReady), static_cast<size_t>(end - begin));
    return found ? static_cast<int>(static_cast<const State*>(found) - states_.data()) : -1;
  };
  const int later = find(at, count);
  return later >= 0 ? later : find(0, at);
}

// Whether somebody can go on, who is the running thread from now on.
bool Machine::PickNext() {
  const int next = Next();
  if (next < 0) return false;
  running_ = last_ = next;
  return true;
}

void Machine::Wait(State state) {
  Fiber& fiber = *threads_[static_cast<size_t>(running_)].fiber;
  const int waiting = running_;
  StateOf(waiting) = state;
  if (!PickNext()) return fiber.Suspend();
  if (running_ != waiting) fiber.GoOnWith(*threads_[static_cast<size_t>(running_)].fiber);
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
  if (++at_barrier_ < static_cast<int>(launch_->threads)) {
    MyWarp().at_barrier |= LaneMask{1} << lane();
    return Wait(State::kBarrier);
  }
  at_barrier_ = 0;
  ++time_;
  for (Warp& warp : warps_) warp.at_barrier = 0;
  if (tensor_) tensor_->fenced.assign(tensor_->fenced.size(), false);
  std::fill_n(states_.begin(), launch_->threads, State::kReady);
  Wait(State::kReady);  // so that who comes last is not always who goes first
}

// Lane by lane, where not all of them do the same: whether all of `mask` are here. Throws where they never will be.
bool Machine::AllHere(const char* what, LaneMask mask) {
  const int my_lane = lane(), first = running_ - my_lane;
  const LaneMask wanted = mask & MyWarp().lanes;
  bool complete = true;
  for (int l = 0; l < launch_->warp; ++l) {
    if ((wanted >> l & 1) == 0 || l == my_lane) continue;
    const Thread& other = threads_[static_cast<size_t>(first + l)];
    const State state = StateOf(first + l);
    if (state == State::kDone) Raise(std::string(what) + " waits for lane " + std::to_string(l) + ", which has left the kernel");
    if (state == State::kBarrier) Raise(std::string(what) + " waits for lane " + std::to_string(l) + ", which is at a barrier");
    if (state != State::kWarp) {  // kEarlier too: it will come
      complete = false;
    } else if (other.mask != mask || std::strcmp(other.what, what) != 0) {
      Raise(std::string(what) + " meets lane " + std::to_string(l) + " at " + other.what +
            (other.mask != mask ? " with another mask" : ""));
    }
  }
  return complete;
}

void Machine::Collect(const char* what, LaneMask mask, void* record, Apply apply) {
  const int my_lane = lane(), first = running_ - my_lane;
  const LaneMask me = LaneMask{1} << my_lane;
  if ((mask & me) == 0) Raise(std::string(what) + " with a mask that leaves out its own lane " + std::to_string(my_lane));
  Warp& warp = MyWarp();
  const LaneMask wanted = mask & warp.lanes;  // the lanes past the end of a partial last warp may be named by a full mask
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.what = what;
  self.mask = mask;
  warp.records[my_lane] = record;
  if (warp.waiting == 0) {
    warp.what = what;
    warp.mask = mask;
    warp.differ = false;
  } else if (warp.mask != mask || (warp.what != what && std::strcmp(warp.what, what) != 0)) {
    warp.differ = true;
  }
  const bool complete =
      warp.differ || (wanted & (warp.done | warp.at_barrier)) != 0 ? AllHere(what, mask) : (wanted & ~(warp.waiting | me)) == 0;
  if (!complete) {
    warp.waiting |= me;
    return Wait(State::kWarp);
  }
  apply(warp.records, wanted);
  if (wanted == warp.lanes) ++warp.time;
  warp.waiting &= ~wanted;
  for (LaneMask left = wanted; left != 0; left &= left - 1) StateOf(first + std::countr_zero(left)) = State::kReady;
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
  const auto theirs = static_cast<size_t>(other / warp);
  if (other / warp == running_ / warp && warp_time < warps_[theirs].time) return true;
  return warp_time < known_[static_cast<size_t>(running_) * warps_.size() + theirs];
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
                     trace.read_warp_time == warps_[static_cast<size_t>(running_ / warp)].time;
  if (trace.read_time == time_ && (trace.many_warps || !Ordered(trace.reader, trace.read_warp_time) || peers)) {
    Raise("writes byte " + Number(i * kTraced) + " of shared memory, which thread " + std::to_string(trace.reader) +
          " or another has read since the last barrier");
  }
}

void Machine::Touch(const std::byte* address, size_t bytes, Access access) {
  Interrupt();
  const auto begin = static_cast<size_t>(address - shared_.data());
  const uint32_t warp_time = MyWarp().time;
  for (size_t i = begin / kTraced; i < (begin + bytes + kTraced - 1) / kTraced; ++i) {
    Trace& trace = trace_[i];
    const bool atomics = access == Access::kAtomic && trace.atomic;
    if (trace.coming || trace.brought) RequireThere(trace, i, access);
    if (trace.write_time == time_ && !trace.brought && !atomics && !Ordered(trace.writer, trace.write_warp_time)) {
      Raise(std::string(access == Access::kRead ? "reads" : "writes") + " byte " + Number(i * kTraced) +
            " of shared memory, which thread " + std::to_string(trace.writer) + " has written since the last barrier");
    }
    if (access == Access::kRead) {
      const bool again = trace.read_time == time_;
      const bool same_warp = trace.reader / launch_->warp == running_ / launch_->warp;
      trace.many_warps = again && (trace.many_warps || !same_warp);
      trace.peers = again && same_warp && trace.read_warp_time == warp_time && (trace.peers || trace.reader != running_);
      trace.reader = static_cast<int16_t>(running_);
      trace.read_time = time_;
      trace.read_warp_time = warp_time;
      continue;
    }
    if (trace.read_time == time_) RequireUnread(trace, i);
    if (tensor_) CheckTensorUnread(shared_.data() + i * kTraced);
    trace.brought = nullptr;
    trace.write_time = time_;
    trace.write_warp_time = warp_time;
    trace.writer = static_cast<int16_t>(running_);
    trace.atomic = access == Access::kAtomic;
  }
}

void Machine::CopyLater(std::byte* to, const std::byte* from, size_t bytes) {
  // What lies there is lost from now on, and what comes is not there yet.
  Touch(to, bytes, Access::kWrite);
  std::memset(to, 0xff, bytes);
  Thread& self = threads_[static_cast<size_t>(running_)];
  self.copies.push_back({to, from, bytes, self.groups});
}

void Machine::CommitCopies() { ++threads_[static_cast<size_t>(running_)].groups; }

void Machine::WaitCopies(size_t groups_left) {
  Thread& self = threads_[static_cast<size_t>(running_)];
  if (self.groups - self.groups_waited <= groups_left) return;
  self.groups_waited = self.groups - groups_left;
  for (; self.landed < self.copies.size() && self.copies[self.landed].group < self.groups_waited; ++self.landed) {
    const Copy copy = self.copies[self.landed];
    Touch(copy.to, copy.bytes, Access::kWrite);
    std::memcpy(copy.to, copy.from, copy.bytes);
  }
  constexpr size_t kMostLanded = 64;
  if (self.landed == self.copies.size() || self.landed >= kMostLanded) {
    self.copies.erase(self.copies.begin(), self.copies.begin() + static_cast<std::ptrdiff_t>(self.landed));
    self.landed = 0;
  }
}

std::string Machine::WhereAllWait() const {
  int barrier = 0, done = 0, warp = 0, first_warp = -1, arrivals = 0, wide = 0;
  for (unsigned t = 0; t < launch_->threads; ++t) {
    barrier += states_[t] == State::kBarrier;
    done += states_[t] == State::kDone;
    arrivals += states_[t] == State::kArrivals;
    wide += states_[t] == State::kWide;
    if (states_[t] == State::kWarp && warp++ == 0) first_warp = static_cast<int>(t);
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

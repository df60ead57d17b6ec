// Tensor memory: stores and loads of warps, and products that one thread asks for.
#include "tensor_memory.h"

#include <algorithm>
#include <cstring>

#include "machine.h"

namespace scout::simt {
namespace {

constexpr uint32_t kNotThere = 0xffffffff;  // NaN
constexpr size_t kPiece = 16;
constexpr int kDepth = 8;  // columns of a first factor

int LaneOf(uint32_t at) { return static_cast<int>(at >> 16); }
int ColumnOf(uint32_t at) { return static_cast<int>(at & 0xffff); }
size_t WordAt(int lane, int column) { return static_cast<size_t>(lane * TensorMemory::kColumns + column); }

}  // namespace

TensorMemory& Machine::Tensor() {
  if (!tensor_) {
    tensor_ = std::make_unique<TensorMemory>();
    tensor_->fenced.resize(launch_->threads);
    tensor_->stores.resize(launch_->threads);
    tensor_->loads.resize(launch_->threads);
    tensor_->open.resize(launch_->threads);
    tensor_->batches.resize(launch_->threads);
  }
  return *tensor_;
}

TensorTrace& Machine::TensorTraceAt(uint32_t at, int lane, int column, const char* verb) {
  TensorMemory& memory = Tensor();
  const int to_lane = LaneOf(at) + lane, to_column = ColumnOf(at) + column;
  const bool inside = std::any_of(memory.reserved.begin(), memory.reserved.end(), [&](const TensorMemory::Reserved& some) {
    return to_column >= some.first && to_column < some.first + some.columns;
  });
  if (!inside || to_lane >= TensorMemory::kLanes || to_lane % TensorMemory::kGroup != 0)
    Raise(std::string(verb) + " lane " + std::to_string(to_lane) + ", column " + std::to_string(to_column) +
          " of tensor memory, which is not reserved");
  return memory.traces[static_cast<size_t>(to_lane / TensorMemory::kGroup * TensorMemory::kColumns + to_column)];
}

// Each warp of four reaches a quarter of the lanes.
void Machine::RequireReach(uint32_t at) {
  const int warp = running_ / launch_->warp, lane = LaneOf(at);
  if (launch_->warp != 32 || lane % TensorMemory::kGroup != 0 || lane / 32 != warp % 4)
    Raise("warp " + std::to_string(warp) + " does not reach lane " + std::to_string(lane) + " of tensor memory");
}
void Machine::RequireFence(int thread) {
  if (!tensor_->fenced[static_cast<size_t>(thread)])
    Raise("uses tensor memory after a wait without a fence between them (thread " + std::to_string(thread) + ")");
}
bool Machine::KnowsPhase(int thread, const std::byte* at, uint32_t phase, uint32_t time) const {
  if (time < time_) return true;
  const auto& waited = threads_[static_cast<size_t>(thread)].waited;
  const auto known = waited.find(at);
  return known != waited.end() && known->second >= phase;
}

void Machine::TensorReserve(std::byte* to, int columns) {
  TensorMemory& memory = Tensor();
  if (columns < 32 || columns > TensorMemory::kColumns || (columns & (columns - 1)) != 0)
    Raise("reserves " + std::to_string(columns) + " columns of tensor memory, which is no power of two from 32 to 512");
  if (columns > memory.free_columns)
    Raise("reserves " + std::to_string(columns) + " columns of tensor memory where " + std::to_string(memory.free_columns) +
          " are left");
  // From the end, so that nobody takes the first for 0.
  memory.free_columns -= columns;
  memory.reserved.push_back({memory.free_columns, columns, running_ / launch_->warp});
  Touch(to, sizeof(uint32_t), Access::kWrite);
  const auto first = static_cast<uint32_t>(memory.free_columns);
  std::memcpy(to, &first, sizeof first);
}

void Machine::TensorFree(uint32_t at, int columns) {
  TensorMemory& memory = Tensor();
  const int warp = running_ / launch_->warp;
  const auto found = std::find_if(memory.reserved.begin(), memory.reserved.end(), [&](const TensorMemory::Reserved& some) {
    return static_cast<uint32_t>(some.first) == at && some.columns == columns && some.warp == warp;
  });
  if (found == memory.reserved.end())
    Raise("frees " + std::to_string(columns) + " columns of tensor memory that this warp has not reserved so");
  for (int lane = 0; lane < TensorMemory::kLanes; lane += TensorMemory::kGroup)
    for (int column = 0; column < columns; ++column) {
      const TensorTrace& trace = TensorTraceAt(at, lane, column, "frees");
      if (trace.coming >= 0 || trace.reading > 0) Raise("frees tensor memory that a product on its way uses");
      for (const TensorUse* const use : {&trace.stored, &trace.loaded})
        if (use->time > 0 && (use->undone != 0 || (use->time == time_ && !Ordered(use->thread, use->warp_time))))
          Raise("frees tensor memory that thread " + std::to_string(use->thread) + " may still use");
      for (const TensorUse* const use : {&trace.brought, &trace.factor})
        if (use->time > 0 && !KnowsPhase(running_, use->arrivals, use->phase, use->time))
          Raise("frees tensor memory that a product uses which this thread has not waited for");
    }
  memory.reserved.erase(found);
}

void Machine::TensorStore(uint32_t at, int columns, const std::vector<TensorWord>& words) {
  TensorMemory& memory = Tensor();
  RequireReach(at);
  const int first = running_ - lane();
  for (int column = 0; column < columns; ++column) {
    TensorTrace& trace = TensorTraceAt(at, 0, column, "stores to");
    const auto where = [&] { return "column " + std::to_string(ColumnOf(at) + column) + " of tensor memory"; };
    if (trace.coming >= 0) Raise("stores to " + where() + ", to which a product is on its way");
    if (trace.reading > 0) Raise("stores to " + where() + ", which a product on its way reads");
    for (const TensorUse* const use : {&trace.brought, &trace.factor}) {
      if (use->time == 0) continue;
      for (int thread = first; thread < first + launch_->warp; ++thread) {
        if (!KnowsPhase(thread, use->arrivals, use->phase, use->time))
          Raise("stores to " + where() + ", which a product uses that thread " + std::to_string(thread) + " has not waited for");
        RequireFence(thread);
      }
    }
    for (const TensorUse* const use : {&trace.stored, &trace.loaded})
      if (use->time == time_ && use->thread / launch_->warp != running_ / launch_->warp && !Ordered(use->thread, use->warp_time))
        Raise("stores to " + where() + ", which thread " + std::to_string(use->thread) + " has used since the last barrier");
    trace.is_product = false;
    trace.stored = {time_, 0, static_cast<int16_t>(running_), 0, nullptr, 0};
    for (int lane = 0; lane < TensorMemory::kGroup; ++lane)
      memory.words[WordAt(LaneOf(at) + lane, ColumnOf(at) + column)] = kNotThere;
  }
  for (const TensorWord& word : words) {
    TensorTraceAt(at, 0, word.column, "stores to").stored.undone |= uint32_t{1} << word.thread;
    memory.stores[static_cast<size_t>(first + word.thread)].push_back(
        {word.thread, LaneOf(at) + word.lane, ColumnOf(at) + word.column, word.value});
  }
}

void Machine::TensorLoad(uint32_t at, int columns) {
  TensorMemory& memory = Tensor();
  RequireReach(at);
  const int first = running_ - lane();
  for (int column = 0; column < columns; ++column) {
    TensorTrace& trace = TensorTraceAt(at, 0, column, "loads from");
    const auto where = [&] { return "column " + std::to_string(ColumnOf(at) + column) + " of tensor memory"; };
    if (trace.coming >= 0) Raise("loads from " + where() + ", to which a product is on its way");
    const TensorUse& use = trace.is_product ? trace.brought : trace.stored;
    if (use.time == 0 || use.undone != 0) Raise("loads from " + where() + " what is not there");
    for (int thread = first; thread < first + launch_->warp; ++thread) {
      if (trace.is_product ? !KnowsPhase(thread, use.arrivals, use.phase, use.time)
                           : use.time == time_ && !Ordered(use.thread, use.warp_time))
        Raise("loads from " + where() + " what thread " + std::to_string(thread) + " has not waited for");
      if (trace.is_product) RequireFence(thread);
      memory.loads[static_cast<size_t>(thread)].push_back(&trace);
    }
    trace.loaded = {time_, 0, static_cast<int16_t>(running_), 0xffffffff, nullptr, 0};
  }
}
uint32_t Machine::TensorAt(uint32_t at, int lane, int column) const {
  return tensor_->words[WordAt(LaneOf(at) + lane, ColumnOf(at) + column)];
}

void Machine::TensorDone() {
  TensorMemory& memory = Tensor();
  const auto self = static_cast<size_t>(running_);
  const uint32_t now = MyWarp().time, bit = uint32_t{1} << lane();
  const auto done = [&](TensorUse& use) {
    use.undone &= ~bit;
    use.time = time_;
    use.warp_time = now;
  };
  for (const TensorWord& word : memory.stores[self]) {
    memory.words[WordAt(word.lane, word.column)] = word.value;
    done(memory.traces[static_cast<size_t>(word.lane / TensorMemory::kGroup * TensorMemory::kColumns + word.column)].stored);
  }
  memory.stores[self].clear();
  for (TensorTrace* const trace : memory.loads[self]) done(trace->loaded);
  memory.loads[self].clear();
  Interrupt();
}
void Machine::TensorFence() { Tensor().fenced[static_cast<size_t>(running_)] = true; }

void Machine::TensorMultiplyAdd(uint32_t c, uint32_t a, const std::vector<const std::byte*>& b, int columns, bool add,
                                TensorMultiply multiply) {
  TensorMemory& memory = Tensor();
  RequireFence(running_);
  if (LaneOf(c) != 0 || LaneOf(a) != 0) Raise("a product that does not begin at lane 0 of tensor memory");
  for (const std::byte* const piece : b) {
    const auto first = static_cast<size_t>(piece - shared_.data()) / kTraced;
    for (size_t i = first; i < first + kPiece / kTraced; ++i) {
      RequireThere(trace_[i], i, Access::kRead);
      if (!Brought(trace_[i]))
        Raise("a product reads byte " + std::to_string(i * kTraced) + " of shared memory, which no copy has brought");
    }
  }
  std::vector<uint32_t> factor(static_cast<size_t>(TensorMemory::kLanes * kDepth));
  std::vector<float> sums(static_cast<size_t>(TensorMemory::kLanes * columns), 0.0f);
  for (int lane = 0; lane < TensorMemory::kLanes; lane += TensorMemory::kGroup) {
    for (int column = 0; column < kDepth; ++column) {
      TensorTrace& trace = TensorTraceAt(a, lane, column, "multiplies");
      if (trace.is_product || trace.stored.time == 0) Raise("multiplies what nobody has stored in tensor memory");
      if (trace.stored.undone != 0 || (trace.stored.time == time_ && !Ordered(trace.stored.thread, trace.stored.warp_time)))
        Raise("multiplies column " + std::to_string(ColumnOf(a) + column) + " of tensor memory, which thread " +
              std::to_string(trace.stored.thread) + " or its warp has stored without telling");
      ++trace.reading;
      for (int i = lane; i < lane + TensorMemory::kGroup; ++i)
        factor[static_cast<size_t>(i * kDepth + column)] = memory.words[WordAt(i, ColumnOf(a) + column)];
    }
    for (int column = 0; column < columns; ++column) {
      TensorTrace& trace = TensorTraceAt(c, lane, column, "adds to");
      if (trace.coming >= 0 && trace.coming != running_) Raise("adds to what another thread's product brings");
      if (trace.coming < 0) {
        const TensorUse& use = trace.brought;
        if (add && !trace.is_product) Raise("adds to what no product has brought to tensor memory");
        // A thread's own products follow each other whatever it waits for.
        const bool others = use.time > 0 && use.thread != running_;
        if ((others && !KnowsPhase(running_, use.arrivals, use.phase, use.time)) || trace.reading > 0)
          Raise("adds to what this thread has not waited for");
        for (const TensorUse* const other : {&trace.stored, &trace.loaded})
          if (other->undone != 0 || (other->time == time_ && !Ordered(other->thread, other->warp_time)))
            Raise("adds to what thread " + std::to_string(other->thread) + " has used since the last barrier");
      }
      for (int i = lane; add && i < lane + TensorMemory::kGroup; ++i) {
        const size_t at = WordAt(i, ColumnOf(c) + column);
        float& sum = sums[static_cast<size_t>(i * columns + column)];
        if (trace.coming >= 0)
          sum = memory.sums[at];
        else
          std::memcpy(&sum, &memory.words[at], sizeof sum);
      }
      trace.coming = running_;
      trace.is_product = true;
    }
  }
  TensorProduct product{ColumnOf(c), columns, ColumnOf(a), b, std::vector<uint32_t>(4 * b.size())};
  for (size_t i = 0; i < b.size(); ++i) {
    std::memcpy(product.b_words.data() + 4 * i, b[i], kPiece);
    ++memory.read[b[i]].reading;
  }
  multiply(factor.data(), product.b_words.data(), columns, sums.data());
  for (int lane = 0; lane < TensorMemory::kLanes; ++lane)
    for (int column = 0; column < columns; ++column) {
      const size_t at = WordAt(lane, ColumnOf(c) + column);
      memory.sums[at] = sums[static_cast<size_t>(lane * columns + column)];
      memory.words[at] = kNotThere;
    }
  memory.open[static_cast<size_t>(running_)].push_back(std::move(product));
}

void Machine::TensorCommit(std::byte* at) {
  Interrupt();
  TensorMemory& memory = Tensor();
  Arrivals& arrivals = ArrivalsAt(at);
  const auto batch = std::make_shared<TensorBatch>();
  batch->thread = running_;
  batch->arrivals = at;
  batch->products.swap(memory.open[static_cast<size_t>(running_)]);
  memory.batches[static_cast<size_t>(running_)].push_back(batch);
  arrivals.batches.push_back(batch);
  Wake(at);
}

// With a batch all are over that its thread has committed before.
void Machine::LandProducts(TensorBatch& batch) {
  TensorMemory& memory = *tensor_;
  auto& batches = memory.batches[static_cast<size_t>(batch.thread)];
  while (!batch.over) {
    const std::shared_ptr<TensorBatch> next = batches.front();
    batches.erase(batches.begin());
    const TensorUse use{time_, 0, static_cast<int16_t>(next->thread), 0, next->arrivals, ArrivalsAt(next->arrivals).phase + 1};
    for (const TensorProduct& product : next->products) {
      for (size_t i = 0; i < product.b.size(); ++i) {
        if (std::memcmp(product.b[i], product.b_words.data() + 4 * i, kPiece) != 0)
          Raise("byte " + std::to_string(product.b[i] - shared_.data()) +
                " of shared memory, in the second factor of a product, has changed before it was over");
        TensorMemory::Read& read = memory.read[product.b[i]];
        --read.reading;
        read.last = use;
      }
      for (int group = 0; group < TensorMemory::kLanes / TensorMemory::kGroup; ++group) {
        TensorTrace* const traces = memory.traces.data() + group * TensorMemory::kColumns;
        for (int column = product.first_factor; column < product.first_factor + kDepth; ++column) {
          --traces[column].reading;
          traces[column].factor = use;
        }
      }
    }
    // Sums that a later product adds to stay on their way.
    for (size_t i = 0; i < next->products.size(); ++i) {
      const TensorProduct& product = next->products[i];
      const auto again = [&](const std::vector<TensorProduct>& others, size_t from) {
        return std::any_of(others.begin() + static_cast<ptrdiff_t>(from), others.end(), [&](const TensorProduct& other) {
          return other.first_sum < product.first_sum + product.sums && product.first_sum < other.first_sum + other.sums;
        });
      };
      bool last = !again(next->products, i + 1) && !again(memory.open[static_cast<size_t>(batch.thread)], 0);
      for (const auto& later : batches) last = last && !again(later->products, 0);
      if (!last) continue;
      for (int lane = 0; lane < TensorMemory::kLanes; ++lane)
        for (int column = product.first_sum; column < product.first_sum + product.sums; ++column) {
          const size_t at = WordAt(lane, column);
          std::memcpy(&memory.words[at], &memory.sums[at], sizeof(float));
          TensorTrace& trace = memory.traces[static_cast<size_t>(lane / TensorMemory::kGroup * TensorMemory::kColumns + column)];
          trace.coming = -1;
          trace.brought = use;
        }
    }
    next->over = true;
  }
}

// What a product reads may be written again by who has waited for it.
void Machine::CheckTensorUnread(const std::byte* at) {
  const auto offset = static_cast<size_t>(at - shared_.data());
  const auto found = tensor_->read.find(shared_.data() + offset / kPiece * kPiece);
  if (found == tensor_->read.end()) return;
  const TensorMemory::Read& read = found->second;
  if (read.reading > 0) Raise("writes byte " + std::to_string(offset) + " of shared memory, which a product on its way reads");
  if (read.last.time > 0 && !KnowsPhase(running_, read.last.arrivals, read.last.phase, read.last.time))
    Raise("writes byte " + std::to_string(offset) +
          " of shared memory, which a product has read that this thread has not waited for");
}

void Machine::CheckTensorLeave() {
  if (!tensor_->open[static_cast<size_t>(running_)].empty()) Raise("leaves the kernel without committing its products");
  if (!tensor_->stores[static_cast<size_t>(running_)].empty())
    Raise("leaves the kernel before its stores to tensor memory are over");
}
void Machine::CheckTensorEnd() {
  const char* what = tensor_->reserved.empty() ? nullptr : "without freeing its tensor memory";
  for (const auto& batches : tensor_->batches)
    if (!batches.empty()) what = "while products are on their way";
  if (!what) return;
  faulted_ = true;
  fault_ = "block " + std::to_string(block_[0]) + "," + std::to_string(block_[1]) + "," + std::to_string(block_[2]) +
           ": the kernel ends " + what;
}

}  // namespace scout::simt

// What a step has to do at least: the bytes it must read and the operations it must make, phase by phase, from the public
// description of a model; and how long that takes a machine whose limits are known.
//
// A phase is a kind of work that waits for the one before it: the projections of attention, attention over the keys, the router,
// the shared expert or dense layer, the routed experts, the head. Nothing lets one phase's arithmetic hide behind another's
// reading, so a step takes at least
//
//   sum over the phases of  max(bytes / read rate, operations / peak of their kind)
//
// and the fraction of the roofline is that time divided by the time measured. What counts as necessary:
//
//   weights       every byte of the tensor in the file once a step, whatever the number of rows
//   experts       with b rows of random tokens, each of E experts is wanted by a row with probability k/E, so that
//                 E (1 - (1 - k/E)^b) of them are read; operations are k experts a row
//   keys, values  of all positions that a row attends to, once a step for each sequence; written ones once
//   head          the rows whose logits are asked for: the last of a prompt, every one that decodes
//   operations    2 per weight and row; 4 heads head_dim for each pair of query and key
//
// Norms, activations and the rows between phases are left out: they stay in the caches. So the limit is a little lower than the
// true one, and no measurement can reach it by leaving out work.
#pragma once

#include <scout/scout.h>

#include <cstdint>
#include <string>
#include <vector>

#include "probes.h"

namespace cli {

// The kind of products a phase is made of, which has a peak of its own.
enum class Arithmetic { kInt8, kBf16, kF32 };

struct Phase {
  const char* name;
  double bytes = 0;
  double int8_ops = 0, bf16_ops = 0, f32_ops = 0;
  double Ops() const { return int8_ops + bf16_ops + f32_ops; }
};

// All steps of a piece of work together.
struct Work {
  std::vector<Phase> phases;
  double Bytes() const;
  double Ops() const;
  void Add(const Work& other, double times = 1);
};

// One sequence's part of a step: `rows` new positions after `before` old ones, of which the last `logits` ask for logits.
struct StepPart {
  int64_t before = 0;
  int64_t rows = 1;
  int64_t logits = 1;
};

class Roofline {
 public:
  // Sorts the model's tensors by phase.
  explicit Roofline(const scout_model* model);

  // One step of `count` sequences that are all like `part`.
  Work Step(const StepPart& part, int64_t count) const;
  // Prompts of `rows` tokens after `before`, `count` of them, in steps of at most `step_rows` rows.
  Work Prompts(int64_t before, int64_t rows, int64_t count, int64_t step_rows) const;

 private:
  struct Weights {  // of one phase
    double bytes = 0;
    double int8 = 0, bf16 = 0, f32 = 0;  // weights, by the kind of product that they take part in
  };
  static void AddOps(Phase& phase, const Weights& weights, double rows);

  scout_model_info info_;
  Weights projections_, router_, dense_, experts_, head_;
  double embedding_row_bytes_ = 0;
};

// Seconds that a machine with these peaks needs at least; 0 where a peak that is needed is unknown.
double LimitSeconds(const Work& work, const probes::Peaks& peaks);
// The same with only the reading, or only the arithmetic.
double ReadSeconds(const Work& work, const probes::Peaks& peaks);
double ArithmeticSeconds(const Work& work, const probes::Peaks& peaks);

}  // namespace cli

// A runner without a model. What it stores for a position is a hash of everything the position may see, read back through the page
// lists and slots of the plan: a wrong page, a lost or overwritten slot or a wrong visibility changes every later logit. It
// checks each plan against the rules of step_plan.h as well, and spoils the slots of steps that fail or are aborted.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/token_text.h"
#include "model/runner.h"
#include "model/vision.h"

namespace scout::test {

struct FakeOptions {
  int64_t vocabulary = 97;
  int32_t page_size = 4;
  int64_t chunk = 16;  // attention chunk, 0: the model has global layers only
  bool global = true;  // false: chunk-local layers only
  int64_t local_pages = 64;
  int64_t global_pages = 256;
  int32_t max_rows = 512;
  int32_t max_logit_rows = 64;
  int layers = 3;
  float spread = 6;  // logits lie in [0, spread)
};

// What a test may do to a runner and learn from it; shared, because the engine owns the runner.
struct FakeControl {
  // Called before the step's result is made; a message makes Finish fail with it.
  std::function<std::string(const StepPlan&)> fail;
  std::function<bool(int32_t token, int32_t position)> nan;  // the row's logits hold a NaN
  std::function<int32_t(int32_t position)> script;           // the best token after `position`; -1 = as the hash says
  std::function<void()> on_advance;                          // between layers
  std::function<bool()> fail_sample;                         // Sample fails
  std::atomic<int64_t> steps{0}, rows{0}, aborts{0}, read_rows{0}, alive{0};
  std::atomic<int64_t> most_rows{0}, most_sequences{0};
  std::vector<std::string> complaints;  // broken rules; read when no step runs
};

// A tower without a model: every row of a tile's features is a hash of the tile's bytes and the row.
struct FakeVisionControl {
  std::function<void()> on_advance;   // between layers
  std::function<std::string()> fail;  // a message makes Finish fail with it
  int64_t tiles_at_once = 1;
  std::atomic<int64_t> pictures{0}, batches{0}, advances{0}, aborts{0}, alive{0};
  std::atomic<int64_t> feature_rows{0};  // of all features that are alive
  std::vector<std::string> complaints;
};
// Tiles of 3 x 2 x 2 bytes become 4 rows each.
constexpr int64_t kFakeTileBytes = 12, kFakeTileRows = 4, kFakeTileLayers = 4;
std::unique_ptr<model::Vision> MakeFakeVision(std::shared_ptr<FakeVisionControl> control);

std::unique_ptr<model::Runner> MakeFakeRunner(const FakeOptions& options, std::shared_ptr<FakeControl> control);

// Token texts given by a function; ids from `first_special` on are special.
class FakeText final : public engine::TokenText {
 public:
  FakeText(int64_t vocabulary, const std::function<std::string(int32_t)>& text, int32_t first_special);
  std::string_view Bytes(int32_t id) const override { return text_[static_cast<size_t>(id)]; }
  bool IsSpecial(int32_t id) const override { return id >= first_special_; }

 private:
  std::vector<std::string> text_;
  int32_t first_special_;
};

}  // namespace scout::test

#include "support/fake_runner.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backend/host_buffer.h"
#include "base/text.h"

namespace scout::test {
namespace {

uint64_t Mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15u ^ (b + 0xd1b54a32d192ed03u);
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

struct Slot {
  int32_t position = -1;
  uint64_t value = 0;
};

class FakeRunner final : public model::Runner {
 public:
  FakeRunner(const FakeOptions& options, std::shared_ptr<FakeControl> control) : fake_(options), control_(std::move(control)) {
    options_.page_size = options.page_size;
    options_.k_format = options_.v_format = DType::kF32;
    options_.page_count = {options.chunk == 0 ? 0 : options.local_pages, options.global ? options.global_pages : 0};
    options_.max_rows = options.max_rows;
    options_.max_logit_rows = options.max_logit_rows;
    for (size_t group = 0; group < kPageGroups; ++group) {
      const auto slots = static_cast<size_t>(options_.page_count[group] * options.page_size);
      slots_[group].resize(slots);
      written_[group].assign(slots, 0);
    }
    logits_.resize(static_cast<size_t>(options.max_logit_rows * options.vocabulary));
    edited_.resize(static_cast<size_t>(options.vocabulary));
    order_.resize(static_cast<size_t>(options.vocabulary));
    ++control_->alive;
  }
  ~FakeRunner() override { --control_->alive; }

  int64_t vocabulary() const override { return fake_.vocabulary; }
  const model::RunnerOptions& options() const override { return options_; }
  PageGeometry geometry(int group) const override { return {fake_.page_size, group == kLocalPages ? fake_.chunk : 0}; }
  size_t page_bytes(int group) const override { return options_.page_count[static_cast<size_t>(group)] > 0 ? 64 : 0; }
  size_t memory_bytes() const override { return 0; }

  void UseFeatures(std::vector<std::shared_ptr<const model::Features>> features) noexcept override {
    features_ = std::move(features);
  }

  void Begin(const StepPlan& plan) noexcept override {
    Complain(!running_, "Begin inside a step");
    running_ = true;
    plan_ = &plan;
    layer_ = 0;
    ++step_;
    ++control_->steps;
    control_->rows += plan.rows();
    control_->most_rows = std::max<int64_t>(control_->most_rows, plan.rows());
    control_->most_sequences = std::max<int64_t>(control_->most_sequences, plan.sequences());
    CheckShape(plan);
    for (size_t group = 0; group < kPageGroups; ++group) {
      for (const int64_t slot : plan.pages[group].slot) {
        if (slot < 0) continue;
        int64_t& mark = written_[group][static_cast<size_t>(slot)];
        Complain(mark != step_, "a slot is written twice in a step");
        mark = step_;
        slots_[group][static_cast<size_t>(slot)] = {-2, 0};  // spoilt until the step is complete
      }
    }
  }

  bool Advance() noexcept override {
    Complain(running_, "Advance outside a step");
    if (control_->on_advance) control_->on_advance();
    return ++layer_ >= fake_.layers;
  }

  std::optional<Error> Finish() noexcept override {
    Complain(running_ && layer_ >= fake_.layers, "Finish before the last layer");
    running_ = false;
    if (control_->fail) {
      const std::string why = control_->fail(*plan_);
      if (!why.empty()) return Error(ErrorCode::kDevice, why);
    }
    logit_rows_ = 0;
    for (int sequence = 0; sequence < plan_->sequences(); ++sequence) Run(sequence);
    return std::nullopt;
  }

  void Abort() noexcept override {
    Complain(running_, "Abort outside a step");
    running_ = false;
    ++control_->aborts;
  }

  std::optional<Error> Sample(std::span<const SampleRow> rows, std::span<SampleResult> results) noexcept override {
    if (control_->fail_sample && control_->fail_sample()) return Error(ErrorCode::kDevice, "sampling failed");
    Complain(rows.size() == results.size(), "rows and results differ");
    for (size_t i = 0; i < rows.size(); ++i) SampleOne(rows[i], results[i]);
    return std::nullopt;
  }

  void ReadLogits(int32_t row, std::span<float> out) override {
    ++control_->read_rows;
    const std::span<const float> logits = Logits(row);
    std::copy(logits.begin(), logits.end(), out.begin());
  }

  void ReadPage(int, int64_t, std::span<std::byte>) override {}
  void WritePage(int, int64_t, std::span<const std::byte>) override {}
  void CopyPage(int, int64_t, int64_t) override {}

 private:
  uint64_t FeatureOf(int32_t row) {
    for (const auto& features : features_) {
      if (row < features->rows()) return reinterpret_cast<const uint64_t*>(HostF32(features->act()))[row];
      row -= static_cast<int32_t>(features->rows());
    }
    Complain(false, "a feature row that is not there");
    return 0;
  }

  void Complain(bool fine, const char* what) {
    if (!fine && control_->complaints.size() < 20) control_->complaints.push_back(what);
  }

  std::span<float> Logits(int32_t row) {
    return std::span(logits_).subspan(static_cast<size_t>(row * fake_.vocabulary), static_cast<size_t>(fake_.vocabulary));
  }

  void CheckShape(const StepPlan& plan) {
    const auto rows = static_cast<size_t>(plan.rows());
    const auto sequences = static_cast<size_t>(plan.sequences());
    Complain(rows > 0 && rows <= static_cast<size_t>(options_.max_rows), "no rows, or more than the runner takes");
    Complain(plan.position.size() == rows && plan.sequence_begin.size() == sequences + 1, "lengths of position or sequence_begin");
    Complain(plan.sequence_begin.front() == 0 && plan.sequence_begin.back() == plan.rows(), "sequences do not cover the rows");
    Complain(plan.logit_row.size() <= static_cast<size_t>(options_.max_logit_rows), "more logit rows than the runner takes");
    Complain(std::adjacent_find(plan.logit_row.begin(), plan.logit_row.end(), std::greater_equal<>()) == plan.logit_row.end(),
             "logit rows do not ascend");
    Complain(plan.feature_row.empty() || plan.feature_row.size() == rows, "length of feature_row");
    for (const int32_t token : plan.token) Complain(token >= 0 && token < fake_.vocabulary, "a token outside the vocabulary");
    for (int group = 0; group < kPageGroups; ++group) {
      const StepPlan::Pages& pages = plan.pages[static_cast<size_t>(group)];
      const bool active = options_.page_count[static_cast<size_t>(group)] > 0;
      Complain(pages.slot.size() == rows && pages.begin.size() == sequences + 1 && pages.first_position.size() == sequences,
               "lengths of a page group's lists");
      Complain(pages.begin.back() == static_cast<int32_t>(pages.page.size()), "page lists do not end where the pages do");
      if (!active) {
        Complain(pages.page.empty() && std::all_of(pages.slot.begin(), pages.slot.end(), [](int64_t s) { return s == -1; }),
                 "pages in a group without layers");
        continue;
      }
      for (size_t s = 0; s < sequences; ++s) {
        const int32_t first = plan.position[static_cast<size_t>(plan.sequence_begin[s])];
        Complain(plan.sequence_begin[s] < plan.sequence_begin[s + 1], "an empty sequence");
        Complain(pages.first_position[s] == (group == kLocalPages ? geometry(group).ChunkStart(first) : 0), "first_position");
        const int64_t count = pages.begin[s + 1] - pages.begin[s];
        Complain(count == geometry(group).PagesFor(pages.first_position[s], plan.sequence_length[s]), "length of a page list");
        for (int32_t row = plan.sequence_begin[s]; row < plan.sequence_begin[s + 1]; ++row) {
          const int32_t position = plan.position[static_cast<size_t>(row)];
          Complain(position == first + (row - plan.sequence_begin[s]), "positions are not consecutive");
          Complain(pages.slot[static_cast<size_t>(row)] == SlotOf(static_cast<int>(s), group, position),
                   "a slot is not the position's");
        }
        Complain(plan.sequence_length[s] == plan.position[static_cast<size_t>(plan.sequence_begin[s + 1] - 1)] + 1,
                 "sequence_length");
      }
    }
  }

  int64_t SlotOf(int sequence, int group, int64_t position) const {
    const StepPlan::Pages& pages = plan_->pages[static_cast<size_t>(group)];
    const PageGeometry::Place place = geometry(group).Find(position, pages.first_position[static_cast<size_t>(sequence)]);
    const int32_t page = pages.page[static_cast<size_t>(pages.begin[static_cast<size_t>(sequence)] + place.page)];
    return int64_t{page} * fake_.page_size + place.index;
  }

  void Run(int sequence) {
    const auto s = static_cast<size_t>(sequence);
    for (int32_t row = plan_->sequence_begin[s]; row < plan_->sequence_begin[s + 1]; ++row) {
      const int32_t position = plan_->position[static_cast<size_t>(row)];
      const int32_t token = plan_->token[static_cast<size_t>(row)];
      // A patch is its features and nothing of its token, as in the model.
      const int32_t feature = plan_->feature_row.empty() ? -1 : plan_->feature_row[static_cast<size_t>(row)];
      uint64_t value = Mix(feature < 0 ? static_cast<uint64_t>(token) : FeatureOf(feature), static_cast<uint64_t>(position));
      for (int group = 0; group < kPageGroups; ++group) {
        if (options_.page_count[static_cast<size_t>(group)] == 0) continue;
        for (int64_t t = group == kLocalPages ? geometry(group).ChunkStart(position) : 0; t < position; ++t) {
          const Slot& slot = slots_[static_cast<size_t>(group)][static_cast<size_t>(SlotOf(sequence, group, t))];
          Complain(slot.position == t, "a visible position's slot holds something else");
          value = Mix(value, slot.value + static_cast<uint64_t>(group));
        }
      }
      for (int group = 0; group < kPageGroups; ++group) {
        const int64_t slot = plan_->pages[static_cast<size_t>(group)].slot[static_cast<size_t>(row)];
        if (slot >= 0) slots_[static_cast<size_t>(group)][static_cast<size_t>(slot)] = {position, value};
      }
      if (logit_rows_ == static_cast<int32_t>(plan_->logit_row.size()) || plan_->logit_row[static_cast<size_t>(logit_rows_)] != row)
        continue;
      const std::span<float> logits = Logits(logit_rows_++);
      for (size_t id = 0; id < logits.size(); ++id)
        logits[id] = static_cast<float>(Mix(value, id) >> 40) / 16777216.0f * fake_.spread;
      if (control_->script) {
        const int32_t best = control_->script(position);
        if (best >= 0) logits[static_cast<size_t>(best)] += 100;
      }
      if (control_->nan && control_->nan(token, position)) logits[3] = std::numeric_limits<float>::quiet_NaN();
    }
  }

  static double LogSumExp(std::span<const float> logits, double temperature) {
    const double best = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp((logit - best) / temperature);
    return best / temperature + std::log(sum);
  }

  void Best(std::span<const float> logits, int32_t count, std::vector<int32_t>& ids, std::vector<float>& values) {
    for (size_t id = 0; id < order_.size(); ++id) order_[id] = static_cast<int32_t>(id);
    const size_t n = std::min(order_.size(), static_cast<size_t>(count));
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n), order_.end(), [&](int32_t a, int32_t b) {
      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    });
    ids.clear();
    values.clear();
    for (size_t i = 0; i < n; ++i) {
      ids.push_back(order_[i]);
      values.push_back(logits[static_cast<size_t>(order_[i])]);
    }
  }

  void SampleOne(const SampleRow& row, SampleResult& result) {
    Complain(row.row >= 0 && row.row < logit_rows_, "a sample of a row that was not asked for");
    const std::span<const float> logits = Logits(row.row);
    result.finite = std::all_of(logits.begin(), logits.end(), [](float l) { return l < std::numeric_limits<float>::infinity(); });
    if (!result.finite) return;
    result.lse = static_cast<float>(LogSumExp(logits, 1));
    result.target_logit = row.target < 0 ? 0 : logits[static_cast<size_t>(row.target)];
    Best(logits, row.top, result.top_id, result.top_logit);
    std::copy(logits.begin(), logits.end(), edited_.begin());
    int32_t before = -1;
    for (const LogitEdit& edit : row.edits) {
      Complain(edit.id > before, "edits do not ascend");
      before = edit.id;
      float& logit = edited_[static_cast<size_t>(edit.id)];
      logit = (logit > 0 ? logit / edit.repetition : logit * edit.repetition) + edit.add;
    }
    result.edited_lse = static_cast<float>(LogSumExp(edited_, static_cast<double>(row.temperature)));
    Best(edited_, row.candidates, result.candidate_id, result.candidate_logit);
  }

  FakeOptions fake_;
  std::shared_ptr<FakeControl> control_;
  model::RunnerOptions options_;
  std::array<std::vector<Slot>, kPageGroups> slots_;
  std::array<std::vector<int64_t>, kPageGroups> written_;  // step that last wrote the slot
  const StepPlan* plan_ = nullptr;
  std::vector<std::shared_ptr<const model::Features>> features_;
  bool running_ = false;
  int layer_ = 0;
  int64_t step_ = 0;
  int32_t logit_rows_ = 0;
  std::vector<float> logits_;  // [max_logit_rows, V]
  std::vector<float> edited_;
  std::vector<int32_t> order_;
};

}  // namespace

namespace {

class FakeVision final : public model::Vision {
 public:
  explicit FakeVision(std::shared_ptr<FakeVisionControl> control) : control_(std::move(control)) {
    config_.colours = 3;
    config_.tile_size = 2;
    config_.patch_size = 1;
    config_.shuffle = 1;
    config_.out = 2;
    ++control_->alive;
  }
  ~FakeVision() override {
    Complain(!running_, "gone inside a picture");
    --control_->alive;
  }

  const model::VisionConfig& config() const override { return config_; }
  int64_t tiles_at_once() const override { return control_->tiles_at_once; }
  size_t memory_bytes() const override { return 0; }

  void Begin(std::span<const std::span<const uint8_t>> pictures, std::span<const float> table) noexcept override {
    Complain(!running_ && table.size() == 256 && !pictures.empty(), "Begin");
    running_ = true;
    pictures_.assign(pictures.begin(), pictures.end());
    int64_t tiles = 0;
    for (const auto& picture : pictures_) {
      Complain(picture.size() % kFakeTileBytes == 0, "half a tile");
      tiles += static_cast<int64_t>(picture.size()) / kFakeTileBytes;
    }
    Complain(pictures_.size() == 1 || tiles <= control_->tiles_at_once, "more than fit together");
    ++control_->batches;
    left_ = kFakeTileLayers * ((tiles + control_->tiles_at_once - 1) / control_->tiles_at_once);
  }
  bool Advance() noexcept override {
    Complain(running_ && left_ > 0, "Advance outside a picture");
    ++control_->advances;
    if (control_->on_advance) control_->on_advance();
    return --left_ == 0;
  }
  std::optional<Error> Finish(std::vector<std::shared_ptr<const model::Features>>* features) noexcept override {
    Complain(running_ && left_ == 0, "Finish before the last layer");
    running_ = false;
    control_->pictures += static_cast<int64_t>(pictures_.size());
    if (control_->fail) {
      const std::string why = control_->fail();
      if (!why.empty()) return Error(ErrorCode::kDevice, why);
    }
    features->clear();
    for (const auto& picture : pictures_) {
      const auto tiles = static_cast<int64_t>(picture.size()) / kFakeTileBytes;
      const int64_t rows = tiles * config_.feature_rows();
      auto buffer = std::make_unique<HostBuffer>(static_cast<size_t>(rows) * 8);
      for (int64_t tile = 0; tile < tiles; ++tile) {
        uint64_t hash = 1;
        for (int64_t i = 0; i < kFakeTileBytes; ++i) hash = Mix(hash, picture[static_cast<size_t>(tile * kFakeTileBytes + i)]);
        for (int64_t row = 0; row < config_.feature_rows(); ++row)
          reinterpret_cast<uint64_t*>(buffer->data())[tile * config_.feature_rows() + row] = Mix(hash, static_cast<uint64_t>(row));
      }
      control_->feature_rows += rows;
      features->emplace_back(new model::Features(nullptr, std::move(buffer), rows, 2),
                             [control = control_](const model::Features* gone) {
                               control->feature_rows -= gone->rows();
                               delete gone;
                             });
    }
    return std::nullopt;
  }
  void Abort() noexcept override {
    if (running_) ++control_->aborts;
    running_ = false;
  }

 private:
  void Complain(bool fine, const char* what) {
    if (!fine) control_->complaints.push_back(what);
  }
  std::shared_ptr<FakeVisionControl> control_;
  model::VisionConfig config_;
  std::vector<std::span<const uint8_t>> pictures_;
  int64_t left_ = 0;
  bool running_ = false;
};

}  // namespace

std::unique_ptr<model::Vision> MakeFakeVision(std::shared_ptr<FakeVisionControl> control) {
  return std::make_unique<FakeVision>(std::move(control));
}

std::unique_ptr<model::Runner> MakeFakeRunner(const FakeOptions& options, std::shared_ptr<FakeControl> control) {
  return std::make_unique<FakeRunner>(options, std::move(control));
}

FakeText::FakeText(int64_t vocabulary, const std::function<std::string(int32_t)>& text, int32_t first_special)
    : first_special_(first_special) {
  for (int64_t id = 0; id < vocabulary; ++id) text_.push_back(text(static_cast<int32_t>(id)));
}

}  // namespace scout::test

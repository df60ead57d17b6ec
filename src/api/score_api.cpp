#include <scout/score.h>

#include <utility>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"
#include "api/options.h"
#include "api/prompt.h"

namespace scout::api {
namespace {

constexpr size_t kFirstSize = 24;  // of scout_score_options in 0.1

scout_score_options DefaultScoreOptions() {
  scout_score_options options = {};
  options.struct_size = sizeof options;
  return options;
}

// `count` tokens, those of pictures included.
engine::ScoreOptions CheckScore(const scout_score_options& given, uint64_t count) {
  NeedFlag(given.logits, "logits");
  engine::ScoreOptions out;
  out.logprobs = given.logits == 0;
  out.logits = given.logits != 0 && given.position_count == 0;
  if (given.position_count == 0) return out;
  if (given.logits == 0) Fail(ErrorCode::kArgument, "positions are given but logits is 0: whole rows are what positions name");
  if (given.positions == nullptr) Fail(ErrorCode::kArgument, "positions is NULL with a count of ", given.position_count);
  if (given.position_count > count)
    Fail(ErrorCode::kArgument, "position_count is ", given.position_count, ", there are ", count, " tokens");
  out.logit_positions.assign(given.positions, given.positions + given.position_count);
  for (size_t i = 0; i < out.logit_positions.size(); ++i) {
    const int64_t position = out.logit_positions[i];
    NeedRange(position, i == 0 ? 0 : out.logit_positions[i - 1] + 1, static_cast<int64_t>(count) - 1,
              "positions (ascending): one of them");
  }
  return out;
}

const scout_score_block* Fill(ScoresObject& object) {
  const engine::ScoreBlock& block = object.block;
  scout_score_block& view = object.view;
  view = {};
  view.struct_size = sizeof view;
  view.count = block.positions.size();
  view.positions = block.positions.data();
  view.logprobs = block.logprobs.empty() ? nullptr : block.logprobs.data();
  view.logits = block.logits.empty() ? nullptr : block.logits.data();
  view.vocabulary = static_cast<uint64_t>(object.vocabulary);
  return &view;
}

}  // namespace
}  // namespace scout::api

using namespace scout::api;

scout_status scout_score_options_init(scout_score_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitOptions(options, struct_size, DefaultScoreOptions(), kFirstSize, "scout_score_options");
    return SCOUT_OK;
  });
}

scout_status scout_score(scout_engine* engine, const int32_t* ids, uint64_t count, const scout_score_options* options,
                         scout_scores** scores) {
  return Boundary([&]() -> scout_status {
    NeedOut(scores, "scores");
    *scores = nullptr;
    const auto object = Get(engine, "engine");
    std::vector<int32_t> given = TokensOf(ids, count);
    const scout_score_options read = ReadOptions(options, DefaultScoreOptions(), kFirstSize, "scout_score_options");
    Prompt prompt = TokenPrompt(*object->model, std::move(given), ImagesOf(read.images, read.image_count), WithTiles::kYes);
    const scout::engine::ScoreOptions checked = CheckScore(read, prompt.ids.size());
    auto made = std::make_shared<ScoresObject>();
    made->request = object->engine->SubmitScore(std::move(prompt.ids), std::move(prompt.pictures), checked);
    if (made->request == nullptr) return WaitingListFull(*object->engine);
    made->engine = object->engine;
    made->model = object->model;
    made->vocabulary = object->model->model->config().vocabulary;
    *scores = Make<scout_scores>(std::move(made));
    return SCOUT_OK;
  });
}

scout_status scout_scores_next(scout_scores* scores, int64_t timeout_ms, const scout_score_block** block) {
  return Boundary([&] {
    NeedOut(block, "block");
    *block = nullptr;
    const auto object = Get(scores, "scores");
    const Exclusive alone(object->in_next, "scout_scores_next of these scores");
    switch (object->engine->NextBlock(*object->request, timeout_ms, object->block)) {
      case scout::engine::Next::kAgain:
        return SCOUT_AGAIN;
      case scout::engine::Next::kDone:
        return SCOUT_DONE;
      case scout::engine::Next::kEvent:
        break;
    }
    *block = Fill(*object);
    return SCOUT_OK;
  });
}

int32_t scout_scores_descriptor(const scout_scores* scores) {
  return BoundaryValue(int32_t{-1}, [&] { return Get(scores, "scores")->request->descriptor(); });
}

scout_status scout_scores_cancel(scout_scores* scores) {
  return Boundary([&] {
    Get(scores, "scores")->request->Cancel();
    return SCOUT_OK;
  });
}

void scout_scores_free(scout_scores* scores) { Free(scores); }

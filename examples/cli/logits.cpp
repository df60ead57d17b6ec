#include <limits>

#include "commands.h"
#include "common.h"
#include "npy.h"

namespace cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens;
  std::string positions;
  std::string output;
};

void Logits(const LogitsOptions& options) {
  std::vector<int32_t> ids;
  for (const int64_t id : ReadIntegers(options.tokens)) {
    if (id < 0 || id > std::numeric_limits<int32_t>::max())
      throw Failure(options.tokens + ": " + std::to_string(id) + " is no token id");
    ids.push_back(static_cast<int32_t>(id));
  }
  if (ids.empty()) throw Failure(options.tokens + ": no token ids");
  std::vector<int64_t> positions;
  if (!options.positions.empty()) positions = ReadIntegers(options.positions);

  const Model model = Load(options.model);
  const Engine engine = NewEngine(options.model, model.get());
  scout_score_options score;
  Check(scout_score_options_init(&score, sizeof score));
  score.logits = 1;
  score.positions = positions.empty() ? nullptr : positions.data();
  score.position_count = positions.size();
  scout_scores* made = nullptr;
  Check(scout_score(engine.get(), ids.data(), ids.size(), &score, &made));
  const Scores scores(made);

  const uint64_t rows = positions.empty() ? ids.size() : positions.size();
  NpyWriter output(options.output, rows, static_cast<uint64_t>(InfoOf(model.get()).vocabulary));
  Progress progress("logits", options.model.quiet);
  const scout_score_block* block = nullptr;
  uint64_t done = 0;
  while (true) {
    const scout_status status = Check(scout_scores_next(scores.get(), 100, &block));
    if (Interrupted()) throw Failure("interrupted", kInterrupted);
    if (status == SCOUT_DONE) break;
    if (status == SCOUT_AGAIN) continue;
    output.Append(block->logits, static_cast<size_t>(block->count * block->vocabulary));
    done += block->count;
    progress.Show(static_cast<double>(done) / static_cast<double>(rows), std::to_string(done) + " of " + std::to_string(rows));
  }
  output.Finish();
}

}  // namespace

void AddLogits(CLI::App& app) {
  Command command(app, "logits", "write the logits of given tokens as a NumPy array [positions, vocabulary]");
  auto options = std::make_shared<LogitsOptions>();
  options->model.kv = "f32";
  AddModelOptions(command, options->model);
  command.Add("--tokens", options->tokens, "file of token ids separated by white space, - for stdin").Required();
  command.Add("--positions", options->positions, "file of ascending positions; without it, all");
  command.Add("--output", options->output, "the .npy file to write").Required();
  command.OnRun([options] { Logits(*options); });
}

}  // namespace cli

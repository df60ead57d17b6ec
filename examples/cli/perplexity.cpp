#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

struct PerplexityOptions {
  ModelOptions model;
  std::string file;
  int64_t window = 4096;
  int64_t stride = 0;
  bool json = false;
};

struct Sum {
  double nll = 0;
  uint64_t tokens = 0;
};

// Adds -ln p of the tokens from `first` on (counted inside the window).
void ScoreWindow(scout_engine* engine, const int32_t* ids, size_t count, size_t first, Sum& sum) {
  scout_scores* made = nullptr;
  Check(scout_score(engine, ids, count, nullptr, &made));
  const Scores scores(made);
  const scout_score_block* block = nullptr;
  while (true) {
    const scout_status status = Check(scout_scores_next(scores.get(), 100, &block));
    if (Interrupted()) throw Failure("interrupted", kInterrupted);
    if (status == SCOUT_DONE) return;
    if (status == SCOUT_AGAIN) continue;
    for (uint64_t i = 0; i < block->count; ++i) {
      if (block->positions[i] < static_cast<int64_t>(std::max<size_t>(first, 1))) continue;
      sum.nll -= static_cast<double>(block->logprobs[i]);
      sum.tokens += 1;
    }
  }
}

void Perplexity(const PerplexityOptions& options) {
  const std::string text = ReadFile(options.file);
  const Model model = Load(options.model);
  const std::vector<int32_t> ids = Encode(model.get(), text, SCOUT_ENCODE_PLAIN);
  const std::vector<int32_t> begin = Encode(model.get(), "", SCOUT_ENCODE_BOS);
  if (ids.size() < 2) throw Failure(options.file + ": fewer than two tokens");
  ModelOptions engine_options = options.model;
  if (engine_options.context == 0) engine_options.context = options.window;
  const Engine engine = NewEngine(engine_options, model.get());

  // Windows overlap by window - stride tokens: each token is scored once, with at least that much before it (but for the first).
  const auto room = static_cast<size_t>(options.window) - begin.size();
  const size_t stride = options.stride > 0 ? std::min(static_cast<size_t>(options.stride), room) : room / 2;
  Progress progress("perplexity", options.model.quiet);
  const double started = NowSeconds();
  Sum sum;
  size_t scored = 0;  // tokens of `ids` that have been
  while (scored < ids.size()) {
    const size_t end = std::min(ids.size(), scored == 0 ? room : scored + stride);
    const size_t from = end > room ? end - room : 0;
    std::vector<int32_t> window = begin;
    window.insert(window.end(), ids.begin() + static_cast<std::ptrdiff_t>(from), ids.begin() + static_cast<std::ptrdiff_t>(end));
    ScoreWindow(engine.get(), window.data(), window.size(), begin.size() + scored - from, sum);
    scored = end;
    progress.Show(static_cast<double>(scored) / static_cast<double>(ids.size()),
                  "perplexity " + std::to_string(std::exp(sum.nll / static_cast<double>(sum.tokens))));
  }
  const double mean = sum.nll / static_cast<double>(sum.tokens);
  const double seconds = NowSeconds() - started;
  if (options.json) {
    const nlohmann::ordered_json report = {{"perplexity", std::exp(mean)},
                                           {"nll_per_token", mean},
                                           {"bits_per_byte", sum.nll / std::log(2.0) / static_cast<double>(text.size())},
                                           {"tokens", sum.tokens},
                                           {"bytes", text.size()},
                                           {"window", options.window},
                                           {"stride", stride},
                                           {"seconds", seconds}};
    std::printf("%s\n", report.dump(2).c_str());
  } else {
    std::printf("perplexity %.4f over %llu tokens (%.4f bits per byte), windows of %lld, stride %zu\n", std::exp(mean),
                static_cast<unsigned long long>(sum.tokens), sum.nll / std::log(2.0) / static_cast<double>(text.size()),
                static_cast<long long>(options.window), stride);
  }
}

}  // namespace

void AddPerplexity(CLI::App& app) {
  Command command(app, "perplexity", "how well a model predicts a text");
  auto options = std::make_shared<PerplexityOptions>();
  AddModelOptions(command, options->model);
  command.Add("FILE", options->file, "the text, - for stdin").Required();
  command.Add("--window", options->window, "tokens of a window").Between(8, 10485760).ShowsDefault();
  command.Add("--stride", options->stride, "new tokens of each further window; 0 = half a window").Between(0, 10485760);
  command.Flag("--json", options->json, "as JSON");
  command.OnRun([options] { Perplexity(*options); });
}

}  // namespace cli

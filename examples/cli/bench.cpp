#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  int64_t prompt = 512;
  int64_t generate = 128;
  int batch = 1;
  int64_t depth = 0;
  int repeat = 3;
  uint64_t seed = 1;
  bool json = false;
};

struct Run {
  double prefill_s = 0;
  double decode_s = 0;
};

// Ids that look like text to nobody: what is measured does not depend on them, and an empty prefix cache must stay empty of them.
std::vector<int32_t> RandomIds(uint64_t& state, int64_t count, int64_t vocabulary) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    id = static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocabulary));
  }
  return ids;
}

Engine BenchEngine(const BenchOptions& options, scout_model* model) {
  scout_engine_options engine_options;
  Check(scout_engine_options_init(&engine_options, sizeof engine_options));
  const int64_t positions = options.depth + options.prompt + options.generate;
  engine_options.context = options.model.context != 0 ? options.model.context : positions + 1;
  engine_options.kv_format = KvFormat(options.model.kv);
  uint64_t one = 0;
  Check(scout_model_kv_bytes(model, positions + 64, engine_options.kv_format, &one));
  engine_options.kv_bytes =
      options.model.kv_gb > 0 ? static_cast<uint64_t>(options.model.kv_gb * 1e9) : one * static_cast<uint64_t>(options.batch);
  engine_options.no_prefix_cache = 1;
  engine_options.max_running = options.batch;
  scout_engine* engine = nullptr;
  Check(scout_engine_new(model, &engine_options, &engine));
  return Engine(engine);
}

// All requests of one run, from submit to the first token (prefill) and from there to the last (decode). A request of `depth` +
// `prompt` tokens spends its depth's part of the prefill too: it is measured alone first and taken off.
Run OneRun(scout_engine* engine, const BenchOptions& options, int64_t prompt, int64_t generate, int64_t vocabulary,
           uint64_t& state) {
  scout_request_options request_options;
  Check(scout_request_options_init(&request_options, sizeof request_options));
  request_options.max_tokens = std::max<int64_t>(generate, 1);
  request_options.ignore_end = 1;
  std::vector<Request> requests;
  const double begin = NowSeconds();
  for (int i = 0; i < options.batch; ++i) {
    const std::vector<int32_t> ids = RandomIds(state, prompt, vocabulary);
    request_options.tag = static_cast<uint64_t>(i);
    scout_request* request = nullptr;
    if (Check(scout_submit_tokens(engine, ids.data(), ids.size(), &request_options, &request)) != SCOUT_OK)
      throw Failure("the engine takes no more requests: a smaller -b fits");
    requests.emplace_back(request);
  }
  std::vector<bool> started(static_cast<size_t>(options.batch), false);
  int starting = options.batch, running = options.batch;
  double first = begin, last = begin;
  const scout_event* event = nullptr;
  while (running > 0) {
    if (Check(scout_engine_next(engine, 100, &event)) != SCOUT_OK) {
      if (Interrupted()) throw Failure("interrupted", kInterrupted);
      continue;
    }
    if (event->stop == SCOUT_STOP_ERROR) throw Failure(event->message);
    if (!started[event->tag] && (event->id_count > 0 || event->stop != SCOUT_STOP_NONE)) {
      started[event->tag] = true;
      if (--starting == 0) first = NowSeconds();
    }
    if (event->stop != SCOUT_STOP_NONE) {
      last = NowSeconds();
      --running;
    }
  }
  return {first - begin, last - first};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void Bench(const BenchOptions& options) {
  const double load_begin = NowSeconds();
  const Model model = Load(options.model);
  const double load_s = NowSeconds() - load_begin;
  const scout_model_info info = InfoOf(model.get());
  const Engine engine = BenchEngine(options, model.get());
  uint64_t state = options.seed;
  OneRun(engine.get(), options, std::min<int64_t>(options.prompt, 16), 2, info.vocabulary, state);  // warm-up

  Progress progress("bench", options.model.quiet);
  std::vector<double> prefill, decode;
  for (int i = 0; i < options.repeat; ++i) {
    double depth_s = 0;
    if (options.depth > 0) depth_s = OneRun(engine.get(), options, options.depth, 1, info.vocabulary, state).prefill_s;
    const Run run = OneRun(engine.get(), options, options.depth + options.prompt, options.generate, info.vocabulary, state);
    const double batch = options.batch;
    prefill.push_back(batch * static_cast<double>(options.prompt) / std::max(run.prefill_s - depth_s, 1e-9));
    if (options.generate > 1) decode.push_back(batch * static_cast<double>(options.generate - 1) / run.decode_s);
    progress.Show(static_cast<double>(i + 1) / options.repeat, "run " + std::to_string(i + 1));
  }
  if (options.json) {
    nlohmann::ordered_json report = {{"model", options.model.model},
                                     {"device", info.device},
                                     {"numerics", options.model.numerics},
                                     {"kv", options.model.kv},
                                     {"threads", options.model.threads},
                                     {"prompt", options.prompt},
                                     {"generate", options.generate},
                                     {"batch", options.batch},
                                     {"depth", options.depth},
                                     {"load_s", load_s},
                                     {"weight_bytes", info.weight_bytes},
                                     {"prefill_tokens_per_s", prefill},
                                     {"decode_tokens_per_s", decode}};
    std::printf("%s\n", report.dump(2).c_str());
    return;
  }
  std::printf("%s on %s, numerics %s, %s pages, loaded in %.1f s\n", options.model.model.c_str(), info.device,
              options.model.numerics.c_str(), options.model.kv.c_str(), load_s);
  std::printf("prefill %8.2f tokens/s  (%lld tokens x %d, depth %lld; median of %d)\n", Median(prefill),
              static_cast<long long>(options.prompt), options.batch, static_cast<long long>(options.depth), options.repeat);
  if (!decode.empty())
    std::printf("decode  %8.2f tokens/s  (%lld tokens x %d)\n", Median(decode), static_cast<long long>(options.generate),
                options.batch);
}

}  // namespace

void AddBench(CLI::App& app) {
  auto* command = app.add_subcommand("bench", "measure prefill and decode speed");
  auto options = std::make_shared<BenchOptions>();
  AddModelOptions(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "prompt tokens of a request")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("-n,--generate", options->generate, "tokens to generate")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("-b,--batch", options->batch, "requests at once")->check(CLI::Range(1, 4096))->capture_default_str();
  command->add_option("-d,--depth", options->depth, "tokens already in the context")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("-r,--repeat", options->repeat, "runs")->check(CLI::Range(1, 1000))->capture_default_str();
  command->add_option("--seed", options->seed, "of the random prompts")->capture_default_str();
  command->add_flag("--json", options->json, "as JSON, every run's figure");
  command->callback([options] { Bench(*options); });
}

}  // namespace cli

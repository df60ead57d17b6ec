#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "commands.h"
#include "common.h"
#include "probes.h"
#include "roofline.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStepRows = 512, kDecodeStepRows = 128;  // the engine's own defaults

struct BenchOptions {
  ModelOptions model;
  int64_t prompt = 512;
  int64_t generate = 128;
  int batch = 1;
  int64_t depth = 0;
  int rounds = 3;
  int step_rows = 0;
  uint64_t seed = 1;
  bool json = false;
  bool no_probes = false;
  int probe_mb = 0;
};

// What one round measured of a phase: a speed, and the least work that it stands for.
struct Sample {
  double tokens_per_s = 0;
  double seconds = 0;  // that `work` took
  Work work;
  probes::Peaks peaks;  // of the same round
};

struct Run {
  double prefill_s = 0;
  int64_t prefill_tokens = 0;      // of all prompts, without those whose keys and values were kept from before
  double decode_tokens_per_s = 0;  // of all streams together; 0 = not measured
  double decode_position = 0;      // positions before a decoded token, in the mean
};

// Ids that look like text to nobody: what is measured does not depend on them, and random ones spread evenly over the experts.
std::vector<int32_t> RandomIds(uint64_t& state, int64_t count, int64_t vocabulary) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    id = static_cast<int32_t>((state >> 33) % static_cast<uint64_t>(vocabulary));
  }
  return ids;
}

int StepRows(const BenchOptions& options) { return options.step_rows > 0 ? options.step_rows : kStepRows; }
// While streams decode; many streams leave room for prompts too.
int DecodeStepRows(const BenchOptions& options) {
  return options.step_rows > 0 ? options.step_rows : std::max(kDecodeStepRows, 2 * options.batch);
}

// The streams' prompts are read one after another while the first streams decode already: so many tokens more a stream makes before
// all have begun.
int64_t HeadStart(const BenchOptions& options) {
  if (options.batch == 1) return 0;
  const int64_t rows = std::max(1, DecodeStepRows(options) - options.batch);
  return options.batch * (options.prompt + 32) / rows + options.batch + 2;
}

Engine BenchEngine(const BenchOptions& options, scout_model* model) {
  scout_engine_options engine_options;
  Check(scout_engine_options_init(&engine_options, sizeof engine_options));
  const int64_t positions = options.depth + options.prompt + options.generate + HeadStart(options);
  engine_options.context = options.model.context != 0 ? options.model.context : positions + 1;
  engine_options.kv_format = KvFormat(options.model.kv);
  uint64_t one = 0;
  Check(scout_model_kv_bytes(model, positions + 64, engine_options.kv_format, &one));
  // A step may end one attention chunk and fill a good part of the next.
  one += InfoOf(model).kv_bytes_per_position_local * static_cast<uint64_t>(StepRows(options) + 64);
  engine_options.kv_bytes =
      options.model.kv_gb > 0 ? static_cast<uint64_t>(options.model.kv_gb * 1e9) : one * static_cast<uint64_t>(options.batch);
  engine_options.no_prefix_cache = options.depth == 0;
  engine_options.max_running = options.batch;
  engine_options.step_rows = StepRows(options);
  engine_options.decode_step_rows = DecodeStepRows(options);
  scout_engine* engine = nullptr;
  Check(scout_engine_new(model, &engine_options, &engine));
  return Engine(engine);
}

// One stream while it decodes. Its tokens are counted from the first that comes once every stream has begun, so that the number of
// streams that share a step is the same all the time.
struct Stream {
  Request request;
  bool started = false, measured = false, ended = false;
  double from_s = 0, to_s = 0;
  int64_t from_tokens = 0, tokens = 0;
};

scout_request* Submit(scout_engine* engine, const std::vector<int32_t>& ids, const scout_request_options& options) {
  scout_request* request = nullptr;
  if (Check(scout_submit_tokens(engine, ids.data(), ids.size(), &options, &request)) != SCOUT_OK)
    throw Failure("the engine takes no more requests: a smaller -b fits");
  return request;
}

const scout_event& NextEvent(scout_engine* engine) {
  const scout_event* event = nullptr;
  while (Check(scout_engine_next(engine, 100, &event)) != SCOUT_OK)
    if (Interrupted()) throw Failure("interrupted", kInterrupted);
  if (event->stop == SCOUT_STOP_ERROR) throw Failure(event->message);
  return *event;
}

// All streams of one round, from submit to the last stream's first token (prefill), and from there until each has made `generate` -
// 1 tokens more (decode).
Run OneRun(scout_engine* engine, const std::vector<std::vector<int32_t>>& prompts, int64_t generate, int64_t head_start) {
  scout_request_options request_options;
  Check(scout_request_options_init(&request_options, sizeof request_options));
  request_options.max_tokens = std::max<int64_t>(generate, 1) + head_start;
  request_options.ignore_end = 1;
  std::vector<Stream> streams(prompts.size());
  Run run;
  const double begin = NowSeconds();
  for (size_t i = 0; i < prompts.size(); ++i) {
    request_options.tag = i;
    streams[i].request.reset(Submit(engine, prompts[i], request_options));
  }
  size_t starting = streams.size(), running = streams.size(), unmeasured = streams.size();
  while (running > 0) {
    const scout_event& event = NextEvent(engine);
    const double now = NowSeconds();
    Stream& stream = streams[event.tag];
    const bool all_started = starting == 0;
    stream.tokens += static_cast<int64_t>(event.id_count);
    if (!stream.started && (event.id_count > 0 || event.stop != SCOUT_STOP_NONE)) {
      stream.started = true;
      if (--starting == 0) run.prefill_s = now - begin;
    }
    if (stream.from_s == 0 && stream.tokens > 0 && (starting == 0 || all_started)) {
      stream.from_s = now;
      stream.from_tokens = stream.tokens;
    } else if (stream.from_s > 0 && !stream.measured && event.id_count > 0) {
      stream.to_s = now;
      if (stream.tokens - stream.from_tokens >= generate - 1) {
        stream.measured = true;
        if (--unmeasured == 0)
          for (const Stream& other : streams) Check(scout_request_cancel(other.request.get()));
      }
    }
    if (event.stop != SCOUT_STOP_NONE) {
      stream.ended = true;
      run.prefill_tokens += event.prompt_tokens - event.cached_tokens;
      --running;
    }
  }
  for (size_t i = 0; i < streams.size(); ++i) {
    const Stream& stream = streams[i];
    const auto tokens = static_cast<double>(stream.tokens - stream.from_tokens);
    if (generate > 1 && tokens > 0 && stream.to_s > stream.from_s)
      run.decode_tokens_per_s += tokens / (stream.to_s - stream.from_s);
    run.decode_position += (static_cast<double>(prompts[i].size()) + static_cast<double>(stream.from_tokens) + tokens / 2) /
                           static_cast<double>(streams.size());
  }
  return run;
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

template <typename Figure>
std::vector<double> Each(const std::vector<Sample>& samples, const Figure& figure) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(figure(sample));
  return values;
}

double BytesPerSecond(const Sample& s) { return s.work.Bytes() / s.seconds; }
double OpsPerSecond(const Sample& s) { return s.work.Ops() / s.seconds; }
// Parts of what the machine could do in the same round; NaN where that is not known.
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
double OfRead(const Sample& s) { return s.peaks.read_bytes > 0 ? ReadSeconds(s.work, s.peaks) / s.seconds : kUnknown; }
double OfPeak(const Sample& s) { return s.peaks.f32_ops > 0 ? ArithmeticSeconds(s.work, s.peaks) / s.seconds : kUnknown; }
double OfRoofline(const Sample& s) {
  return s.peaks.read_bytes > 0 && s.peaks.f32_ops > 0 ? LimitSeconds(s.work, s.peaks) / s.seconds : kUnknown;
}

class Bench {
 public:
  explicit Bench(const BenchOptions& options) : options_(options) {}
  void Run();

 private:
  probes::Peaks Measure() const { return probes_ ? probes_->Measure() : probes::Peaks{}; }
  void OneRound(scout_engine* engine);
  Json Report(const std::vector<Sample>& samples) const;
  void Print(const char* name, const std::vector<Sample>& samples) const;
  void PrintAll() const;
  void PrintJson() const;

  const BenchOptions& options_;
  scout_model_info info_{};
  std::optional<Roofline> roofline_;
  std::optional<probes::Probes> probes_;
  double load_s_ = 0;
  uint64_t state_ = 1;
  std::vector<std::vector<int32_t>> depth_;  // ids of each stream's old context, the same in every round
  std::vector<Sample> prefill_, decode_;
};

// The best of before and after, for a probe can only be disturbed towards less.
probes::Peaks Best(const probes::Peaks& a, const probes::Peaks& b) {
  return {std::max(a.read_bytes, b.read_bytes), std::max(a.int8_ops, b.int8_ops), std::max(a.bf16_ops, b.bf16_ops),
          std::max(a.f32_ops, b.f32_ops)};
}

void Bench::OneRound(scout_engine* engine) {
  // The old context's keys and values are kept from round to round; where the engine had to let them go they are made again here.
  if (options_.depth > 0) OneRun(engine, depth_, 1, 0);
  std::vector<std::vector<int32_t>> prompts = depth_;
  for (std::vector<int32_t>& prompt : prompts) {
    const std::vector<int32_t> ids = RandomIds(state_, options_.prompt, info_.vocabulary);
    prompt.insert(prompt.end(), ids.begin(), ids.end());
  }
  const probes::Peaks before = Measure();
  const cli::Run run = OneRun(engine, prompts, options_.generate, HeadStart(options_));
  const probes::Peaks peaks = Best(before, Measure());

  const int64_t rows = run.prefill_tokens / options_.batch;
  Sample prefill;
  prefill.seconds = run.prefill_s;
  prefill.tokens_per_s = static_cast<double>(run.prefill_tokens) / run.prefill_s;
  prefill.work = roofline_->Prompts(options_.depth + options_.prompt - rows, rows, options_.batch, StepRows(options_));
  prefill.peaks = peaks;
  prefill_.push_back(std::move(prefill));
  if (run.decode_tokens_per_s > 0) {
    Sample decode;
    decode.tokens_per_s = run.decode_tokens_per_s;
    decode.seconds = options_.batch / run.decode_tokens_per_s;
    decode.work = roofline_->Step({static_cast<int64_t>(run.decode_position), 1, 1}, options_.batch);
    decode.peaks = peaks;
    decode_.push_back(std::move(decode));
  }
}

// As many bytes as the weights have, since memory may be faster in one place than in another; not more than half of what is free.
size_t ProbeBytes(const BenchOptions& options, const scout_model_info& info) {
  if (options.probe_mb > 0) return static_cast<size_t>(options.probe_mb) << 20;
  size_t bytes = probes::BeyondCaches();
#if defined(_SC_AVPHYS_PAGES)
  const long pages = ::sysconf(_SC_AVPHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0)
    bytes = std::max(bytes,
                     std::min(static_cast<size_t>(info.weight_bytes), static_cast<size_t>(pages) / 2 * static_cast<size_t>(page)));
#endif
  return bytes;
}

void Bench::Run() {
  const double load_begin = NowSeconds();
  const Model model = Load(options_.model);
  load_s_ = NowSeconds() - load_begin;
  info_ = InfoOf(model.get());
  roofline_.emplace(model.get());
  const Engine engine = BenchEngine(options_, model.get());
  if (!options_.no_probes) probes_.emplace(options_.model.threads, ProbeBytes(options_, info_));
  state_ = options_.seed;
  for (int i = 0; i < options_.batch; ++i) depth_.push_back(RandomIds(state_, options_.depth, info_.vocabulary));
  // A step of the size that comes, so that memory is touched for the first time before anything is measured.
  OneRun(engine.get(), {RandomIds(state_, std::min<int64_t>(options_.prompt, StepRows(options_)), info_.vocabulary)}, 2, 0);

  Progress progress("bench", options_.model.quiet);
  for (int i = 0; i < options_.rounds; ++i) {
    OneRound(engine.get());
    progress.Show(static_cast<double>(i + 1) / options_.rounds, "round " + std::to_string(i + 1));
  }
  if (options_.json) {
    PrintJson();
  } else {
    PrintAll();
  }
}

Json Numbers(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(std::isfinite(value) && value != 0 ? Json(value) : Json(nullptr));
  return list;
}

Json Bench::Report(const std::vector<Sample>& samples) const {
  if (samples.empty()) return nullptr;
  const std::vector<double> speeds = Each(samples, [](const Sample& s) { return s.tokens_per_s; });
  Json work = Json::array();
  for (const Phase& phase : samples.front().work.phases)
    work.push_back({{"phase", phase.name}, {"bytes", phase.bytes}, {"operations", phase.Ops()}});
  return {{"tokens_per_s", Numbers(speeds)},
          {"median_tokens_per_s", Median(speeds)},
          {"gb_per_s", Numbers(Each(samples, [](const Sample& s) { return BytesPerSecond(s) * 1e-9; }))},
          {"of_read", Numbers(Each(samples, OfRead))},
          {"tops", Numbers(Each(samples, [](const Sample& s) { return OpsPerSecond(s) * 1e-12; }))},
          {"of_peak", Numbers(Each(samples, OfPeak))},
          {"of_roofline", Numbers(Each(samples, OfRoofline))},
          {"work", std::move(work)}};
}

void Bench::PrintJson() const {
  const auto peak = [&](double probes::Peaks::*member, double unit) {
    return Numbers(Each(prefill_, [&](const Sample& s) { return s.peaks.*member * unit; }));
  };
  const Json report = {{"model", options_.model.model},
                       {"device", info_.device},
                       {"numerics", options_.model.numerics},
                       {"kv", options_.model.kv},
                       {"threads", options_.model.threads},
                       {"prompt", options_.prompt},
                       {"generate", options_.generate},
                       {"batch", options_.batch},
                       {"depth", options_.depth},
                       {"step_rows", StepRows(options_)},
                       {"load_s", load_s_},
                       {"weight_bytes", info_.weight_bytes},
                       {"prefill_tokens_per_s", Numbers(Each(prefill_, [](const Sample& s) { return s.tokens_per_s; }))},
                       {"decode_tokens_per_s", Numbers(Each(decode_, [](const Sample& s) { return s.tokens_per_s; }))},
                       {"probes",
                        {{"threads", probes_ ? Json(probes_->threads()) : Json(nullptr)},
                         {"read_gb_per_s", peak(&probes::Peaks::read_bytes, 1e-9)},
                         {"int8_tops", peak(&probes::Peaks::int8_ops, 1e-12)},
                         {"bf16_tflops", peak(&probes::Peaks::bf16_ops, 1e-12)},
                         {"f32_tflops", peak(&probes::Peaks::f32_ops, 1e-12)}}},
                       {"prefill", Report(prefill_)},
                       {"decode", Report(decode_)}};
  std::printf("%s\n", report.dump(2).c_str());
}

std::string Percent(const std::vector<double>& fractions) {
  const double value = Median(fractions);
  if (!std::isfinite(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * value);
  return text;
}

void Bench::Print(const char* name, const std::vector<Sample>& samples) const {
  if (samples.empty()) return;
  const std::vector<double> speeds = Each(samples, [](const Sample& s) { return s.tokens_per_s; });
  const auto [least, most] = std::minmax_element(speeds.begin(), speeds.end());
  std::printf("%-8s %9.2f %9.2f %9.2f %8.1f %8s %8.3f %8s %12s\n", name, Median(speeds), *least, *most,
              1e-9 * Median(Each(samples, BytesPerSecond)), Percent(Each(samples, OfRead)).c_str(),
              1e-12 * Median(Each(samples, OpsPerSecond)), Percent(Each(samples, OfPeak)).c_str(),
              Percent(Each(samples, OfRoofline)).c_str());
}

void Bench::PrintAll() const {
  std::printf("%s on %s, numerics %s, %s pages, loaded in %.1f s\n", options_.model.model.c_str(), info_.device,
              options_.model.numerics.c_str(), options_.model.kv.c_str(), load_s_);
  std::printf("%d x (%lld tokens at depth %lld, then %lld one by one), steps of %d; median of %d rounds\n\n", options_.batch,
              static_cast<long long>(options_.prompt), static_cast<long long>(options_.depth),
              static_cast<long long>(options_.generate), StepRows(options_), options_.rounds);
  std::printf("         tokens/s     least      most     GB/s  of read     TOPS  of peak  of roofline\n");
  Print("prefill", prefill_);
  Print("decode", decode_);
  if (!probes_) return;
  const auto median = [&](double probes::Peaks::*member) {
    return Median(Each(prefill_, [&](const Sample& s) { return s.peaks.*member; }));
  };
  std::printf("\nprobes, %d threads, in the same rounds: read %.1f GB/s, int8 %.2f TOPS, bf16 %.2f, f32 %.2f TFLOP/s\n",
              probes_->threads(), 1e-9 * median(&probes::Peaks::read_bytes), 1e-12 * median(&probes::Peaks::int8_ops),
              1e-12 * median(&probes::Peaks::bf16_ops), 1e-12 * median(&probes::Peaks::f32_ops));
}

constexpr const char* kFooter =
    "Each round takes the machine's own limits before and after it: bytes read from memory per second, int8, bf16 and f32 "
    "products\n"
    "per second. GB/s counts the bytes that the steps must read (weights once a step, experts as far as random tokens want them,\n"
    "keys and values of every stream), TOPS the products and sums that they must make, two for each weight and row.\n"
    "  of read      those bytes / read probe / time\n"
    "  of peak      those operations / the peak of their kind (int8 for quantised weights) / time\n"
    "  of roofline  sum over the phases of a step of max(bytes / read probe, operations / peak) / time; the phases are embedding,\n"
    "               attention's projections, attention over keys, router, shared expert or dense layers, routed experts, head\n"
    "Token ids are random, so that routing is nearly uniform. With -b, decoding is measured while all streams decode. A model "
    "that\n"
    "fits the caches can be read faster than memory.";

}  // namespace

void AddBench(CLI::App& app) {
  Command command(app, "bench", "measure prefill and decode speed beside what the machine can do");
  command.Footer(kFooter);
  auto options = std::make_shared<BenchOptions>();
  AddModelOptions(command, options->model);
  command.Add("-p,--prompt", options->prompt, "prompt tokens of a stream").Between(1, kMostTokens).ShowsDefault();
  command.Add("-n,--generate", options->generate, "tokens that a stream generates").Between(0, kMostTokens).ShowsDefault();
  command.Add("-b,--batch", options->batch, "streams at once").Between(1, 4096).ShowsDefault();
  command.Add("-d,--depth", options->depth, "tokens already in each stream's context").Between(0, kMostTokens).ShowsDefault();
  command.Add("-r,--rounds,--repeat", options->rounds, "rounds").Between(1, 1000).ShowsDefault();
  command.Add("--step-rows", options->step_rows, "most tokens of a step; 0 = the engine's own choice").Between(0, 1 << 20);
  command.Add("--seed", options->seed, "of the random prompts").ShowsDefault();
  command.Flag("--json", options->json, "as JSON, every round's figures");
  command.Flag("--no-probes", options->no_probes, "do not measure the machine's own limits");
  command
      .Add("--probe-mb", options->probe_mb,
           "MiB that the read probe reads; 0 = as many as the weights have, at most half of what is free")
      .Between(0, 1 << 20);
  command.OnRun([options] { Bench(*options).Run(); });
}

}  // namespace cli

// scout selftest: whether a device computes what `ref` defines, bit for bit, in small models of every number format.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"
#include "selftest_model.h"

namespace cli {
namespace {

struct SelftestOptions {
  std::string device;
  std::vector<std::string> formats;
  int threads = 0;
  bool json = false;
};

// A file that goes with its owner.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    const char* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") + "/scout-selftest-XXXXXX";
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) throw Failure("no temporary file can be made as " + path_ + ": " + std::strerror(errno));
    FILE* const file = fdopen(descriptor, "wb");
    const bool whole = file != nullptr && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
    if (file == nullptr) close(descriptor);
    if ((file != nullptr && std::fclose(file) != 0) || !whole) {
      unlink(path_.c_str());
      throw Failure("the temporary file " + path_ + " cannot be written: " + std::strerror(errno));
    }
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

constexpr const char* kPages[] = {"f16", "f32", "bf16"};

Model LoadOn(const TemporaryFile& file, const std::string& device, int threads, const char* pages) {
  scout_load_options options;
  Check(scout_load_options_init(&options, sizeof options));
  options.device = device.c_str();
  options.threads = threads;
  options.kv_format = KvFormat(pages);
  options.kv_bytes = 8 << 20;
  options.context = 256;
  scout_model* model = nullptr;
  Check(scout_load(file.path().c_str(), &options, &model));
  return Model(model);
}

std::vector<int32_t> Ids(int count, uint32_t seed) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (int32_t& id : ids) id = static_cast<int32_t>((seed = seed * 1664525u + 1013904223u) >> 8) % kSelftestVocabulary;
  return ids;
}

// All logits of a prompt that is computed `rows` positions at a time.
std::vector<float> Score(const Model& model, const std::vector<int32_t>& ids, int rows) {
  scout_engine_options options;
  Check(scout_engine_options_init(&options, sizeof options));
  options.step_rows = rows;
  options.no_prefix_cache = 1;
  scout_engine* made = nullptr;
  Check(scout_engine_new(model.get(), &options, &made));
  const Engine engine(made);
  scout_score_options score;
  Check(scout_score_options_init(&score, sizeof score));
  score.logits = 1;
  scout_scores* begun = nullptr;
  Check(scout_score(engine.get(), ids.data(), ids.size(), &score, &begun));
  const Scores scores(begun);
  std::vector<float> logits;
  const scout_score_block* block = nullptr;
  while (Check(scout_scores_next(scores.get(), SCOUT_WAIT, &block)) == SCOUT_OK)
    logits.insert(logits.end(), block->logits, block->logits + block->count * block->vocabulary);
  return logits;
}

// Ids and log-probabilities of two answers that share their steps, one greedy, one drawn.
std::vector<float> Generate(const Model& model) {
  scout_engine* made = nullptr;
  Check(scout_model_engine(model.get(), &made));
  const Engine engine(made);
  std::vector<Request> requests;
  for (int i = 0; i < 2; ++i) {
    scout_request_options options;
    Check(scout_request_options_init(&options, sizeof options));
    options.max_tokens = 6;
    options.ignore_end = 1;
    options.logprobs = 1;
    options.top_logprobs = 4;
    if (i == 1) {
      options.temperature = 0.8f;
      options.top_k = 50;
      options.seed = 7;
    }
    const std::vector<int32_t> ids = Ids(5 + 3 * i, 77 + static_cast<uint32_t>(i));
    scout_request* request = nullptr;
    Check(scout_submit_tokens(engine.get(), ids.data(), ids.size(), &options, &request));
    requests.emplace_back(request);
  }
  std::vector<float> values;
  for (const Request& request : requests) {
    const scout_event* event = nullptr;
    while (Check(scout_request_next(request.get(), SCOUT_WAIT, &event)) == SCOUT_OK) {
      if (event->stop == SCOUT_STOP_ERROR) throw Failure(event->message);
      for (uint64_t i = 0; i < event->id_count; ++i) values.push_back(static_cast<float>(event->ids[i]));
      values.insert(values.end(), event->logprobs, event->logprobs + event->id_count);
      for (uint64_t i = 0; i < event->id_count * event->top_count; ++i) {
        values.push_back(static_cast<float>(event->top_ids[i]));
        values.push_back(event->top_logprobs[i]);
      }
    }
  }
  return values;
}

struct Case {
  const char* name;
  std::vector<float> (*run)(const Model& model);
};
constexpr Case kCases[] = {
    {"one row", [](const Model& model) { return Score(model, Ids(4, 1), 1); }},
    {"few rows", [](const Model& model) { return Score(model, Ids(15, 2), 7); }},
    {"many rows", [](const Model& model) { return Score(model, Ids(90, 3), 512); }},
    {"answers", Generate},
};

struct Row {
  std::string device, format, name, failure;
  size_t values = 0;
  double ms = 0;
};

std::string Difference(const std::vector<float>& want, const std::vector<float>& got) {
  if (want.size() != got.size()) return std::to_string(got.size()) + " values, expected " + std::to_string(want.size());
  size_t wrong = 0, first = 0;
  for (size_t i = 0; i < want.size(); ++i)
    if (want[i] != got[i] && wrong++ == 0) first = i;  // a NaN is wrong too
  if (wrong == 0) return {};
  char text[160];
  std::snprintf(text, sizeof text, "%zu values differ from ref, the first at %zu: %.9g, expected %.9g", wrong, first,
                static_cast<double>(got[first]), static_cast<double>(want[first]));
  return text;
}

void Show(const Row& row) {
  const std::string result = row.failure.empty() ? "equal" : "FAILED: " + row.failure;
  std::printf("%-6s %-6s %-10s %8zu %9.1f  %s\n", row.device.c_str(), row.format.c_str(), row.name.c_str(), row.values, row.ms,
              result.c_str());
}

std::vector<Row> RunOn(const std::string& device, const SelftestOptions& options) {
  std::vector<Row> rows;
  size_t index = 0;
  for (const WeightFormat& format : WeightFormats()) {
    const char* const pages = kPages[index++ % std::size(kPages)];
    if (!options.formats.empty() && std::find(options.formats.begin(), options.formats.end(), format.name) == options.formats.end())
      continue;
    const TemporaryFile file(SelftestModel(format, index));
    const Model ref = LoadOn(file, "ref", options.threads, pages);
    Model model;
    std::string refusal;
    try {
      model = LoadOn(file, device, options.threads, pages);
    } catch (const Failure& failure) {
      refusal = failure.what();
    }
    for (const Case& one : kCases) {
      Row row{device, format.name, one.name, refusal, 0, 0};
      if (refusal.empty()) {
        const std::vector<float> want = one.run(ref);
        row.values = want.size();
        const double begin = NowSeconds();
        try {
          row.failure = Difference(want, one.run(model));
        } catch (const Failure& failure) {
          row.failure = failure.what();
        }
        row.ms = 1e3 * (NowSeconds() - begin);
      }
      if (!options.json) Show(row);
      rows.push_back(std::move(row));
      if (!refusal.empty()) return rows;
    }
  }
  return rows;
}

void Run(const SelftestOptions& options) {
  for (const std::string& wanted : options.formats) {
    const auto formats = WeightFormats();
    if (std::none_of(formats.begin(), formats.end(), [&](const WeightFormat& format) { return wanted == format.name; }))
      throw Failure("--formats: \"" + wanted + "\" is not among F32, F16, BF16, Q4_0, ..., Q6_K", kUsage);
  }
  std::vector<std::string> devices;
  uint64_t count = 0;
  Check(scout_device_count(&count));
  for (uint64_t i = 0; i < count && options.device.empty(); ++i) {
    scout_device_info info = {};
    info.struct_size = sizeof info;
    Check(scout_device_get(i, &info));
    if (std::strcmp(info.name, "ref") != 0) devices.emplace_back(info.name);
  }
  if (!options.device.empty()) devices.push_back(options.device);

  if (!options.json) std::printf("%-6s %-6s %-10s %8s %9s  %s\n", "device", "format", "work", "values", "ms", "beside ref");
  size_t failed = 0, all = 0;
  auto list = nlohmann::ordered_json::array();
  for (const std::string& device : devices) {
    for (const Row& row : RunOn(device, options)) {
      ++all;
      failed += row.failure.empty() ? 0 : 1;
      list.push_back({{"device", row.device},
                      {"format", row.format},
                      {"work", row.name},
                      {"values", row.values},
                      {"ms", row.ms},
                      {"passed", row.failure.empty()},
                      {"failure", row.failure}});
    }
  }
  if (options.json)
    std::printf("%s\n", list.dump(2).c_str());
  else
    std::printf("%zu of %zu passed\n", all - failed, all);
  if (failed > 0) throw Failure("the self-test failed");
}

}  // namespace

void AddSelftest(CLI::App& app) {
  Command command(app, "selftest", "compare devices with the reference, bit for bit");
  auto options = std::make_shared<SelftestOptions>();
  command.Add("--device", options->device, "the device to test; all but ref without it");
  command.Add("--formats", options->formats, "number formats to test, with commas between; all without it").WithCommas();
  command.Add("-t,--threads", options->threads, "threads; 0: as many as the process may use");
  command.Flag("--json", options->json, "as JSON");
  command.OnRun([options] { Run(*options); });
}

}  // namespace cli

#include "common.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

namespace cli {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

extern "C" void OnInterrupt(int) { g_interrupted = 1; }

int32_t Numerics(const std::string& name) {
  if (name == "invariant") return SCOUT_NUMERICS_INVARIANT;
  if (name == "fast") return SCOUT_NUMERICS_FAST;
  if (name == "float32") return SCOUT_NUMERICS_FLOAT32;
  throw Failure("--numerics " + name + ": not one of invariant, fast, float32", kUsage);
}

}  // namespace

scout_status Check(scout_status status) {
  if (status < 0) throw Failure(std::string(scout_last_error()) + " [" + scout_status_text(status) + "]");
  return status;
}

int32_t KvFormat(const std::string& name) {
  if (name == "f16") return SCOUT_KV_F16;
  if (name == "bf16") return SCOUT_KV_BF16;
  if (name == "f32") return SCOUT_KV_F32;
  if (name == "q8") return SCOUT_KV_Q8_0;
  throw Failure("--kv " + name + ": not one of f16, q8, bf16, f32", kUsage);
}

Model Load(const ModelOptions& options) {
  scout_load_options load;
  Check(scout_load_options_init(&load, sizeof load));
  load.device = options.device.empty() ? nullptr : options.device.c_str();
  load.placement = options.placement.empty() ? nullptr : options.placement.c_str();
  load.threads = options.threads;
  load.numerics = Numerics(options.numerics);
  load.kv_format = KvFormat(options.kv);
  load.context = options.context;
  load.kv_bytes = static_cast<uint64_t>(options.kv_gb * 1e9);
  load.map_file = options.map ? 1 : 0;
  load.vision = options.vision ? 1 : 0;
  load.pack = options.packed || !options.pack_file.empty() ? options.pack : SCOUT_PACK_NONE;
  load.pack_path = options.pack_file.empty() ? nullptr : options.pack_file.c_str();

  scout_operation* started = nullptr;
  Check(scout_load_start(options.model.c_str(), &load, &started));
  Operation operation(started);
  WatchInterrupt();
  Progress progress("loading " + options.model, options.quiet);
  const double begin = NowSeconds();
  while (true) {
    scout_model* model = nullptr;
    const scout_status status = scout_operation_wait(operation.get(), 100, &model);
    if (status == SCOUT_OK) return Model(model);
    if (status < 0) {
      if (status == SCOUT_ERR_CANCELLED && Interrupted()) throw Failure("interrupted", kInterrupted);
      Check(status);
    }
    if (Interrupted()) scout_operation_cancel(operation.get());
    uint64_t done = 0, total = 0;
    scout_operation_progress(operation.get(), &done, &total);
    if (total != 0) {
      const double seconds = NowSeconds() - begin;
      progress.Show(
          static_cast<double>(done) / static_cast<double>(total),
          Bytes(done) + " of " + Bytes(total) + ", " + Bytes(static_cast<uint64_t>(static_cast<double>(done) / seconds)) + "/s");
    }
  }
}

scout_model_info InfoOf(const scout_model* model) {
  scout_model_info info = {};
  info.struct_size = sizeof info;
  Check(scout_model_get_info(model, &info));
  return info;
}

std::vector<int32_t> Encode(const scout_model* model, std::string_view text, uint32_t flags) {
  // No token is shorter than a byte; one more for the begin-of-text token.
  std::vector<int32_t> ids(text.size() + 1);
  uint64_t needed = 0;
  Check(scout_encode(model, text.data(), text.size(), flags, ids.data(), ids.size(), &needed));
  ids.resize(needed);
  return ids;
}

std::string Decode(const scout_model* model, const std::vector<int32_t>& ids, uint32_t flags) {
  uint64_t needed = 0;
  Check(scout_decode(model, ids.data(), ids.size(), flags, nullptr, 0, &needed));
  std::string text(needed, '\0');
  Check(scout_decode(model, ids.data(), ids.size(), flags, text.data(), text.size(), &needed));
  return text;
}

Engine NewEngine(const ModelOptions& options, scout_model* model) {
  scout_engine_options engine_options;
  Check(scout_engine_options_init(&engine_options, sizeof engine_options));
  engine_options.kv_format = KvFormat(options.kv);
  engine_options.context = options.context;
  engine_options.kv_bytes = static_cast<uint64_t>(options.kv_gb * 1e9);
  engine_options.picture_cache_bytes = uint64_t{options.picture_cache_mb} * 1000000;
  engine_options.no_picture_cache = options.picture_cache_mb == 0 ? 1 : 0;
  scout_engine* engine = nullptr;
  Check(scout_engine_new(model, &engine_options, &engine));
  return Engine(engine);
}

std::string ReadFile(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure(path + ": cannot be opened");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw Failure(path + ": cannot be read");
  return text;
}

std::vector<int64_t> ReadIntegers(const std::string& path) {
  const std::string text = ReadFile(path);
  std::vector<int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    while (at != end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) ++at;
    if (at == end) return numbers;
    int64_t value = 0;
    const auto result = std::from_chars(at, end, value);
    if (result.ec != std::errc())
      throw Failure(path + ": byte " + std::to_string(at - text.data()) + ": not a whole number of 64 bits");
    numbers.push_back(value);
    at = result.ptr;
  }
}

std::string Bytes(uint64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    ++unit;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

Progress::Progress(std::string label, bool quiet) : label_(std::move(label)), on_(!quiet && isatty(STDERR_FILENO)) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::Show(double fraction, const std::string& detail) {
  if (!on_ || NowSeconds() - last_s_ < 0.1) return;
  last_s_ = NowSeconds();
  shown_ = true;
  constexpr int kWidth = 30;
  const int full = static_cast<int>(fraction * kWidth);
  std::string bar(static_cast<size_t>(full), '#');
  bar.resize(kWidth, '.');
  std::fprintf(stderr, "\r%s [%s] %3.0f %%  %s\x1b[K", label_.c_str(), bar.c_str(), fraction * 100, detail.c_str());
  std::fflush(stderr);
}

double NowSeconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void WatchInterrupt() {
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;  // no SA_RESTART: a read that waits for a question ends
  sigaction(SIGINT, &action, nullptr);
}

bool Interrupted() { return g_interrupted != 0; }
void ClearInterrupt() { g_interrupted = 0; }

}  // namespace cli

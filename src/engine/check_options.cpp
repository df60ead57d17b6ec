// Options from callers, refused by name, value and range before anything is made of them.
#include <cmath>
#include <limits>

#include "engine/core.h"
#include "prompt/utf8.h"

namespace scout::engine {
namespace {

constexpr int32_t kMostTopLogprobs = 20;
constexpr size_t kMostStopStrings = 256;
constexpr size_t kMostStopBytes = 64 << 10;
constexpr size_t kMostIds = 1 << 20;
constexpr float kLargestEdit = 1e6f;

// NaN is in no range.
template <typename T>
void Range(const char* name, T value, T low, T high) {
  if (!(value >= low && value <= high)) Fail(ErrorCode::kArgument, name, " is ", value, ", must be from ", low, " to ", high);
}

void CheckIds(const char* name, std::span<const int32_t> ids, int64_t vocabulary) {
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary)
      Fail(ErrorCode::kArgument, name, ": id ", ids[i], " at index ", i, " is outside 0 to ", vocabulary - 1);
  }
}

}  // namespace

void CheckTokens(std::span<const int32_t> tokens, int64_t vocabulary) {
  if (tokens.empty()) Fail(ErrorCode::kArgument, "no tokens: at least one is needed");
  CheckIds("tokens", tokens, vocabulary);
}

void CheckPictures(std::span<const Picture> pictures, int64_t tokens, const model::VisionConfig* vision) {
  if (pictures.empty()) return;
  if (vision == nullptr) Fail(ErrorCode::kUnsupported, "the model sees no pictures: it was loaded without a vision tower");
  if (pictures.size() > static_cast<size_t>(kMostPictures))
    Fail(ErrorCode::kLimit, pictures.size(), " pictures in a prompt, at most ", kMostPictures);
  int64_t next = 0;
  for (size_t i = 0; i < pictures.size(); ++i) {
    const Picture& picture = pictures[i];
    const uint64_t bytes = picture.tiles == nullptr ? 0 : picture.tiles->size();
    const auto tile_bytes = static_cast<uint64_t>(vision->tile_bytes());
    if (bytes == 0 || bytes % tile_bytes != 0)
      Fail(ErrorCode::kArgument, "picture ", i, " has ", bytes, " bytes of tiles, must be a multiple of ", tile_bytes);
    int64_t patches = 0;
    for (const PatchRun& run : picture.patches) {
      if (run.first < next || run.count <= 0 || run.count > tokens || run.first > tokens - run.count)
        Fail(ErrorCode::kArgument, "picture ", i, ": ", run.count, " patches from token ", run.first, " on, must lie from token ",
             next, " to ", tokens - 1);
      next = run.first + run.count;
      patches += run.count;
    }
    const auto rows = static_cast<int64_t>(bytes / tile_bytes) * vision->feature_rows();
    if (patches != rows)
      Fail(ErrorCode::kArgument, "picture ", i, " has ", patches, " patches in the prompt, its tiles become ", rows);
  }
}

void CheckSampling(const Sampling& sampling, int64_t vocabulary) {
  Range("temperature", sampling.temperature, 0.0f, 1000.0f);
  Range("top_k", sampling.top_k, 0, std::numeric_limits<int32_t>::max());
  Range("top_p", sampling.top_p, 0.0f, 1.0f);
  Range("min_p", sampling.min_p, 0.0f, 1.0f);
  Range("repetition_penalty", sampling.repetition_penalty, 0.01f, 100.0f);
  Range("frequency_penalty", sampling.frequency_penalty, -100.0f, 100.0f);
  Range("presence_penalty", sampling.presence_penalty, -100.0f, 100.0f);
  Range("top_logprobs", sampling.top_logprobs, 0, kMostTopLogprobs);
  if (sampling.logit_bias.size() > kMostIds)
    Fail(ErrorCode::kLimit, "logit_bias has ", sampling.logit_bias.size(), " entries, at most ", kMostIds);
  for (const auto& [id, bias] : sampling.logit_bias) {
    if (id < 0 || id >= vocabulary) Fail(ErrorCode::kArgument, "logit_bias: id ", id, " is outside 0 to ", vocabulary - 1);
    if (bias != -std::numeric_limits<float>::infinity()) Range("logit_bias", bias, -kLargestEdit, kLargestEdit);
  }
}

void CheckRequestOptions(const RequestOptions& options, int64_t vocabulary, bool has_text) {
  CheckSampling(options.sampling, vocabulary);
  if (options.max_tokens < 0) Fail(ErrorCode::kArgument, "max_tokens is ", options.max_tokens, ", must be 0 (no limit) or more");
  if (options.stop.size() > kMostStopStrings)
    Fail(ErrorCode::kLimit, options.stop.size(), " stop strings, at most ", kMostStopStrings);
  if (!options.stop.empty() && !has_text) Fail(ErrorCode::kState, "stop strings need a tokenizer, and this model has none");
  size_t bytes = 0;
  for (size_t i = 0; i < options.stop.size(); ++i) {
    const std::string& stop = options.stop[i];
    if (stop.empty()) Fail(ErrorCode::kArgument, "stop string ", i, " is empty");
    bytes += stop.size();
    const auto* at = reinterpret_cast<const unsigned char*>(stop.data());
    const auto* end = at + stop.size();
    while (at < end) {
      const uint32_t length = prompt::DecodeUtf8(at, end).length;
      if (length == 0) Fail(ErrorCode::kArgument, "stop string ", i, " is not UTF-8: ", Escape(stop));
      at += length;
    }
  }
  if (bytes > kMostStopBytes) Fail(ErrorCode::kLimit, "stop strings have ", bytes, " bytes together, at most ", kMostStopBytes);
  if (options.stop_tokens.size() > kMostIds)
    Fail(ErrorCode::kLimit, options.stop_tokens.size(), " stop tokens, at most ", kMostIds);
  CheckIds("stop_tokens", options.stop_tokens, vocabulary);
}

void CheckEngineOptions(const EngineOptions& options, const model::Runner& runner) {
  Range<int64_t>("context", options.context, 0, std::numeric_limits<int32_t>::max());
  Range("step_rows", options.step_rows, 1, 1 << 20);
  Range("decode_step_rows", options.decode_step_rows, 1, 1 << 20);
  Range("max_waiting", options.max_waiting, 1, 1 << 20);
  Range("max_running", options.max_running, 1, 1 << 16);
  Range("max_queued_events", options.max_queued_events, 1, 1 << 20);
  const model::RunnerOptions& with = runner.options();
  for (int group = 0; group < kPageGroups; ++group) {
    if (runner.page_bytes(group) > 0)
      Range<int64_t>(group == kLocalPages ? "local pages" : "global pages", with.page_count[static_cast<size_t>(group)], 1,
                     std::numeric_limits<int32_t>::max() / 2);
  }
}

}  // namespace scout::engine

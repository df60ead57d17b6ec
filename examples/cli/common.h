// What the commands of the scout program share. Only the public C header is used: what a command lacks, the ABI lacks.
#pragma once

#include <scout/scout.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

// Exit codes. 2 is CLI11's and ours for a wrong command line.
enum ExitCode { kOk = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

// A failure to be told in one line on stderr.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const std::string& message, int exit_code = kFailed) : std::runtime_error(message), exit_code_(exit_code) {}
  int exit_code() const { return exit_code_; }

 private:
  int exit_code_;
};

// Turns a negative status of the call just made on this thread into a Failure.
scout_status Check(scout_status status);

struct Free {
  void operator()(scout_model* p) const { scout_free(p); }
  void operator()(scout_operation* p) const { scout_operation_free(p); }
  void operator()(scout_engine* p) const { scout_engine_free(p); }
  void operator()(scout_request* p) const { scout_request_free(p); }
  void operator()(scout_chat* p) const { scout_chat_free(p); }
  void operator()(scout_scores* p) const { scout_scores_free(p); }
  void operator()(scout_image* p) const { scout_image_free(p); }
  void operator()(scout_video* p) const { scout_video_free(p); }
};
using Model = std::unique_ptr<scout_model, Free>;
using Operation = std::unique_ptr<scout_operation, Free>;
using Engine = std::unique_ptr<scout_engine, Free>;
using Request = std::unique_ptr<scout_request, Free>;
using Chat = std::unique_ptr<scout_chat, Free>;
using Scores = std::unique_ptr<scout_scores, Free>;
using Image = std::unique_ptr<scout_image, Free>;
using Video = std::unique_ptr<scout_video, Free>;

// What a command line may ask for; the library has limits of its own.
inline constexpr int64_t kMostTokens = 1'000'000'000;

// Options that every command with a model takes.
struct ModelOptions {
  std::string model;
  std::string device;
  std::string placement;
  int threads = 0;
  std::string numerics = "invariant";
  std::string kv = "f16";
  int64_t context = 0;
  double kv_gb = 0;
  bool map = false;
  bool packed = false;
  std::string pack_file;          // the side-file, where it does not lie beside the model
  int32_t pack = SCOUT_PACK_USE;  // what is done with it
  bool vision = false;            // the model is to see pictures, where it can
  uint32_t picture_cache_mb = 256;
  bool quiet = false;
};

// Loads with a progress line on a terminal's stderr; Ctrl-C cancels.
Model Load(const ModelOptions& options);

scout_model_info InfoOf(const scout_model* model);
std::vector<int32_t> Encode(const scout_model* model, std::string_view text, uint32_t flags);
std::string Decode(const scout_model* model, const std::vector<int32_t>& ids, uint32_t flags);
int32_t KvFormat(const std::string& name);
Engine NewEngine(const ModelOptions& options, scout_model* model);

std::string ReadFile(const std::string& path);               // "-" is stdin
std::vector<int64_t> ReadIntegers(const std::string& path);  // separated by white space

// 1.23 GB, 45.6 MB, 7 B
std::string Bytes(uint64_t bytes);

// A line on stderr that rewrites itself; nothing where stderr is not a terminal or `quiet`.
class Progress {
 public:
  Progress(std::string label, bool quiet);
  ~Progress();
  void Show(double fraction, const std::string& detail);

 private:
  std::string label_;
  bool on_;
  bool shown_ = false;
  double last_s_ = -1;
};

double NowSeconds();

// Set by Ctrl-C after WatchInterrupt(); the handler does nothing else.
void WatchInterrupt();
bool Interrupted();
void ClearInterrupt();

}  // namespace cli

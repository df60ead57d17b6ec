// The engine: requests in, events out. It knows tokens, positions and pages, never a tensor.
//
// Threads: Submit*, Cancel, Next, stats and the descriptor may be called from any thread at once; for one request, one Next at a
// time. With Mode::kThread a thread of the engine's own runs the steps; with Mode::kStepped the caller runs them by Step, no
// thread is made and no call ever waits.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/picture.h"
#include "model/runner.h"
#include "model/vision.h"
#include "prompt/tokenizer.h"

namespace scout::engine {

enum class Mode { kThread, kStepped };

struct EngineOptions {
  Mode mode = Mode::kThread;
  int64_t context = 0;               // positions a single request may use; 0 = as many as the page pool holds
  int32_t step_rows = 512;           // most rows of a step (prefill chunk + decoding rows)
  int32_t decode_step_rows = 128;    // most rows of a step while other requests decode, so that they are not held up
  int32_t max_waiting = 1024;        // requests in the waiting list before Submit answers "again"
  int32_t max_running = 64;          // requests that share steps
  int32_t max_queued_events = 1024;  // events a request may have unread before it pauses
  bool prefix_cache = true;
  uint64_t picture_cache_bytes = uint64_t{256} << 20;  // features of pictures that are kept for later requests; 0 = none
  uint64_t cache_salt = 0;        // part of every prefix key: two tenants with different salts never share pages
  bool check_invariants = false;  // after every step (for tests; a broken one ends all requests with kInternal)
};

enum class StopReason : int32_t {
  kNone = 0,        // the event is not the last
  kEnd = 1,         // the model ended its turn (a stop token)
  kStopString = 2,  // one of the caller's stop strings
  kLength = 3,      // max_tokens, the context or the page pool: Event::message says which
  kCancelled = 4,
  kError = 5,  // Event::status and Event::message say what
};

struct Sampling {
  float temperature = 0;         // 0 = greedy
  int32_t top_k = 0;             // 0 = off
  float top_p = 1;               // 1 = off
  float min_p = 0;               // 0 = off
  float repetition_penalty = 1;  // over prompt and answer; 1 = off
  float frequency_penalty = 0;   // over the answer
  float presence_penalty = 0;    // over the answer
  uint64_t seed = 0;
  uint32_t choice = 0;       // index of the choice: part of the random numbers' key
  int32_t top_logprobs = 0;  // 0 .. 20
  bool logprobs = false;
  std::vector<std::pair<int32_t, float>> logit_bias;  // id, added
};

struct RequestOptions {
  Sampling sampling;
  int64_t max_tokens = 0;            // 0 = as many as the context holds
  std::vector<std::string> stop;     // stop strings; the answer ends before the first of them
  std::vector<int32_t> stop_tokens;  // beside the model's own
  bool ignore_end = false;           // generate on past the model's own stop tokens
  bool include_special = false;      // control tokens appear in the text
  uint64_t tag = 0;                  // the caller's, repeated in each event
  uint64_t cache_salt = 0;           // with the engine's: requests with different salts never share pages
};

struct Timings {
  double queue_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
};

// A reader that passes the same Event again and again gives its buffers back to the request: nothing is allocated then.
struct Event {
  uint64_t tag = 0;
  std::string text;                 // whole UTF-8 characters, what has become certain since the event before
  std::vector<int32_t> ids;         // the tokens since the event before, each once, in order. The end of their text may come
                                    // later (half a character, what may begin a stop string); a stop token has no text
  std::vector<float> logprobs;      // [ids] the model's own, empty unless asked for
  std::vector<int32_t> top_ids;     // [ids, top_logprobs]
  std::vector<float> top_logprobs;  // [ids, top_logprobs]
  StopReason stop = StopReason::kNone;
  int32_t status = 0;   // an ErrorCode where stop == kError or kCancelled
  std::string message;  // why, where stop != kNone and there is something to say
  // Filled in the last event.
  Timings timings;
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, found in the prefix cache
  int64_t generated_tokens = 0;
};

// A block of a scoring request's results, in the order of positions: every position where log-probabilities are asked for, else
// those whose logits are. A block holds positions with logits or positions without, never both.
struct ScoreBlock {
  std::vector<int64_t> positions;  // [R]
  std::vector<float> logprobs;     // [R] ln p(tokens[position] | tokens before it); NaN for position 0; empty unless asked for
  std::vector<float> logits;       // [R, V] of what follows `position`, or empty
};

struct ScoreOptions {
  std::vector<int64_t> logit_positions;  // ascending; full logits of these rows are wanted; empty = none
  bool logits = false;                   // full logits of every row
  bool logprobs = true;                  // of every token
};

struct EngineStats {
  int64_t waiting = 0, running = 0;
  int64_t steps = 0, rows = 0;
  int64_t generated_tokens = 0, prompt_tokens = 0, cached_tokens = 0;
  int64_t preemptions = 0;
  int64_t pictures = 0;  // encoded
  // Pictures of requests: those for which encoding was begun, and those that needed none, because the features of another's were
  // kept or waited for.
  int64_t picture_misses = 0, picture_hits = 0;
  int64_t picture_cache_entries = 0;
  uint64_t picture_cache_bytes = 0;  // of features that are kept
  int64_t pages_total[2] = {0, 0}, pages_used[2] = {0, 0}, pages_cached[2] = {0, 0}, pages_peak[2] = {0, 0};
};

enum class Next {
  kEvent,  // `event` was filled
  kAgain,  // nothing within the time
  kDone,   // the request's last event has been taken before (or, for an engine: closed and empty)
};

class Engine;

class Request {
 public:
  virtual ~Request() = default;  // cancels; the pages return
  virtual void Cancel() noexcept = 0;
  // The prompt and what was generated so far (the last taken event included), for a chat's next turn. The first prompt_tokens()
  // of them are the prompt; a stop token that ended the answer is the last.
  virtual std::vector<int32_t> GeneratedIds() const = 0;
  virtual int64_t prompt_tokens() const = 0;
  virtual uint64_t tag() const = 0;
  virtual bool finished() const = 0;  // its last event has been made (taken or not)
  // Readable (poll, epoll) while NextEvent or NextBlock of this request has something to say; made on the first call.
  virtual int descriptor() = 0;
};

class Engine {
 public:
  // `tokenizer` may be null (a checkpoint without one): events then carry ids and no text, and stop strings are refused.
  // Without `vision` pictures are refused.
  static std::shared_ptr<Engine> Make(std::unique_ptr<model::Runner> runner, std::shared_ptr<const prompt::Tokenizer> tokenizer,
                                      std::vector<int32_t> stop_tokens, uint64_t model_fingerprint, const EngineOptions& options,
                                      std::unique_ptr<model::Vision> vision = nullptr);
  virtual ~Engine() = default;  // as Close, and joins the thread

  // Returns null when the waiting list is full ("try again"). Throws kArgument for bad options, kLimit for a prompt that can never
  // fit, with the numbers. `pictures` in the order of their patches. Each is encoded before its patches are computed, between the
  // steps of other requests, unless its features are kept from before; where that fails, this request ends with its error.
  virtual std::shared_ptr<Request> Submit(std::vector<int32_t> prompt, std::vector<Picture> pictures,
                                          const RequestOptions& options) = 0;
  virtual std::shared_ptr<Request> SubmitScore(std::vector<int32_t> tokens, std::vector<Picture> pictures,
                                               const ScoreOptions& options) = 0;
  std::shared_ptr<Request> Submit(std::vector<int32_t> prompt, const RequestOptions& options) {
    return Submit(std::move(prompt), {}, options);
  }
  std::shared_ptr<Request> SubmitScore(std::vector<int32_t> tokens, const ScoreOptions& options) {
    return SubmitScore(std::move(tokens), {}, options);
  }

  // timeout_ms < 0 waits for ever; 0 never waits. In Mode::kStepped no call waits. Throws kArgument for a request of another
  // engine, kState for a scoring request, and for one that the second form has given events of. The second form never gives events
  // of scoring requests, of requests that the first form was called for, or of requests whose handle is gone.
  virtual Next NextEvent(Request& request, int64_t timeout_ms, Event& event) = 0;
  virtual Next NextEvent(int64_t timeout_ms, Event& event, std::shared_ptr<Request>* from) = 0;  // of any request
  // kDone after the last block; an error of the request is thrown as Error, after the blocks that were complete before it.
  virtual Next NextBlock(Request& request, int64_t timeout_ms, ScoreBlock& block) = 0;

  // Mode::kStepped: runs steps until nothing is left to do or `budget_ms` has passed, rounded up to a layer (0: one layer;
  // negative: no bound). A step may pause between two layers and go on in the next call. Returns true when work is left. Throws
  // kState in Mode::kThread or when another thread is inside Step.
  virtual bool Step(int64_t budget_ms) = 0;

  // The NextEvent of any request that waits, else the next one that finds no event, answers kAgain at once.
  virtual void Wake() = 0;
  // Readable (poll, epoll) while NextEvent of any request has something to say (blocks of scoring requests do not count); -1 where
  // the system has no such thing. Only for waiting: nobody else reads or closes it.
  virtual int descriptor() const = 0;
  virtual const EngineOptions& options() const = 0;  // as they were given, the context filled in
  virtual EngineStats Stats() const = 0;
  // Ends all requests with a last event (kCancelled, kState "the engine was closed") and stops the thread. Later Submits throw
  // kState.
  virtual void Close() noexcept = 0;
};

}  // namespace scout::engine

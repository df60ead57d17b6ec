// A request as the engine keeps it. The public Request is a thin handle on this; the scheduler's lists hold it as well, so it
// lives until the last of them lets go.
//
// Who may touch what: everything under the core's lock, except that the thread inside a step reads `tokens` and `sampler`
// without it while `in_step` is set (only that thread ever changes them, and does so under the lock).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/process.h"
#include "engine/engine.h"
#include "engine/page_store.h"
#include "engine/picture.h"
#include "engine/sampler.h"
#include "engine/score.h"
#include "engine/stream.h"

namespace scout::engine {

using Clock = std::chrono::steady_clock;

// Events not yet read, in a ring whose slots are used again: an event that is read changes places with the reader's own, so
// that a reader who keeps its Event never makes the engine allocate.
class EventQueue {
 public:
  size_t size() const { return size_; }
  void Push(Event& event);  // changes places with an empty one
  void Pop(Event& event);   // the oldest

 private:
  std::vector<Event> ring_;
  size_t first_ = 0;
  size_t size_ = 0;
};

void Clear(Event& event);  // to a new event, keeping its buffers

enum class Phase { kWaiting, kRunning, kEnded };

struct RequestState {
  // Fixed when it is made.
  uint64_t number = 0;  // order of arrival
  RequestOptions options;
  int64_t prompt_tokens = 0;
  int64_t end = 0;         // tokens.size() at which an answer ends ...
  std::string end_reason;  // ... and why there
  bool scoring = false;

  // Its place in the engine.
  Phase phase = Phase::kWaiting;
  bool in_step = false;    // rows of it are in the step that runs now
  bool has_room = false;   // the scheduler's: pages for its next row are reserved
  bool abandoned = false;  // its handle is gone: nobody will read its events
  int32_t unread_limit = 0;
  SequencePages pages;

  // What it says.
  std::vector<int32_t> tokens;           // [prompt, answer so far]
  std::vector<RequestPicture> pictures;  // of the prompt, in its order
  std::vector<ContentMark> marks;        // one for each picture
  std::optional<Sampler> sampler;
  Stream stream;
  Event pending;  // what the next event will hold
  EventQueue events;
  int64_t taken_tokens = 0;  // of the answer, in events that were read
  ScoreState score;

  // Readers.
  enum class Reader { kNobodyYet, kOwn, kEngine } reader = Reader::kNobodyYet;  // who takes its events
  std::unique_ptr<WakeDescriptor> descriptor;                                   // where one was asked for
  std::condition_variable changed;
  std::weak_ptr<Request> handle;
  std::list<RequestState*> ready_link;          // this, where it is not in the core's list of requests with events
  std::list<RequestState*>::iterator ready_at;  // its element, in whichever list it is

  // Figures.
  Clock::time_point submitted, admitted, first_token;
  bool was_admitted = false;
  bool has_first_token = false;
  int64_t cached_tokens = 0;

  int64_t generated() const { return static_cast<int64_t>(tokens.size()) - prompt_tokens; }
  // Positions that have to be computed before anything more can be said.
  int64_t target() const { return scoring ? score.rows : static_cast<int64_t>(tokens.size()); }
  int64_t remaining() const { return target() - pages.computed; }
  bool decoding() const { return !scoring && remaining() == 1; }
  // The first position that cannot be computed before a picture has been encoded; target() where there is none.
  int64_t ready_end() const;
  bool ready() const { return ready_end() > pages.computed; }
  SequenceContent content() const { return {tokens, marks}; }
  // Its reader is behind: it takes no part in steps until something was read.
  bool paused() const;
  bool NeedsLogits(int64_t position) const { return scoring ? score.NeedsLogits(position) : position + 1 == target(); }
  // Prefix pages may stand in for the positions before this one.
  int64_t reusable() const { return scoring ? score.FirstRow() : target() - 1; }
};

}  // namespace scout::engine

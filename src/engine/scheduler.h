// Which requests run in the next step and with which rows; who waits, who is admitted and who has to give up its pages.
//
// * Decoding rows first, then the prompts' rows, oldest request first, up to the step's row budget.
// * First come, first served: the head of the waiting list is admitted when its pages fit beside what the running requests still
//   need. A request whose reader is behind neither runs nor is admitted, and holds nobody up.
// * When a running request has no page for its next row, the youngest other one (before all others: one whose reader is behind)
//   gives up its pages and waits again at its old place; what it had is computed again, with the same result.
// * Requests of a step that failed run once more, one a step, so that the one at fault fails alone.
//
// * A request whose next row is a patch of a picture that has not been encoded yet keeps its pages and waits for that.
//
// Everything is called under the core's lock.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "backend/step_plan.h"
#include "engine/page_store.h"
#include "engine/request.h"

namespace scout::engine {

// A request's part of a step.
struct Planned {
  RequestState* request = nullptr;  // the running list keeps it alive while in_step
  int64_t first_position = 0;
  int32_t rows = 0;
  int32_t first_logit = 0;  // index into StepPlan::logit_row
  int32_t logits = 0;
};

class Scheduler {
 public:
  struct Limits {
    int32_t step_rows = 0;         // without decoding requests
    int32_t decode_step_rows = 0;  // with them
    int32_t max_rows = 0;          // of a step, whatever else
    int32_t logit_rows = 0;
    int32_t running = 0;
  };
  Scheduler(const PageStore::Options& pages, const Limits& limits, uint64_t cache_salt);

  void Enqueue(std::shared_ptr<RequestState> request);
  // Fills the plan; false when no request can run now. The requests in it are `in_step`.
  bool Plan(StepPlan& plan, std::vector<Planned>& planned);
  // The features that the last plan's feature_row counts through.
  std::vector<std::shared_ptr<const model::Features>> TakeFeatures() { return std::move(features_); }
  // After a step that succeeded: its rows count, for the requests that have not ended meanwhile.
  void Commit(const std::vector<Planned>& planned);
  // After any step: clears in_step and lets go of the requests that have ended.
  void Finish(const std::vector<Planned>& planned);
  // The requests of the last plan run again, each alone.
  void RetryAlone(const std::vector<Planned>& planned);
  // Takes an ended request out; while it is in a step that happens in Finish.
  void Remove(RequestState& request);

  const std::deque<std::shared_ptr<RequestState>>& waiting() const { return waiting_; }
  const std::vector<std::shared_ptr<RequestState>>& running() const { return running_; }
  const PageStore& store() const { return store_; }
  int64_t preemptions() const { return preemptions_; }

 private:
  bool Fits(const RequestState& request) const;
  bool MayFit(const RequestState& request);
  void Admit();
  void MakeRoom();
  bool PauseOne();
  void Preempt(RequestState& request);
  void RequeuePreempted();
  RequestState* Victim(const RequestState& wanting) const;
  void PlanRows(StepPlan& plan, std::vector<Planned>& planned);
  bool PlanAlone(StepPlan& plan, std::vector<Planned>& planned);
  void PlanDecoding(StepPlan& plan, std::vector<Planned>& planned, bool others);
  void PlanPrompts(StepPlan& plan, std::vector<Planned>& planned, int32_t budget);
  void AddFeatures(StepPlan& plan, const RequestState& request, int64_t first, int64_t end);
  bool AddRows(StepPlan& plan, std::vector<Planned>& planned, RequestState& request, int32_t rows);

  Limits limits_;
  uint64_t cache_salt_;
  PageStore store_;
  std::deque<std::shared_ptr<RequestState>> waiting_;             // by number
  std::vector<std::shared_ptr<RequestState>> running_;            // by number
  std::deque<std::shared_ptr<RequestState>> alone_;               // of a failed step
  const RequestState* running_alone_ = nullptr;                   // whose prompt alone goes into the plan in the making
  std::vector<RequestState*> decoding_;                           // of the plan in the making
  std::vector<std::shared_ptr<const model::Features>> features_;  // of the plan in the making
  int64_t feature_rows_ = 0;                                      // of them together
  uint64_t turn_ = 0;                                             // which decoding request goes first where not all can
  int64_t preemptions_ = 0;
  // The head of the waiting list did not fit while this many pages had been given back; asked again only after a change.
  uint64_t refused_number_ = 0;
  int64_t refused_returns_ = -1;
};

}  // namespace scout::engine

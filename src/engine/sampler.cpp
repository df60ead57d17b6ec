#include "engine/sampler.h"

#include <algorithm>
#include <limits>

#include "base/math.h"
#include "engine/philox.h"

namespace scout::engine {
namespace {

bool Better(float a, int32_t a_id, float b, int32_t b_id) { return a > b || (a == b && a_id < b_id); }

// The edited logits of one row, best first: the device's candidates, and after them, if anyone asks, the rest of the row.
class Ranking {
 public:
  Ranking(const SampleResult& result, std::span<const LogitEdit> edits, int64_t vocabulary, const ReadRow& read,
          SamplerScratch& scratch)
      : result_(result), edits_(edits), vocabulary_(vocabulary), read_(read), scratch_(scratch) {}

  // Whether there is an i-th best token with a finite logit; asked in ascending order of i, each at most one past the last.
  bool Has(size_t i) {
    if (!whole_) {
      if (i < result_.candidate_id.size()) return result_.candidate_logit[i] > kNever;
      if (static_cast<int64_t>(i) >= vocabulary_) return false;
      if (i > 0 && !(result_.candidate_logit[i - 1] > kNever)) return false;
      FetchRow();
    }
    while (sorted_ <= i && sorted_ < scratch_.ranked.size()) {
      // ranked is a heap of what is left, its sorted part growing from the back.
      std::pop_heap(scratch_.ranked.begin(), scratch_.ranked.end() - static_cast<std::ptrdiff_t>(sorted_), Below);
      ++sorted_;
    }
    return i < sorted_ && At(i).first > kNever;
  }
  float Logit(size_t i) const { return i < result_.candidate_logit.size() ? result_.candidate_logit[i] : At(i).first; }
  int32_t Id(size_t i) const { return i < result_.candidate_id.size() ? result_.candidate_id[i] : At(i).second; }

 private:
  static constexpr float kNever = -std::numeric_limits<float>::infinity();
  static bool Below(const std::pair<float, int32_t>& a, const std::pair<float, int32_t>& b) {
    return Better(b.first, b.second, a.first, a.second);
  }
  const std::pair<float, int32_t>& At(size_t i) const { return scratch_.ranked[scratch_.ranked.size() - 1 - i]; }

  void FetchRow() {
    scratch_.logits.resize(static_cast<size_t>(vocabulary_));
    read_(scratch_.logits);
    for (const LogitEdit& edit : edits_) {
      float& logit = scratch_.logits[static_cast<size_t>(edit.id)];
      logit = (logit > 0 ? logit / edit.repetition : logit * edit.repetition) + edit.add;
    }
    scratch_.ranked.resize(scratch_.logits.size());
    for (size_t id = 0; id < scratch_.logits.size(); ++id) scratch_.ranked[id] = {scratch_.logits[id], static_cast<int32_t>(id)};
    std::make_heap(scratch_.ranked.begin(), scratch_.ranked.end(), Below);
    whole_ = true;
  }

  const SampleResult& result_;
  std::span<const LogitEdit> edits_;
  int64_t vocabulary_;
  const ReadRow& read_;
  SamplerScratch& scratch_;
  bool whole_ = false;
  size_t sorted_ = 0;
};

}  // namespace

Sampler::Sampler(const Sampling& sampling, std::span<const int32_t> prompt, int64_t vocabulary)
    : sampling_(sampling), vocabulary_(vocabulary) {
  std::vector<int32_t> ids;
  if (sampling.repetition_penalty != 1) ids.assign(prompt.begin(), prompt.end());
  for (const auto& [id, bias] : sampling.logit_bias) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  for (const int32_t id : ids) edits_.push_back({id, 1, 0});
  counts_.resize(edits_.size());
  for (const auto& [id, bias] : sampling.logit_bias) counts_[Find(id)].bias += bias;
  if (sampling.repetition_penalty != 1) {
    for (const int32_t id : prompt) counts_[Find(id)].in_context = true;
  }
  for (size_t i = 0; i < edits_.size(); ++i) Write(i);
}

bool Sampler::penalised() const {
  return sampling_.repetition_penalty != 1 || sampling_.frequency_penalty != 0 || sampling_.presence_penalty != 0;
}

size_t Sampler::Find(int32_t token) const {
  const auto at = std::lower_bound(edits_.begin(), edits_.end(), token, [](const LogitEdit& e, int32_t id) { return e.id < id; });
  return static_cast<size_t>(at - edits_.begin());
}

void Sampler::Write(size_t index) {
  const Count& count = counts_[index];
  edits_[index].repetition = count.in_context ? sampling_.repetition_penalty : 1;
  edits_[index].add = count.bias - sampling_.frequency_penalty * static_cast<float>(count.in_answer) -
                      (count.in_answer > 0 ? sampling_.presence_penalty : 0);
}

void Sampler::Accept(int32_t token) {
  if (!penalised()) return;
  const size_t index = Find(token);
  if (index == edits_.size() || edits_[index].id != token) {
    edits_.insert(edits_.begin() + static_cast<std::ptrdiff_t>(index), {token, 1, 0});
    counts_.insert(counts_.begin() + static_cast<std::ptrdiff_t>(index), Count{});
  }
  counts_[index].in_context = true;
  ++counts_[index].in_answer;
  Write(index);
}

void Sampler::Describe(SampleRow& row) const {
  row.top = sampling_.logprobs ? sampling_.top_logprobs : 0;
  row.target = -1;
  row.temperature = greedy() ? 1 : sampling_.temperature;
  row.edits = edits_;
  row.allowed = {};
  int64_t candidates = 1;
  if (!greedy()) candidates = sampling_.top_k > 0 ? std::min(sampling_.top_k, kCandidates) : kCandidates;
  row.candidates = static_cast<int32_t>(std::min(candidates, vocabulary_));
}

int32_t Sampler::Pick(const SampleResult& result, int64_t position, const ReadRow& read, SamplerScratch& scratch) const {
  Ranking ranking(result, edits_, vocabulary_, read, scratch);
  if (!ranking.Has(0)) return -1;
  if (greedy() || sampling_.top_k == 1) return ranking.Id(0);

  const double best = ranking.Logit(0);
  const double temperature = sampling_.temperature;
  // A token's mass in units of the best one's. With our own exp, the same on every machine.
  const auto weight = [&](size_t i) {
    return static_cast<double>(Exp(static_cast<float>((ranking.Logit(i) - best) / temperature)));
  };

  // The mass of everything, or of the k best. The sum over the candidates is used where the rest cannot matter (at low
  // temperatures it is the more exact one: the log-sum-exp is a float32 of a large number), else the device's.
  const size_t top_k = sampling_.top_k > 0 ? static_cast<size_t>(sampling_.top_k) : static_cast<size_t>(vocabulary_);
  double total = 0;
  if (sampling_.top_k > 0) {
    for (size_t i = 0; i < top_k && ranking.Has(i); ++i) total += weight(i);
  } else {
    const size_t known = result.candidate_id.size();
    size_t i = 0;
    for (; i < known && ranking.Has(i); ++i) total += weight(i);
    const double rest = i < known ? 0 : weight(known - 1) * (static_cast<double>(vocabulary_) - static_cast<double>(known));
    if (rest > total * 1e-9) {
      const double all = static_cast<double>(result.edited_lse) - best / temperature;
      total = std::max(total, static_cast<double>(Exp(static_cast<float>(all))));
    }
  }

  // How many stay, and their mass.
  size_t kept = top_k;
  double mass = total;
  if (sampling_.top_p < 1 || sampling_.min_p > 0) {
    const double limit =
        sampling_.top_p < 1 ? static_cast<double>(sampling_.top_p) * total : std::numeric_limits<double>::infinity();
    mass = 0;
    size_t i = 0;
    for (; i < top_k && mass <= limit && ranking.Has(i); ++i) {
      const double w = weight(i);
      if (w < static_cast<double>(sampling_.min_p)) break;
      mass += w;
    }
    kept = i;
  }

  const double target = UniformAt(sampling_.seed, sampling_.choice, static_cast<uint64_t>(position)) * mass;
  double sum = 0;
  int32_t token = ranking.Id(0);
  for (size_t i = 0; i < kept && ranking.Has(i); ++i) {
    const double w = weight(i);
    if (w > 0) token = ranking.Id(i);  // where rounding leaves a gap at the end, the last token with any mass
    sum += w;
    if (sum > target) break;
  }
  return token;
}

bool Sampler::OwnLogit(const SampleResult& result, int32_t token, float& logit) const {
  for (size_t i = 0; i < result.top_id.size(); ++i) {
    if (result.top_id[i] != token) continue;
    logit = result.top_logit[i];
    return true;
  }
  const size_t index = Find(token);
  if (index < edits_.size() && edits_[index].id == token) return false;
  for (size_t i = 0; i < result.candidate_id.size(); ++i) {
    if (result.candidate_id[i] != token) continue;
    logit = result.candidate_logit[i];
    return true;
  }
  return false;
}

}  // namespace scout::engine

// Attention where numerics are fast: many rows go through float matrix instructions, and stay within what the formats allow of
// exact softmax over the same pages; all else keeps the bits of `ref`.
#include <cmath>

#include "../ops/paged.h"
#include "gpu/gpu_backend.h"
#include "quant/formats.h"
#include "simt_driver.h"

namespace scout {
namespace {

std::unique_ptr<Backend> MakeFast(int warp, bool random) {
  BackendOptions options;
  options.numerics = Numerics::kFast;
  return gpu::MakeGpuBackend(simt::SimtDevice(warp, {random, 5}), options);
}

// What a page of `format` gives back.
std::vector<float> Kept(DType format, const float* values, int64_t count) {
  const auto n = static_cast<size_t>(count);
  std::vector<float> kept(n);
  std::vector<std::byte> row(RowBytes(format, n));
  quant::EncodeRow(format, values, row.data(), n);
  quant::DecodeRow(format, row.data(), kept.data(), n);
  return kept;
}

struct Exact {
  std::vector<double> out, bound;  // [d]
  double lse = 0, lse_bound = 0;
};

// Softmax over the pages in float64, and how far a computation may be from it that rounds queries and weights to 16 bits (relative
// error `unit`), Q8_0 keys and values as well, and adds in float32 in any order (relative error 2^-23 for each addition: a device
// may truncate).
//   score j:    |error| <= e[j] = scale * sum |q k| * (unit + that of the keys + (d + 2) 2^-23) + 2^-22 |score| for the exponential
//   weight j:   p[j] exp(+-e[j]) before it is divided by a sum between low and high
//   output:     the sum of p[j] |v[j] - out| times the largest relative error of weight j, and what values and sums lose
Exact Softmax(const PageSetup& setup, double unit, int sequence, int64_t position, int64_t head) {
  const int64_t d = setup.head_dim, group = setup.heads / setup.kv_heads, kv_head = head / group;
  const int64_t first = setup.chunk > 0 ? position / setup.chunk * setup.chunk : 0;
  const double scale = static_cast<double>(1.0f / std::sqrt(static_cast<float>(d)));
  const double of_keys = setup.k_format == DType::kQ8_0 ? unit : 0, of_values = setup.v_format == DType::kQ8_0 ? unit : 0;
  const std::vector<float> q = QkvOf(setup, sequence, position);
  std::vector<double> score, error;
  std::vector<std::vector<float>> values;
  double max = -1e300;
  for (int64_t t = first; t <= position; ++t) {
    const std::vector<float> kv = QkvOf(setup, sequence, t);
    const auto k = Kept(setup.k_format, kv.data() + (setup.heads + kv_head) * d, d);
    values.push_back(Kept(setup.v_format, kv.data() + (setup.heads + setup.kv_heads + kv_head) * d, d));
    double sum = 0, magnitude = 0;
    for (int64_t i = 0; i < d; ++i) {
      const double product =
          static_cast<double>(q[static_cast<size_t>(head * d + i)]) * static_cast<double>(k[static_cast<size_t>(i)]);
      sum += product;
      magnitude += std::fabs(product);
    }
    score.push_back(sum * scale);
    error.push_back(scale * magnitude * (unit + of_keys + static_cast<double>(d + 2) * 0x1p-23) + 0x1p-22 * std::fabs(sum * scale));
    max = std::max(max, score.back());
  }
  const auto keys = static_cast<double>(score.size());
  std::vector<double> p;
  double all = 0;
  for (const double s : score) all += std::exp(s - max);
  double low = 0, high = 0;
  for (size_t j = 0; j < score.size(); ++j) {
    p.push_back(std::exp(score[j] - max) / all);
    error[j] += unit + 0x1p-20;  // the weight's own rounding; corrections by exp(old maximum - new)
    low += p[j] * std::exp(-error[j]);
    high += p[j] * std::exp(error[j]);
  }
  Exact exact;
  exact.lse = max + std::log(all);
  exact.lse_bound = std::max(std::log(high), -std::log(low)) + keys * 0x1p-23 + 0x1p-22 * std::fabs(exact.lse);
  for (int64_t i = 0; i < d; ++i) {
    double out = 0, bound = 0, magnitude = 0;
    for (size_t j = 0; j < p.size(); ++j) out += p[j] * static_cast<double>(values[j][static_cast<size_t>(i)]);
    for (size_t j = 0; j < p.size(); ++j) {
      const double v = static_cast<double>(values[j][static_cast<size_t>(i)]);
      bound += p[j] * std::fabs(v - out) * std::max(std::exp(error[j]) / low - 1, 1 - std::exp(-error[j]) / high);
      magnitude += p[j] * std::exp(error[j]) / low * std::fabs(v);
    }
    exact.out.push_back(out);
    // A weight below binary16's subnormals, 2^-39 of the largest, is lost.
    exact.bound.push_back(bound + magnitude * (of_values + (keys + 4) * 0x1p-22) + keys * 0x1p-39 * 40);
  }
  return exact;
}

struct Far {
  double most = 0;  // of the bound
  double bound = 0, rows = 0;
};

// Compares each attended row of a step with Softmax.
void ExpectNear(const PageSetup& setup, double unit, const AttentionRun& run, const std::vector<Cut>& cuts, Far& far) {
  for (const Cut& cut : cuts) {
    const auto& rows = run.out[static_cast<size_t>(cut.sequence)];
    ASSERT_EQ(rows.size(), static_cast<size_t>(cut.count));
    for (int64_t r = 0; r < cut.count; r += std::max<int64_t>(1, cut.count / 9)) {
      for (int64_t h = 0; h < setup.heads; h += 3) {
        const Exact want = Softmax(setup, unit, cut.sequence, cut.first + r, h);
        for (int64_t i = 0; i < setup.head_dim; ++i) {
          const auto at = static_cast<size_t>(i);
          const double error = std::fabs(
              static_cast<double>(rows[static_cast<size_t>(r)][static_cast<size_t>(h * setup.head_dim + i)]) - want.out[at]);
          EXPECT_LE(error, want.bound[at]) << "position " << cut.first + r << ", head " << h << ", value " << i << ": "
                                           << want.out[at];
          far.most = std::max(far.most, error / want.bound[at]);
          far.bound += want.bound[at] / static_cast<double>(setup.head_dim);
        }
        far.rows += 1;
        const double lse =
            static_cast<double>(run.lse[static_cast<size_t>(cut.sequence)][static_cast<size_t>(r)][static_cast<size_t>(h)]);
        EXPECT_NEAR(lse, want.lse, want.lse_bound) << "position " << cut.first + r << ", head " << h;
      }
    }
  }
}

struct Case {
  DType k, v;
  double unit;
};
constexpr Case kCases[] = {{DType::kF16, DType::kF16, 0x1p-11},
                           {DType::kBF16, DType::kBF16, 0x1p-8},
                           {DType::kQ8_0, DType::kQ8_0, 0x1p-11},
                           {DType::kQ8_0, DType::kBF16, 0x1p-8}};

PageSetup SetupOf(const Case& c, int32_t head_dim, int64_t chunk) {
  PageSetup setup;
  setup.k_format = c.k;
  setup.v_format = c.v;
  setup.head_dim = head_dim;
  setup.chunk = chunk;
  setup.heads = 10;
  setup.page_size = 16;
  return setup;
}

TEST(FastAttention, ManyRowsStayWithinWhatTheFormatsAllow) {
  for (const int warp : {32, 64}) {
    for (const Case& c : kCases) {
      for (const auto& [head_dim, chunk] : {std::pair<int32_t, int64_t>{128, 0}, {32, 100}, {24, 30}}) {
        if (head_dim % 32 != 0 && c.k == DType::kQ8_0) continue;
        const PageSetup setup = SetupOf(c, head_dim, chunk);
        SCOPED_TRACE(StrCat(warp, " lanes, ", InfoOf(c.k).name, " and ", InfoOf(c.v).name, ", heads of ", head_dim));
        const auto backend = MakeFast(warp, head_dim == 32);
        // Whole prompts with tiles that are not full, then prompts that go on behind their keys, beside a row that is alone.
        const std::vector<std::vector<Cut>> steps = {{{0, 0, 45}, {1, 0, 1}, {2, 0, 97}}, {{0, 45, 75}, {1, 1, 1}, {2, 97, 13}}};
        Far far;
        ExpectNear(setup, c.unit, RunAttention(*backend, setup, {steps[0]}), steps[0], far);
        ExpectNear(setup, c.unit, RunAttention(*backend, setup, steps, {}, 1), steps[1], far);
        std::printf("  %2d lanes, %s and %s, heads of %d: at most %.2f of the bound, which is %.4f\n", warp,
                    std::string(InfoOf(c.k).name).c_str(), std::string(InfoOf(c.v).name).c_str(), head_dim, far.most,
                    far.bound / far.rows);
        EXPECT_LT(far.bound / far.rows, c.unit * 64) << "a bound that would hide a mistake";
      }
    }
  }
}

// Few tiles of rows behind many keys are cut into spans, which are merged.
TEST(FastAttention, ALongContextIsCutIntoSpans) {
  PageSetup setup = SetupOf(kCases[2], 32, 0);
  setup.page_size = 64;
  setup.page_count = 80;
  setup.kv_heads = 1;
  setup.heads = 5;
  const std::vector<std::vector<Cut>> steps = {{{0, 0, 4085}}, {{0, 4085, 27}}};  // the last rows have a third span
  for (const int warp : {32, 64}) {
    Far far;
    ExpectNear(setup, 0x1p-11, RunAttention(*MakeFast(warp, false), setup, steps, {}, 1), steps[1], far);
    EXPECT_LT(far.bound / far.rows, 0.05);
  }
}

// Few rows, and pages that matrix instructions do not take, keep the defined arithmetic; many rows do have another order.
TEST(FastAttention, FewRowsAndOtherPagesKeepTheBitsOfRef) {
  const std::vector<std::vector<Cut>> few = {{{0, 0, 12}, {1, 0, 5}}, {{0, 12, 1}, {1, 5, 3}}}, many = {{{0, 0, 40}}};
  for (const int warp : {32, 64}) {
    const auto backend = MakeFast(warp, true);
    for (const Case& c : kCases) {
      const PageSetup setup = SetupOf(c, 32, 0);
      EXPECT_TRUE(SameRuns(RunAttention(*MakeRef(Numerics::kInvariant), setup, few), RunAttention(*backend, setup, few)));
      EXPECT_FALSE(SameRuns(RunAttention(*MakeRef(Numerics::kInvariant), setup, many), RunAttention(*backend, setup, many)));
    }
    for (const auto& [k, v] : {std::pair{DType::kF32, DType::kF32}, {DType::kF16, DType::kBF16}, {DType::kF32, DType::kQ8_0}}) {
      const PageSetup setup = SetupOf({k, v, 0}, 32, 0);
      EXPECT_TRUE(SameRuns(RunAttention(*MakeRef(Numerics::kInvariant), setup, many), RunAttention(*backend, setup, many)));
    }
    PageSetup odd = SetupOf(kCases[0], 12, 0);
    EXPECT_TRUE(SameRuns(RunAttention(*MakeRef(Numerics::kInvariant), odd, many), RunAttention(*backend, odd, many)));
  }
}

}  // namespace
}  // namespace scout

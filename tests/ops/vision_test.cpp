// The operations of the vision tower: what `ref` gives against sums in float64, and `cpu` bit for bit against `ref`.
#include <cmath>
#include <functional>
#include <limits>

#include "../support/sanitized.h"
#include "backend/check_backend.h"
#include "backend/trace_backend.h"
#include "op_test.h"
#include "quant/formats.h"

namespace scout {
namespace {

std::vector<std::unique_ptr<Backend>> AllBackends() {
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) {
    backends.push_back(MakeCpu(isa, 1));
    backends.push_back(MakeCpu(isa, 3));
  }
  backends.push_back(MakeCheckBackend(MakeCpu("", 2)));
  return backends;
}

// `run` gives an operation's output on a backend: the float32 oracle first, then the defined arithmetic, which all others repeat.
struct Outputs {
  std::vector<float> oracle, defined;
};
Outputs OnAll(const std::function<std::vector<float>(Backend&)>& run) {
  Outputs outputs;
  outputs.oracle = run(*MakeRef(Numerics::kFloat32));
  for (const auto& backend : AllBackends()) {
    const auto got = run(*backend);
    if (outputs.defined.empty()) outputs.defined = got;
    EXPECT_TRUE(SameBits(outputs.defined, got)) << backend->Info().description;
  }
  return outputs;
}

WeightDesc VectorDesc(const std::vector<float>& values, int64_t rows, int64_t parts = 1) {
  WeightDesc desc;
  desc.role = WeightRole::kVector;
  desc.name = "vector";
  const int64_t cols = static_cast<int64_t>(values.size()) / (rows * parts);
  for (int64_t p = 0; p < parts; ++p) {
    std::vector<std::byte> bytes(static_cast<size_t>(rows * cols) * 4);
    std::memcpy(bytes.data(), values.data() + p * rows * cols, bytes.size());
    desc.parts.push_back({DType::kF32, rows, cols, false, cols, 0, {std::make_shared<MemorySource>(bytes, false)}, bytes.size()});
  }
  return desc;
}

double RootMeanSquare(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}
double Largest(const std::vector<float>& a, const std::vector<float>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - b[i]));
  return largest;
}

TEST(Unfold, PutsPatchesInRowsColourByColour) {
  struct Case {
    int32_t colours, size, patch;
    int64_t tiles;
  };
  std::vector<float> table(256);
  for (size_t u = 0; u < 256; ++u) table[u] = static_cast<float>(u) / 7.0f - 11.0f;
  for (const Case c : {Case{3, 28, 14, 1}, {3, 6, 2, 5}, {1, 5, 5, 2}, {3, 9, 3, 7}}) {
    const int64_t side = c.size / c.patch, rows = c.tiles * side * side, cols = c.colours * c.patch * c.patch;
    std::vector<uint8_t> tiles(static_cast<size_t>(c.tiles * c.colours * c.size * c.size));
    Random random(1);
    for (uint8_t& byte : tiles) byte = static_cast<uint8_t>(random.Bits() >> 40);
    const Outputs got = OnAll([&](Backend& backend) {
      const Rows out(backend, rows, cols);
      RunStep(backend, PlainPlan(1), [&] { backend.Unfold({tiles, table, c.colours, c.size, c.patch, out.act()}); });
      EXPECT_TRUE(out.GuardsIntact());
      return out.Read();
    });
    // Pixel by pixel, from where it lies to where it goes.
    std::vector<float> want(got.defined.size());
    size_t at = 0;
    for (int64_t t = 0; t < c.tiles; ++t)
      for (int64_t colour = 0; colour < c.colours; ++colour)
        for (int64_t y = 0; y < c.size; ++y)
          for (int64_t x = 0; x < c.size; ++x) {
            const int64_t patch = y / c.patch * side + x / c.patch;
            const int64_t in_patch = (colour * c.patch + y % c.patch) * c.patch + x % c.patch;
            want[static_cast<size_t>((t * side * side + patch) * cols + in_patch)] = table[tiles[at++]];
          }
    EXPECT_TRUE(SameBits(want, got.defined));
  }
}

TEST(AddPositions, PutsTheLastRowBehindATilesPatches) {
  const int64_t patches = 9, d = 21, tiles = 4;
  const auto x = Random(1).Values(tiles * patches * d), position = Random(2).Values((patches + 1) * d), last = Random(3).Values(d);
  const Outputs got = OnAll([&](Backend& backend) {
    const auto p = backend.PrepareWeight(VectorDesc(position, patches + 1)), l = backend.PrepareWeight(VectorDesc(last, 1));
    const Rows in(backend, tiles * patches, d, x), out(backend, tiles * (patches + 1), d);
    RunStep(backend, PlainPlan(1), [&] { backend.AddPositions({in.act(), l.get(), p.get(), out.act()}); });
    EXPECT_TRUE(out.GuardsIntact());
    return out.Read();
  });
  for (int64_t t = 0; t < tiles; ++t)
    for (int64_t p = 0; p <= patches; ++p)
      for (int64_t i = 0; i < d; ++i)
        ASSERT_EQ(got.defined[(t * (patches + 1) + p) * d + i],
                  (p < patches ? x[(t * patches + p) * d + i] : last[i]) + position[p * d + i]);
}

TEST(LayerNorm, CentresScalesAndShifts) {
  for (const int64_t d : {1, 7, 16, 88, 1408}) {
    const int64_t rows = 13;
    auto x = Random(1).Values(rows * d);
    for (int64_t n = 0; n < rows; ++n)  // far from the origin: the mean must go before the squares are taken
      for (int64_t i = 0; i < d; ++i) x[n * d + i] += static_cast<float>(10 * n);
    const auto w = Random(2).Values(d), b = Random(3).Values(d);
    const Outputs got = OnAll([&](Backend& backend) {
      const auto weight = backend.PrepareWeight(VectorDesc(w, 1)), bias = backend.PrepareWeight(VectorDesc(b, 1));
      const Rows in(backend, rows, d, x), out(backend, rows, d);
      RunStep(backend, PlainPlan(1), [&] { backend.LayerNorm({in.act(), weight.get(), bias.get(), 1e-5f, out.act()}); });
      EXPECT_TRUE(out.GuardsIntact());
      return out.Read();
    });
    for (int64_t n = 0; n < rows; ++n) {
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < d; ++i) mean += x[n * d + i];
      mean /= static_cast<double>(d);
      for (int64_t i = 0; i < d; ++i) variance += (x[n * d + i] - mean) * (x[n * d + i] - mean);
      const double scale = 1 / std::sqrt(variance / static_cast<double>(d) + static_cast<double>(1e-5f));
      for (int64_t i = 0; i < d; ++i) {
        const double truth = (x[n * d + i] - mean) * scale * w[i] + b[i];
        // The mean is off by d / 16 + 5 roundings of numbers as large as the row's, and everything else by some roundings more.
        const double largest = 10.0 * static_cast<double>(n) + 30;
        const double bound = 0x1p-24 * (static_cast<double>(d) / 16 + 8) * (largest * scale * std::fabs(w[i]) + std::fabs(truth));
        ASSERT_NEAR(got.defined[n * d + i], truth, bound + 1e-7) << d;
        ASSERT_NEAR(got.oracle[n * d + i], truth, 0x1p-23 * std::fabs(truth) + 1e-6);
      }
    }
  }
}

TEST(LayerNorm, MayWorkInPlace) {
  for (const auto& backend : AllBackends()) {
    const auto weight = backend->PrepareWeight(VectorDesc(Random(2).Values(40), 1));
    const auto x = Random(1).Values(3 * 40);
    const Rows apart(*backend, 3, 40, x), out(*backend, 3, 40), same(*backend, 3, 40, x);
    RunStep(*backend, PlainPlan(1), [&] {
      backend->LayerNorm({apart.act(), weight.get(), weight.get(), 1e-5f, out.act()});
      backend->LayerNorm({same.act(), weight.get(), weight.get(), 1e-5f, same.act()});
    });
    EXPECT_TRUE(SameBits(out.Read(), same.Read()));
  }
}

struct LinearCase {
  DType format;
  Epilogue epilogue;
  bool bias;
};

std::vector<float> RunLinear(Backend& backend, const LinearCase& c, int64_t rows, int64_t outputs, int64_t k, int64_t bias_parts) {
  const auto weight = backend.PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{c.format, outputs}}, k, 7));
  const auto bias = backend.PrepareWeight(VectorDesc(Random(3).Values(outputs), 1, bias_parts));
  const Rows in(backend, rows, k, Random(1).Values(rows * k)), out(backend, rows, outputs, Random(2).Values(rows * outputs));
  RunStep(backend, PlainPlan(1), [&] {
    backend.Linear({in.act(), weight.get(), c.epilogue, out.act(), c.bias ? bias.get() : nullptr});
  });
  EXPECT_TRUE(out.GuardsIntact());
  return out.Read();
}

TEST(LinearWithBias, EveryEpilogueAndFormat) {
  for (const DType format : Sweep<DType>({std::begin(kWeightFormats), std::end(kWeightFormats)}, {DType::kF16, DType::kQ4_K})) {
    for (const Epilogue epilogue : {Epilogue::kStore, Epilogue::kAdd, Epilogue::kGelu}) {
      for (const bool with_bias : {false, true}) {
        const LinearCase c{format, epilogue, with_bias};
        for (const int64_t outputs : Sweep<int64_t>({39, 96}, {39})) {
          const int64_t rows = 7, k = 256;
          const Outputs got = OnAll([&](Backend& backend) { return RunLinear(backend, c, rows, outputs, k, 3); });
          // Against the product alone, from the same backend.
          const auto plain = RunLinear(*MakeRef(Numerics::kInvariant), {format, Epilogue::kStore, false}, rows, outputs, k, 1);
          const auto bias = Random(3).Values(outputs), before = Random(2).Values(rows * outputs);
          for (int64_t i = 0; i < rows * outputs; ++i) {
            const float y = with_bias ? plain[i] + bias[i % outputs] : plain[i];
            const double gelu = 0.5 * y * (1 + std::erf(y * 0.70710678118654752));
            if (epilogue == Epilogue::kGelu)
              ASSERT_NEAR(got.defined[i], gelu, 4 * 0x1p-24 * std::fabs(y) + 1e-30);
            else
              ASSERT_EQ(got.defined[i], epilogue == Epilogue::kAdd ? before[i] + y : y);
          }
        }
      }
    }
  }
}

struct ManyRowsCase {
  DType format;
  int64_t k, outputs, rows;
  Epilogue epilogue = Epilogue::kAdd;
};

std::vector<float> RunManyRows(Backend& backend, const ManyRowsCase& c, const std::vector<float>& x, bool mapped = false) {
  const WeightDesc desc =
      RandomWeight(WeightRole::kManyRows, 1, {{c.format, c.outputs - c.outputs / 2}, {c.format, c.outputs / 2}}, c.k, 7, mapped);
  const auto weight = backend.PrepareWeight(desc), bias = backend.PrepareWeight(VectorDesc(Random(3).Values(c.outputs), 1));
  const bool swiglu = c.epilogue == Epilogue::kSwiGlu;
  const int64_t rows = static_cast<int64_t>(x.size()) / c.k, width = swiglu ? c.outputs / 2 : c.outputs;
  const Rows in(backend, rows, c.k, x), out(backend, rows, width, std::vector<float>(static_cast<size_t>(rows * width), 1.0f));
  RunStep(backend, PlainPlan(1), [&] {
    backend.Linear({in.act(), weight.get(), c.epilogue, out.act(), swiglu ? nullptr : bias.get()});
  });
  EXPECT_TRUE(out.GuardsIntact());
  return out.Read();
}

// K that ends inside a block of the sum or fills some, outputs and rows that fill no task, subnormal numbers on the way.
TEST(LinearOfManyRows, KeepsFloat32RowsWhateverTheFormat) {
  for (const DType format : Sweep<DType>({std::begin(kWeightFormats), std::end(kWeightFormats)},
                                         {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0, DType::kQ6_K})) {
    const bool blocks = IsBlocks(format);
    for (const int64_t k : Sweep<int64_t>({1, 37, 128, 256, 588, 1408}, {37, 256, 588})) {
      if (blocks && k % static_cast<int64_t>(InfoOf(format).values_per_block) != 0) continue;
      for (const int64_t outputs : Sweep<int64_t>({2, 48, 75}, {75})) {
        for (const int64_t rows : Sweep<int64_t>({1, 13, 201}, {13, 70})) {
          // Under sanitizers each number of outputs and of rows, but not all of either with all of the other.
          if (test::kSanitized && rows * outputs > 75 * 13) continue;
          auto x = Random(1).Values(rows * k);
          for (size_t i = 0; i < x.size(); i += 11) x[i] = i % 2 ? 1e-39f : -3e-38f;
          const Outputs got = OnAll([&](Backend& backend) { return RunManyRows(backend, {format, k, outputs, rows}, x); });
          // Rounding: 2^-24 of each partial sum, which are some sqrt(K) times 3 times a weight of up to 3.
          for (size_t i = 0; i < got.defined.size(); ++i)
            ASSERT_NEAR(got.defined[i], got.oracle[i], 0x1p-24 * 60 * static_cast<double>(k + 8))
                << InfoOf(format).name << " " << k;
        }
      }
    }
  }
}

TEST(LinearOfManyRows, EveryEpilogue) {
  for (const Epilogue epilogue : {Epilogue::kStore, Epilogue::kAdd, Epilogue::kGelu, Epilogue::kSwiGlu})
    for (const DType format : {DType::kBF16, DType::kQ8_0})
      OnAll([&](Backend& backend) { return RunManyRows(backend, {format, 96, 34, 7, epilogue}, Random(1).Values(7 * 96)); });
}

// A row's bits are its own: alone, at the end of a batch, read from a mapped file.
TEST(LinearOfManyRows, RowsDoNotSeeEachOther) {
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}) {
    const int64_t k = 160, outputs = 50, rows = Sweep<int64_t>({400}, {70})[0];
    const auto x = Random(1).Values(rows * k);
    for (const auto& backend : AllBackends()) {
      const auto all = RunManyRows(*backend, {format, k, outputs, rows}, x);
      EXPECT_TRUE(SameBits(RunManyRows(*backend, {format, k, outputs, rows}, x, true), all)) << "mapped";
      for (const int64_t row : {int64_t{0}, rows / 2, rows - 1}) {
        const auto alone = RunManyRows(*backend, {format, k, outputs, 1}, {x.begin() + row * k, x.begin() + (row + 1) * k});
        EXPECT_TRUE(SameBits(alone, {all.begin() + row * outputs, all.begin() + (row + 1) * outputs})) << row;
      }
    }
  }
}

TEST(Rotate, TurnsPairsOfEveryHeadOfQAndK) {
  struct Case {
    int64_t heads, d, groups, rows;
  };
  for (const Case c : {Case{2, 88, 3, 10}, {3, 4, 1, 577}, {1, 12, 5, 5}, {2, 64, 2, 3}}) {
    const int64_t n = c.groups * c.rows, cols = 3 * c.heads * c.d;
    const auto x = Random(1).Values(n * cols);
    std::vector<double> angles(static_cast<size_t>(c.rows * c.d / 2));
    std::vector<float> turns;
    Random random(2);
    for (double& angle : angles) {
      angle = static_cast<double>(random.Uniform(-30, 30));
      turns.push_back(static_cast<float>(std::cos(angle)));
      turns.push_back(static_cast<float>(std::sin(angle)));
    }
    const Outputs got = OnAll([&](Backend& backend) {
      const Rows qkv(backend, n, cols, x), table(backend, c.rows, c.d, turns);
      RunStep(backend, PlainPlan(1), [&] { backend.Rotate({qkv.act(), table.act(), static_cast<int32_t>(c.heads)}); });
      EXPECT_TRUE(qkv.GuardsIntact());
      return qkv.Read();
    });
    for (int64_t row = 0; row < n; ++row)
      for (int64_t i = 0; i < cols; i += 2) {
        const int64_t at = row * cols + i;
        if (i >= 2 * c.heads * c.d) {  // v stays
          ASSERT_EQ(got.defined[at], x[at]);
          ASSERT_EQ(got.defined[at + 1], x[at + 1]);
          continue;
        }
        const double angle = angles[static_cast<size_t>(row % c.rows * (c.d / 2) + i % c.d / 2)], a = x[at], b = x[at + 1];
        const double bound = 4 * 0x1p-24 * (std::fabs(a) + std::fabs(b));
        ASSERT_NEAR(got.defined[at], a * std::cos(angle) - b * std::sin(angle), bound);
        ASSERT_NEAR(got.defined[at + 1], a * std::sin(angle) + b * std::cos(angle), bound);
      }
  }
}

struct AttentionCase {
  int64_t heads, d, groups, rows;
};
std::vector<float> RunAttention(Backend& backend, const AttentionCase& c, const std::vector<float>& x) {
  const int64_t n = static_cast<int64_t>(x.size()) / (3 * c.heads * c.d);
  const Rows qkv(backend, n, 3 * c.heads * c.d, x), out(backend, n, c.heads * c.d);
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(c.d)));
  RunStep(backend, PlainPlan(1), [&] {
    backend.GroupAttention({qkv.act(), static_cast<int32_t>(c.heads), c.rows, scale, out.act()});
  });
  EXPECT_TRUE(out.GuardsIntact());
  return out.Read();
}

TEST(GroupAttention, IsASoftmaxOverTheRowsOfAGroup) {
  for (const AttentionCase c : {AttentionCase{2, 88, 1, 577}, {1, 4, 6, 5}, {3, 16, 2, 65}, {2, 20, 3, 1}, {1, 96, 2, 130}}) {
    const int64_t n = c.groups * c.rows, width = c.heads * c.d;
    const auto x = Random(1).Values(n * 3 * width);
    const Outputs got = OnAll([&](Backend& backend) { return RunAttention(backend, c, x); });
    std::vector<float> want(static_cast<size_t>(n * width));
    std::vector<double> w(static_cast<size_t>(c.rows));
    for (int64_t row = 0; row < n; ++row)
      for (int64_t h = 0; h < c.heads; ++h) {
        const int64_t first = row / c.rows * c.rows;
        double sum = 0, max = -1e300;
        for (int64_t j = 0; j < c.rows; ++j) {
          double score = 0;
          for (int64_t i = 0; i < c.d; ++i)
            score += static_cast<double>(x[row * 3 * width + h * c.d + i]) * x[(first + j) * 3 * width + width + h * c.d + i];
          w[j] = score / std::sqrt(static_cast<double>(c.d));
          max = std::max(max, w[j]);
        }
        for (double& weight : w) sum += weight = std::exp(weight - max);
        for (int64_t i = 0; i < c.d; ++i) {
          double o = 0;
          for (int64_t j = 0; j < c.rows; ++j) o += w[j] * x[(first + j) * 3 * width + 2 * width + h * c.d + i];
          want[static_cast<size_t>(row * width + h * c.d + i)] = static_cast<float>(o / sum);
        }
      }
    // A score of these values is up to some 60 and off by the roundings of d terms: 2e-5 of a weight.
    const double rms = RootMeanSquare(want);
    EXPECT_LE(Largest(got.defined, want), 1e-4 * rms) << c.rows << " rows of " << c.d;
    EXPECT_LE(Largest(got.oracle, want), 2e-5 * rms) << c.rows << " rows of " << c.d;
  }
}

// What a tile gives does not depend on which others share the batch.
TEST(GroupAttention, GroupsDoNotSeeEachOther) {
  const AttentionCase c{2, 88, 3, 37};
  const int64_t group = c.rows * 3 * c.heads * c.d, result = c.rows * c.heads * c.d;
  const auto x = Random(1).Values(c.groups * group);
  for (const auto& backend : AllBackends()) {
    const auto together = RunAttention(*backend, c, x);
    for (int64_t g = 0; g < c.groups; ++g) {
      const std::vector<float> mine(x.begin() + g * group, x.begin() + (g + 1) * group);
      EXPECT_TRUE(SameBits(std::span(together).subspan(static_cast<size_t>(g * result), static_cast<size_t>(result)),
                           RunAttention(*backend, c, mine)));
    }
  }
}

TEST(PixelShuffle, PutsSquaresOfNeighboursIntoRows) {
  struct Case {
    int32_t side, factor;
    int64_t extra, tiles, d;
  };
  for (const Case c : {Case{4, 2, 1, 3, 5}, {6, 3, 0, 2, 1}, {3, 1, 2, 2, 7}, {24, 2, 1, 2, 16}}) {
    const int64_t group = c.side * c.side + c.extra, small = c.side / c.factor, f = c.factor, cols = f * f * c.d;
    const auto x = Random(1).Values(c.tiles * group * c.d);
    const Outputs got = OnAll([&](Backend& backend) {
      const Rows in(backend, c.tiles * group, c.d, x), out(backend, c.tiles * small * small, cols);
      RunStep(backend, PlainPlan(1), [&] { backend.PixelShuffle({in.act(), group, c.side, c.factor, out.act()}); });
      EXPECT_TRUE(out.GuardsIntact());
      return out.Read();
    });
    for (int64_t t = 0; t < c.tiles; ++t)
      for (int64_t y = 0; y < c.side; ++y)
        for (int64_t column = 0; column < c.side; ++column)
          for (int64_t i = 0; i < c.d; ++i) {
            const int64_t row = t * small * small + y / f * small + column / f, place = (y % f * f + column % f) * c.d + i;
            ASSERT_EQ(got.defined[row * cols + place], x[(t * group + y * c.side + column) * c.d + i]);
          }
  }
}

// The numbering of section "pixel shuffle" in model cards: a square of 4 x 4 becomes 2 x 2 rows.
TEST(PixelShuffle, AFourByFourGrid) {
  std::vector<float> x;
  for (int i = 0; i < 16; ++i) x.push_back(static_cast<float>(i));
  const auto backend = MakeRef(Numerics::kInvariant);
  const Rows in(*backend, 16, 1, x), out(*backend, 4, 4);
  RunStep(*backend, PlainPlan(1), [&] { backend->PixelShuffle({in.act(), 16, 4, 2, out.act()}); });
  EXPECT_EQ(out.Read(), (std::vector<float>{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15}));
}

TEST(ScatterRows, ReplacesTheRowsThatAreNamed) {
  const int64_t d = 13;
  const auto features = Random(1).Values(3 * d), x = Random(2).Values(6 * d);
  const std::vector<int32_t> rows = {-1, 5, 4, -1, 6, 7};  // of 5 .. 7: the second, third and first; 4 and -1 are not ours
  const Outputs got = OnAll([&](Backend& backend) {
    const Rows in(backend, 3, d, features), out(backend, 6, d, x);
    RunStep(backend, PlainPlan(6), [&] { backend.ScatterRows({in.act(), rows, 5, out.act()}); });
    EXPECT_TRUE(out.GuardsIntact());
    return out.Read();
  });
  for (int64_t n = 0; n < 6; ++n)
    for (int64_t i = 0; i < d; ++i)
      ASSERT_EQ(got.defined[n * d + i], rows[n] >= 5 ? features[(rows[n] - 5) * d + i] : x[n * d + i]);
}

TEST(CheckBackend, RefusesWrongShapesOfVision) {
  const auto backend = MakeCheckBackend(MakeCpu("", 1));
  const Rows four(*backend, 4, 12), other(*backend, 4, 6);
  const auto refused = [&](const std::function<void()>& operation) {
    const StepPlan plan = PlainPlan(1);
    backend->BeginStep(plan);
    operation();
    const auto error = backend->EndStep();
    return error ? std::string(error->what()) : std::string();
  };
  const std::vector<uint8_t> tiles(10);
  const std::vector<float> table(256);
  EXPECT_NE(refused([&] {
              backend->Unfold({tiles, table, 1, 3, 1, four.act()});
            }).find("10 bytes for tiles of 9"),
            std::string::npos);
  EXPECT_NE(refused([&] {
              backend->GroupAttention({four.act(), 1, 3, 1, other.act()});
            }).find("4 rows in groups of 3"),
            std::string::npos);
  EXPECT_NE(refused([&] {
              backend->Rotate({four.act(), other.act(), 1});
            }).find("qkv is [4, 12], expected [4, 18]"),
            std::string::npos);
  EXPECT_NE(refused([&] {
              backend->PixelShuffle({four.act(), 4, 2, 2, other.act()});
            }).find("out is [4, 6], expected [1, 48]"),
            std::string::npos);
}

TEST(TraceBackend, NamesTheOperationsOfVision) {
  std::vector<std::string> lines;
  const auto backend = MakeTraceBackend(MakeRef(Numerics::kInvariant), [&](const std::string& line) { lines.push_back(line); });
  const Rows in(*backend, 4, 3, std::vector<float>(12)), out(*backend, 1, 12);
  RunStep(*backend, PlainPlan(1), [&] { backend->PixelShuffle({in.act(), 4, 2, 2, out.act()}); });
  EXPECT_EQ(lines[1], "PixelShuffle [4, 3] to [1, 12]");
}

}  // namespace
}  // namespace scout

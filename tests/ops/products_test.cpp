// Products of float weights where the numerics are fast: by own kernels, by a library in a plug-in (oneDNN, or one that stands for
// it and counts), and what becomes of them when the plug-in is missing, refused or fails.
#include <dlfcn.h>

#include <cmath>
#include <filesystem>

#include "base/cpu_features.h"
#include "heard.h"
#include "op_test.h"
#include "quant/formats.h"
#include "support/sanitized.h"
#include "support/small_stack.h"

namespace scout {
namespace {

namespace fs = std::filesystem;

const std::string kBuilt = TEST_PLUGINS;  // libscout-onednn.so of this build, if it has one

bool HasOneDnn() { return fs::exists(kBuilt + "/libscout-onednn.so"); }
std::string Fake(const std::string& kind) { return std::string(TEST_FAKE_PLUGINS) + "/" + kind; }

std::unique_ptr<Backend> MakeFast(const std::string& products, const std::string& folder, int threads) {
  BackendOptions options;
  options.threads = threads;
  options.numerics = Numerics::kFast;
  options.products = products;
  options.plugins = folder;
  return MakeBackend("cpu", options);
}

// Where the processor multiplies BF16 at twice the rate of float32, own kernels serve BF16 weights.
bool OwnServeBf16() { return ProcessorIsAmd() && DetectIsa() == Isa::kAvx512 && ProcessorMultipliesBf16(); }

struct Case {
  WeightRole role = WeightRole::kLinear;
  DType format = DType::kF32;
  int64_t rows = 1, outputs = 1, k = 1;
  Epilogue epilogue = Epilogue::kStore;

  WeightDesc weight() const { return RandomWeight(role, 1, {{format, outputs}}, k, 31); }
  // BF16 weights that meet few rows meet them rounded to BF16, and with some processors many too: here rounding changes nothing.
  std::vector<float> x() const {
    std::vector<float> values = Random(32).Values(rows * k);
    if (format == DType::kBF16)
      for (float& value : values) value = quant::Bf16ToF32(quant::F32ToBf16(value));
    return values;
  }
  int64_t width() const { return epilogue == Epilogue::kSwiGlu ? outputs / 2 : outputs; }
  std::string text() const {
    return std::string(InfoOf(format).name) + ", " + std::to_string(rows) + " rows, " + std::to_string(outputs) + " x " +
           std::to_string(k) + ", epilogue " + std::to_string(static_cast<int>(epilogue));
  }
};

std::vector<float> RunCase(Backend& backend, const Case& of) {
  const auto weight = backend.PrepareWeight(of.weight());
  const auto x = of.x();
  const Rows in(backend, of.rows, of.k, x), out(backend, of.rows, of.width(), Random(33).Values(of.rows * of.width()));
  RunStep(backend, PlainPlan(of.rows), [&] { backend.Linear({in.act(), weight.get(), of.epilogue, out.act()}); });
  EXPECT_TRUE(out.GuardsIntact()) << of.text();
  EXPECT_TRUE(SameBits(x, in.Read())) << of.text();
  return out.Read();
}

// What float32 may lose in a sum of K products whatever its order: weights are exact in float32, each product or fused product
// rounds once and so does each sum, every time by at most 2^-24 of what is there; no partial sum is larger than the sum of the
// magnitudes.
std::vector<double> BoundsOf(const Case& of) {
  const WeightDesc desc = of.weight();
  const auto x = of.x();
  const size_t row_bytes = RowBytes(of.format, static_cast<uint64_t>(of.k));
  std::vector<double> bounds;
  std::vector<float> w(static_cast<size_t>(of.outputs * of.k));
  std::vector<std::byte> bytes(row_bytes);
  for (int64_t o = 0; o < of.outputs; ++o) {
    desc.parts[0].sources[0]->Read(static_cast<uint64_t>(o) * row_bytes, bytes);
    quant::DecodeRow(of.format, bytes.data(), w.data() + o * of.k, static_cast<size_t>(of.k));
  }
  for (int64_t n = 0; n < of.rows; ++n) {
    for (int64_t o = 0; o < of.outputs; ++o) {
      double sum = 0;
      for (int64_t i = 0; i < of.k; ++i) sum += std::fabs(static_cast<double>(w[o * of.k + i]) * x[n * of.k + i]);
      bounds.push_back(sum * static_cast<double>(of.k + 2) * 0x1p-24);
    }
  }
  return bounds;
}

void ExpectWithinBounds(Backend& backend, Backend& exact, const Case& of) {
  const auto want = RunCase(exact, of), got = RunCase(backend, of);
  const auto bounds = BoundsOf(of);
  double squares = 0, errors = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_LE(std::fabs(static_cast<double>(got[i]) - want[i]), bounds[i]) << of.text() << ", at " << i;
    squares += static_cast<double>(want[i]) * want[i];
    errors += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
  }
  // Roundings go either way, so that the whole is much nearer than the bound: rows rounded to BF16 would be off by a thousandth.
  EXPECT_LE(std::sqrt(errors), 1e-6 * std::sqrt(squares)) << of.text();
}

const Case kCases[] = {
    {.rows = 1, .outputs = 1, .k = 1},        {.rows = 1, .outputs = 37, .k = 256},   {.rows = 3, .outputs = 16, .k = 7},
    {.rows = 5, .outputs = 48, .k = 129},     {.rows = 31, .outputs = 96, .k = 100},  {.rows = 33, .outputs = 49, .k = 1280},
    {.rows = 64, .outputs = 100, .k = 384},   {.rows = 97, .outputs = 37, .k = 1031}, {.rows = 130, .outputs = 200, .k = 257},
    {.rows = 545, .outputs = 160, .k = 1152}, {.rows = 1060, .outputs = 50, .k = 64},
};

class ProductFormats : public testing::TestWithParam<DType> {};

TEST_P(ProductFormats, ALibraryStaysWithinWhatFloat32Allows) {
  if (!HasOneDnn()) GTEST_SKIP() << "this build has no libscout-onednn.so";
  const auto exact = MakeRef(Numerics::kFloat32);
  for (Case of : kCases) {
    of.format = GetParam();
    for (const int threads : {1, 2, 3, 4}) ExpectWithinBounds(*MakeFast("all", kBuilt, threads), *exact, of);
    of.role = WeightRole::kManyRows;
    ExpectWithinBounds(*MakeFast("all", kBuilt, 2), *exact, of);
  }
}

TEST_P(ProductFormats, OwnKernelsStayWithinWhatFloat32Allows) {
  const auto exact = MakeRef(Numerics::kFloat32);
  for (Case of : kCases) {
    of.format = GetParam();
    for (const int threads : {1, 3}) ExpectWithinBounds(*MakeFast("none", "", threads), *exact, of);
  }
}

// The stand-in adds in the order of own kernels, so that what becomes of its products is compared bit for bit: every epilogue, and
// tiles of which the last is not whole.
TEST_P(ProductFormats, WhatBecomesOfAProductIsTheSame) {
  if (GetParam() == DType::kBF16 && OwnServeBf16()) GTEST_SKIP() << "own kernels add BF16 up in another order here";
  for (const Epilogue epilogue : {Epilogue::kStore, Epilogue::kAdd, Epilogue::kGelu, Epilogue::kSwiGlu}) {
    for (Case of : kCases) {
      if (of.rows < 96 || (epilogue == Epilogue::kSwiGlu && of.outputs % 2 != 0)) continue;
      // The stand-in's loops take half a minute for the largest under a sanitizer, which sees as much in the others.
      if (test::kSanitized && epilogue != Epilogue::kStore && of.rows * of.outputs * of.k > 20'000'000) continue;
      of.format = GetParam();
      of.epilogue = epilogue;
      const auto want = RunCase(*MakeFast("none", "", 2), of);
      EXPECT_TRUE(SameBits(want, RunCase(*MakeFast("all", Fake("counting"), 2), of))) << of.text();
      EXPECT_TRUE(SameBits(want, RunCase(*MakeFast("all", Fake("failing"), 3), of))) << of.text();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, ProductFormats, testing::Values(DType::kF32, DType::kF16, DType::kBF16),
                         [](const auto& info) { return std::string(InfoOf(info.param).name); });

// Q8_0 is widened too where rows stay float32.
TEST(Products, ATowerOfCodesIsServedToo) {
  if (!HasOneDnn()) GTEST_SKIP() << "this build has no libscout-onednn.so";
  const Case of = {.role = WeightRole::kManyRows, .format = DType::kQ8_0, .rows = 131, .outputs = 77, .k = 352};
  ExpectWithinBounds(*MakeFast("all", kBuilt, 2), *MakeRef(Numerics::kFloat32), of);
}

int64_t CallsOf(const std::string& kind) {
  void* const file = dlopen((Fake(kind) + "/libscout-onednn.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(file, nullptr) << dlerror();
  const auto calls = file ? reinterpret_cast<int64_t (*)()>(dlsym(file, "fake_calls")) : nullptr;
  const int64_t count = calls ? calls() : -1;
  if (file) dlclose(file);
  return count;
}

TEST(Products, ALibraryIsAskedWhereTheNumericsAreFastAndRowsMany) {
  const Case many = {.format = DType::kF16, .rows = 64, .outputs = 96, .k = 64},
             bf16 = {.format = DType::kBF16, .rows = 64, .outputs = 96, .k = 64},
             few = {.format = DType::kF16, .rows = 63, .outputs = 96, .k = 64},
             floats = {.format = DType::kF32, .rows = 128, .outputs = 96, .k = 64},
             tower = {.role = WeightRole::kManyRows, .rows = 64, .outputs = 96, .k = 64},
             codes = {.format = DType::kQ8_0, .rows = 64, .outputs = 96, .k = 64};
  const auto asked = [](Backend& backend, const Case& of) {
    const int64_t before = CallsOf("counting");
    RunCase(backend, of);
    return CallsOf("counting") - before;
  };
  const auto fast = MakeFast("", Fake("counting"), 2), all = MakeFast("all", Fake("counting"), 2),
             none = MakeFast("none", Fake("counting"), 2);
  EXPECT_EQ(asked(*fast, many), 2);  // blocks of 48 outputs
  EXPECT_EQ(asked(*fast, bf16), OwnServeBf16() ? 0 : 2);
  EXPECT_EQ(asked(*fast, floats), 0);  // own kernels were measured to be no slower
  EXPECT_EQ(asked(*fast, tower), 0);
  EXPECT_EQ(asked(*fast, few), 0);
  EXPECT_EQ(asked(*fast, codes), 0);
  EXPECT_EQ(asked(*all, few), 2);
  EXPECT_EQ(asked(*all, bf16), 2);
  EXPECT_EQ(asked(*all, floats), 2);
  EXPECT_EQ(asked(*all, tower), 2);
  EXPECT_EQ(asked(*all, codes), 0);
  EXPECT_EQ(asked(*none, many), 0);
  BackendOptions invariant;
  invariant.products = "all";
  invariant.plugins = Fake("counting");
  const auto own = MakeBackend("cpu", invariant);
  EXPECT_EQ(asked(*own, many), 0);
  EXPECT_EQ(asked(*own, tower), 0);
}

TEST(Products, OfAnUnknownKindAreRefused) {
  try {
    MakeFast("some", "", 1);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kArgument);
    EXPECT_STREQ(error.what(), "products \"some\" is not one of all, none");
  }
}

void ExpectOneLine(const std::string& folder, const std::vector<std::string>& texts) {
  const Case of = {.rows = 96, .outputs = 50, .k = 200};
  const auto want = RunCase(*MakeFast("none", "", 2), of);
  Heard heard;
  const auto backend = MakeFast("", folder, 2), another = MakeFast("", folder, 2);
  EXPECT_TRUE(SameBits(want, RunCase(*backend, of)));
  EXPECT_TRUE(SameBits(want, RunCase(*another, of)));
  const auto lines = heard.lines();
  ASSERT_EQ(lines.size(), 1u) << (lines.size() > 1 ? lines[1] : "");
  for (const std::string& text : texts) EXPECT_NE(lines[0].find(text), std::string::npos) << lines[0];
}

TEST(Products, WithoutThePluginOwnKernelsServe) {
  ExpectOneLine("/no/such/folder",
                {"2 ", "needs the plug-in onednn, which is not installed: there is no /no/such/folder/libscout-onednn.so",
                 "own kernels serve"});
}

TEST(Products, APluginOfAnotherVersionIsRefused) {
  ExpectOneLine(
      Fake("other_version"),
      {"1 ", "was built for another libscout (0.0.9, contract products-0123456789abcdef, expected products-", "own kernels serve"});
}

TEST(Products, APluginThatIsOfNoUseHereIsNotAsked) {
  const int64_t before = CallsOf("useless");
  ExpectOneLine(Fake("useless"), {"1 ", "the plug-in onednn is of no use: its processor is not here", "own kernels serve"});
  EXPECT_EQ(CallsOf("useless"), before);
}

// The plug-in has failed in this process before or does so now; either way results are those of own kernels.
TEST(Products, OwnKernelsTakeOverFromOneThatFails) {
  const Case of = {.rows = 600, .outputs = 480, .k = 70};
  const auto want = RunCase(*MakeFast("none", "", 2), of);
  const auto backend = MakeFast("all", Fake("failing"), 2);
  Heard heard;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(SameBits(want, RunCase(*backend, of)));
  const auto lines = heard.lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], "1 fake 1.0: call 4 is one too many; own kernels serve from here on");
  const int64_t calls = CallsOf("failing");
  RunCase(*backend, of);
  EXPECT_EQ(CallsOf("failing"), calls);
}

int ThreadsOfThisProcess() {
  int count = 0;
  for ([[maybe_unused]] const auto& thread : fs::directory_iterator("/proc/self/task")) ++count;
  return count;
}

// A library with threads of its own is kept from them: three of ours work, and there are no more after it than before.
TEST(Products, ALibraryMakesNoThreads) {
  if (!HasOneDnn()) GTEST_SKIP() << "this build has no libscout-onednn.so";
  if (!fs::exists("/proc/self/task")) GTEST_SKIP() << "the system does not list threads";
  const Case of = {.rows = 300, .outputs = 500, .k = 512};
  const auto own = MakeFast("none", "", 3);
  RunCase(*own, of);
  const int before = ThreadsOfThisProcess();
  const auto backend = MakeFast("all", kBuilt, 3);
  RunCase(*backend, of);
  EXPECT_EQ(ThreadsOfThisProcess(), before);
}

// A caller's thread may have a C library's smallest stack.
TEST(Products, ALibraryRunsOnASmallStack) {
  if (!HasOneDnn()) GTEST_SKIP() << "this build has no libscout-onednn.so";
  const Case of = {.rows = 77, .outputs = 130, .k = 333};
  std::vector<float> got;
  test::OnSmallStack([&] { got = RunCase(*MakeFast("all", kBuilt, 1), of); });
  const auto want = RunCase(*MakeRef(Numerics::kFloat32), of);
  const auto bounds = BoundsOf(of);
  for (size_t i = 0; i < want.size(); ++i) ASSERT_LE(std::fabs(static_cast<double>(got[i]) - want[i]), bounds[i]) << i;
}

// Experts of float weights: some get many rows, some few, one none.
TEST(Products, OfExpertsMeetTheOracle) {
  constexpr int64_t kExperts = 4, kD = 192, kF = 224, kRows = 400;
  const auto x = Random(1).Values(kRows * kD), residual = Random(2).Values(kRows * kD);
  std::vector<float> gates, ids;
  Random random(3);
  for (int64_t n = 0; n < kRows; ++n) {
    const int32_t id = n % 40 == 0 ? 0 : n % 3 == 0 ? 1 : 2;  // 10, about 130 and 260 rows; the last gets none
    ids.push_back(std::bit_cast<float>(id));
    gates.push_back(random.Uniform(0.1f, 1));
  }
  const auto run = [&](Backend& backend, DType format) {
    const auto prepare = [&](WeightRole role, int64_t experts, std::vector<PartShape> parts, int64_t k, uint64_t seed) {
      return backend.PrepareWeight(RandomWeight(role, experts, parts, k, seed));
    };
    const auto gate_up = prepare(WeightRole::kExperts, kExperts, {{format, kF}, {format, kF}}, kD, 4),
               down = prepare(WeightRole::kExperts, kExperts, {{format, kD}}, kF, 5),
               shared_gate_up = prepare(WeightRole::kLinear, 1, {{format, kF}, {format, kF}}, kD, 6),
               shared_down = prepare(WeightRole::kLinear, 1, {{format, kD}}, kF, 7);
    const Rows in(backend, kRows, kD, x), id_rows(backend, kRows, 1, ids), gate_rows(backend, kRows, 1, gates),
        out(backend, kRows, kD, residual);
    RunStep(backend, PlainPlan(kRows), [&] {
      backend.Experts({in.act(), id_rows.act(), gate_rows.act(), gate_up.get(), down.get(), shared_gate_up.get(), shared_down.get(),
                       0, kExperts, out.act()});
    });
    EXPECT_TRUE(out.GuardsIntact());
    return out.Read();
  };
  for (const DType format : {DType::kF32, DType::kF16, DType::kBF16}) {
    const auto want = run(*MakeRef(Numerics::kFloat32), format);
    double squares = 0;
    for (const float value : want) squares += static_cast<double>(value) * value;
    const double rms = std::sqrt(squares / static_cast<double>(want.size()));
    // Experts of few rows, and with some processors all, meet BF16 weights with rows rounded to BF16, 0.17 % of each value, twice.
    const double rounded = format == DType::kBF16 ? 0.004 : 1e-6;
    const auto near = [&](const std::vector<float>& got, const std::string& who, double bound) {
      double errors = 0;
      for (size_t i = 0; i < want.size(); ++i)
        errors += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
      EXPECT_LE(std::sqrt(errors / static_cast<double>(want.size())), bound * rms) << who << ", " << InfoOf(format).name;
    };
    near(run(*MakeFast("none", "", 3), format), "own kernels", rounded);
    const int64_t before = CallsOf("counting");
    near(run(*MakeFast("", Fake("counting"), 3), format), "stand-in", rounded);
    // Of both products of the shared expert and of two routed ones: gate and up of five blocks of 48 each, four blocks of down.
    const bool own = format == DType::kF32 || (format == DType::kBF16 && OwnServeBf16());
    EXPECT_EQ(CallsOf("counting") - before, own ? 0 : 3 * (2 * 5 + 4));
    if (!HasOneDnn()) continue;
    for (const int threads : {1, 2, 4}) near(run(*MakeFast("all", kBuilt, threads), format), "oneDNN", 1e-6);
  }
}

}  // namespace
}  // namespace scout

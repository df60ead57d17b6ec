// Products of halves by a vendor's library: what it serves and what stays with own kernels, who is asked, what its failures and its
// mistakes become.
#include "../ops/heard.h"
#include "fake_lt.h"
#include "fast_bounds.h"
#include "fault_driver.h"
#include "gpu/gpu_backend.h"

namespace scout {
namespace {

using simt::fake_library;
using simt::Mistake;

constexpr DType kHalves[] = {DType::kF16, DType::kBF16};
constexpr int64_t kRows = 72;  // more than a step that is held back has

std::shared_ptr<simt::SimtDriver> DriverWithLibrary(int warp = 32, size_t memory_bytes = size_t{1} << 30) {
  auto driver = std::make_shared<simt::SimtDriver>(warp, simt::Schedule{}, memory_bytes);
  simt::GiveFakeLibrary(*driver);
  return driver;
}
std::unique_ptr<Backend> MakeFast(const std::shared_ptr<gpu::Device>& device, const char* products) {
  BackendOptions options;
  options.numerics = Numerics::kFast;
  options.products = products;
  return gpu::MakeGpuBackend(device, options);
}
std::unique_ptr<Backend> MakeFast(const std::shared_ptr<gpu::Driver>& driver, const char* products) {
  return MakeFast(std::make_shared<gpu::Device>(driver), products);
}

// A product of one step; `out` is what is there before it.
struct Product {
  WeightDesc desc;
  std::vector<float> x, before;
  int64_t rows = 0, outputs = 0;
  Product(DType format, int64_t count, int64_t some_outputs, int64_t k, WeightRole role = WeightRole::kLinear)
      : Product({{format, some_outputs}}, count, k, role) {}
  Product(const std::vector<PartShape>& parts, int64_t count, int64_t k, WeightRole role = WeightRole::kLinear)
      : desc(RandomWeight(role, 1, parts, k, 51)), x(Random(52).Values(count * k)), rows(count) {
    for (const PartShape& part : parts) outputs += part.rows;
    before = Random(53).Values(rows * outputs);
    for (int64_t i = 0; i < k; ++i) {
      x[static_cast<size_t>(2 * k + i)] *= 1e6f;  // beyond what F16 has
      x[static_cast<size_t>(3 * k + i)] *= 1e-9f;
    }
  }
  std::vector<float> Run(Backend& backend, const Weight& weight, bool add) const {
    const Rows in(backend, rows, weight.cols(), x), out(backend, rows, outputs, before);
    RunStep(backend, PlainPlan(rows), [&] {
      backend.Linear({in.act(), &weight, add ? Epilogue::kAdd : Epilogue::kStore, out.act()});
    });
    EXPECT_TRUE(out.GuardsIntact());
    return out.Read();
  }
  std::vector<float> Run(Backend& backend, bool add) const { return Run(backend, *backend.PrepareWeight(desc), add); }
  std::string OutOfBounds(const std::vector<float>& got, bool add) const {
    int64_t first = 0;
    for (const WeightPart& part : desc.parts) {
      if (std::string wrong = scout::OutOfBounds(part, x, rows, got, outputs, first, add ? before : std::vector<float>());
          !wrong.empty())
        return wrong;
      first += part.rows;
    }
    return "";
  }
};

// A clock by which a product takes so long: the library's, or by own kernels.
void RaceAt(const std::shared_ptr<simt::SimtDriver>& driver, double library, double own) {
  fake_library.race.seconds = [=, now = 0.0]() mutable {
    for (const std::string& name : driver->TakeNames()) now += name == "a product" ? own : 1e-9;
    return now + static_cast<double>(fake_library.products) * library;
  };
}

TEST(Library, ServesHalvesWithinTheBoundsOfFast) {
  for (const int warp : {32, 64}) {
    const auto backend = MakeFast(DriverWithLibrary(warp), "all");
    for (const DType format : kHalves) {
      for (const WeightRole role : {WeightRole::kLinear, WeightRole::kManyRows}) {
        for (const bool add : {false, true}) {
          const int64_t before = fake_library.products;
          const Product product(format, 66, 37, 200, role);
          EXPECT_EQ(product.OutOfBounds(product.Run(*backend, add), add), "");
          EXPECT_EQ(fake_library.products, before + 1);
        }
      }
    }
  }
  EXPECT_EQ(fake_library.things, 0);
}

TEST(Library, ServesEveryPartOfAWeightWhereverItsColumnsBegin) {
  const auto backend = MakeFast(DriverWithLibrary(), "all");
  for (const bool add : {false, true}) {
    const Product product({{DType::kF16, 33}, {DType::kBF16, 5}, {DType::kF16, 20}}, 90, 64);
    EXPECT_EQ(product.OutOfBounds(product.Run(*backend, add), add), "");
  }
  EXPECT_EQ(fake_library.products, 6);
}

TEST(Library, SwiGluAndBiasFollowItAsTheyFollowOwnKernels) {
  const auto driver = DriverWithLibrary();
  const auto backend = MakeFast(driver, "all"), own = MakeFast(driver, "none");
  const int64_t k = 64, rows = 70;
  const std::vector<float> x = Random(54).Values(rows * k);
  const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{DType::kBF16, 40}}, k, 55);
  const auto run = [&](Backend& on) {
    const auto weight = on.PrepareWeight(desc);
    const Rows in(on, rows, k, x), out(on, rows, 20);
    RunStep(on, PlainPlan(rows), [&] { on.Linear({in.act(), weight.get(), Epilogue::kSwiGlu, out.act()}); });
    return out.Read();
  };
  const std::vector<float> want = run(*own), got = run(*backend);
  for (size_t i = 0; i < want.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-3f + 1e-3f * std::fabs(want[i])) << i;
  EXPECT_EQ(fake_library.products, 1);
}

TEST(Library, LeavesTheRestToOwnKernels) {
  const auto driver = DriverWithLibrary();
  const auto backend = MakeFast(driver, "all"), own = MakeFast(driver, "none");
  const Product cases[] = {
      {DType::kBF16, 64, 20, 64},    // held back
      {DType::kF16, kRows, 20, 60},  // no whole pieces
      {DType::kF32, kRows, 20, 64},  // not halves
      {DType::kQ8_0, kRows, 20, 64}, {{{DType::kBF16, 20}, {DType::kQ8_0, 20}}, kRows, 64},
  };
  for (const Product& product : cases) EXPECT_TRUE(SameBits(product.Run(*own, false), product.Run(*backend, false)));
  EXPECT_EQ(fake_library.products, 0);
  BackendOptions invariant;
  invariant.products = "all";
  const auto other = gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), invariant);
  const Product product(DType::kBF16, kRows, 20, 64);
  const int64_t calls = fake_library.calls;
  EXPECT_TRUE(SameBits(product.Run(*MakeRef(Numerics::kInvariant), false), product.Run(*other, false)));
  EXPECT_EQ(fake_library.calls, calls);
  BackendOptions wrong;
  wrong.products = "some";
  EXPECT_THROW(gpu::MakeGpuBackend(std::make_shared<gpu::Device>(driver), wrong), Error);
}

TEST(Library, WhatIsNotFiniteStaysInItsRow) {
  const auto backend = MakeFast(DriverWithLibrary(), "all");
  for (const DType format : kHalves) {
    Product product(format, kRows, 9, 72);
    std::fill_n(product.x.begin() + 4 * 72, 72, 0.0f);
    const std::vector<float> clean = product.Run(*backend, false);
    product.x[5 * 72 + 7] = std::numeric_limits<float>::infinity();
    product.x[9 * 72 + 70] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> got = product.Run(*backend, false);
    for (size_t n = 0; n < kRows; ++n) {
      for (size_t o = 0; o < 9; ++o) {
        if (n == 5 || n == 9) {
          EXPECT_FALSE(std::isfinite(got[9 * n + o])) << n;
        } else {
          EXPECT_EQ(got[9 * n + o], clean[9 * n + o]) << n;
        }
        if (n == 4) {
          EXPECT_EQ(got[9 * n + o], 0.0f);
        }
      }
    }
  }
  EXPECT_EQ(fake_library.products, 4);
}

// A square weight, so that a factor that is taken for its transpose is where it is looked for.
TEST(Library, TheBoundsSeeEveryMistake) {
  for (const DType format : kHalves) {
    for (const Mistake mistake : simt::kMistakes) {
      const auto backend = MakeFast(DriverWithLibrary(), "all");
      fake_library.mistake = mistake;
      // Only what is added has an addend, and only BF16 has it added by the library.
      const bool add = mistake == Mistake::kNoAddend;
      if (add && format == DType::kF16) continue;
      const Product product(format, kRows, 64, 64);
      EXPECT_NE(product.OutOfBounds(product.Run(*backend, add), add), "")
          << InfoOf(format).name << ", " << static_cast<int>(mistake);
      EXPECT_EQ(fake_library.products, 1);
    }
  }
}

TEST(Library, AFailureOfAnyCallLeavesTheProductToOwnKernels) {
  const Product product({{DType::kF16, 20}, {DType::kBF16, 13}}, kRows, 64);
  int64_t failures = 0;
  std::vector<std::string> calls;
  for (bool fired = true; fired; ++failures) {
    ASSERT_LT(failures, 60);
    const auto driver = DriverWithLibrary();
    const auto device = std::make_shared<gpu::Device>(driver);
    fake_library.fail_at = failures;
    fake_library.status = failures % 2 == 0 ? 14 : 3;
    Heard heard;
    {
      const auto backend = MakeFast(device, "all");
      const auto weight = backend->PrepareWeight(product.desc);
      for (const bool add : {true, false}) EXPECT_EQ(product.OutOfBounds(product.Run(*backend, *weight, add), add), "");
      fired = !fake_library.failed.empty();
      if (fired) {
        const int64_t calls_so_far = fake_library.calls;
        product.Run(*backend, *weight, false);
        EXPECT_EQ(fake_library.calls, calls_so_far);  // it is not asked again
      }
    }
    EXPECT_EQ(fake_library.things, 0);
    if (!fired) {
      EXPECT_EQ(heard.lines().size(), 0u);
      EXPECT_FALSE(device->library_failure());
      continue;
    }
    if (calls.empty() || calls.back() != fake_library.failed) calls.push_back(fake_library.failed);
    ASSERT_EQ(heard.lines().size(), 1u);
    const std::string line = heard.lines()[0];
    EXPECT_NE(line.find("simt32: "), std::string::npos) << line;
    EXPECT_NE(line.find(fake_library.failed + ": planted"), std::string::npos) << line;
    EXPECT_NE(line.find("; own kernels serve products of halves"), std::string::npos) << line;
    ASSERT_TRUE(device->library_failure());
    EXPECT_EQ(device->library_failure()->code(), failures == 0              ? ErrorCode::kUnsupported
                                                 : fake_library.status == 3 ? ErrorCode::kNoMemory
                                                                            : ErrorCode::kDevice);
  }
  EXPECT_GE(calls.size(), 10u);
}

// A shape that the library has no way to multiply goes to own kernels, is not asked for again, and keeps nothing from others.
TEST(Library, ARefusedShapeAloneStaysWithOwnKernels) {
  const Product refused({{DType::kBF16, 13}, {DType::kF16, 7}}, kRows, 64),
      of_other_rows({{DType::kBF16, 13}, {DType::kF16, 7}}, 90, 64), other(DType::kBF16, kRows, 20, 64);
  for (const simt::Refusal refusal : simt::kRefusals) {
    const auto device = std::make_shared<gpu::Device>(DriverWithLibrary());
    const auto backend = MakeFast(device, "all"), second = MakeFast(device, "all");
    const auto weight = backend->PrepareWeight(refused.desc), other_weight = backend->PrepareWeight(other.desc);
    fake_library.refusal = refusal;
    fake_library.refused_outputs = 13;
    Heard heard;
    EXPECT_EQ(refused.OutOfBounds(refused.Run(*backend, *weight, false), false), "");
    ASSERT_EQ(heard.lines().size(), 1u);
    const std::string line = heard.lines()[0];
    EXPECT_NE(line.find("simt32: a planted library refuses products of 72 rows with BF16 weights of 13 x 64: fake"),
              std::string::npos)
        << line;
    EXPECT_NE(line.find("; own kernels serve them"), std::string::npos) << line;
    EXPECT_TRUE(device->has_library());
    EXPECT_FALSE(device->library_failure());
    const int64_t calls = fake_library.calls;
    for (const bool add : {false, true}) EXPECT_EQ(refused.OutOfBounds(refused.Run(*backend, *weight, add), add), "");
    EXPECT_EQ(fake_library.calls, calls);
    EXPECT_EQ(fake_library.products, 0);
    EXPECT_EQ(other.OutOfBounds(other.Run(*backend, *other_weight, true), true), "");
    EXPECT_EQ(fake_library.products, 1);
    // Other rows of that weight, and another stream, ask anew; the log has it already.
    EXPECT_EQ(of_other_rows.OutOfBounds(of_other_rows.Run(*backend, *weight, false), false), "");
    EXPECT_GT(fake_library.calls, calls + 1);
    refused.Run(*second, *weight, false);
    other.Run(*second, *other_weight, false);
    EXPECT_EQ(fake_library.products, 2);
    EXPECT_EQ(heard.lines().size(), 1u);
  }
}

// Only rows of one of the two races are refused: it has no winner but own kernels, and the other one counts.
TEST(Library, ARaceOfAShapeThatItRefusesIsOwnKernels) {
  for (const simt::Refusal refusal : simt::kRefusals) {
    const auto driver = DriverWithLibrary();
    const auto device = std::make_shared<gpu::Device>(driver);
    RaceAt(driver, 0.9e-3, 1e-3);
    fake_library.refusal = refusal;
    fake_library.refused_rows = 72;
    const auto backend = MakeFast(device, "");
    const Product few(DType::kBF16, 72, 20, 64), many(DType::kBF16, 136, 20, 64);
    const auto weight = backend->PrepareWeight(few.desc);
    const auto& results = device->library_race(true).results;
    EXPECT_NE(results[0].failure.find("refuses products of 72 rows with BF16 weights of 64 x 64: "), std::string::npos);
    EXPECT_GT(results[0].own_s, 0);
    EXPECT_EQ(results[0].library_s, 0);
    EXPECT_FALSE(results[0].library_wins());
    EXPECT_EQ(results[1].failure, "");
    EXPECT_TRUE(results[1].library_wins());
    const int64_t raced = fake_library.products;
    for (const Product* product : {&few, &many}) EXPECT_EQ(product->OutOfBounds(product->Run(*backend, *weight, false), false), "");
    EXPECT_EQ(fake_library.products, raced + 1);
  }
}

TEST(Library, AFailureOfAnyCallOfTheDriverIsAnErrorOrOwnKernels) {
  const Product product(DType::kBF16, kRows, 9, 16);
  for (const simt::DriverFault fault : {simt::DriverFault::kFailure, simt::DriverFault::kEaten, simt::DriverFault::kLost}) {
    const auto inner = DriverWithLibrary(32, size_t{1} << 28);
    fake_library.race = {9, 16, {66, 70}, 1, 1, {}};
    int errors = 0, served = 0;
    const int64_t stride = fault == simt::DriverFault::kFailure ? 1 : 5;
    for (int64_t at = 0, fired = 1; fired; at += stride) {
      ASSERT_LT(at, 400);
      fake_library.race.seconds = [&] { return static_cast<double>(-fake_library.products); };  // the library wins
      const auto driver = std::make_shared<simt::FaultDriver>(inner, simt::FaultPlan{fault, at});
      try {
        const auto backend = MakeFast(driver, "");
        EXPECT_EQ(product.OutOfBounds(product.Run(*backend, false), false), "");
        ++served;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), fault == simt::DriverFault::kEaten ? ErrorCode::kNoMemory : ErrorCode::kDevice) << error.what();
        ++errors;
      }
      fired = driver->fired();
      EXPECT_EQ(inner->used_bytes(), 0u) << at;
      EXPECT_EQ(fake_library.things, 0) << at;
    }
    EXPECT_GT(errors, 5);
    // The run that is not failed, and where every call is, those whose library is.
    EXPECT_GT(served, fault == simt::DriverFault::kFailure ? 2 : 0);
  }
}

TEST(Library, IsAskedWhereItHasWonTheRace) {
  for (const DType format : kHalves) {
    const Product few(format, 72, 20, 64), many(format, 136, 20, 64);
    struct Case {
      double library;
      bool serves;
    };
    for (const auto& [library, serves] : {Case{0.9e-3, true}, {1.1e-3, false}}) {
      const auto driver = DriverWithLibrary();
      const auto device = std::make_shared<gpu::Device>(driver);
      RaceAt(driver, library, 1e-3);
      Heard heard;
      const auto backend = MakeFast(device, "");
      const auto weight = backend->PrepareWeight(few.desc);
      const gpu::LibraryRace& race = device->library_race(format == DType::kBF16);
      EXPECT_EQ(race.library, "a planted library");
      for (const auto& result : race.results) {
        EXPECT_GT(result.own_s, 0);
        EXPECT_GT(result.library_s, 0);
        EXPECT_EQ(result.library_wins(), serves);
      }
      const int64_t raced = fake_library.products;
      EXPECT_GT(raced, 0);
      for (const Product* product : {&few, &many})
        EXPECT_EQ(product->OutOfBounds(product->Run(*backend, *weight, false), false), "");
      EXPECT_EQ(fake_library.products - raced, serves ? 2 : 0);
      // One line for each number of rows, with both times, of this format alone and once for the device.
      const auto other = MakeFast(device, "")->PrepareWeight(few.desc);
      ASSERT_EQ(heard.lines().size(), 2u);
      for (const std::string& line : heard.lines()) {
        EXPECT_NE(line.find(std::string(InfoOf(format).name) + " weights of 64 x 64: a planted library takes "), std::string::npos)
            << line;
        EXPECT_NE(line.find(" ms, own kernels "), std::string::npos) << line;
        EXPECT_NE(line.find(serves ? "; a planted library will serve them" : "; own kernels will serve them"), std::string::npos)
            << line;
      }
    }
  }
}

// The library is slow with few rows and quick with many: those nearer to few stay with own kernels.
TEST(Library, EachNumberOfRowsHasItsOwnRace) {
  const auto driver = DriverWithLibrary();
  const auto device = std::make_shared<gpu::Device>(driver);
  double now = 0;
  int64_t asked = 0, products = 0;
  fake_library.race.seconds = [&] {
    // Asked before and after each: own and library in turn, two rounds of two for each number of rows.
    const bool ends = asked % 2 == 1, library = asked / 2 % 2 == 1, many = asked / 8 == 1;
    EXPECT_EQ(ends && library, fake_library.products > products) << asked;
    products = fake_library.products;
    if (ends) now += library == many ? 1 : 2;
    ++asked;
    return now;
  };
  const auto backend = MakeFast(device, "");
  const Product few(DType::kBF16, 98, 20, 64), many(DType::kBF16, 100, 20, 64);  // 72 and 136 meet at 98.9
  const auto weight = backend->PrepareWeight(few.desc);
  EXPECT_EQ(asked, 16);
  const int64_t raced = fake_library.products;
  few.Run(*backend, *weight, false);
  EXPECT_EQ(fake_library.products, raced);
  many.Run(*backend, *weight, false);
  EXPECT_EQ(fake_library.products, raced + 1);
}

TEST(Library, IsNotAskedByWeightsOfOtherFormats) {
  const auto backend = MakeFast(DriverWithLibrary(), "");
  for (const DType format : {DType::kF32, DType::kQ4_K})
    backend->PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{format, 8}}, 256, 1));
  backend->PrepareWeight(RandomWeight(WeightRole::kExperts, 2, {{DType::kBF16, 8}}, 256, 1));
  backend->PrepareWeight(RandomWeight(WeightRole::kEmbedding, 1, {{DType::kBF16, 8}}, 256, 1));
  EXPECT_EQ(fake_library.calls, 0);
}

TEST(Library, ADeviceThatHasNoneIsSilent) {
  const auto device = std::make_shared<gpu::Device>(std::make_shared<simt::SimtDriver>(32, simt::Schedule{}, size_t{1} << 26));
  Heard heard;
  const Product product(DType::kBF16, kRows, 9, 64);
  for (const char* products : {"", "all"})
    EXPECT_EQ(product.OutOfBounds(product.Run(*MakeFast(device, products), false), false), "");
  EXPECT_EQ(heard.lines().size(), 0u);
}

// What a model's instance and an engine's take of the device, the library's share in it once, from the load on.
TEST(Library, ItsWorkspaceIsTakenAtLoadAndCountedOnce) {
  constexpr uint64_t kWorkspace = uint64_t{32} << 20;
  for (const char* products : {"all", ""}) {
    const auto driver = DriverWithLibrary();
    const auto device = std::make_shared<gpu::Device>(driver);
    RaceAt(driver, 0.9e-3, 1e-3);
    auto model = MakeFast(device, products);
    const uint64_t empty = driver->used_bytes(), all = model->Info().memory_total_bytes;
    const auto told = [&] { return all - model->Info().memory_free_bytes; };
    EXPECT_EQ(told(), empty);
    const Product product(DType::kBF16, kRows, 9, 64);
    auto weight = model->PrepareWeight(product.desc);
    const uint64_t loaded = empty + weight->size_bytes() + kWorkspace;
    EXPECT_EQ(told(), loaded);
    const int64_t opened = fake_library.opened;
    {
      const auto engine = MakeFast(device, products);
      for (int i = 0; i < 3; ++i) {
        const int64_t served = fake_library.products;
        product.Run(*engine, *weight, false);
        EXPECT_EQ(fake_library.products, served + 1);
        EXPECT_EQ(told(), driver->used_bytes());
        EXPECT_LT(told(), loaded + kWorkspace / 2);  // scratch memory of steps
      }
      EXPECT_EQ(fake_library.opened, opened);
      // Two at the same time have one each.
      const auto other = MakeFast(device, products);
      product.Run(*other, *weight, false);
      EXPECT_EQ(fake_library.opened, opened + 1);
      EXPECT_GT(told(), loaded + kWorkspace);
      EXPECT_LT(told(), loaded + kWorkspace + kWorkspace / 2);
    }
    // The next engine has what the last one had; with the model all of it goes.
    EXPECT_EQ(told(), loaded);
    weight.reset();
    model.reset();
    EXPECT_EQ(fake_library.things, 0);
    EXPECT_EQ(driver->used_bytes(), empty - uint64_t{256});  // but for the instance's own block
  }
}

TEST(Library, OfARaceThatItLosesNothingIsKept) {
  const auto driver = DriverWithLibrary();
  RaceAt(driver, 1.1e-3, 1e-3);
  const auto backend = MakeFast(driver, "");
  const uint64_t empty = driver->used_bytes();
  const auto weight = backend->PrepareWeight(Product(DType::kBF16, kRows, 9, 64).desc);
  EXPECT_GT(fake_library.products, 0);
  EXPECT_EQ(fake_library.things, 0);
  EXPECT_EQ(driver->used_bytes(), empty + weight->size_bytes());
}

TEST(Library, WithoutMemoryForItsWorkspaceOwnKernelsServe) {
  for (const char* products : {"all", ""}) {
    const auto driver = DriverWithLibrary(32, size_t{20} << 20);
    const auto device = std::make_shared<gpu::Device>(driver);
    Heard heard;
    const auto backend = MakeFast(device, products);
    const Product product(DType::kBF16, kRows, 9, 64);
    const auto weight = backend->PrepareWeight(product.desc);  // is no failure, and says so at once
    ASSERT_EQ(heard.lines().size(), 1u);
    EXPECT_NE(heard.lines()[0].find("no 33554432 bytes for a planted library: "), std::string::npos) << heard.lines()[0];
    EXPECT_NE(heard.lines()[0].find("; own kernels serve products of halves"), std::string::npos) << heard.lines()[0];
    for (int i = 0; i < 2; ++i) EXPECT_EQ(product.OutOfBounds(product.Run(*backend, *weight, false), false), "");
    EXPECT_EQ(heard.lines().size(), 1u);
    EXPECT_EQ(fake_library.products, 0);
    EXPECT_EQ(fake_library.things, 0);
    EXPECT_EQ(backend->Info().memory_free_bytes, backend->Info().memory_total_bytes - driver->used_bytes());
  }
}

// Memory for one workspace: the second instance goes without, the first keeps its own.
TEST(Library, AnInstanceWithoutMemoryForItsWorkspaceIsAlone) {
  const auto device = std::make_shared<gpu::Device>(DriverWithLibrary(32, size_t{50} << 20));
  const auto first = MakeFast(device, "all"), second = MakeFast(device, "all");
  const Product product(DType::kBF16, kRows, 9, 64);
  const auto weight = first->PrepareWeight(product.desc);
  product.Run(*first, *weight, false);
  EXPECT_EQ(fake_library.products, 1);
  Heard heard;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(product.OutOfBounds(product.Run(*second, *weight, false), false), "");
  EXPECT_EQ(fake_library.products, 1);
  ASSERT_EQ(heard.lines().size(), 1u);
  EXPECT_NE(heard.lines()[0].find("no 33554432 bytes for a planted library: "), std::string::npos) << heard.lines()[0];
  EXPECT_NE(heard.lines()[0].find("; own kernels serve another instance's products"), std::string::npos) << heard.lines()[0];
  product.Run(*first, *weight, false);
  EXPECT_EQ(fake_library.products, 2);
}

// Whatever of the race has no memory: the load goes on, and own kernels serve.
TEST(Library, WantOfMemoryInTheRaceIsNoErrorOfTheLoad) {
  const Product product(DType::kBF16, kRows, 9, 16);
  for (const simt::DriverFault fault : {simt::DriverFault::kNoMemory, simt::DriverFault::kEaten}) {
    const auto inner = DriverWithLibrary(32, size_t{1} << 28);
    fake_library.race = {9, 16, {66, 70}, 1, 1, {}};
    const auto driver = std::make_shared<simt::FaultDriver>(inner, simt::FaultPlan{});
    for (int64_t at = 0, fired = 1, failures = 0, unheard = 0; fired; ++at) {
      ASSERT_LT(at, 200);
      driver->Plan({});
      Heard heard;
      {
        const auto device = std::make_shared<gpu::Device>(driver);
        const auto backend = MakeFast(device, "");
        driver->Plan({fault, at});
        EXPECT_NO_THROW(device->library_race(true)) << at;
        fired = driver->fired();
        driver->Heal();
        if (!device->has_library()) {
          ++failures;
          ASSERT_GE(heard.lines().size(), 1u) << at;  // a race that was run has one as well
          EXPECT_NE(heard.lines().back().find("; own kernels serve products of halves"), std::string::npos) << heard.lines().back();
          EXPECT_EQ(device->library_failure()->code(), ErrorCode::kNoMemory);
          const int64_t served = fake_library.products;
          EXPECT_EQ(product.OutOfBounds(product.Run(*backend, false), false), "") << at;
          EXPECT_EQ(fake_library.products, served);
        } else if (fired && fault == simt::DriverFault::kNoMemory) {
          ++unheard;
        }
      }
      EXPECT_EQ(inner->used_bytes(), 0u) << at;
      EXPECT_EQ(fake_library.things, 0) << at;
      if (!fired) {
        EXPECT_GT(failures, 10);
        EXPECT_LE(unheard, 1);  // the last wait of a stream that goes
      }
    }
  }
}

// Each shape is planned once; of many, those of long ago are forgotten.
TEST(Library, PlansAreKeptUpToANumber) {
  const auto backend = MakeFast(DriverWithLibrary(), "all");
  const Product product(DType::kBF16, kRows, 3, 8);
  const auto weight = backend->PrepareWeight(product.desc);
  for (int i = 0; i < 3; ++i) product.Run(*backend, *weight, false);
  EXPECT_EQ(fake_library.plans, 1);
  const int64_t of_one = fake_library.things - 1;  // besides the handle
  for (int64_t rows = 65; rows < 65 + 80; ++rows) Product(DType::kBF16, rows, 3, 8).Run(*backend, *weight, false);
  EXPECT_EQ(fake_library.plans, 80);
  EXPECT_EQ(fake_library.things, 1 + 64 * of_one);
}

}  // namespace
}  // namespace scout

// One tile through a tower of the real shape, against Hugging Face transformers. Long: half a minute and 2 GB for each test.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/cpu_features.h"
#include "base/memory_info.h"
#include "model/model.h"
#include "support/goldens.h"
#include "support/real_vision.h"
#include "support/sanitized.h"
#include "support/vision.h"

namespace scout::model {
namespace {

void Check(DType format, double bound, const char* device = "cpu") {
  if (test::kSanitized || DetectIsa() == Isa::kGeneric) GTEST_SKIP() << "too slow here: no vector instructions, or a sanitizer";
  constexpr uint64_t kNeed = uint64_t{4} << 30;
  if (ReadMemoryInfo().left_bytes < kNeed) GTEST_SKIP() << "less than 4 GiB of memory are left";
  LoadOptions options;
  options.device = device;
  if (options.device == "ref") options.backend.numerics = Numerics::kFloat32;
  options.vision = true;
  LoadProgress progress;
  const auto model = Model::Load(std::make_shared<test::RealVision>(format), options, progress);
  // The sum of the shapes of the model card, with a projector to 64 instead of 5120.
  EXPECT_EQ(model->vision_parameters(), uint64_t{871932416} - (5120 - 64) * 4096);
  const auto got = test::ReadFeatures(*test::SeeTiles(*model->NewVision({}), test::RealVision::Tile()));
  const goldens::Array want = goldens::ReadNpy(SCOUT_SOURCE_DIR "/tests/fixtures/vision/real/features.npy");
  ASSERT_EQ(got.size(), want.values.size());
  double squares = 0, all = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    squares += (static_cast<double>(got[i]) - want.values[i]) * (static_cast<double>(got[i]) - want.values[i]);
    all += static_cast<double>(want.values[i]) * want.values[i];
  }
  const double error = goldens::RelativeError(got, want.values);
  std::printf("  %s  largest %.2e of %.0e, rms %.2e\n", std::string(InfoOf(format).name).c_str(), error, bound,
              std::sqrt(squares / all));
  EXPECT_LE(error, bound);
}

// The weights are values of every format: one reference serves all.
TEST(VisionReal, AgreesWithTransformersFromBf16Weights) { Check(DType::kBF16, 1e-4); }
TEST(VisionReal, AgreesWithTransformersFromF16Weights) { Check(DType::kF16, 1e-4); }
TEST(VisionReal, RefInFloat32AgreesWithTransformers) {
  if (std::getenv("SCOUT_REF_TOWER") == nullptr) GTEST_SKIP() << "takes a quarter of an hour; SCOUT_REF_TOWER=1 runs it";
  Check(DType::kBF16, 2e-5, "ref");
}

}  // namespace
}  // namespace scout::model

// `scout logits` on every golden: the whole way from a file to logits, through the public header, against transformers in
// float32. The bounds are the project's promise: 2e-5 of the logits' rms on ref, 1e-4 on cpu, and goldens::kBf16Rms there in the
// middle of all tokens where weights are BF16.
#include <gtest/gtest.h>

#include <cstdio>

#include "program/shell.h"
#include "support/goldens.h"

namespace {

// Quantised goldens compare quantised arithmetic with float32: only the float32 oracle is held to the bound here.
bool Quantised(const goldens::Golden& golden) { return golden.directory.find("quant") != std::string::npos; }

void RunAll(const std::string& device, double bound) {
  const goldens::fs::path root = SCOUT_SOURCE_DIR "/tests/fixtures/goldens";
  ASSERT_TRUE(goldens::fs::exists(root));
  const auto all = goldens::All(root);
  ASSERT_GE(all.size(), 8u);
  std::printf("%-56s %-5s %10s\n", "golden", "on", "diff/rms");
  for (const goldens::Golden& golden : all) {
    if (Quantised(golden) && device != "ref") continue;
    const auto output = program::Scratch() / "logits.npy";
    const program::Result result = program::Scout(
        "logits " + program::Quoted(golden.container) + " --device " + device + (device == "ref" ? " --numerics float32" : "") +
        " --tokens " + program::Quoted(golden.tokens.string()) + " --output " + program::Quoted(output.string()));
    ASSERT_EQ(result.exit_code, 0) << golden.name << ": " << result.err;
    const goldens::Array got = goldens::ReadNpy(output), reference = goldens::ReadNpy(golden.logits);
    ASSERT_EQ(got.rows, reference.rows) << golden.name;
    ASSERT_EQ(got.cols, reference.cols) << golden.name;
    const bool rounds = device != "ref" && goldens::IsBf16(golden);
    const double error = rounds ? goldens::RmsOfTokens(got.values, reference).at(reference.rows / 2)
                                : goldens::RelativeError(got.values, reference.values);
    std::printf("%-56s %-5s %10.2e\n", golden.name.c_str(), device.c_str(), error);
    EXPECT_LE(error, rounds ? goldens::kBf16Rms : bound) << golden.name << " on " << device;
  }
}

TEST(GoldenLogits, RefAgreesWithTransformers) { RunAll("ref", 2e-5); }
TEST(GoldenLogits, CpuAgreesWithTransformers) { RunAll("cpu", 1e-4); }

}  // namespace

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "program/shell.h"

namespace {

using nlohmann::json;
using program::Quoted;
using program::Result;
using program::Scout;

std::string GoldenModel() { return goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens").front().container; }

bool HasTiny() { return goldens::fs::exists(SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf"); }

size_t Lines(const std::string& text) { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }

TEST(Program, WrongCommandLinesExitWithTwoAndSayWhyOnStderr) {
  for (const char* arguments : {"", "nonsense", "run", "bench x -p -1", "inspect x --no-such-flag"}) {
    const Result result = Scout(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_NE(result.err, "") << arguments;
  }
}

TEST(Program, ANumberOutOfRangeIsToldWithItsLimits) {
  for (const auto& [arguments, told] : std::vector<std::pair<std::string, std::string>>{
           {"bench x -p 0", "--prompt: Value 0 not in range 1 to 1000000000"},
           {"bench x -d -1", "--depth: Value -1 not in range 0 to 1000000000"},
           {"run x --context -1 y", "--context: Value -1 not in range 0 to 1000000000"},
           {"perplexity x y --stride -1", "--stride: Value -1 not in range 0 to 10485760"}})
    EXPECT_EQ(Scout(arguments).err.find(told), 0u) << arguments << "\n" << Scout(arguments).err;
}

TEST(Program, HelpAndVersionGoToStdout) {
  for (const char* arguments : {"--help", "--version", "run --help"}) {
    const Result result = Scout(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments;
    EXPECT_NE(result.out, "") << arguments;
    EXPECT_EQ(result.err, "") << arguments;
  }
}

TEST(Program, AFileThatIsNotThereIsOneLineOnStderr) {
  for (const char* command : {"run /no/such/file.gguf hello", "inspect /no/such/file.gguf", "tokenize /no/such/file.gguf x"}) {
    const Result result = Scout(command);
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_EQ(result.out, "") << command;
    EXPECT_EQ(Lines(result.err), 1u) << result.err;
    EXPECT_NE(result.err.find("/no/such/file.gguf"), std::string::npos) << result.err;
  }
}

TEST(Program, InspectTellsShapesAsJson) {
  const Result result = Scout("inspect " + Quoted(GoldenModel()) + " --tensors --json --at 64,128");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["architecture"], "llama4");
  EXPECT_GT(report["layers"].get<int>(), 0);
  EXPECT_EQ(report["kv"].size(), 2u);
  EXPECT_EQ(report["kv"][0]["context"], 64);
  EXPECT_FALSE(report["tensors"].empty());
}

TEST(Program, DevicesListsRefAndCpu) {
  const Result result = Scout("devices --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::vector<std::string> names;
  for (const json& device : json::parse(result.out)) names.push_back(device["name"]);
  EXPECT_NE(std::find(names.begin(), names.end(), "cpu"), names.end());
  EXPECT_NE(std::find(names.begin(), names.end(), "ref"), names.end());
}

TEST(Program, SelftestComparesTheCpuWithRef) {
  const Result result = Scout("selftest --device cpu --formats F16,Q4_K --json");
  ASSERT_EQ(result.exit_code, 0) << result.err << result.out;
  const json rows = json::parse(result.out);
  ASSERT_EQ(rows.size(), 8u);
  for (const json& row : rows) {
    EXPECT_TRUE(row["passed"].get<bool>()) << row;
    EXPECT_GT(row["values"].get<int>(), 20) << row;
  }
  EXPECT_EQ(Scout("selftest --formats Q9_K").exit_code, 2);
}

TEST(Program, SelftestSaysWhyADeviceCannotBeTested) {
  const Result result = Scout("selftest --device abacus");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.out.find("\"abacus\" is not known here"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("0 of 1 passed"), std::string::npos) << result.out;
}

TEST(Program, BenchReportsBothPhases) {
  const Result result = Scout("bench " + Quoted(GoldenModel()) + " -p 8 -n 4 -b 2 -d 4 -r 2 -t 1 --probe-mb 16 --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["prefill_tokens_per_s"].size(), 2u);
  EXPECT_EQ(report["decode_tokens_per_s"].size(), 2u);
  EXPECT_GT(report["decode_tokens_per_s"][0].get<double>(), 0);
}

TEST(Program, LogitsRefusesIdsOutsideTheVocabularyAndLeavesNoFile) {
  const auto output = program::Scratch() / "refused.npy";
  for (const char* tokens : {"1 2 99999999", "-1", "1 x", ""}) {
    const Result result = Scout("logits " + Quoted(GoldenModel()) + " --tokens - --output " + Quoted(output.string()), tokens);
    EXPECT_EQ(result.exit_code, 1) << tokens;
    EXPECT_EQ(Lines(result.err), 1u) << result.err;
    EXPECT_FALSE(goldens::fs::exists(output)) << tokens;
  }
}

TEST(Program, LogitsOfSomePositionsAreTheRowsOfAll) {
  const auto all = goldens::All(SCOUT_SOURCE_DIR "/tests/fixtures/goldens").front();
  const auto whole = program::Scratch() / "whole.npy", some = program::Scratch() / "some.npy",
             positions = program::Scratch() / "positions";
  std::ofstream(positions) << "0 2\n5";
  const std::string command = "logits " + Quoted(all.container) + " --tokens " + Quoted(all.tokens.string()) + " --output ";
  ASSERT_EQ(Scout(command + Quoted(whole.string())).exit_code, 0);
  const Result result = Scout(command + Quoted(some.string()) + " --positions " + Quoted(positions.string()));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const goldens::Array a = goldens::ReadNpy(whole), b = goldens::ReadNpy(some);
  ASSERT_EQ(b.rows, 3u);
  const size_t rows[] = {0, 2, 5};
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(std::memcmp(&b.values[i * b.cols], &a.values[rows[i] * a.cols], a.cols * sizeof(float)), 0) << "position " << rows[i];
}

TEST(Program, AModelWithoutATokenizerRefusesTextWithOneLine) {
  const Result result = Scout("run " + Quoted(GoldenModel()) + " hello");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(Lines(result.err), 1u) << result.err;
}

TEST(BundledModel, RunsByNameAndStreamsAnAnswer) {
  if (!HasTiny()) GTEST_SKIP() << "the bundled model is not in this tree";
  const Result text = Scout("run scout-tiny 'Tell me a story about a fox.'");
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("fox"), std::string::npos) << text.out;
  const Result lines = Scout("run scout-tiny --json 'Tell me a story about a fox.'");
  ASSERT_EQ(lines.exit_code, 0) << lines.err;
  std::istringstream stream(lines.out);
  std::string line, joined;
  json last;
  size_t events = 0;
  while (std::getline(stream, line)) {
    last = json::parse(line);
    joined += last["text"].get<std::string>();
    ++events;
  }
  EXPECT_EQ(joined + "\n", text.out);
  EXPECT_GT(events, 10u) << "an answer is streamed, not given at once";
  EXPECT_EQ(last["stop"], "end");
}

TEST(BundledModel, TokenizeRoundTrips) {
  if (!HasTiny()) GTEST_SKIP() << "the bundled model is not in this tree";
  const std::string text = "The code of the blue box is 4821. <|eot|> na\xc3\xafve \xf0\x9f\xa6\x99";
  const Result ids = Scout("tokenize scout-tiny --file - --json", text);
  ASSERT_EQ(ids.exit_code, 0) << ids.err;
  const Result count = Scout("tokenize scout-tiny --file - --count", text);
  EXPECT_EQ(std::to_string(json::parse(ids.out).size()) + "\n", count.out);
}

TEST(BundledModel, PerplexityIsLowerOnItsOwnLanguageThanOnNoise) {
  if (!HasTiny()) GTEST_SKIP() << "the bundled model is not in this tree";
  std::string story, noise;
  uint32_t state = 1;
  for (int i = 0; i < 8; ++i) {
    story += "Once upon a time there was a little fox. The fox lived near a river. ";
    for (int j = 0; j < 60; ++j) noise += static_cast<char>(33 + (state = state * 1664525u + 1013904223u) / 65536u % 90);
  }
  const Result good = Scout("perplexity scout-tiny - --json --window 64", story),
               bad = Scout("perplexity scout-tiny - --json --window 64", noise);
  ASSERT_EQ(good.exit_code, 0) << good.err;
  ASSERT_EQ(bad.exit_code, 0) << bad.err;
  EXPECT_LT(json::parse(good.out)["bits_per_byte"].get<double>(), json::parse(bad.out)["bits_per_byte"].get<double>() / 2);
  EXPECT_GT(json::parse(good.out)["tokens"].get<int>(), 64);
}

}  // namespace

// Hyper-parameters that contradict themselves, their limits or the tensors: section H of the project's catalogue of hostile
// input, one generated file per case, opened and loaded the way a user's would be. Every case must give one of its error codes and
// a one-line message that names what is wrong; and a good model loaded right afterwards must answer with the same bits as before.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>

#include "base/error.h"
#include "hostile_cases.h"
#include "model/model.h"
#include "support/bounded_call.h"
#include "support/checkpoint_files.h"
#include "support/memory_checkpoint.h"
#include "support/plan_builder.h"
#include "support/temp_dir.h"

namespace scout::model {
namespace {

using test::MemoryCheckpoint;

LoadOptions OnRef() {
  LoadOptions options;
  options.device = "ref";
  return options;
}

std::shared_ptr<const Model> Load(std::shared_ptr<const io::Checkpoint> checkpoint, const LoadOptions& options = OnRef()) {
  LoadProgress progress;
  return Model::Load(std::move(checkpoint), options, progress);
}

// A step of ten tokens.
std::unique_ptr<Runner> RunOneStep(const Model& model) {
  RunnerOptions options;
  options.page_size = 4;
  options.page_count = {8, 8};
  options.max_rows = 16;
  options.max_logit_rows = 1;
  auto runner = model.NewRunner(options);
  test::PagePools pools(options.page_count);
  test::SequencePlanner sequence(pools, {runner->geometry(0), runner->geometry(1)});
  const std::vector<int32_t> tokens = {1, 5, 9, 13, 17, 21, 25, 29, 33, 37};
  const StepPlan plan = sequence.Next(tokens, test::WantLogits::kLast);
  runner->Begin(plan);
  while (!runner->Advance()) {
  }
  if (const auto error = runner->Finish()) throw *error;
  return runner;
}

SampleResult BestAfterOneStep(const Model& model) {
  const auto runner = RunOneStep(model);
  std::vector<SampleRow> rows(1);
  std::vector<SampleResult> results(1);
  rows[0].row = 0;
  rows[0].top = 1;
  if (const auto error = runner->Sample(rows, results)) throw *error;
  return results[0];
}

std::vector<float> LogitsOfGoodModel() {
  const auto model = Load(test::MakeTinyGguf({}));
  const auto runner = RunOneStep(*model);
  std::vector<float> logits(static_cast<size_t>(runner->vocabulary()));
  runner->ReadLogits(0, logits);
  return logits;
}

// The path of the case's file or folder.
std::string WriteCase(const HostileModel& test, const test::TempDir& folder) {
  const auto checkpoint = test.kind == CaseKind::kGguf ? test::MakeTinyGguf({}) : test::MakeTinyHuggingFace({});
  test.change(*checkpoint);
  if (test.kind == CaseKind::kHuggingFace) {
    test::WriteHuggingFace(*checkpoint, folder.path());
    return folder.path();
  }
  test::WriteFile(folder / "model.gguf", test::GgufBytes(*checkpoint));
  return folder / "model.gguf";
}

// The size of a file, or of all files of a folder.
uint64_t InputBytes(const std::string& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::file_size(path);
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) bytes += entry.file_size();
  return bytes;
}

TEST(HostileConfig, EveryCaseIsRefusedWithItsReason) {
  const std::vector<float> before = LogitsOfGoodModel();
  int tried = 0;
  for (const HostileModel& row : HostileModels()) {
    SCOPED_TRACE(std::string(row.id) + " number " + std::to_string(++tried) + ", " + (row.message.empty() ? "" : row.message[0]));
    const test::TempDir folder;
    const std::string path = WriteCase(row, folder);
    const test::BoundedCall outcome = test::CallBounded([&] { Load(io::OpenCheckpoint(path, {})); });
    test::ExpectWithinBounds(row.id, outcome, InputBytes(path));
    if (!outcome.code) {
      ADD_FAILURE() << "the model loaded";
      continue;
    }
    const std::string message = outcome.message;
    EXPECT_NE(std::find(row.codes.begin(), row.codes.end(), *outcome.code), row.codes.end())
        << "code " << static_cast<int>(*outcome.code) << ": " << message;
    for (const std::string& part : row.message)
      EXPECT_NE(message.find(part), std::string::npos) << "\"" << part << "\" is not in: " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 1000u);
    const std::vector<float> after = LogitsOfGoodModel();
    EXPECT_EQ(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)), 0) << "a good model answers otherwise now";
  }
  std::printf("  %d hostile configurations, each refused\n", tried);
}

// H14: every integer key as each of GGUF's thirteen types. Any integer type serves, whatever its width and sign; nothing else does.
TEST(HostileConfig, IntegerKeysAcceptEveryIntegerTypeAndNoOther) {
  const auto checkpoint = test::MakeTinyGguf({});
  const test::TempDir folder;
  int tried = 0;
  for (const std::string_view key : checkpoint->metadata().Keys()) {
    const auto* number = std::get_if<uint64_t>(checkpoint->metadata().Find(key));
    if (number == nullptr) continue;
    for (uint32_t type = test::kGgufU8; type <= test::kGgufF64; ++type) {
      const uint64_t value = *number;
      bool integer = true;
      const std::string bytes = test::GgufBytes(*checkpoint, key, [&](test::GgufWriter& file) {
        switch (type) {
          case test::kGgufU8:
            file.Number(key, type, static_cast<uint8_t>(value));
            break;
          case test::kGgufI8:
            file.Number(key, type, static_cast<int8_t>(value));
            break;
          case test::kGgufU16:
            file.Number(key, type, static_cast<uint16_t>(value));
            break;
          case test::kGgufI16:
            file.Number(key, type, static_cast<int16_t>(value));
            break;
          case test::kGgufU32:
            file.Number(key, type, static_cast<uint32_t>(value));
            break;
          case test::kGgufI32:
            file.Number(key, type, static_cast<int32_t>(value));
            break;
          case test::kGgufU64:
            file.Number(key, type, value);
            break;
          case test::kGgufI64:
            file.Number(key, type, static_cast<int64_t>(value));
            break;
          case test::kGgufF32:
            file.Number(key, type, static_cast<float>(value)), integer = false;
            break;
          case test::kGgufF64:
            file.Number(key, type, static_cast<double>(value)), integer = false;
            break;
          case test::kGgufBool:
            file.Bool(key, true), integer = false;
            break;
          case test::kGgufString:
            file.String(key, std::to_string(value)), integer = false;
            break;
          default:
            file.I32s(key, {static_cast<int32_t>(value)}), integer = false;
        }
      });
      if (value > 127 && (type == test::kGgufU8 || type == test::kGgufI8)) continue;  // it does not fit
      SCOPED_TRACE(std::string(key) + " as type " + std::to_string(type));
      test::WriteFile(folder / "model.gguf", bytes);
      ++tried;
      try {
        const Config config = ReadConfig(*io::OpenCheckpoint(folder / "model.gguf", {}));
        EXPECT_TRUE(integer);
        EXPECT_EQ(config.layers, 4);
      } catch (const Error& error) {
        EXPECT_FALSE(integer) << error.what();
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
      }
    }
  }
  std::printf("  %d files, one key of another type in each\n", tried);
  EXPECT_GT(tried, 150);
}

// H14, keys of real numbers: both widths of float, and integers, which convert without loss; nothing else.
TEST(HostileConfig, RealKeysAcceptNumbersAndNothingElse) {
  const auto checkpoint = test::MakeTinyGguf({});
  const test::TempDir folder;
  int tried = 0;
  for (const std::string_view key : checkpoint->metadata().Keys()) {
    const auto* number = std::get_if<double>(checkpoint->metadata().Find(key));
    if (number == nullptr) continue;
    const double value = *number;
    for (uint32_t type = test::kGgufU8; type <= test::kGgufF64; ++type) {
      SCOPED_TRACE(std::string(key) + " as type " + std::to_string(type));
      bool is_float = false, is_number = true;
      test::WriteFile(folder / "model.gguf", test::GgufBytes(*checkpoint, key, [&](test::GgufWriter& file) {
                        switch (type) {
                          case test::kGgufF32:
                            file.Number(key, type, static_cast<float>(value)), is_float = true;
                            break;
                          case test::kGgufF64:
                            file.Number(key, type, value), is_float = true;
                            break;
                          case test::kGgufBool:
                            file.Bool(key, true), is_number = false;
                            break;
                          case test::kGgufString:
                            file.String(key, std::to_string(value)), is_number = false;
                            break;
                          case test::kGgufArray:
                            file.I32s(key, {1}), is_number = false;
                            break;
                          case test::kGgufU8:
                          case test::kGgufI8:
                            file.Number(key, type, uint8_t{1});
                            break;
                          case test::kGgufU16:
                          case test::kGgufI16:
                            file.Number(key, type, uint16_t{1});
                            break;
                          case test::kGgufU32:
                          case test::kGgufI32:
                            file.Number(key, type, uint32_t{1});
                            break;
                          default:
                            file.Number(key, type, uint64_t{1});
                        }
                      }));
      ++tried;
      try {
        ReadConfig(*io::OpenCheckpoint(folder / "model.gguf", {}));
        EXPECT_TRUE(is_number);
      } catch (const Error& error) {  // an integer may still be out of the key's range
        EXPECT_FALSE(is_float) << error.what();
        EXPECT_EQ(error.code(), ErrorCode::kFormat);
        EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
      }
    }
  }
  std::printf("  %d files, one key of another type in each\n", tried);
  EXPECT_GT(tried, 40);
}

// H12, the caller's side: what an engine asks for is compared with what is left and never wraps.
TEST(HostileConfig, AnEngineThatCannotFitIsRefusedWithBothNumbers) {
  const auto model = Load(test::MakeTinyGguf({}));
  const auto refused = [&](const RunnerOptions& options) -> Error {
    try {
      model->NewRunner(options);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorCode::kInternal, "it was made");
  };
  RunnerOptions options;
  options.page_count = {8, 8};
  options.page_size = 65536;
  options.page_count = {INT32_MAX, INT32_MAX};
  const Error memory = refused(options);
  EXPECT_EQ(memory.code(), ErrorCode::kNoMemory) << memory.what();
  EXPECT_NE(std::string(memory.what()).find("36028797002186752"), std::string::npos) << memory.what();
  options.page_count = {INT64_MAX, 1};
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.page_count = {8, 8};
  for (const int32_t size : {0, -1, INT32_MAX}) {
    options.page_size = size;
    EXPECT_EQ(refused(options).code(), ErrorCode::kArgument) << size;
  }
  options.page_size = 16;
  options.max_rows = 0;
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.max_rows = 16;
  options.k_format = DType::kQ4_K;
  EXPECT_EQ(refused(options).code(), ErrorCode::kArgument);
  options.k_format = DType::kF16;
  EXPECT_NO_THROW(model->NewRunner(options));
}

TEST(HostileConfig, AModelThatCannotFitIsRefusedWithBothNumbers) {
  try {
    LoadOptions options = OnRef();
    options.memory_limit_bytes = 1000;
    Load(test::MakeTinyGguf({}), options);
    FAIL() << "it loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNoMemory);
    EXPECT_NE(std::string(error.what()).find("only 1000 are left"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("needs at least"), std::string::npos) << error.what();
  }
}

TEST(HostileConfig, ChecksOfWeightsCanBeSwitchedOff) {
  const std::shared_ptr<MemoryCheckpoint> checkpoint = test::MakeTinyGguf({});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(checkpoint->Bytes("blk.1.attn_norm.weight").data(), &nan, 4);
  LoadOptions options = OnRef();
  options.check_weights = false;
  const auto model = Load(checkpoint, options);
  // G34: then the step that uses them is the one that says so.
  EXPECT_FALSE(BestAfterOneStep(*model).finite);
  EXPECT_TRUE(BestAfterOneStep(*Load(test::MakeTinyGguf({}))).finite);
}

}  // namespace
}  // namespace scout::model

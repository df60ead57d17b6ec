#include "hostile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <optional>

#include "io/checkpoint.h"
#include "support/alloc_meter.h"
#include "support/gguf_writer.h"
#include "support/small_stack.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

// Sanitizers make everything slower and larger; the bounds on both are asserted without them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMeasure = false;
#else
constexpr bool kMeasure = true;
#endif

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += !entry.path().empty();
  return count;
}

struct Outcome {
  bool accepted = false;
  bool foreign = false;  // something that is not an Error came out
  ErrorCode code = ErrorCode::kInternal;
  char message[4096] = {};
  double cpu_s = 0;
  int64_t peak_bytes = 0, leaked_blocks = 0;
  int64_t descriptors = 0;
};

void Open(const std::string& path, Outcome& out) {
  const auto descriptors = static_cast<int64_t>(OpenDescriptors());
  test::OnSmallStack([&] {
    const test::AllocCount before = test::Allocations();
    test::ResetPeak();
    const std::clock_t start = std::clock();
    try {
      const auto checkpoint = OpenCheckpoint(path, {});
      out.accepted = true;
    } catch (const Error& error) {
      out.code = error.code();
      std::strncpy(out.message, error.what(), sizeof out.message - 1);
    } catch (...) {
      out.foreign = true;
    }
    out.cpu_s = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    out.peak_bytes = test::Allocations().peak_bytes - before.live_bytes;
    out.leaked_blocks = test::Allocations().live_blocks - before.live_blocks;
  });
  out.descriptors = static_cast<int64_t>(OpenDescriptors()) - descriptors;
}

void CheckBounds(const std::string& id, const Outcome& outcome, double cpu_s, int64_t peak_bytes) {
  EXPECT_FALSE(outcome.foreign) << id << ": an exception that is not scout::Error";
  EXPECT_EQ(outcome.leaked_blocks, 0) << id;
  EXPECT_EQ(outcome.descriptors, 0) << id;
  if (kMeasure) {
    EXPECT_LE(outcome.cpu_s, cpu_s) << id;
    EXPECT_LE(outcome.peak_bytes, peak_bytes) << id;
  }
}

// A good file, opened after every bad one: what the bad one did must not show.
void CheckAGoodFileStillOpens(const std::string& id) {
  static const test::TempDir dir;
  static const std::string data = [] {
    std::string out(4096, '\0');
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 31 >> 3);
    test::WriteFile(dir / "good.gguf", [&] {
      test::GgufWriter file;
      file.String("general.architecture", "llama4");
      file.Tensor("t", {1024}, 0, out);
      return file.Build();
    }());
    return out;
  }();
  const auto checkpoint = OpenCheckpoint(dir / "good.gguf", {});
  std::string read(data.size(), '\0');
  checkpoint->Read(*checkpoint->FindTensor("t"), 0, std::as_writable_bytes(std::span(read)));
  EXPECT_EQ(read, data) << id;
  EXPECT_EQ(checkpoint->metadata().FindString("general.architecture"), "llama4") << id;
}

}  // namespace

std::string ExpectRefused(const std::string& id, const std::string& path, uint64_t input_bytes, ErrorCode code,
                          const std::vector<std::string>& says, double cpu_s, int64_t peak_bytes) {
  Outcome outcome;
  Open(path, outcome);
  EXPECT_FALSE(outcome.accepted) << id;
  const std::string message = outcome.message;
  EXPECT_EQ(static_cast<int>(outcome.code), static_cast<int>(code)) << id << ": " << message;
  for (const std::string& text : says)
    EXPECT_NE(message.find(text), std::string::npos) << id << ": \"" << text << "\" is not in: " << message;
  EXPECT_LE(message.size(), 500u) << id;
  EXPECT_TRUE(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) << id << ": " << message;
  std::string without_path = message;
  if (const size_t at = message.find(path); at != std::string::npos) without_path.erase(at, path.size());
  EXPECT_EQ(without_path.find(" 0x"), std::string::npos) << id << ": " << message;
  CheckBounds(id, outcome, cpu_s, peak_bytes >= 0 ? peak_bytes : (4 << 20) + 2 * static_cast<int64_t>(input_bytes));
  CheckAGoodFileStillOpens(id);
  return message;
}

void ExpectAllRefused(const std::vector<HostileCase>& cases) {
  const test::TempDir dir;
  for (const HostileCase& c : cases) {
    test::WriteFile(dir / "bad.gguf", c.bytes);
    std::vector<std::string> says = c.says;
    says.push_back("bad.gguf");
    ExpectRefused(c.id, dir / "bad.gguf", c.bytes.size(), c.code, says, c.cpu_s, c.peak_bytes);
  }
}

void ExpectAccepted(const std::string& id, const std::string& path, uint64_t input_bytes, double cpu_s) {
  Outcome outcome;
  Open(path, outcome);
  EXPECT_TRUE(outcome.accepted) << id << ": " << outcome.message;
  CheckBounds(id, outcome, cpu_s, (4 << 20) + 2 * static_cast<int64_t>(input_bytes));
}

}  // namespace scout::io

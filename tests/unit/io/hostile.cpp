#include "hostile.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "io/checkpoint.h"
#include "support/bounded_call.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

test::BoundedCall Open(const std::string& path) {
  return test::CallBounded([&] { OpenCheckpoint(path, {}); });
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
  const test::BoundedCall outcome = Open(path);
  EXPECT_FALSE(outcome.returned) << id;
  const std::string message = outcome.message;
  EXPECT_EQ(static_cast<int>(outcome.code.value_or(ErrorCode::kInternal)), static_cast<int>(code)) << id << ": " << message;
  for (const std::string& text : says)
    EXPECT_NE(message.find(text), std::string::npos) << id << ": \"" << text << "\" is not in: " << message;
  EXPECT_LE(message.size(), 500u) << id;
  EXPECT_TRUE(std::all_of(message.begin(), message.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) << id << ": " << message;
  std::string without_path = message;
  if (const size_t at = message.find(path); at != std::string::npos) without_path.erase(at, path.size());
  EXPECT_EQ(without_path.find(" 0x"), std::string::npos) << id << ": " << message;
  test::ExpectWithinBounds(id, outcome, input_bytes, {cpu_s, peak_bytes});
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
  const test::BoundedCall outcome = Open(path);
  EXPECT_TRUE(outcome.returned) << id << ": " << outcome.message;
  test::ExpectWithinBounds(id, outcome, input_bytes, {cpu_s, -1});
}

}  // namespace scout::io

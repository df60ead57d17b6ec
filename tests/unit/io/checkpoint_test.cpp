// Well-formed checkpoints of every kind: what is written is what is read.
#include "io/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/error.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::GgufWriter;
using test::Raw;
using test::TempDir;
using test::WriteFile;

std::string Pattern(size_t n, int seed) {
  std::string out(n, '\0');
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<char>(i * 7 + static_cast<size_t>(seed) * 13);
  return out;
}

std::string ReadAll(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  std::string out(tensor.bytes, '\0');
  checkpoint.Read(tensor, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

GgufWriter SmallGguf() {
  GgufWriter file;
  file.String("general.architecture", "llama4")
      .Number("a.u8", test::kGgufU8, uint8_t{200})
      .Number("a.i8", test::kGgufI8, int8_t{-100})
      .Number("a.u16", test::kGgufU16, uint16_t{60000})
      .Number("a.i16", test::kGgufI16, int16_t{-30000})
      .U32("a.u32", 4000000000u)
      .Number("a.i32", test::kGgufI32, int32_t{-2000000000})
      .F32("a.f32", 0.25f)
      .Bool("a.bool", true)
      .Number("a.u64", test::kGgufU64, ~uint64_t{0})
      .Number("a.i64", test::kGgufI64, INT64_MIN)
      .Number("a.f64", test::kGgufF64, 1e300)
      .String("a.empty", "")
      .Strings("a.strings", {"one", "", "three"})
      .I32s("a.i32s", {1, -2, 3})
      .F32s("a.f32s", {0.5f, -1.5f})
      .Array("a.u8s", test::kGgufU8, 3, "\x01\x02\xff")
      .Array("a.bools", test::kGgufBool, 2, std::string_view("\0\1", 2))
      .Array("a.none", test::kGgufString, 0, "");
  file.Tensor("first", {5, 3}, 0, Pattern(60, 1));              // F32 [3, 5]
  file.Tensor("second", {32, 2, 2, 1}, 8, Pattern(34 * 4, 2));  // Q8_0 [1, 2, 2, 32]
  file.Tensor("third", {256}, 23, Pattern(136, 3));             // IQ4_XS
  return file;
}

class Gguf : public testing::TestWithParam<bool> {};

TEST_P(Gguf, TensorsComeBackByteForByte) {
  TempDir dir;
  WriteFile(dir / "m.gguf", SmallGguf().Build());
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {.map = GetParam()});
  EXPECT_EQ(checkpoint->format(), CheckpointFormat::kGguf);
  EXPECT_EQ(checkpoint->path(), dir / "m.gguf");
  EXPECT_EQ(checkpoint->file_bytes(), std::filesystem::file_size(dir / "m.gguf"));
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  const TensorInfo* first = checkpoint->FindTensor("first");
  ASSERT_TRUE(first);
  EXPECT_EQ(ToString(first->shape), "[3, 5]");
  EXPECT_EQ(first->dtype, DType::kF32);
  EXPECT_EQ(ReadAll(*checkpoint, *first), Pattern(60, 1));
  const TensorInfo* second = checkpoint->FindTensor("second");
  ASSERT_TRUE(second);
  EXPECT_EQ(ToString(second->shape), "[1, 2, 2, 32]");
  EXPECT_EQ(second->dtype_name, "Q8_0");
  EXPECT_EQ(ReadAll(*checkpoint, *second), Pattern(34 * 4, 2));
  EXPECT_EQ(checkpoint->FindTensor("fourth"), nullptr);
  std::byte piece[10];
  checkpoint->Read(*second, 30, piece);
  EXPECT_EQ(std::memcmp(piece, Pattern(34 * 4, 2).data() + 30, 10), 0);
  if (GetParam()) {
    ASSERT_TRUE(checkpoint->Mapped(*second));
    EXPECT_EQ(std::memcmp(checkpoint->Mapped(*second), Pattern(34 * 4, 2).data(), 34 * 4), 0);
  } else {
    EXPECT_EQ(checkpoint->Mapped(*second), nullptr);
  }
  checkpoint->DropPages(*second);
  EXPECT_EQ(ReadAll(*checkpoint, *second), Pattern(34 * 4, 2));
}

INSTANTIATE_TEST_SUITE_P(ReadAndMapped, Gguf, testing::Bool());

TEST(GgufTypes, OnesWithoutADecoderAreListedAndSized) {
  TempDir dir;
  WriteFile(dir / "m.gguf", SmallGguf().Build());
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
  const TensorInfo* third = checkpoint->FindTensor("third");
  ASSERT_TRUE(third);
  EXPECT_EQ(third->dtype, DType::kUnknown);
  EXPECT_EQ(third->dtype_name, "IQ4_XS");
  EXPECT_EQ(third->bytes, 136u);
}

TEST(GgufMetadata, EveryTypeIsRead) {
  TempDir dir;
  WriteFile(dir / "m.gguf", SmallGguf().Build());
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
  const Metadata& m = checkpoint->metadata();
  EXPECT_EQ(m.FindString("general.architecture"), "llama4");
  EXPECT_EQ(m.FindUint("a.u8", 0, 255), 200u);
  EXPECT_EQ(std::get<int64_t>(*m.Find("a.i8")), -100);
  EXPECT_EQ(m.FindUint("a.u16", 0, ~0ull), 60000u);
  EXPECT_EQ(std::get<int64_t>(*m.Find("a.i16")), -30000);
  EXPECT_EQ(m.FindUint("a.u32", 0, ~0ull), 4000000000u);
  EXPECT_EQ(std::get<int64_t>(*m.Find("a.i32")), -2000000000);
  EXPECT_EQ(m.FindFloat("a.f32"), 0.25);
  EXPECT_EQ(m.FindBool("a.bool"), true);
  EXPECT_EQ(m.FindUint("a.u64", 0, ~0ull), ~0ull);
  EXPECT_EQ(std::get<int64_t>(*m.Find("a.i64")), INT64_MIN);
  EXPECT_EQ(m.FindFloat("a.f64"), 1e300);
  EXPECT_EQ(m.FindString("a.empty"), "");
  EXPECT_EQ(m.FindArray("a.strings")->strings, (std::vector<std::string_view>{"one", "", "three"}));
  EXPECT_EQ(m.FindArray("a.i32s")->ints, (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(m.FindArray("a.f32s")->floats, (std::vector<double>{0.5, -1.5}));
  EXPECT_EQ(m.FindArray("a.u8s")->uints, (std::vector<uint64_t>{1, 2, 255}));
  EXPECT_EQ(m.FindArray("a.bools")->ints, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(m.FindArray("a.none")->size(), 0u);
  EXPECT_EQ(m.Keys().size(), 19u);
  EXPECT_EQ(m.Keys()[0], "general.architecture");
  EXPECT_EQ(m.FindUint("absent", 0, 1), std::nullopt);
  EXPECT_FALSE(m.IsNull("absent"));
}

std::string RefusalOf(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kFormat);
    const std::string message = error.what();  // "FILE: offset N: the key ..."
    EXPECT_NE(message.find("m.gguf: offset "), std::string::npos) << message;
    return message.substr(message.find("the key"));
  }
  return "accepted";
}

TEST(GgufMetadata, WhatDoesNotConvertIsRefusedWithKeyAndValue) {
  TempDir dir;
  WriteFile(dir / "m.gguf", SmallGguf().Build());
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
  const Metadata& m = checkpoint->metadata();
  EXPECT_EQ(RefusalOf([&] { m.FindUint("a.i8", 0, 10); }),
            "the key a.i8 holds the signed integer -100, expected an integer from 0 to 10");
  EXPECT_EQ(RefusalOf([&] { m.FindUint("a.u8", 1, 100); }),
            "the key a.u8 holds the unsigned integer 200, expected an integer from 1 to 100");
  EXPECT_EQ(RefusalOf([&] { m.FindUint("a.f32", 0, 1); }), "the key a.f32 holds the float 0.25, expected an integer from 0 to 1");
  EXPECT_EQ(RefusalOf([&] { m.FindUint("a.bool", 0, 1); }), "the key a.bool holds the bool true, expected an integer from 0 to 1");
  EXPECT_EQ(RefusalOf([&] { m.FindFloat("general.architecture"); }),
            "the key general.architecture holds the string \"llama4\", expected a number");
  EXPECT_EQ(RefusalOf([&] { m.FindFloat("a.u64"); }),
            "the key a.u64 holds the unsigned integer 18446744073709551615, expected a number");
  EXPECT_EQ(RefusalOf([&] { m.FindBool("a.u8"); }), "the key a.u8 holds the unsigned integer 200, expected true or false");
  EXPECT_EQ(RefusalOf([&] { m.FindString("a.strings"); }), "the key a.strings holds an array of 3 strings, expected a string");
  EXPECT_EQ(RefusalOf([&] { m.FindArray("a.u8"); }), "the key a.u8 holds the unsigned integer 200, expected an array");
}

TEST(GgufLayout, VersionTwoAndOtherAlignmentsAreRead) {
  for (const uint64_t alignment : {8, 64, 4096, 1048576}) {
    TempDir dir;
    GgufWriter file;
    file.version = 2;
    file.alignment = alignment;
    file.U32("general.alignment", static_cast<uint32_t>(alignment));
    file.Tensor("a", {3}, 0, Pattern(12, 1));
    file.Tensor("b", {3}, 0, Pattern(12, 2));
    WriteFile(dir / "m.gguf", file.Build());
    const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
    EXPECT_EQ(ReadAll(*checkpoint, *checkpoint->FindTensor("b")), Pattern(12, 2));
    EXPECT_EQ(checkpoint->tensors()[1].offset % alignment, 0u);
  }
}

TEST(GgufLayout, BytesAfterTheLastTensorAreIgnoredAndItsPaddingMayBeMissing) {
  TempDir dir;
  const std::string bytes = SmallGguf().Build();
  WriteFile(dir / "tail.gguf", bytes + "x");
  EXPECT_NO_THROW(OpenCheckpoint(dir / "tail.gguf", {}));
  std::filesystem::resize_file(dir / "tail.gguf", bytes.size() + (uint64_t{1} << 30));
  EXPECT_NO_THROW(OpenCheckpoint(dir / "tail.gguf", {}));
  WriteFile(dir / "short.gguf", bytes.substr(0, bytes.size() - 24));  // 136 bytes in a place of 160
  EXPECT_NO_THROW(OpenCheckpoint(dir / "short.gguf", {}));
}

TEST(GgufLayout, AFileOfKeysAloneIsRead) {
  TempDir dir;
  WriteFile(dir / "m.gguf", GgufWriter().String("a", "b").Build());
  EXPECT_EQ(OpenCheckpoint(dir / "m.gguf", {})->tensors().size(), 0u);
}

// Three shards, the first without tensors, as splitters write them.
void WriteShards(const TempDir& dir, const std::function<void(int, GgufWriter&)>& change = {}) {
  for (int i = 0; i < 3; ++i) {
    GgufWriter file;
    if (i == 0) file.String("general.architecture", "llama4").U32("llama4.block_count", 7);
    file.Number("split.no", test::kGgufU16, static_cast<uint16_t>(i));
    file.Number("split.count", test::kGgufU16, uint16_t{3});
    file.Number("split.tensors.count", test::kGgufI32, int32_t{3});
    if (i == 1) file.Tensor("a", {8}, 0, Pattern(32, 1)), file.Tensor("b", {8}, 0, Pattern(32, 2));
    if (i == 2) file.Tensor("c", {8}, 0, Pattern(32, 3));
    if (change) change(i, file);
    WriteFile(dir / ("m-0000" + std::to_string(i + 1) + "-of-00003.gguf"), file.Build());
  }
}

TEST(SplitGguf, AnyShardOpensTheWhole) {
  TempDir dir;
  WriteShards(dir);
  for (int i = 1; i <= 3; ++i) {
    const auto checkpoint = OpenCheckpoint(dir / ("m-0000" + std::to_string(i) + "-of-00003.gguf"), {});
    EXPECT_EQ(checkpoint->tensors().size(), 3u);
    EXPECT_EQ(checkpoint->metadata().FindUint("llama4.block_count", 0, 10), 7u);
    for (int t = 0; t < 3; ++t) {
      const TensorInfo* tensor = checkpoint->FindTensor(std::string(1, static_cast<char>('a' + t)));
      ASSERT_TRUE(tensor);
      EXPECT_EQ(ReadAll(*checkpoint, *tensor), Pattern(32, t + 1));
    }
  }
}

TEST(SideFiles, AreReadBesideAGgufFile) {
  TempDir dir;
  WriteFile(dir / "m.gguf", SmallGguf().Build());
  WriteFile(dir / "tokenizer.model", "ranks");
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
  EXPECT_EQ(checkpoint->ReadSideFile("tokenizer.model", 100), "ranks");
  EXPECT_EQ(checkpoint->ReadSideFile("tokenizer.json", 100), std::nullopt);
  try {
    checkpoint->ReadSideFile("tokenizer.model", 4);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kLimit);
  }
  try {
    checkpoint->ReadSideFile("../x", 4);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kDenied);
  }
}

// {"name": [dtype, shape, bytes]} in order, with exact offsets.
struct StTensor {
  std::string name, dtype, shape, data;
};
std::string Safetensors(const std::vector<StTensor>& tensors, const std::string& metadata = "") {
  std::string header = "{" + metadata, data;
  for (const StTensor& t : tensors) {
    header += StrCat(header.size() > 1 ? "," : "", "\"", t.name, "\":{\"dtype\":\"", t.dtype, "\",\"shape\":", t.shape,
                     ",\"data_offsets\":[", data.size(), ",", data.size() + t.data.size(), "]}");
    data += t.data;
  }
  header += "}";
  while (header.size() % 8) header += ' ';
  return Raw(static_cast<uint64_t>(header.size())) + header + data;
}

TEST(HuggingFace, ASingleFileIsRead) {
  TempDir dir;
  WriteFile(dir / "config.json", R"({"model_type": "llama4", "text_config": {"hidden_size": 64}})");
  WriteFile(dir / "model.safetensors",
            Safetensors({{"b", "BF16", "[2,3]", Pattern(12, 1)}, {"a", "F32", "[]", Pattern(4, 2)}, {"z", "I8", "[3,0]", ""}},
                        R"("__metadata__":{"format":"pt"})"));
  WriteFile(dir / "tokenizer.json", "{}");
  const auto checkpoint = OpenCheckpoint(dir.path(), {});
  EXPECT_EQ(checkpoint->format(), CheckpointFormat::kHuggingFace);
  EXPECT_EQ(checkpoint->metadata().FindString("model_type"), "llama4");
  EXPECT_EQ(checkpoint->metadata().FindUint("text_config.hidden_size", 1, 100), 64u);
  ASSERT_EQ(checkpoint->tensors().size(), 3u);
  EXPECT_EQ(ToString(checkpoint->FindTensor("b")->shape), "[2, 3]");
  EXPECT_EQ(checkpoint->FindTensor("b")->dtype, DType::kBF16);
  EXPECT_EQ(ReadAll(*checkpoint, *checkpoint->FindTensor("b")), Pattern(12, 1));
  EXPECT_EQ(ToString(checkpoint->FindTensor("a")->shape), "[]");
  EXPECT_EQ(ReadAll(*checkpoint, *checkpoint->FindTensor("a")), Pattern(4, 2));
  EXPECT_EQ(checkpoint->FindTensor("z")->bytes, 0u);
  EXPECT_EQ(checkpoint->ReadSideFile("tokenizer.json", 100), "{}");
}

TEST(HuggingFace, ShardsAreReadThroughTheIndex) {
  TempDir dir;
  WriteFile(dir / "config.json", "{}");
  WriteFile(dir / "model-00001-of-00002.safetensors",
            Safetensors({{"a", "F32", "[2]", Pattern(8, 1)}, {"b", "F32", "[2]", Pattern(8, 2)}}));
  WriteFile(dir / "model-00002-of-00002.safetensors", Safetensors({{"c", "F16", "[4]", Pattern(8, 3)}}));
  WriteFile(dir / "model.safetensors.index.json",
            R"({"metadata": {"total_size": 24, "note": "x"}, "weight_map": {"a": "model-00001-of-00002.safetensors",
                "c": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}})");
  for (const bool map : {false, true}) {
    const auto checkpoint = OpenCheckpoint(dir.path() + "/", {.map = map});
    for (int t = 0; t < 3; ++t) {
      const TensorInfo* tensor = checkpoint->FindTensor(std::string(1, static_cast<char>('a' + t)));
      ASSERT_TRUE(tensor);
      EXPECT_EQ(ReadAll(*checkpoint, *tensor), Pattern(8, t + 1));
      if (map) {
        EXPECT_EQ(std::memcmp(checkpoint->Mapped(*tensor), Pattern(8, t + 1).data(), 8), 0);
      }
    }
  }
}

TEST(HuggingFace, TheHubCacheIsFollowedIntoItsBlobs) {
  TempDir dir;
  namespace fs = std::filesystem;
  fs::create_directories(dir / "models--x/snapshots/abc");
  fs::create_directories(dir / "models--x/blobs");
  WriteFile(dir / "models--x/blobs/1", "{}");
  WriteFile(dir / "models--x/blobs/2", Safetensors({{"a", "F32", "[2]", Pattern(8, 1)}}));
  fs::create_symlink("../../blobs/1", dir / "models--x/snapshots/abc/config.json");
  fs::create_symlink("../../blobs/2", dir / "models--x/snapshots/abc/model.safetensors");
  EXPECT_EQ(OpenCheckpoint(dir / "models--x/snapshots/abc", {})->tensors().size(), 1u);
}

TEST(HuggingFace, ConfigIsFlattenedToPaths) {
  TempDir dir;
  WriteFile(dir / "config.json", R"({
    "a": {"b": {"c": 1, "d": -2, "e": 2.5, "f": "text", "g": true, "h": null}},
    "ints": [1, -2, 3], "floats": [1, 2.5], "bools": [true, false], "strings": ["x", "\u00e9"], "empty": [],
    "big": [18446744073709551615, 1], "mixed": [1, "x"], "nested": [[1, 2], [3]], "objects": [{"k": 1}, {"k": 2}],
    "auto_map": {"AutoModel": "evil.py--Model"}, "trust_remote_code": true, "rope_theta": 500000})");
  WriteFile(dir / "model.safetensors", Safetensors({}));
  const auto checkpoint = OpenCheckpoint(dir.path(), {});
  const Metadata& m = checkpoint->metadata();
  EXPECT_EQ(m.FindUint("a.b.c", 0, 9), 1u);
  EXPECT_EQ(std::get<int64_t>(*m.Find("a.b.d")), -2);
  EXPECT_EQ(m.FindFloat("a.b.e"), 2.5);
  EXPECT_EQ(m.FindString("a.b.f"), "text");
  EXPECT_EQ(m.FindBool("a.b.g"), true);
  EXPECT_EQ(m.Find("a.b.h"), nullptr);
  EXPECT_TRUE(m.IsNull("a.b.h"));
  EXPECT_FALSE(m.IsNull("a.b.g"));
  EXPECT_EQ(m.FindArray("ints")->ints, (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(m.FindArray("floats")->floats, (std::vector<double>{1, 2.5}));
  EXPECT_EQ(m.FindArray("bools")->kind, MetaArray::Kind::kBool);
  EXPECT_EQ(m.FindArray("bools")->ints, (std::vector<int64_t>{1, 0}));
  EXPECT_EQ(m.FindArray("strings")->strings, (std::vector<std::string_view>{"x", "\u00e9"}));
  EXPECT_EQ(m.FindArray("empty")->size(), 0u);
  EXPECT_EQ(m.FindArray("big")->uints, (std::vector<uint64_t>{~0ull, 1}));
  EXPECT_EQ(m.Find("mixed"), nullptr);
  EXPECT_EQ(m.FindArray("nested.1")->ints, (std::vector<int64_t>{3}));
  EXPECT_EQ(m.FindUint("objects.1.k", 0, 9), 2u);
  EXPECT_EQ(m.FindFloat("rope_theta"), 500000.0);
  EXPECT_EQ(m.FindString("auto_map.AutoModel"), "evil.py--Model");
}

// The same golden model in both containers: every file opens, and tensors of the GGUF file hold the bytes of their originals.
TEST(Goldens, EveryContainerOpens) {
  namespace fs = std::filesystem;
  int models = 0, files = 0;
  for (const auto& entry : fs::directory_iterator(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/goldens")) {
    if (!entry.is_directory() || entry.path().filename() == "__pycache__") continue;
    ++models;
    if (fs::exists(entry.path() / "config.json")) {
      const auto checkpoint = OpenCheckpoint(entry.path().string(), {});
      EXPECT_GT(checkpoint->tensors().size(), 10u) << entry.path();
      EXPECT_GT(checkpoint->metadata().Keys().size(), 10u);
      ++files;
    }
    for (const auto& file : fs::directory_iterator(entry.path())) {
      if (file.path().extension() != ".gguf") continue;
      const auto checkpoint = OpenCheckpoint(file.path().string(), {.map = true});
      EXPECT_EQ(checkpoint->metadata().FindString("general.architecture"), "llama4");
      EXPECT_TRUE(checkpoint->FindTensor("output_norm.weight")) << file.path();
      ++files;
    }
  }
  EXPECT_GE(models, 8);
  EXPECT_GT(files, models);
}

TEST(Goldens, BothContainersHoldTheSameBytes) {
  const std::string folder = std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/goldens/scout";
  const auto hf = OpenCheckpoint(folder, {});
  const auto gguf = OpenCheckpoint(folder + "/model.gguf", {});
  const TensorInfo* a = hf->FindTensor("model.embed_tokens.weight");
  const TensorInfo* b = gguf->FindTensor("token_embd.weight");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->dtype, DType::kBF16);
  EXPECT_EQ(b->dtype, DType::kBF16);
  EXPECT_EQ(a->shape, b->shape);
  EXPECT_EQ(ReadAll(*hf, *a), ReadAll(*gguf, *b));
}

TEST(Checkpoint, ReadsFromSeveralThreadsAgree) {
  TempDir dir;
  GgufWriter file;
  for (int i = 0; i < 16; ++i) file.Tensor("t" + std::to_string(i), {4096}, 0, Pattern(16384, i));
  WriteFile(dir / "m.gguf", file.Build());
  const auto checkpoint = OpenCheckpoint(dir / "m.gguf", {});
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 16; ++i)
        wrong[t] +=
            ReadAll(*checkpoint, *checkpoint->FindTensor("t" + std::to_string((i + t) % 16))) != Pattern(16384, (i + t) % 16);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4));
}

}  // namespace
}  // namespace scout::io

// Malformed GGUF files, row by row of the catalogue (G). One generated file per case; every one must meet the contract that
// hostile.h states.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "hostile.h"
#include "io/checkpoint.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::GgufWriter;
using test::Raw;
using test::RawString;
using test::TempDir;
using test::WriteFile;

constexpr uint64_t kHuge[] = {uint64_t{1} << 31, uint64_t{1} << 61, uint64_t{1} << 63, ~uint64_t{0}};

// A file of one key (or none) and one small tensor, changed by `change`.
std::string File(const std::function<void(GgufWriter&)>& change) {
  GgufWriter file;
  file.String("general.architecture", "llama4");
  change(file);
  return file.Build();
}

// A file whose single key has these raw bytes after its name.
std::string KeyFile(uint32_t type, const std::string& value) {
  return File([&](GgufWriter& f) { f.Key("test.key", type, value); });
}

// A file whose single tensor has this shape and type, with little data behind it.
std::string ShapeFile(std::vector<uint64_t> ne, uint32_t type) {
  return File([&](GgufWriter& f) { f.Tensor("test.tensor", std::move(ne), type, std::string(64, 'x')); });
}

TEST(HostileGguf, G01_AWrongMagicIsNamed) {
  for (const char* magic : {"GGUX", "FUGG", "GGML"})
    ExpectAllRefused({{"G01", File([&](GgufWriter& f) { f.magic = magic; }), ErrorCode::kFormat, {"magic", "offset 0", magic}}});
}

TEST(HostileGguf, G02_FilesShorterThanThePreambleAreTruncated) {
  const std::string whole = File([](GgufWriter&) {});
  for (const size_t n : {0, 1, 3, 4, 23})
    ExpectAllRefused({{"G02", whole.substr(0, n), ErrorCode::kTruncated, {"offset", "bytes"}}});
}

TEST(HostileGguf, G03_OtherVersionsAreUnsupported) {
  for (const uint32_t version : {0u, 1u, 4u})
    ExpectAllRefused({{"G03",
                       File([&](GgufWriter& f) { f.version = version; }),
                       ErrorCode::kUnsupported,
                       {"offset 4", "version " + std::to_string(version)}}});
  for (const uint32_t version : {0x02000000u, 0x03000000u})
    ExpectAllRefused(
        {{"G03", File([&](GgufWriter& f) { f.version = version; }), ErrorCode::kUnsupported, {"offset 4", "big-endian"}}});
}

TEST(HostileGguf, G04_G05_HugeCountsAreRefusedBeforeAnyAllocation) {
  for (const uint64_t count : kHuge) {
    ExpectAllRefused({{"G04",
                       File([&](GgufWriter& f) { f.n_tensors = count; }),
                       ErrorCode::kLimit,
                       {"offset 8", "number of tensors", std::to_string(count), "65536"},
                       1.0,
                       1 << 20}});
    ExpectAllRefused({{"G05",
                       File([&](GgufWriter& f) { f.n_kv = count; }),
                       ErrorCode::kLimit,
                       {"offset 16", "number of keys", std::to_string(count), "65536"},
                       1.0,
                       1 << 20}});
  }
}

TEST(HostileGguf, G06_AFileTooShortForItsCountsCostsNothing) {
  ExpectAllRefused({{"G06",
                     "GGUF" + Raw(uint32_t{3}) + Raw(uint64_t{0}) + Raw(uint64_t{65536}),
                     ErrorCode::kTruncated,
                     {"offset 24"},
                     0.01,
                     1 << 20}});
  ExpectAllRefused({{"G06",
                     "GGUF" + Raw(uint32_t{3}) + Raw(uint64_t{65536}) + Raw(uint64_t{0}),
                     ErrorCode::kTruncated,
                     {"offset 24"},
                     0.01,
                     1 << 20}});
}

TEST(HostileGguf, G07_G08_KeyLengthsAreChecked) {
  const auto with_length = [](uint64_t length) {
    return "GGUF" + Raw(uint32_t{3}) + Raw(uint64_t{0}) + Raw(uint64_t{1}) + Raw(length) + std::string(200, 'k');
  };
  ExpectAllRefused({{"G07",
                     with_length(~uint64_t{0}),
                     ErrorCode::kLimit,
                     {"offset 24", "key's length", "18446744073709551615", "65536"},
                     1.0,
                     1 << 20},
                    {"G07", with_length(65537), ErrorCode::kLimit, {"offset 24", "65537"}},
                    {"G07", with_length(65536), ErrorCode::kTruncated, {"offset 32", "65536", "200"}},
                    {"G08", with_length(0), ErrorCode::kFormat, {"offset 24", "length 0"}}});
}

TEST(HostileGguf, G09_G10_StringLengthsAreChecked) {
  const std::string tail(100, 's');
  const auto with_length = [&](uint64_t length) {
    GgufWriter f;
    f.Key("k", test::kGgufString, Raw(length) + tail);
    return f.Header().substr(0, 24 + 8 + 1 + 4 + 8 + tail.size());
  };
  ExpectAllRefused({{"G09", with_length(tail.size() + 1), ErrorCode::kTruncated, {"offset 45", "key k", "101", "100"}},
                    {"G10", with_length((uint64_t{1} << 30) + 1), ErrorCode::kLimit, {"1073741825", "16777216"}, 1.0, 1 << 20},
                    {"G10", with_length(uint64_t{1} << 24), ErrorCode::kTruncated, {"16777216"}, 1.0, 1 << 20}});
}

TEST(HostileGguf, G11_KeysAreTextWithoutNul) {
  for (const std::string& key :
       {std::string("a\0b", 3), std::string("a\xc0\x80"), std::string("\xed\xa0\x80"), std::string("\xff")})
    ExpectAllRefused({{"G11", File([&](GgufWriter& f) { f.U32(key, 1); }), ErrorCode::kFormat, {"offset", "key"}}});
}

TEST(HostileGguf, G12_ADuplicateKeyNamesBothPlaces) {
  ExpectAllRefused({{"G12",
                     File([](GgufWriter& f) { f.U32("same.key", 1).F32("x", 2).U32("same.key", 1); }),
                     ErrorCode::kFormat,
                     {"same.key", "occurs twice", "offset 111", "first at offset 70"}},
                    {"G12",
                     File([](GgufWriter& f) { f.U32("same.key", 1).String("same.key", "1"); }),
                     ErrorCode::kFormat,
                     {"same.key", "first at offset"}},
                    {"G12",
                     File([](GgufWriter& f) { f.U32("general.alignment", 32).U32("general.alignment", 64); }),
                     ErrorCode::kFormat,
                     {"general.alignment", "first at offset"}}});
}

TEST(HostileGguf, G13_UnknownValueTypesAreRefused) {
  for (const uint32_t type : {13u, 255u, 0x7fffffffu, 0xffffffffu}) {
    ExpectAllRefused(
        {{"G13", KeyFile(type, "xxxxxxxx"), ErrorCode::kFormat, {"test.key", "value type is " + std::to_string(type), "offset"}}});
    ExpectAllRefused({{"G13",
                       KeyFile(test::kGgufArray, Raw(type) + Raw(uint64_t{1}) + "xxxxxxxx"),
                       ErrorCode::kFormat,
                       {"test.key", std::to_string(type)}}});
  }
}

TEST(HostileGguf, G14_ArraysOfArraysAreUnsupported) {
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += Raw(uint32_t{test::kGgufArray}) + Raw(uint64_t{1});
  ExpectAllRefused({{"G14",
                     KeyFile(test::kGgufArray, Raw(uint32_t{test::kGgufArray}) + Raw(uint64_t{0})),
                     ErrorCode::kUnsupported,
                     {"array of arrays", "test.key"}},
                    {"G14", KeyFile(test::kGgufArray, nested), ErrorCode::kUnsupported, {"array of arrays"}}});
}

TEST(HostileGguf, G15_ArrayCountsAreChecked) {
  for (const uint32_t type : {uint32_t{test::kGgufU8}, uint32_t{test::kGgufU32}, uint32_t{test::kGgufU64},
                              uint32_t{test::kGgufString}, uint32_t{test::kGgufBool}}) {
    for (const uint64_t count : {uint64_t{1} << 63, (uint64_t{1} << 61) + 1, ~uint64_t{0}, (uint64_t{1} << 62) + 2})
      ExpectAllRefused({{"G15",
                         KeyFile(test::kGgufArray, Raw(type) + Raw(count) + std::string(64, 'x')),
                         ErrorCode::kLimit,
                         {"array's count", std::to_string(count), "4294967296"},
                         1.0,
                         1 << 20}});
    ExpectAllRefused({{"G15",
                       KeyFile(test::kGgufArray, Raw(type) + Raw(uint64_t{1} << 31) + std::string(64, 'x')),
                       ErrorCode::kTruncated,
                       {"test.key"},
                       1.0,
                       1 << 20}});
  }
  // T02: a list of tokens that the file has no bytes for.
  ExpectAllRefused({{"T02",
                     File([](GgufWriter& f) {
                       f.Key("tokenizer.ggml.tokens", test::kGgufArray,
                             Raw(uint32_t{test::kGgufString}) + Raw(uint64_t{1} << 31) + std::string(64, '\0'));
                     }),
                     ErrorCode::kTruncated,
                     {"tokenizer.ggml.tokens", "offset"},
                     1.0,
                     1 << 20}});
  // Wide arrays of narrow numbers: what widening would add is bounded.
  ExpectAllRefused({{"G15",
                     KeyFile(test::kGgufArray, Raw(uint32_t{test::kGgufU8}) + Raw(uint64_t{1} << 24) + std::string(1 << 24, 'x')),
                     ErrorCode::kLimit,
                     {"test.key", "8- and 16-bit"}}});
}

TEST(HostileGguf, G16_BoolsAreZeroOrOne) {
  ExpectAllRefused({{"G16", KeyFile(test::kGgufBool, "\x02"), ErrorCode::kFormat, {"test.key", "byte 2"}},
                    {"G16",
                     KeyFile(test::kGgufArray, Raw(uint32_t{test::kGgufBool}) + Raw(uint64_t{3}) + std::string("\0\1\xff", 3)),
                     ErrorCode::kFormat,
                     {"test.key", "byte 255", "offset 104"}}});
}

TEST(HostileGguf, G17_TheAlignmentIsAPowerOfTwoInAU32) {
  for (const uint32_t alignment : {0u, 1u, 3u, 4u, 48u, 0x200000u, 0x80000000u})
    ExpectAllRefused({{"G17",
                       File([&](GgufWriter& f) { f.U32("general.alignment", alignment); }),
                       ErrorCode::kFormat,
                       {"general.alignment", "is " + std::to_string(alignment), "power of two"}}});
  ExpectAllRefused({{"G17",
                     File([](GgufWriter& f) { f.Number("general.alignment", test::kGgufI32, int32_t{32}); }),
                     ErrorCode::kFormat,
                     {"type i32", "expected u32"}},
                    {"G17", File([](GgufWriter& f) { f.String("general.alignment", "32"); }), ErrorCode::kFormat, {"type string"}},
                    {"G17", File([](GgufWriter& f) { f.I32s("general.alignment", {32}); }), ErrorCode::kFormat, {"type array"}}});
}

TEST(HostileGguf, G18_TensorNamesAreOneTo63BytesAndUnique) {
  ExpectAllRefused(
      {{"G18", File([](GgufWriter& f) { f.Tensor("", {1}, 0, "xxxx"); }), ErrorCode::kFormat, {"name of 0 bytes"}},
       {"G18",
        File([](GgufWriter& f) { f.Tensor(std::string(64, 't'), {1}, 0, "xxxx"); }),
        ErrorCode::kFormat,
        {"name of 64 bytes", "63"}},
       {"G18",
        File([](GgufWriter& f) { f.Tensor(std::string(65535, 't'), {1}, 0, "xxxx"); }),
        ErrorCode::kFormat,
        {"name of 65535 bytes"}},
       {"G18",
        File([](GgufWriter& f) { f.Tensor("t", {1}, 0, "xxxx").name_length = ~uint64_t{0}; }),
        ErrorCode::kFormat,
        {"18446744073709551615"}},
       {"G18",
        File([](GgufWriter& f) { f.Tensor("twice", {1}, 0, "xxxx"), f.Tensor("twice", {1}, 0, "yyyy"); }),
        ErrorCode::kFormat,
        {"tensor twice", "occurs twice", "offset"}},
       {"G18", File([](GgufWriter& f) { f.Tensor("a\xff", {1}, 0, "xxxx"); }), ErrorCode::kFormat, {"UTF-8", "a\\xff"}},
       {"G18",
        File([](GgufWriter& f) { f.Tensor(std::string_view("a\0b", 3), {1}, 0, "xxxx"); }),
        ErrorCode::kFormat,
        {"NUL", "a\\x00b"}}});
  const TempDir dir;
  WriteFile(dir / "m.gguf", File([](GgufWriter& f) { f.Tensor(std::string(63, 't'), {1}, 0, "xxxx"); }));
  ExpectAccepted("G18 63 bytes", dir / "m.gguf", 200);
}

TEST(HostileGguf, G19_RanksAreOneToFour) {
  for (const uint32_t rank : {0u, 5u, 0xffffffffu})
    ExpectAllRefused({{"G19",
                       File([&](GgufWriter& f) { f.Tensor("test.tensor", {1}, 0, "xxxx").n_dims = rank; }),
                       ErrorCode::kFormat,
                       {"tensor test.tensor", std::to_string(rank) + " dimensions", "1 to 4", "offset"}}});
}

TEST(HostileGguf, G20_DimensionsAreAtLeastOne) {
  ExpectAllRefused({{"G20", ShapeFile({0}, 0), ErrorCode::kFormat, {"test.tensor", "dimension 0 is 0"}},
                    {"G20", ShapeFile({4, 0}, 0), ErrorCode::kFormat, {"dimension 1 is 0"}},
                    {"G20", ShapeFile({4, 1, 1, ~uint64_t{0}}, 0), ErrorCode::kFormat, {"dimension 3 is -1"}},
                    {"G20", ShapeFile({0}, 12), ErrorCode::kFormat, {"dimension 0 is 0"}}});
}

TEST(HostileGguf, G21_to_G26_SizesThatDoNotFitAreLimits) {
  const uint64_t k32 = uint64_t{1} << 32, k30 = uint64_t{1} << 30, k62 = uint64_t{1} << 62;
  const auto both = [](uint64_t bytes) {  // two I8 tensors of `bytes` each
    return File([&](GgufWriter& f) {
      f.TensorOfSize("a", {bytes}, 24, 0).offset = 0;
      f.TensorOfSize("b", {bytes}, 24, 0).offset = (bytes + 31) / 32 * 32;
    });
  };
  ExpectAllRefused({{"G21", ShapeFile({k32, k32}, 0), ErrorCode::kLimit, {"test.tensor", "[4294967296, 4294967296]"}},
                    {"G22", ShapeFile({INT64_MAX, 2}, 24), ErrorCode::kLimit, {"test.tensor", "9223372036854775807"}},
                    {"G23", ShapeFile({4, k30 - 1, k30 + 1}, 0), ErrorCode::kLimit, {"test.tensor"}},
                    {"G23", ShapeFile({k62 - 1}, 0), ErrorCode::kLimit, {"test.tensor"}},
                    {"G24", both(uint64_t{1} << 62), ErrorCode::kLimit, {"tensor b"}},
                    {"G24", both(uint64_t{INT64_MAX} / 32 * 32), ErrorCode::kLimit, {"tensor a"}},
                    {"G24", both(uint64_t{1} << 63), ErrorCode::kFormat, {"tensor a", "dimension 0 is -9223372036854775808"}},
                    {"G25", both((uint64_t{1} << 62) - 64), ErrorCode::kTruncated, {"tensor a"}},
                    {"G26", ShapeFile({uint64_t{1} << 62}, 28), ErrorCode::kLimit, {"test.tensor", "F64"}},
                    {"G26", ShapeFile({256, (uint64_t{1} << 55) - 1}, 15), ErrorCode::kLimit, {"Q8_K"}}});
}

TEST(HostileGguf, G27_RetiredAndUnknownTypesAreUnsupported) {
  for (const uint32_t type : {0xffffffffu, 4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 0x7fffffffu})
    ExpectAllRefused(
        {{"G27", ShapeFile({256}, type), ErrorCode::kUnsupported, {"test.tensor", "type " + std::to_string(type), "offset"}}});
}

TEST(HostileGguf, G28_RowsAreWholeBlocks) {
  ExpectAllRefused({{"G28", ShapeFile({255}, 12), ErrorCode::kFormat, {"test.tensor", "255", "Q4_K", "256"}},
                    {"G28", ShapeFile({128, 2}, 12), ErrorCode::kFormat, {"128", "Q4_K"}},
                    {"G28", ShapeFile({33}, 8), ErrorCode::kFormat, {"33", "Q8_0", "32"}}});
}

TEST(HostileGguf, G29_OffsetsLeaveNoOverlapAndNoGap) {
  const auto second_at = [](uint64_t offset) {
    return File([&](GgufWriter& f) {
      f.Tensor("a", {16}, 0, std::string(64, 'a'));
      f.Tensor("b", {16}, 0, std::string(64, 'b')).offset = offset;
    });
  };
  ExpectAllRefused({{"G29", second_at(1), ErrorCode::kFormat, {"tensor b", "offset 1 ", "alignment 32"}},
                    {"G29", second_at(~uint64_t{0} - 31), ErrorCode::kFormat, {"tensor b", "18446744073709551584", "expected 64"}},
                    {"G29", second_at(32), ErrorCode::kFormat, {"tensor b", "inside", "expected 64"}},
                    {"G29", second_at(0), ErrorCode::kFormat, {"tensor b", "inside"}},
                    {"G29", second_at(96), ErrorCode::kFormat, {"tensor b", "gap", "expected 64"}}});
}

TEST(HostileGguf, G30_EveryPrefixIsTruncated) {
  GgufWriter file;
  file.String("general.architecture", "llama4")
      .U32("general.alignment", 32)
      .Strings("tokens", {"a", "bc", ""})
      .F32s("scores", {1, 2, 3})
      .Bool("flag", true);
  file.Tensor("a", {8, 2}, 0, std::string(64, 'a'));
  file.Tensor("b", {32}, 8, std::string(34, 'b'));
  file.Tensor("c", {8}, 0, std::string(32, 'c'));
  const std::string whole = file.Build();
  const TempDir dir;
  WriteFile(dir / "m.gguf", whole);
  ExpectAccepted("G30 the whole", dir / "m.gguf", whole.size());
  std::vector<HostileCase> prefixes;
  for (size_t n = 0; n < whole.size(); ++n)
    prefixes.push_back({"G30 " + std::to_string(n), whole.substr(0, n), ErrorCode::kTruncated, {"offset"}});
  ExpectAllRefused(prefixes);
}

TEST(HostileGguf, G31_TrailingBytesAreIgnored) {
  const TempDir dir;
  const std::string whole = File([](GgufWriter& f) { f.Tensor("a", {8}, 0, std::string(32, 'a')); });
  WriteFile(dir / "m.gguf", whole + "x");
  ExpectAccepted("G31 one byte", dir / "m.gguf", whole.size() + 1);
  std::filesystem::resize_file(dir / "m.gguf", whole.size() + (uint64_t{1} << 30));
  ExpectAccepted("G31 a sparse tail", dir / "m.gguf", whole.size());
}

TEST(HostileGguf, G32_ManyLongNamesAreNotQuadratic) {
  const std::string prefix(53, 'p');
  const auto name = [&](int i) { return prefix + std::to_string(1000000 + i); };  // 60 bytes
  const TempDir dir;
  GgufWriter keys, tensors;
  for (int i = 0; i < 50000; ++i) keys.U32(name(i), 1);
  for (int i = 0; i < 50000; ++i) tensors.Tensor(name(i), {1}, 0, "xxxx");
  const std::string key_bytes = keys.Build(), tensor_bytes = tensors.Build();
  WriteFile(dir / "keys.gguf", key_bytes);
  ExpectAccepted("G32 keys", dir / "keys.gguf", key_bytes.size());
  WriteFile(dir / "tensors.gguf", tensor_bytes);
  ExpectAccepted("G32 tensors", dir / "tensors.gguf", tensor_bytes.size());
  keys.U32(name(0), 2);
  ExpectAllRefused({{"G32 and a duplicate", keys.Build(), ErrorCode::kFormat, {"occurs twice"}}});
}

class SplitDir {
 public:
  SplitDir() {
    for (int i = 0; i < 2; ++i) Write(i, {});
  }
  void Write(int number, const std::function<void(GgufWriter&)>& add, uint16_t no = 0xffff, uint16_t count = 2,
             int32_t tensors = 2) {
    GgufWriter file;
    if (number == 0) file.String("general.architecture", "llama4").String("general.name", "one");
    file.Number("split.no", test::kGgufU16, no == 0xffff ? static_cast<uint16_t>(number) : no);
    file.Number("split.count", test::kGgufU16, count);
    file.Number("split.tensors.count", test::kGgufI32, tensors);
    file.Tensor(number == 0 ? "a" : "b", {8}, 0, std::string(32, 'x'));
    if (add) add(file);
    WriteFile(Path(number), file.Build());
  }
  std::string Path(int number) const { return dir_ / ("m-0000" + std::to_string(number + 1) + "-of-00002.gguf"); }
  void Refused(ErrorCode code, const std::vector<std::string>& says, int open = 0) {
    ExpectRefused("G33", Path(open), 2048, code, says);
  }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

// A shard's name is made of the name that was opened; nothing in a file can name another, so "../" has nowhere to stand.
TEST(HostileGguf, G33_ShardsMustAgree) {
  {
    SplitDir split;
    ExpectAccepted("G33 a good one", split.Path(0), 2048);
    std::filesystem::rename(split.Path(0), split.dir() / "other.gguf");
    ExpectRefused("G33 a shard under another name", split.dir() / "other.gguf", 1024, ErrorCode::kFormat,
                  {"shard 1 of 2", "-%05d-of-%05d.gguf"});
    split.Refused(ErrorCode::kFormat, {"shard 1 of 2", "No such file"}, 1);
  }
  SplitDir split;
  split.Write(0, {}, 0, 65535);
  split.Refused(ErrorCode::kFormat, {"shard 1 of 65535", "says 1 of 2"});
  std::filesystem::rename(split.Path(0), split.dir() / "m-00001-of-65535.gguf");
  ExpectRefused("G33 65535 shards", split.dir() / "m-00001-of-65535.gguf", 1024, ErrorCode::kLimit,
                {"split.count is 65535", "4096"});
  split.Write(0, {}, 2, 2);
  split.Refused(ErrorCode::kFormat, {"shard 3 of 2"});
  split.Write(0, {}, 0xfffe, 2);
  split.Refused(ErrorCode::kFormat, {"of 2"});
  split.Write(0, {}, 0, 1);
  split.Write(1, {});
  split.Refused(ErrorCode::kFormat, {"split.no is 0 and split.count 1"}, 1);
  split.Write(0, {});
  split.Write(1, [](GgufWriter& f) { f.String("general.name", "two"); });
  split.Refused(ErrorCode::kFormat, {"general.name", "another model"});
  split.Write(1, {}, 1, 2, 3);
  split.Refused(ErrorCode::kFormat, {"split.tensors.count is 3"});
  split.Write(1, [](GgufWriter& f) { f.Tensor("a", {8}, 0, std::string(32, 'x')); });
  split.Refused(ErrorCode::kFormat, {"split.tensors.count is 2", "hold 3"});
  split.Write(0, {}, 0, 2, 3);
  split.Write(
      1, [](GgufWriter& f) { f.Tensor("a", {8}, 0, std::string(32, 'x')); }, 1, 2, 3);
  split.Refused(ErrorCode::kFormat, {"tensor a", "occurs twice"});
  split.Write(0, {});
  WriteFile(split.Path(1), "GGUF");
  split.Refused(ErrorCode::kTruncated, {"m-00002-of-00002.gguf"});
  WriteFile(split.Path(1), File([](GgufWriter& f) { f.String("split.no", "1"); }));
  split.Refused(ErrorCode::kFormat, {"m-00002-of-00002.gguf", "split.no"});
}

}  // namespace
}  // namespace scout::io

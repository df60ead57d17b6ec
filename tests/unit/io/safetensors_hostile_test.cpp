// Malformed Hugging Face folders, row by row of the catalogue (S).
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "hostile.h"
#include "io/checkpoint.h"
#include "support/gguf_writer.h"
#include "support/temp_dir.h"

namespace scout::io {
namespace {

using test::Raw;
using test::TempDir;
using test::WriteFile;
namespace fs = std::filesystem;

// A header of any text with `data` behind it.
std::string File(const std::string& header, const std::string& data = "") {
  return Raw(static_cast<uint64_t>(header.size())) + header + data;
}

// One entry named "w", with any text for its three fields, and 8 bytes of data.
std::string Entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return File("{\"w\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}", std::string(8, 'x'));
}

// A folder with a config.json and model.safetensors.
class Folder {
 public:
  Folder() { WriteFile(dir_ / "config.json", "{}"); }
  void Refused(const std::string& id, const std::string& bytes, ErrorCode code, std::vector<std::string> says, double cpu_s = 1.0,
               int64_t peak = -1) {
    WriteFile(dir_ / "model.safetensors", bytes);
    says.push_back("model.safetensors");
    ExpectRefused(id, dir_.path(), bytes.size(), code, says, cpu_s, peak);
  }
  void Accepted(const std::string& id, const std::string& bytes) {
    WriteFile(dir_ / "model.safetensors", bytes);
    ExpectAccepted(id, dir_.path(), bytes.size());
  }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

TEST(HostileSafetensors, TheGoodFileOfTheseTestsIsAccepted) { Folder().Accepted("good", Entry("\"F32\"", "[2]", "[0,8]")); }

TEST(HostileSafetensors, S01_S02_HeaderLengthsAreChecked) {
  Folder folder;
  for (const size_t n : {0, 1, 7})
    folder.Refused("S01", std::string(n, '\0'), ErrorCode::kTruncated, {"offset 0", "8 bytes", std::to_string(n)});
  const std::string tail(92, ' ');
  for (const uint64_t length : {uint64_t{0}, uint64_t{1}})
    folder.Refused("S01", Raw(length) + tail, ErrorCode::kTruncated, {"length is " + std::to_string(length)});
  for (const uint64_t length : {uint64_t{100000001}, uint64_t{1} << 63, ~uint64_t{0}})
    folder.Refused("S01", Raw(length) + tail, ErrorCode::kLimit, {"length is " + std::to_string(length), "100000000"}, 1.0,
                   1 << 20);
  folder.Refused("S02", Raw(uint64_t{93}) + tail, ErrorCode::kTruncated, {"length is 93", "92"});
  folder.Refused("S02", Raw(uint64_t{100000000}) + tail, ErrorCode::kTruncated, {"100000000"}, 1.0, 1 << 20);
}

TEST(HostileSafetensors, S03_TheHeaderIsOneJsonObject) {
  Folder folder;
  folder.Refused("S03", File("{\"a\xff\":1}"), ErrorCode::kFormat, {"UTF-8", "offset 3"});
  folder.Refused("S03", File("{\"a\xc0\x80\":1}"), ErrorCode::kFormat, {"UTF-8"});
  folder.Refused("S03", File(" {}"), ErrorCode::kFormat, {"expected '{'"});
  folder.Refused("S03", File("\xef\xbb\xbf{}"), ErrorCode::kFormat, {"expected '{'", "\\xef"});
  folder.Refused("S03", File("[]"), ErrorCode::kFormat, {"expected '{'"});
  folder.Refused("S03", File("null"), ErrorCode::kFormat, {"expected '{'"});
  folder.Refused("S03", File("{}{}"), ErrorCode::kFormat, {"more text"});
  folder.Refused("S03", File("{} x"), ErrorCode::kFormat, {"more text"});
  folder.Refused("S03", File("{\"a\":"), ErrorCode::kFormat, {"end of the text"});
  folder.Accepted("S03 padding", File("{}      "));
}

TEST(HostileSafetensors, S04_SwarmsOfEntriesAreLimits) {
  Folder folder;
  std::string header = "{";
  std::string data;
  for (int i = 0; i < 100000; ++i)
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  folder.Refused("S04 tensors", File(header + "}", std::string(100000, 'x')), ErrorCode::kLimit, {"100000 tensors", "65536"});
  header = "{";
  for (int i = 0; i < 65536; ++i)
    header += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" +
              std::to_string(i) + "," + std::to_string(i + 1) + "]}";
  folder.Accepted("S04 the limit", File(header + "}", std::string(65536, 'x')));
  header = "{\"__metadata__\":{";
  for (int i = 0; i < 1000000; ++i) header += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":\"\"";
  folder.Refused("S04 metadata", File(header + "}}"), ErrorCode::kLimit, {"131072 keys"});
}

TEST(HostileSafetensors, S05_DepthAndDuplicatesAreRefused) {
  Folder folder;
  folder.Refused("S05", File("{\"a\":" + std::string(100000, '[')), ErrorCode::kFormat, {"64"});
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  folder.Refused("S05", File(objects), ErrorCode::kFormat, {"64"});
  const std::string w = "\"w\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}";
  folder.Refused("S05", File("{" + w + "," + w + "}", "xxxx"), ErrorCode::kFormat, {"occurs twice", "\"w\"", "offset 1"});
  folder.Refused("S05", File("{\"w\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "xxxx"),
                 ErrorCode::kFormat, {"\"dtype\" occurs twice"});
}

TEST(HostileSafetensors, S06_OffsetsCoverTheDataExactly) {
  Folder folder;
  const auto two = [](const std::string& a, const std::string& b, size_t data) {
    return File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + a +
                    "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" + b + "}}",
                std::string(data, 'x'));
  };
  folder.Accepted("S06 good", two("[0,4]", "[4,8]", 8));
  folder.Accepted("S06 in the other order", two("[4,8]", "[0,4]", 8));
  folder.Refused("S06 end before begin", two("[4,0]", "[4,8]", 8), ErrorCode::kFormat, {"tensor a", "[4, 0]", "before they begin"});
  folder.Refused("S06 hole", two("[0,4]", "[5,9]", 9), ErrorCode::kFormat, {"tensor b", "begins at 5", "hole", "4"});
  folder.Refused("S06 hole at the front", two("[1,5]", "[5,9]", 9), ErrorCode::kFormat, {"tensor a", "begins at 1"});
  folder.Refused("S06 overlap", two("[0,4]", "[3,7]", 7), ErrorCode::kFormat, {"tensor b", "inside"});
  folder.Refused("S06 the same bytes twice", two("[0,4]", "[0,4]", 4), ErrorCode::kFormat, {"inside"});
  folder.Refused("S06 past the end", two("[0,4]", "[4,8]", 7), ErrorCode::kTruncated, {"tensor b", "ends at 8", "7"});
  folder.Refused("S06 a tail", two("[0,4]", "[4,8]", 9), ErrorCode::kFormat, {"1 bytes follow"});
  folder.Refused("S06 a tail of nothing", File("{}", "x"), ErrorCode::kFormat, {"1 bytes follow"});
}

TEST(HostileSafetensors, S07_OffsetsAreTwoWholeNumbers) {
  Folder folder;
  for (const char* offsets :
       {"[0,8e0]", "[0.0,8]", "[\"0\",8]", "[0,-8]", "[0,18446744073709551616]", "[0,null]", "[0,[8]]", "[0,{}]", "[true,8]"})
    folder.Refused(std::string("S07 ") + offsets, Entry("\"F32\"", "[2]", offsets), ErrorCode::kFormat,
                   {"tensor w", "data_offsets", "offset"});
  folder.Refused("S07 three", Entry("\"F32\"", "[2]", "[0,4,8]"), ErrorCode::kFormat, {"more than 2"});
  folder.Refused("S07 none", Entry("\"F32\"", "[2]", "[]"), ErrorCode::kFormat, {"0 entries"});
  folder.Refused("S07 one", Entry("\"F32\"", "[2]", "[8]"), ErrorCode::kFormat, {"1 entries"});
  for (const char* offsets : {"{}", "8", "\"0,8\"", "null"})
    folder.Refused(std::string("S07 ") + offsets, Entry("\"F32\"", "[2]", offsets), ErrorCode::kFormat,
                   {"tensor w", "data_offsets is"});
}

TEST(HostileSafetensors, S08_ShapesThatDoNotFitAreLimits) {
  Folder folder;
  folder.Refused("S08", File("{\"w\":{\"dtype\":\"U8\",\"shape\":[65536,65536,65536,65536],\"data_offsets\":[0,0]}}"),
                 ErrorCode::kLimit, {"tensor w", "65536"});
  folder.Refused("S08", Entry("\"F32\"", "[4611686018427387904]", "[0,8]"), ErrorCode::kLimit, {"tensor w"});
  folder.Refused("S08 behind a zero", Entry("\"U8\"", "[0,4294967296,4294967296]", "[0,0]"), ErrorCode::kLimit, {"tensor w"});
}

TEST(HostileSafetensors, S09_ShapesAreUpToFourWholeNumbers) {
  Folder folder;
  folder.Accepted("S09 [] is one value", File("{\"w\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[0,8]}}", "xxxxxxxx"));
  folder.Accepted("S09 [0] is none", File("{\"w\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]}}"));
  folder.Refused("S09 -1", Entry("\"F32\"", "[-1]", "[0,8]"), ErrorCode::kFormat, {"tensor w", "shape holds the number -1"});
  folder.Refused("S09 2.0", Entry("\"F32\"", "[2.0]", "[0,8]"), ErrorCode::kFormat, {"shape holds"});
  folder.Refused("S09 text", Entry("\"F32\"", "[\"2\"]", "[0,8]"), ErrorCode::kFormat, {"shape holds a string"});
  folder.Refused("S09 nested", Entry("\"F32\"", "[[2]]", "[0,8]"), ErrorCode::kFormat, {"shape holds an array"});
  folder.Refused("S09 no array", Entry("\"F32\"", "2", "[0,8]"), ErrorCode::kFormat, {"shape is"});
  std::string shape = "[1";
  for (int i = 1; i < 1000; ++i) shape += ",1";
  folder.Refused("S09 1,000 dims", Entry("\"F32\"", shape + "]", "[0,8]"), ErrorCode::kFormat, {"tensor w", "4 dimensions"});
  folder.Refused("S09 5 dims", Entry("\"F32\"", "[1,1,1,1,2]", "[0,8]"), ErrorCode::kFormat, {"4 dimensions"});
}

TEST(HostileSafetensors, S10_UnknownDtypesAreUnsupported) {
  Folder folder;
  for (const char* dtype : {"\"F33\"", "\"F32\\u0000\"", "\"f32\"", "\"C64\"", "\"F4\"", "\"\"", "\" F32\""})
    folder.Refused(std::string("S10 ") + dtype, Entry(dtype, "[2]", "[0,8]"), ErrorCode::kUnsupported, {"tensor w", "dtype"});
  for (const char* dtype : {"32", "null", "[]", "{}", "true"})
    folder.Refused(std::string("S10 ") + dtype, Entry(dtype, "[2]", "[0,8]"), ErrorCode::kFormat, {"tensor w", "dtype is"});
}

TEST(HostileSafetensors, S11_BytesAreShapeTimesDtype) {
  Folder folder;
  for (const char* offsets : {"[0,7]", "[0,9]", "[0,0]"})
    folder.Refused("S11", Entry("\"F32\"", "[2]", offsets), ErrorCode::kFormat, {"tensor w", "[2] of F32 takes 8 bytes"});
  folder.Refused("S11 no shape", File("{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", "xxxxxxxx"), ErrorCode::kFormat,
                 {"tensor w", "without shape"});
  folder.Refused("S11 no dtype", File("{\"w\":{\"shape\":[2],\"data_offsets\":[0,8]}}", "xxxxxxxx"), ErrorCode::kFormat,
                 {"without dtype"});
  folder.Refused("S11 no offsets", File("{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", "xxxxxxxx"), ErrorCode::kFormat,
                 {"without data_offsets"});
  folder.Refused("S11 another field", File("{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", "xxxxxxxx"),
                 ErrorCode::kFormat, {"\"x\""});
  folder.Refused("S11 not an object", File("{\"w\":[]}"), ErrorCode::kFormat, {"tensor w", "an array"});
  folder.Refused("S11 an empty name", File("{\"\":{}}"), ErrorCode::kFormat, {"empty name"});
  folder.Refused("S11 a long name", File("{\"" + std::string(2000, 'w') + "\":{}}"), ErrorCode::kLimit, {"2000 bytes", "1024"});
}

TEST(HostileSafetensors, S12_MetadataIsAMapOfStrings) {
  Folder folder;
  for (const char* map : {"1", "[]", "null", "\"x\""})
    folder.Refused("S12", File(std::string("{\"__metadata__\":") + map + "}"), ErrorCode::kFormat, {"__metadata__ is"});
  for (const char* value : {"1", "[]", "{}", "null", "true", "1.5", "-1"})
    folder.Refused("S12", File(std::string("{\"__metadata__\":{\"k\":") + value + "}}"), ErrorCode::kFormat,
                   {"__metadata__ holds"});
  folder.Accepted("S12 a value of 16 MiB", File("{\"__metadata__\":{\"k\":\"" + std::string(16 << 20, 'v') + "\"}}"));
}

TEST(HostileSafetensors, S18_EveryPrefixIsTruncated) {
  Folder folder;
  const std::string whole = File(
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[4,"
      "20]}}",
      std::string(20, 'x'));
  folder.Accepted("S18 the whole", whole);
  for (size_t n = 0; n < whole.size(); ++n)
    folder.Refused("S18 " + std::to_string(n), whole.substr(0, n), ErrorCode::kTruncated, {});
}

// A folder with two shards of one tensor each, and an index of any text.
class ShardFolder {
 public:
  ShardFolder() {
    WriteFile(dir_ / "config.json", "{}");
    WriteFile(dir_ / "one.safetensors", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "xxxx"));
    WriteFile(dir_ / "two.safetensors", File("{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "yyyy"));
  }
  void Index(const std::string& text) { WriteFile(dir_ / "model.safetensors.index.json", text); }
  void Refused(const std::string& id, ErrorCode code, const std::vector<std::string>& says) {
    ExpectRefused(id, dir_.path(), 1024 + fs::file_size(dir_ / "model.safetensors.index.json"), code, says);
  }
  const TempDir& dir() const { return dir_; }

 private:
  TempDir dir_;
};

constexpr char kGoodIndex[] = R"({"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})";

TEST(HostileIndex, S13_FileNamesStayInTheFolder) {
  ShardFolder folder;
  folder.Index(kGoodIndex);
  ExpectAccepted("S13 good", folder.dir().path(), 1024);
  for (const char* name : {"../../etc/passwd", "/etc/passwd", "C:\\\\x", "sub/one.safetensors", "..", ".", "", "a\\u0000b",
                           "./one.safetensors", ".hidden", "one.safetensors/"}) {
    folder.Index(std::string("{\"weight_map\":{\"a\":\"") + name + "\"}}");
    folder.Refused(std::string("S13 ") + name, ErrorCode::kDenied, {"tensor a", "plain name", "index.json"});
  }
  // A link that leaves the folder.
  const TempDir outside;
  WriteFile(outside / "secret.safetensors", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", "xxxx"));
  fs::create_symlink(outside / "secret.safetensors", folder.dir() / "link.safetensors");
  folder.Index(R"({"weight_map":{"a":"link.safetensors"}})");
  folder.Refused("S13 link", ErrorCode::kDenied, {"link.safetensors", "out of its folder"});
  // One that stays.
  fs::create_symlink("one.safetensors", folder.dir() / "inner.safetensors");
  folder.Index(R"({"weight_map":{"a":"inner.safetensors"}})");
  ExpectAccepted("S13 a link inside", folder.dir().path(), 1024);
  // Links in place of the single file and of config.json.
  fs::remove(folder.dir() / "model.safetensors.index.json");
  fs::create_symlink(outside / "secret.safetensors", folder.dir() / "model.safetensors");
  ExpectRefused("S13 model.safetensors", folder.dir().path(), 1024, ErrorCode::kDenied, {"out of its folder"});
  fs::remove(folder.dir() / "config.json");
  fs::create_symlink("/etc/hostname", folder.dir() / "config.json");
  ExpectRefused("S13 config.json", folder.dir().path(), 1024, ErrorCode::kDenied, {"config.json", "out of its folder"});
}

TEST(HostileIndex, S14_ShardsAndIndexMustAgree) {
  ShardFolder folder;
  folder.Index(R"({"weight_map":{"a":"two.safetensors","b":"two.safetensors"}})");
  folder.Refused("S14 lacks", ErrorCode::kFormat, {"two.safetensors", "tensor a"});
  folder.Index(R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})");
  folder.Refused("S14 lacks", ErrorCode::kFormat, {"one.safetensors", "tensor b"});
  folder.Index(R"({"weight_map":{"a":"one.safetensors","b":"three.safetensors"}})");
  folder.Refused("S14 missing", ErrorCode::kFormat, {"three.safetensors", "missing"});
  WriteFile(folder.dir() / "two.safetensors", File("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{"
                                                   "\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                                                   "xxxxyyyy"));
  folder.Index(kGoodIndex);
  folder.Refused("S14 twice", ErrorCode::kFormat, {"tensor a", "occurs twice", "one.safetensors", "two.safetensors"});
  WriteFile(folder.dir() / "two.safetensors", "{}");
  folder.Refused("S14 a shard that is none", ErrorCode::kTruncated, {"two.safetensors"});
}

TEST(HostileIndex, S15_SizesAndShardsAreBounded) {
  ShardFolder folder;
  for (const char* total : {"1000000", "18446744073709551615"}) {
    folder.Index(std::string("{\"metadata\":{\"total_size\":") + total + "},\"weight_map\":{\"a\":\"one.safetensors\"}}");
    folder.Refused("S15", ErrorCode::kLimit, {"total_size is " + std::string(total)});
  }
  for (const char* total : {"-1", "\"8\"", "1e300", "8.5", "true"}) {
    folder.Index(std::string("{\"metadata\":{\"total_size\":") + total + "},\"weight_map\":{\"a\":\"one.safetensors\"}}");
    folder.Refused(std::string("S15 ") + total, ErrorCode::kFormat, {"total_size"});
  }
  std::string index = "{\"weight_map\":{";
  for (int i = 0; i < 1000000; ++i) index += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":\"s" + std::to_string(i) + "\"";
  folder.Index(index + "}}");
  folder.Refused("S15 shards", ErrorCode::kLimit, {"4096 files"});
}

TEST(HostileIndex, S15_MalformedIndicesAreRefused) {
  ShardFolder folder;
  for (const char* index :
       {"", "[]", "1", "\"x\"", "null", "{}", "{\"weight_map\":{}}", "{\"weight_map\":[]}", "{\"weight_map\":1}",
        "{\"weight_map\":\"x\"}", "{\"weight_map\":null}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":{\"a\":[\"x\"]}}",
        "{\"weight_map\":{\"a\":{\"b\":\"x\"}}}", "{\"weight_map\":{\"a\":null}}", "{\"weight_map\":{\"a\":true}}",
        "{\"weight_map\":{\"a\":-1}}", "{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"one.safetensors\"}}",
        "{\"weight_map\":{\"a\":\"one.safetensors\"}"}) {
    folder.Index(index);
    folder.Refused(std::string("index ") + index, ErrorCode::kFormat, {"index.json"});
  }
}

TEST(HostileConfig, ConfigsAreObjectsOfBoundedSize) {
  Folder folder;
  WriteFile(folder.dir() / "model.safetensors", File("{}"));
  const auto refused = [&](const std::string& id, const std::string& config, ErrorCode code, const std::vector<std::string>& says) {
    WriteFile(folder.dir() / "config.json", config);
    ExpectRefused(id, folder.dir().path(), config.size(), code, says);
  };
  for (const char* config : {"", "[]", "1", "null", "\"x\"", "true", "{", "{\"a\":1}x", "{\"a\":1,\"a\":2}",
                             "{\"a.b\":1,\"a\":{\"b\":2}}", "{\"a\":NaN}", "{\"a\":1e999}"})
    refused(std::string("config ") + config, config, ErrorCode::kFormat, {"config.json"});
  refused("config depth", "{\"a\":" + std::string(100000, '['), ErrorCode::kFormat, {"64"});
  std::string many = "{";
  for (int i = 0; i < 40000; ++i) many += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  refused("config of many values", many + "}", ErrorCode::kLimit, {"32768 values"});
  std::string paths = "{\"" + std::string(1000, 'p') + "\":{";
  for (int i = 0; i < 20000; ++i) paths += (i ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  refused("config of long paths", paths + "}}", ErrorCode::kLimit, {"2097152 bytes"});
  refused("config of 17 MiB", "{\"a\":\"" + std::string(17 << 20, 'x') + "\"}", ErrorCode::kLimit, {"16777216"});
  fs::remove(folder.dir() / "config.json");
  ExpectRefused("no config", folder.dir().path(), 100, ErrorCode::kFormat, {"config.json"});
  WriteFile(folder.dir() / "config.json", "{}");
  fs::remove(folder.dir() / "model.safetensors");
  ExpectRefused("no weights", folder.dir().path(), 100, ErrorCode::kFormat, {"model.safetensors"});
}

// S17: keys that other loaders would act on are text here. That nothing is fetched or run follows from the includes: this
// room has no call that could.
TEST(HostileConfig, S17_KeysThatAskForCodeAreText) {
  Folder folder;
  WriteFile(
      folder.dir() / "config.json",
      R"({"auto_map": {"AutoConfig": "http://169.254.169.254/x.py--C"}, "trust_remote_code": true, "_attn_implementation_internal": "kernels-community/x"})");
  folder.Accepted("S17", File("{}"));
}

}  // namespace
}  // namespace scout::io

// The structure of MP4, checked without FFmpeg: V05 of the catalogue, and what else its tables may announce.
#include <functional>

#include "support/bounded_call.h"
#include "video.h"

namespace scout::media {
namespace {

std::string Big(uint64_t value, size_t bytes = 4) {
  std::string text;
  for (size_t i = bytes; i-- > 0;) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string Box(const std::string& name, const std::string& holds) { return Big(holds.size() + 8) + name + holds; }

const std::string kStart = Box("ftyp", "isom" + Big(0) + "isom");
const std::string kPlain = Big(0);  // version and flags

// A file with one track whose table is `tables`.
std::string File(const std::string& tables, const std::string& handler = "vide", const std::string& edits = "") {
  return kStart +
         Box("moov", Box("trak", edits + Box("mdia", Box("hdlr", kPlain + Big(0) + handler + std::string(12, '\0')) +
                                                         Box("minf", Box("stbl", tables))))) +
         Box("mdat", "0123456789");
}

void Check(const std::string& bytes) {
  TextBytes source(bytes);
  (void)RecogniseVideo(source);
  CheckBoxes(source);
}

void Refused(const std::string& id, const std::string& bytes, ErrorCode code, const std::vector<std::string>& says) {
  const test::BoundedCall call = test::CallBounded([&] { Check(bytes); });
  EXPECT_TRUE(call.code == code) << id << ": " << (call.code ? static_cast<int>(*call.code) : 0) << " " << call.message;
  for (const std::string& part : says)
    EXPECT_NE(std::string(call.message).find(part), std::string::npos) << id << ": " << call.message;
  EXPECT_EQ(std::string(call.message).find('\n'), std::string::npos) << id;
  test::ExpectWithinBounds(id, call, bytes.size());
}

TEST(VideoBoxes, AGoodFileHasNothingToSay) {
  EXPECT_NO_THROW(Check(File("")));
  EXPECT_NO_THROW(
      Check(File(Box("stts", kPlain + Big(1) + Big(30) + Big(512)) + Box("stsz", kPlain + Big(0) + Big(2) + Big(5) + Big(5)) +
                 Box("stco", kPlain + Big(1) + Big(40)) + Box("dinf", Box("dref", kPlain + Big(1) + Box("url ", Big(1)))))));
  // Sound without compression: a sample of four bytes each 20 microseconds.
  EXPECT_NO_THROW(Check(File(Box("stts", kPlain + Big(1) + Big(2) + Big(1)) + Box("stsz", kPlain + Big(4) + Big(2)), "soun")));
  std::string last = File("");
  last.replace(last.size() - 18, 4, Big(0));  // mdat to the end of the file
  EXPECT_NO_THROW(Check(last));
  std::string large = File("");
  large.replace(large.size() - 18, 8, Big(1) + "mdat" + Big(26, 8));
  EXPECT_NO_THROW(Check(large));
}

TEST(VideoBoxes, V05_SizesOfBoxes) {
  for (const uint64_t size : {2, 3, 4, 5, 6, 7})
    Refused("size " + std::to_string(size), kStart + Big(size) + "moov", ErrorCode::kFormat, {"has size", "at least 8"});
  Refused("size 0 inside", kStart + Box("moov", Big(0) + "trak" + Big(0)), ErrorCode::kFormat, {"size 0"});
  Refused("size 1 without room", kStart + Big(1) + "moov" + Big(0), ErrorCode::kFormat, {"does not fit"});
  Refused("64-bit size 15", kStart + Big(1) + "moov" + Big(15, 8), ErrorCode::kFormat, {"has size 15, at least 16"});
  Refused("64-bit size 2^64-1", kStart + Big(1) + "moov" + Big(UINT64_MAX, 8), ErrorCode::kTruncated, {"18446744073709551615"});
  Refused("past the end", kStart + Big(1000) + "mdat" + "abc", ErrorCode::kTruncated,
          {"mdat", "has size 1000", "11 bytes are there"});
  Refused("past its parent", kStart + Box("moov", Big(1000) + "trak" + "abcd"), ErrorCode::kFormat, {"trak", "has size 1000"});
  Refused("no index", kStart + Box("mdat", "abc"), ErrorCode::kTruncated, {"moov"});
  const std::string good = File(Box("stts", kPlain + Big(1) + Big(30) + Big(512)));
  for (size_t size = 0; size < good.size(); ++size) {
    const test::BoundedCall call = test::CallBounded([&] { Check(good.substr(0, size)); });
    EXPECT_TRUE(call.returned || call.code == ErrorCode::kTruncated || call.code == ErrorCode::kFormat ||
                call.code == ErrorCode::kUnsupported)
        << size << call.message;
    test::ExpectWithinBounds("cut", call, size);
  }
}

TEST(VideoBoxes, V05_Depth) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep = i < 200 ? Box("trak", deep) : deep;
  Refused("200 deep", kStart + Box("moov", deep), ErrorCode::kLimit, {"nested deeper than 16"});
  // 10^5 deep, each box as long as what is left: written from the outside in.
  std::string outside;
  const int depth = 100000;
  for (int i = 0; i < depth; ++i) outside += Big(static_cast<uint64_t>(8 * (depth - i))) + "moov";
  Refused("10^5 deep", kStart + outside, ErrorCode::kLimit, {"nested deeper than 16"});
  std::string many;
  for (uint64_t i = 0; i <= kMaxBoxes; ++i) many += Big(8) + "free";
  Refused("2^20 boxes", kStart + many, ErrorCode::kLimit, {"more than 1048576 boxes"});
}

TEST(VideoBoxes, V05_TablesThatAnnounceMoreThanTheyHold) {
  for (const char* table : {"stco", "co64", "stss", "stts", "ctts", "stsc"})
    Refused(table, File(Box(table, kPlain + Big(0xffffffff) + Big(1))), ErrorCode::kFormat,
            {table, "announces 4294967295 entries"});
  Refused("stsz", File(Box("stsz", kPlain + Big(0) + Big(0xffffffff))), ErrorCode::kFormat, {"announces 4294967295 entries"});
  Refused("stz2", File(Box("stz2", kPlain + Big(4) + Big(0xffffffff))), ErrorCode::kFormat, {"announces 4294967295 entries"});
  Refused("short", File(Box("stco", Big(0))), ErrorCode::kFormat, {"holds 4 bytes"});
  Refused("trun", kStart + Box("moov", "") + Box("moof", Box("traf", Box("trun", Big(0x100) + Big(0xffffffff)))),
          ErrorCode::kFormat, {"trun", "4294967295"});
}

TEST(VideoBoxes, V05_SamplesWithoutBytes) {
  // Twelve bytes that are four thousand million samples.
  Refused("stsz of one size", File(Box("stsz", kPlain + Big(1) + Big(0xffffffff))), ErrorCode::kLimit,
          {"4294967295 samples", "16777216"});
  Refused("the same as sound",
          File(Box("stts", kPlain + Big(1) + Big(1) + Big(1)) + Box("stsz", kPlain + Big(1) + Big(0xffffffff)), "soun"),
          ErrorCode::kLimit, {"4294967295 samples"});
  Refused("stts", File(Box("stts", kPlain + Big(1) + Big(0xffffffff) + Big(2))), ErrorCode::kLimit, {"4294967295 samples"});
  Refused("ctts", File(Box("ctts", kPlain + Big(1) + Big(0xffffffff) + Big(2))), ErrorCode::kLimit, {"4294967295 samples"});
  Refused("trun", kStart + Box("moov", "") + Box("moof", Box("traf", Box("trun", Big(0) + Big(0xffffffff)))), ErrorCode::kLimit,
          {"4294967295 samples"});
  std::string edits;
  for (int i = 0; i < 2000; ++i) edits += Big(1000) + Big(0) + Big(0x10000);
  Refused("edits",
          File(Box("stts", kPlain + Big(1) + Big(10000) + Big(2)), "vide", Box("edts", Box("elst", kPlain + Big(2000) + edits))),
          ErrorCode::kLimit, {"2000 edits of 10000 samples"});
}

TEST(VideoBoxes, OtherFilesAreNotOpened) {
  const std::string away = Box("url ", Big(0) + "http://169.254.169.254/x");
  Refused("dref", File(Box("dinf", Box("dref", kPlain + Big(1) + away))), ErrorCode::kUnsupported, {"another file"});
  Refused("alias", File(Box("dinf", Box("dref", kPlain + Big(1) + Box("alis", Big(0) + std::string(20, 'x'))))),
          ErrorCode::kUnsupported, {"another file"});
  Refused("movie of movies", kStart + Box("moov", Box("rmra", "")), ErrorCode::kUnsupported, {"other files"});
  Refused("compressed", kStart + Box("moov", Box("cmov", "")), ErrorCode::kUnsupported, {"compressed index"});
}

TEST(VideoBoxes, ASegmentIsThereToItsEndOrUnknown) {
  const auto check = [](const std::string& behind) {
    TextBytes source("\x1a\x45\xdf\xa3\x88\x42\x82\x85webm" + std::string(1, '\0') + behind + "0123456789");
    CheckSegment(source);
  };
  using namespace std::string_literals;
  EXPECT_NO_THROW(check("\x18\x53\x80\x67\x8a"s));
  EXPECT_NO_THROW(check("\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff"s));
  EXPECT_THROW(check("\x18\x53\x80\x67\x8b"s), Error);
  // An id of one byte, and ids and sizes that do not end.
  for (const std::string& other : {"\xec\x80"s, "\x80\x80"s, "\0\0"s, "\x18"s, "\x18\x53\x80\x67\0"s})
    EXPECT_NO_THROW(check(other));
}

TEST(VideoBoxes, V04_OtherFormatsAreNamed) {
  const auto refuse = [](const std::string& bytes, const std::vector<std::string>& says) {
    Refused(bytes.substr(0, 12), bytes + std::string(64, '\0'), ErrorCode::kUnsupported, says);
  };
  refuse("#EXTM3U\n#EXTINF:10\nhttp://x/y.ts\n", {"a playlist"});
  refuse("ffconcat version 1.0\nfile /etc/passwd\n", {"a list of files"});
  refuse("file 'a.mp4'\nfile 'b.mp4'\n", {"a list of files"});
  refuse("<?xml version=\"1.0\"?><MPD>", {"manifest"});
  refuse("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", {"a session description"});
  refuse("RIFF    AVI LIST", {"an AVI"});
  refuse("FLV\1\5\0\0\0\11xxxx", {"a Flash video"});
  refuse(std::string("\0\0\0\x0cjP  \r\n", 10), {"JPEG 2000"});
  refuse("\xff\x4f\xff\x51", {"JPEG 2000"});
  refuse(Box("ftyp", "mjp2" + Big(0)), {"JPEG 2000"});
  refuse(Box("ftyp", "heic" + Big(0)), {"a picture file (brand heic)"});
  refuse("\xff\xd8\xff\xe0,\xff\xd8\xff\xe0,", {"JPEG"});
  refuse("http://example.org/clip.mp4", {"begin with http://examp"});
  refuse("\x47\x40\x11\x10", {"transport stream"});
  refuse("\x1a\x45\xdf\xa3\x88\x42\x82\x85other", {"EBML document of the type other"});
  Refused("EBML without a type", "\x1a\x45\xdf\xa3\x80" + std::string(64, '\0'), ErrorCode::kFormat, {"document type"});
  Refused("EBML too long", "\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff" + std::string(64, '\0'), ErrorCode::kFormat,
          {"EBML header"});
  Refused("empty", "", ErrorCode::kTruncated, {"0 bytes"});
}

}  // namespace
}  // namespace scout::media

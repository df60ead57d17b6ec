// Malformed pictures, row by row of the catalogue (I): the status, a sentence of one line, bounded time and memory, nothing left
// behind, and a good picture afterwards as before.
#include <functional>
#include <vector>

#include "base/error.h"
#include "media.h"
#include "png_writer.h"
#include "prompt/image_canvas.h"
#include "support/bounded_call.h"

namespace scout::media {
namespace {

using test::Chunk;
using test::Header;
using test::Png;
using test::Stored;

// As a caller uses it: the limits between header and pixels.
void Use(const std::string& bytes) {
  const MediaFile file = Open(bytes);
  prompt::CheckImageSize(file.header().width, file.header().height);
  (void)file.Decode();
}

// The pixels that a good file had before anything bad came.
std::string GoodPixels() {
  const std::string good = ReadFixture("rgb8.png");
  const Picture picture = Open(good).Decode();
  return std::string(reinterpret_cast<const char*>(picture.pixels.get()),
                     static_cast<size_t>(picture.width * picture.height * picture.channels));
}

void ExpectGoodFileStillReads() {
  if (!Reads("PNG")) return;
  static const std::string first = GoodPixels();
  EXPECT_EQ(GoodPixels(), first);
}

// `codes`: any of these. Memory: of operator new; the pixels that a small header announces are at most what `peak_bytes` says.
void Refused(const std::string& id, const std::string& bytes, std::vector<ErrorCode> codes, std::vector<std::string> says,
             double cpu_s = 1.0, int64_t peak_bytes = -1) {
  const test::BoundedCall call = test::CallBounded([&] { Use(bytes); });
  EXPECT_TRUE(call.code && std::find(codes.begin(), codes.end(), *call.code) != codes.end())
      << id << ": " << (call.code ? static_cast<int>(*call.code) : 0) << " " << call.message;
  for (const std::string& part : says)
    EXPECT_NE(std::string(call.message).find(part), std::string::npos) << id << ": " << call.message;
  EXPECT_EQ(std::string(call.message).find('\n'), std::string::npos) << id;
  EXPECT_LT(std::string(call.message).size(), 500u) << id;
  test::ExpectWithinBounds(id, call, bytes.size(), {.cpu_s = cpu_s, .peak_bytes = peak_bytes});
  ExpectGoodFileStillReads();
}

// Refused or read, but within the bounds.
void Bounded(const std::string& id, const std::string& bytes, double cpu_s = 1.0, int64_t peak_bytes = -1) {
  const test::BoundedCall call = test::CallBounded([&] { Use(bytes); });
  EXPECT_TRUE(call.returned || call.code) << id << ": " << call.message;
  test::ExpectWithinBounds(id, call, bytes.size(), {.cpu_s = cpu_s, .peak_bytes = peak_bytes});
}

std::string Replaced(std::string bytes, size_t at, const std::string& with) { return bytes.replace(at, with.size(), with); }

class HostilePng : public testing::Test {
 protected:
  void SetUp() override {
    if (!Reads("PNG")) GTEST_SKIP() << "this build reads no PNG";
  }
  const std::string data_ = Stored(std::string(4 * 13, '\0'));  // 4 x 4 RGB
};

TEST_F(HostilePng, TheGoodFileOfTheseTestsIsRead) { EXPECT_EQ(Open(Png(Header(4, 4) + Chunk("IDAT", data_))).Decode().width, 4); }

TEST_F(HostilePng, I01_SizesAreCheckedBeforeDecoding) {
  const std::string idat = Chunk("IDAT", data_);
  Refused("I01 65535^2", Png(Header(65535, 65535) + idat), {ErrorCode::kLimit}, {"65535 x 65535", "134217728"});
  Refused("I01 2^31-1", Png(Header(0x7fffffff, 0x7fffffff) + idat), {ErrorCode::kLimit}, {"width is 2147483647", "65535"});
  Refused("I01 wide", Png(Header(65536, 1) + idat), {ErrorCode::kLimit}, {"width is 65536"});
  Refused("I01 2^32-1", Png(Header(0xffffffff, 1) + idat), {ErrorCode::kFormat}, {"PNG"});
  Refused("I01 0", Png(Header(0, 4) + idat), {ErrorCode::kFormat}, {"PNG"});
  // Within the limits, but no stream of these few bytes holds it: said before anything is allocated.
  Refused("I01 tiny", Png(Header(11000, 11000) + idat), {ErrorCode::kTruncated}, {"11000 x 11000", "at least"});
}

TEST_F(HostilePng, I02_BombsStayWithinTheAnnouncedSize) {
  // 4 x 4 pixels, and a stream that unpacks to 26 MB.
  Bounded("I02 more than the picture", Png(Header(4, 4) + Chunk("IDAT", test::ZeroBomb(100000))));
  std::string chunks;
  for (int i = 0; i < 100000; ++i) chunks += Chunk("zTXt", std::string("k\0\0", 3) + test::ZeroBomb(3));
  Bounded("I02 10^5 zTXt", Png(Header(4, 4) + chunks + Chunk("IDAT", data_)));
  Bounded("I02 iCCP bomb",
          Png(Header(4, 4) + Chunk("iCCP", std::string("k\0\0", 3) + test::ZeroBomb(1000000)) + Chunk("IDAT", data_)));
  std::string huge = Png(Header(4, 4) + Chunk("IDAT", data_));
  huge = Replaced(huge, 33, test::Big32(0x80000000u));
  Refused("I02 chunk of 2^31", huge, {ErrorCode::kFormat, ErrorCode::kTruncated}, {"PNG"});
  huge = Replaced(huge, 33, test::Big32(0x7fffffffu));
  Refused("I02 chunk of 2^31-1", huge, {ErrorCode::kFormat, ErrorCode::kTruncated}, {"PNG"});
}

TEST_F(HostilePng, I03_BrokenRulesAreFormat) {
  const std::string idat = Chunk("IDAT", data_), good = Png(Header(4, 4) + idat);
  Refused("I03 crc of IHDR", Replaced(good, 29, "xxxx"), {ErrorCode::kFormat}, {"PNG", "CRC"});
  Refused("I03 crc of IDAT", Replaced(good, good.size() - 16, "xxxx"), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 depth 3", Png(Header(4, 4, 3) + idat), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 colour 5", Png(Header(4, 4, 8, 5) + idat), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 interlace 2", Png(Header(4, 4, 8, 2, 2) + idat), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 no IHDR", Png(idat), {ErrorCode::kFormat}, {"PNG", "IHDR"});
  Refused("I03 no IDAT", Png(Header(4, 4)), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 two IHDR", Png(Header(4, 4) + Header(4, 4) + idat), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 short IDAT", Png(Header(4, 4) + Chunk("IDAT", Stored(std::string(20, '\0')))), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 filter 9", Png(Header(4, 4) + Chunk("IDAT", Stored(std::string(52, 9)))), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 no palette", Png(Header(4, 4, 8, 3) + Chunk("IDAT", Stored(std::string(20, '\0')))), {ErrorCode::kFormat}, {"PNG"});
  Refused("I03 index out of range",
          Png(Header(4, 4, 8, 3) + Chunk("PLTE", "abcdef") +
              Chunk("IDAT", Stored(std::string(20, '\2')
                                       .replace(0, 1, 1, '\0')
                                       .replace(5, 1, 1, '\0')
                                       .replace(10, 1, 1, '\0')
                                       .replace(15, 1, 1, '\0')))),
          {ErrorCode::kFormat}, {"PNG", "palette"});
  Refused("I03 unknown critical chunk", Png(Header(4, 4) + Chunk("ABCD", "x") + idat), {ErrorCode::kFormat}, {"PNG"});
}

TEST_F(HostilePng, I03_EveryPrefixIsTruncated) {
  for (const char* name : {"rgb8.png", "grey16-interlaced.png", "palette-alpha.png"}) {
    const std::string good = ReadFixture(name);
    for (size_t size = 0; size < good.size(); ++size) {
      const test::BoundedCall call = test::CallBounded([&] { Use(good.substr(0, size)); });
      ASSERT_TRUE(call.code == ErrorCode::kTruncated || call.code == ErrorCode::kFormat)
          << name << " cut to " << size << ": " << call.message;
      ASSERT_TRUE(test::ExpectWithinBounds(name, call, size));
    }
  }
}

TEST_F(HostilePng, I09_ProfilesAndExifDoNotMatter) {
  Bounded("I09 16 MiB of profile",
          Png(Header(4, 4) + Chunk("iCCP", std::string("k\0\0", 3) + Stored(std::string(16 << 20, 'p'))) + Chunk("IDAT", data_)),
          2.0);
  const auto oriented = [&](const std::string& exif) {
    return Open(Png(Header(4, 4) + Chunk("eXIf", exif) + Chunk("IDAT", data_))).header().orientation;
  };
  using namespace std::string_literals;
  const std::string entry = "\x12\1\3\0\1\0\0\0\6\0\0\0"s;
  EXPECT_EQ(oriented("II*\0\x08\0\0\0\1\0"s + entry), 6u);
  EXPECT_EQ(oriented("II*\0\x08\0\0\0\xff\xff"s + entry), 6u);                           // more entries announced than there are
  EXPECT_EQ(oriented("II*\0\x08\0\0\0\1\0"s + entry.substr(0, 8) + "\x09\0\0\0"s), 1u);  // orientation 9
  EXPECT_EQ(oriented("II*\0\x08\0\0\0\1\0"s + entry.substr(0, 8) + "\0\0\0\0"s), 1u);    // 0
  EXPECT_EQ(oriented("II*\0\xff\xff\xff\xff\1\0"s + entry), 1u);                         // a directory outside
  EXPECT_EQ(oriented("II*\0\x08\0\0\0\0\0\x08\0\0\0"s), 1u);                             // a directory that follows itself
  EXPECT_EQ(oriented("XX*\0\x08\0\0\0\1\0"s + entry), 1u);
  EXPECT_EQ(oriented("II*\0"s), 1u);
}

// Found by fuzzing: libpng would make room for what an eXIf chunk announces. libpng's memory is not counted here; the fuzz target,
// which has this file among its seeds, bounds it.
TEST_F(HostilePng, I09_AnExifChunkLongerThanTheFileIsNotMadeRoomFor) {
  std::string bytes = Png(Header(4, 4) + Chunk("eXIf", std::string(26, '\0')) + Chunk("IDAT", data_));
  bytes = Replaced(bytes, 33, test::Big32(0x3900001a));
  Refused("I09 eXIf of 956 MB", bytes, {ErrorCode::kTruncated, ErrorCode::kFormat}, {"PNG"});
}

class HostileJpeg : public testing::Test {
 protected:
  void SetUp() override {
    if (!Reads("JPEG")) GTEST_SKIP() << "this build reads no JPEG";
    good_ = ReadFixture("half.jpg");
    frame_ = good_.find("\xff\xc0");
    ASSERT_NE(frame_, std::string::npos);
  }
  // Without the segment that begins with this marker.
  static std::string Without(char marker, std::string bytes) {
    for (size_t at; (at = bytes.find(std::string("\xff") + marker)) != std::string::npos;) {
      const size_t length = static_cast<uint8_t>(bytes[at + 2]) * 256u + static_cast<uint8_t>(bytes[at + 3]);
      bytes.erase(at, 2 + length);
    }
    return bytes;
  }
  std::string good_;
  size_t frame_ = 0;  // of SOF0: marker, length, precision, height, width, components
};

TEST_F(HostileJpeg, I04_SizesAreCheckedBeforeDecoding) {
  Refused("I04 65500^2", Replaced(good_, frame_ + 5, "\xff\xdc\xff\xdc"), {ErrorCode::kLimit}, {"65500 x 65500"});
  Refused("I04 65535^2", Replaced(good_, frame_ + 5, "\xff\xff\xff\xff"), {ErrorCode::kLimit}, {"65500"});
  Refused("I04 11000^2", Replaced(good_, frame_ + 5, "\x2a\xf8\x2a\xf8"), {ErrorCode::kTruncated}, {"11000 x 11000", "at least"});
  Refused("I04 height 0, as for DNL", Replaced(good_, frame_ + 5, std::string("\0\0", 2)), {ErrorCode::kUnsupported},
          {"JPEG", "DNL"});
  Refused("I04 width 0", Replaced(good_, frame_ + 7, std::string("\0\0", 2)), {ErrorCode::kUnsupported, ErrorCode::kFormat},
          {"JPEG"});
}

TEST_F(HostileJpeg, I04_KindsThatAreNotRead) {
  Refused("I04 12 bits", Replaced(good_, frame_ + 4, "\x0c"), {ErrorCode::kUnsupported}, {"JPEG", "12"});
  Refused("I04 lossless", Replaced(good_, frame_ + 1, "\xc3"), {ErrorCode::kUnsupported}, {"JPEG"});
  Refused("I04 5 components", Replaced(good_, frame_ + 9, "\x05"), {ErrorCode::kFormat, ErrorCode::kLimit}, {"JPEG"});
}

TEST_F(HostileJpeg, I04_MissingTablesAreFormat) {
  Refused("I04 no DQT", Without('\xdb', good_), {ErrorCode::kFormat}, {"JPEG", "uantization"});
  Refused("I04 no DHT", Without('\xc4', ReadFixture("progressive.jpg")), {ErrorCode::kFormat, ErrorCode::kCorrupt}, {"JPEG"});
  Bounded("I04 no DHT in a baseline file: the tables of the standard are taken", Without('\xc4', good_));
  Refused("I04 no SOF", Without('\xc0', good_), {ErrorCode::kFormat}, {"JPEG"});
  Refused("I04 no SOS", good_.substr(0, good_.find("\xff\xda")) + "\xff\xd9", {ErrorCode::kFormat, ErrorCode::kTruncated},
          {"JPEG"});
}

TEST_F(HostileJpeg, I04_RestartIntervalsAreHeld) {
  const std::string restart = ReadFixture("restart.jpg");
  const size_t at = restart.find("\xff\xdd");
  ASSERT_NE(at, std::string::npos);
  Refused("I04 interval 65535", Replaced(restart, at + 4, "\xff\xff"), {ErrorCode::kCorrupt}, {"JPEG"});
  Refused("I04 interval 0", Replaced(restart, at + 4, std::string("\0\0", 2)), {ErrorCode::kCorrupt}, {"JPEG"});
}

TEST_F(HostileJpeg, I04_ScansAreCounted) {
  std::string bytes = ReadFixture("progressive.jpg");
  // The first scan over and over.
  const size_t begin = bytes.find("\xff\xda"), end = bytes.find("\xff\xc4", begin);
  ASSERT_NE(end, std::string::npos);
  const std::string scan = bytes.substr(begin, end - begin);
  std::string many;
  for (int i = 0; i < 10000; ++i) many += scan;
  Refused("I04 10^4 scans", bytes.insert(begin, many), {ErrorCode::kLimit, ErrorCode::kCorrupt}, {"JPEG"});
}

TEST_F(HostileJpeg, EveryPrefixIsRefusedButForTheEndMarker) {
  for (const char* name : {"half.jpg", "progressive.jpg", "cmyk.jpg"}) {
    const std::string good = ReadFixture(name);
    for (size_t size = 0; size + 8 < good.size(); ++size) {
      const test::BoundedCall call = test::CallBounded([&] { Use(good.substr(0, size)); });
      ASSERT_TRUE(call.code == ErrorCode::kTruncated || call.code == ErrorCode::kFormat || call.code == ErrorCode::kCorrupt)
          << name << " cut to " << size << " of " << good.size() << ": " << call.message;
      ASSERT_TRUE(test::ExpectWithinBounds(name, call, size));
    }
  }
  EXPECT_EQ(Open(good_.substr(0, good_.size() - 2)).Decode().width, 61) << "the end marker may be missing";
}

TEST(HostileWebp, EveryPrefixIsRefused) {
  if (!Reads("WebP")) GTEST_SKIP() << "this build reads no WebP";
  for (const char* name : {"lossy.webp", "lossless.webp", "alpha.webp"}) {
    const std::string good = ReadFixture(name);
    for (size_t size = 0; size < good.size(); ++size) {
      const test::BoundedCall call = test::CallBounded([&] { Use(good.substr(0, size)); });
      ASSERT_TRUE(call.code.has_value()) << name << " cut to " << size << " of " << good.size();
      ASSERT_TRUE(test::ExpectWithinBounds(name, call, size));
    }
  }
}

// Changed bytes give a picture or a sentence.
TEST(HostileFiles, ChangedBytesStayWithinTheBounds) {
  for (const char* name : {"rgb8.png", "palette4-interlaced.png", "half.jpg", "progressive.jpg", "exif6.jpg", "lossy.webp",
                           "alpha-lossless.webp", "exif6.webp"}) {
    const std::string good = ReadFixture(name);
    for (size_t at = 0; at < good.size(); at += 1 + good.size() / 400) {
      for (const char change : {'\x01', '\x80', '\xff'}) {
        std::string bytes = good;
        bytes[at] = static_cast<char>(bytes[at] ^ change);
        // A changed size may announce as many pixels as a file of these bytes can have.
        const test::BoundedCall call = test::CallBounded([&] { Use(bytes); });
        ASSERT_TRUE(call.returned || call.code) << name << " byte " << at << ": " << call.message;
        ASSERT_EQ(call.leaked_blocks, 0) << name << " byte " << at;
      }
    }
  }
  ExpectGoodFileStillReads();
}

}  // namespace
}  // namespace scout::media

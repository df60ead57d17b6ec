// Every kind of file of tests/fixtures/images/files against what PIL made of it, and what is refused by its first bytes.
#include "media/media_file.h"

#include "base/error.h"
#include "media.h"
#include "prompt/sha256.h"

namespace scout::media {
namespace {

ErrorCode CodeOf(const std::string& bytes, std::initializer_list<const char*> says, std::string_view folder = TEST_PLUGINS) {
  try {
    (void)MediaFile(BytesOf(bytes), folder).Decode();
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part : says) EXPECT_NE(message.find(part), std::string::npos) << "\"" << message << "\" lacks " << part;
    return error.code();
  }
  ADD_FAILURE() << "accepted";
  return ErrorCode::kInternal;
}

TEST(MediaFile, EveryKindOfFileIsWhatPilMakesOfIt) {
  std::ifstream list(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/images/files.txt");
  std::string name, format, hash;
  int64_t width = 0, height = 0;
  int channels = 0;
  uint32_t orientation = 0;
  size_t files = 0, read = 0;
  while (list >> name >> format >> width >> height >> channels >> orientation >> hash) {
    ++files;
    if (!Reads(format)) continue;
    ++read;
    const std::string bytes = ReadFixture(name);
    const MediaFile file = Open(bytes);
    EXPECT_EQ(file.format(), format) << name;
    EXPECT_EQ(file.header().orientation, orientation) << name;
    const Picture picture = file.Decode();
    ASSERT_EQ(picture.width, width) << name;
    ASSERT_EQ(picture.height, height) << name;
    ASSERT_EQ(picture.channels, channels) << name;
    prompt::Sha256 sha;
    sha.Update({reinterpret_cast<const char*>(picture.pixels.get()), static_cast<size_t>(width * height * channels)});
    EXPECT_EQ(sha.Finish(), hash) << name << ": pixels differ from PIL's";
  }
  EXPECT_GE(files, 40u);
  if (read < files) GTEST_SKIP() << files - read << " of " << files << " files are of formats that this build does not read";
}

TEST(MediaFile, OthersAreRefusedByName) {
  using namespace std::string_literals;
  const std::pair<std::string, const char*> cases[] = {
      {"GIF89a\1\0\1\0"s, "a GIF"},
      {"II*\0\x08\0\0\0"s, "a TIFF"},
      {"MM\0*\0\0\0\x08"s, "a TIFF"},
      {"BM\x36\0\0\0"s, "a BMP"},
      {"\0\0\0\x18"s + "ftypheic", "an HEIC"},
      {"\0\0\0\x18"s + "ftypavif", "an AVIF"},
      {"\0\0\0\x18"s + "ftypisom", "a video"},
      {"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"},
      {"<?xml version='1.0'?><svg/>", "perhaps an SVG"},
      {"PK\x03\x04" + std::string(30, 'x'), "a ZIP"},
      {"%PDF-1.7", "a PDF"},
      {"hello, world", "begin with hello, world"},
      {"RIFF\x10\0\0\0AVI "s, "begin with RIFF"},
      {std::string(64, '\0'), "begin with \\x00"},
  };
  for (const auto& [bytes, says] : cases) EXPECT_EQ(CodeOf(bytes, {says, "PNG"}), ErrorCode::kUnsupported) << says;
  EXPECT_EQ(CodeOf("", {"0 bytes"}), ErrorCode::kTruncated);
  EXPECT_EQ(CodeOf("\x89PN", {"3 bytes"}), ErrorCode::kTruncated);
  EXPECT_EQ(CodeOf("\xff\xd8", {"2 bytes"}), ErrorCode::kTruncated);
}

TEST(MediaFile, AnAnimationIsRefused) {
  if (!Reads("WebP")) GTEST_SKIP() << "this build reads no WebP";
  EXPECT_EQ(CodeOf(ReadFixture("animated.webp"), {"WebP", "animation"}), ErrorCode::kUnsupported);
}

TEST(MediaFile, WithoutThePluginASentenceSaysWhatIsMissing) {
  EXPECT_EQ(CodeOf(ReadFixture("grey8.png"), {"reading PNG, JPEG and WebP needs the plug-in media", "/nowhere/libscout-media.so"},
                   "/nowhere"),
            ErrorCode::kUnsupported);
}

// A file that is a picture to one program and an archive to another is refused; anything else behind a picture is not looked at.
TEST(MediaFile, WhatFollowsAPictureIsIgnoredUnlessItIsAnArchive) {
  EXPECT_EQ(CodeOf(ReadFixture("rgb8.png") + "PK\x03\x04 and so on", {"PNG with a ZIP"}), ErrorCode::kUnsupported);
  if (!Reads("PNG")) GTEST_SKIP() << "this build reads no PNG";
  EXPECT_EQ(Open(ReadFixture("rgb8.png") + " and so on").Decode().width, 14);
}

}  // namespace
}  // namespace scout::media

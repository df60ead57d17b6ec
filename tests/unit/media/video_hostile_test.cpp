// Malformed clips, row by row of the catalogue (V): the status, a sentence of one line, bounded time and memory, nothing left
// behind.
#include <algorithm>
#include <fstream>
#include <functional>

#include "support/bounded_call.h"
#include "video.h"

namespace scout::media {
namespace {

using clips::Spec;

class HostileVideo : public testing::Test {
 protected:
  void SetUp() override {
    if (!clips::CanMake()) GTEST_SKIP() << "this build has no FFmpeg: it reads no video and makes no clips";
  }
  static std::string Clip(const Spec& spec) {
    return clips::Make(spec, [&](int frame) { return clips::CircleGoesRight(spec.width, spec.height, frame); }).value_or("");
  }
};

void Use(const std::string& bytes) { (void)Take(bytes, ByRate(10)); }

// FFmpeg's own memory and its threads' descriptors are not counted here; the fuzz target's sanitizer does.
test::BoundedCall Call(const std::string& bytes) {
  return test::CallBounded([&] { Use(bytes); });
}

void Refused(const std::string& id, const std::string& bytes, std::vector<ErrorCode> codes, std::vector<std::string> says) {
  const test::BoundedCall call = Call(bytes);
  EXPECT_TRUE(call.code && std::find(codes.begin(), codes.end(), *call.code) != codes.end())
      << id << ": " << (call.code ? static_cast<int>(*call.code) : 0) << " " << call.message;
  for (const std::string& part : says)
    EXPECT_NE(std::string(call.message).find(part), std::string::npos) << id << ": " << call.message;
  EXPECT_EQ(std::string(call.message).find('\n'), std::string::npos) << id;
  test::ExpectWithinBounds(id, call, bytes.size(), {.cpu_s = 5});
}

TEST_F(HostileVideo, V01_MoreFramesThanWantedAreRefusedBeforeDecoding) {
  const std::string bytes =
      Clip({.container = "matroska", .encoder = "mjpeg", .width = 32, .height = 32, .fps = 1000, .frames = 3000});
  const test::BoundedCall call = test::CallBounded([&] {
    VideoChoice choice = ByRate(1000);
    choice.max_frames = 256;
    VideoFrames frames(OpenClip(bytes), choice);
  });
  EXPECT_TRUE(call.code == ErrorCode::kLimit) << call.message;
  EXPECT_NE(std::string(call.message).find("3000 frames are chosen"), std::string::npos) << call.message;
  EXPECT_NE(std::string(call.message).find("at most 256 (max_frames)"), std::string::npos) << call.message;
}

TEST_F(HostileVideo, V02_ADurationBeyondReasonIsALimit) {
  // Matroska's is a double, in milliseconds.
  const std::string good = Clip({.container = "matroska", .encoder = "mjpeg", .frames = 5});
  const size_t at = good.find("\x44\x89\x88");
  ASSERT_NE(at, std::string::npos);
  const auto with = [&](const std::string& duration) { return std::string(good).replace(at + 3, 8, duration); };
  using namespace std::string_literals;
  Refused("2^50 ms", with("\x43\x10\0\0\0\0\0\0"s), {ErrorCode::kLimit}, {"1125899906842624 ms long", "max_duration_us"});
  for (const std::string& none :
       {"\x7f\xf8\0\0\0\0\0\0"s, "\xff\xf0\0\0\0\0\0\0"s, "\x7f\xf0\0\0\0\0\0\0"s, "\xc0\0\0\0\0\0\0\0"s}) {
    const test::BoundedCall call = Call(with(none));
    EXPECT_TRUE(call.returned || call.code == ErrorCode::kLimit) << call.message;
  }
}

TEST_F(HostileVideo, V03_AChangeOfSizeIsNamedByItsTime) {
  // Two clips' frames in one track: Motion JPEG in Matroska, the second half of other clips pasted in cannot be done without a
  // muxer, so a JPEG's own header says another size.
  std::string bytes = Clip({.container = "matroska", .encoder = "mjpeg", .width = 64, .height = 64, .frames = 10});
  ASSERT_FALSE(bytes.empty());
  std::string changed = bytes;
  const std::string start("\xff\xc0\x00\x11\x08\x00\x40\x00\x40", 9);
  size_t at = 0, found = 0;
  while ((at = changed.find(start, at)) != std::string::npos) {
    if (++found == 6) changed.replace(at + 5, 4, std::string("\x00\x20\x00\x20", 4));
    at += start.size();
  }
  ASSERT_EQ(found, 10u);
  Refused("size", changed, {ErrorCode::kFormat}, {"MJPEG: the frame at 0.500 s"});
}

TEST_F(HostileVideo, V03_ADamagedFrameIsNamedByItsTime) {
  std::string bytes = Clip({.container = "matroska", .encoder = "mjpeg", .width = 64, .height = 64, .frames = 10});
  ASSERT_FALSE(bytes.empty());
  size_t at = 0;
  for (int i = 0; i < 4; ++i) at = bytes.find("\xff\xda", at + 1);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, 2, "\xff\xc3");
  Refused("marker", bytes, {ErrorCode::kFormat, ErrorCode::kUnsupported}, {"MJPEG: the frame at 0.300 s"});

  std::string video = Clip({.container = "mp4", .encoder = "libx264"});
  if (video.empty()) return;
  // The second half of the frames is noise.
  const size_t data = video.find("mdat");
  ASSERT_NE(data, std::string::npos);
  size_t size = 0;
  for (size_t i = data - 4; i < data; ++i) size = size << 8 | static_cast<unsigned char>(video[i]);
  uint32_t seed = 7;
  for (size_t i = data - 4 + size / 2; i < data - 4 + size; ++i)
    video[i] = static_cast<char>((seed = seed * 1664525u + 1013904223u) >> 24);
  Refused("noise", video, {ErrorCode::kFormat}, {"H.264"});
}

TEST_F(HostileVideo, V03_EveryCutIsRefusedOrEndsEarly) {
  const Spec specs[] = {{.container = "matroska", .encoder = "mjpeg", .width = 32, .height = 32, .frames = 3},
                        {.container = "mp4", .encoder = "libx264", .width = 32, .height = 32, .frames = 3},
                        {.container = "webm", .encoder = "libvpx", .width = 32, .height = 32, .frames = 3}};
  for (const Spec& spec : specs) {
    const std::string bytes = Clip(spec);
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 150) {
      const test::BoundedCall call = Call(bytes.substr(0, size));
      ASSERT_TRUE(call.code == ErrorCode::kTruncated || call.code == ErrorCode::kFormat)
          << spec.container << " cut to " << size << ": " << call.message;
      ASSERT_TRUE(test::ExpectWithinBounds(spec.container, call, size, {.cpu_s = 5}));
    }
  }
}

TEST_F(HostileVideo, V04_ACodecThatIsNotOnTheListIsNamed) {
  for (const char* encoder : {"mpeg4", "mpeg2video", "jpeg2000", "ffv1"}) {
    const auto bytes = clips::Make({.container = "matroska", .encoder = encoder, .frames = 2},
                                   [](int frame) { return clips::CircleGoesRight(64, 48, frame); });
    if (!bytes) continue;
    Refused(encoder, *bytes, {ErrorCode::kUnsupported},
            {"the clip's codec is " + std::string(encoder), "H.264, HEVC, VP8, VP9, AV1 and MJPEG are read"});
  }
}

// AV1's number of a matrix reaches the frame as it is in the stream: here 102, which no standard has, for BT.601's 6, which is what
// a small clip without one is taken for. (A seed of the fuzz target, whose compiler tells when it is read as an enumeration.)
TEST_F(HostileVideo, AMatrixWithoutANameIsTakenAsUnknown) {
  const auto pixels = [](const char* name) {
    std::ifstream file(std::string(SCOUT_SOURCE_DIR "/tests/fuzz/corpus/video/") + name, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const std::vector<ChosenFrame> taken = Take(bytes, ByRate(10));
    return taken.empty() ? std::vector<uint8_t>() : taken[0].pixels;
  };
  const std::vector<uint8_t> want = pixels("av1.webm");
  ASSERT_FALSE(want.empty());
  EXPECT_EQ(pixels("av1-matrix-102.webm"), want);
}

TEST_F(HostileVideo, FlippedBytesAreRefusedOrRead) {
  const Spec specs[] = {{.container = "matroska", .encoder = "mjpeg", .width = 32, .height = 32, .frames = 3},
                        {.container = "mp4", .encoder = "libx264", .width = 32, .height = 32, .frames = 3},
                        {.container = "webm", .encoder = "libvpx-vp9", .width = 32, .height = 32, .frames = 3}};
  for (const Spec& spec : specs) {
    const std::string good = Clip(spec);
    uint32_t seed = 1;
    for (int round = 0; round < 150 && !good.empty(); ++round) {
      std::string bytes = good;
      for (int i = 0; i < 3; ++i) {
        seed = seed * 1664525u + 1013904223u;
        bytes[(seed >> 4) % bytes.size()] = static_cast<char>(seed >> 24);
      }
      const test::BoundedCall call = Call(bytes);
      ASSERT_TRUE(call.returned || call.code) << call.message;
      ASSERT_EQ(std::string(call.message).find('\n'), std::string::npos) << call.message;
      ASSERT_TRUE(test::ExpectWithinBounds(spec.container, call, bytes.size(), {.cpu_s = 5}));
    }
  }
}

}  // namespace
}  // namespace scout::media

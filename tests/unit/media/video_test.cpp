// Clips of every container and codec that is read: frames, times, colours, seeking.
#include <algorithm>

#include "base/log.h"
#include "video.h"

namespace scout::media {
namespace {

using clips::Spec;

class Video : public testing::Test {
 protected:
  void SetUp() override {
    if (!clips::CanMake()) GTEST_SKIP() << "this build has no FFmpeg: it reads no video and makes no clips";
  }
  // The clip, or nothing where this FFmpeg lacks the encoder.
  static std::string Made(const Spec& spec, const clips::Draw& draw) { return clips::Make(spec, draw).value_or(std::string()); }
  static clips::Draw Circle(const Spec& spec) {
    return [spec](int frame) { return clips::CircleGoesRight(spec.width, spec.height, frame); };
  }
};

struct Case {
  Spec spec;
  const char* container;
  const char* codec;
};

TEST_F(Video, EveryContainerAndCodecOnTheListGivesItsFramesAndTimes) {
  const Case cases[] = {
      {{.container = "mp4", .encoder = "libx264"}, "MP4", "H.264"},
      {{.container = "mov", .encoder = "libx264"}, "QuickTime", "H.264"},
      {{.container = "matroska", .encoder = "libx264"}, "Matroska", "H.264"},
      {{.container = "mp4", .encoder = "libx265"}, "MP4", "HEVC"},
      {{.container = "webm", .encoder = "libvpx"}, "WebM", "VP8"},
      {{.container = "webm", .encoder = "libvpx-vp9"}, "WebM", "VP9"},
      {{.container = "webm", .encoder = "libaom-av1"}, "WebM", "AV1"},
      {{.container = "mov", .encoder = "mjpeg"}, "QuickTime", "MJPEG"},
      {{.container = "matroska", .encoder = "mjpeg"}, "Matroska", "MJPEG"},
  };
  int seen = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.container) + " " + c.codec);
    Spec spec = c.spec;
    spec.width = spec.height = 96;
    const std::string bytes = Made(spec, Circle(spec));
    if (bytes.empty()) {
      std::printf("   skipped: FFmpeg has no encoder %s\n", spec.encoder.c_str());
      continue;
    }
    ++seen;
    VideoFrames frames(OpenClip(bytes), ByRate(1));
    EXPECT_STREQ(frames.file().container(), c.container);
    EXPECT_STREQ(frames.file().header().codec, c.codec);
    EXPECT_NE(std::string(frames.file().library()).find("licence: "), std::string::npos);
    EXPECT_NEAR(static_cast<double>(frames.file().header().duration_us), 3e6, 1e5);
    EXPECT_EQ(frames.chosen(), 3);
    for (int second = 0; second < 3; ++second) {
      const auto frame = frames.Next();
      ASSERT_TRUE(frame);
      EXPECT_NEAR(static_cast<double>(frame->time_us), second * 1e6, 1e3);
      EXPECT_LT(MeanDifference(frame->pixels, clips::CircleGoesRight(96, 96, 10 * second)), 9) << second;
      for (int other = 0; other < 3; ++other) {
        if (other == second) continue;
        EXPECT_GT(MeanDifference(frame->pixels, clips::CircleGoesRight(96, 96, 10 * other)), 12) << second << " " << other;
      }
    }
    EXPECT_FALSE(frames.Next());
    EXPECT_FALSE(frames.Next());
  }
  EXPECT_GE(seen, 1);
}

TEST_F(Video, TheFrameOfATimeIsTheOneShownThen) {
  // Each frame's grey is its number, four levels apart.
  const Spec spec = {.container = "matroska", .encoder = "mjpeg", .fps = 25, .frames = 50};
  const auto grey = [](int frame) { return static_cast<uint8_t>(20 + 4 * frame); };
  const std::string bytes = Made(spec, [&](int f) { return clips::Plain(64, 48, {grey(f), grey(f), grey(f)}); });
  ASSERT_FALSE(bytes.empty());
  const auto number = [](const ChosenFrame& frame) { return (frame.pixels[0] - 20 + 2) / 4; };
  const std::vector<ChosenFrame> all = Take(bytes, ByRate(25));
  ASSERT_EQ(all.size(), 50u);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(number(all[static_cast<size_t>(i)]), i);
  const std::vector<ChosenFrame> four = Take(bytes, ByRate(4));  // 0.25 s is in the midst of frame 6
  ASSERT_EQ(four.size(), 8u);
  EXPECT_EQ(number(four[1]), 6);
  EXPECT_EQ(four[1].time_us, 240000);
  EXPECT_EQ(Take(bytes, ByRate(100)).size(), 50u) << "a frame is taken once";
  EXPECT_EQ(TimesOf(Take(bytes, ByCount(4))), (std::vector<int64_t>{0, 480000, 1000000, 1480000}));
  VideoChoice part = ByRate(2);
  part.start_us = 500000;
  part.end_us = 1500000;
  EXPECT_EQ(TimesOf(Take(bytes, part)), (std::vector<int64_t>{480000, 1000000}));
}

TEST_F(Video, SeekingGivesTheFramesThatDecodingEverythingGives) {
  for (const char* container : {"mp4", "matroska"}) {
    for (const bool b_frames : {false, true}) {
      SCOPED_TRACE(std::string(container) + (b_frames ? " with open groups" : ""));
      const Spec spec = {.container = container,
                         .frames = 100,
                         .key_every = 10,
                         .b_frames = b_frames,
                         .options = b_frames ? "x264-params=open-gop=1" : ""};
      const std::string bytes = Made(spec, [&](int f) { return clips::CircleGoesRight(64, 48, (f * 7) % 30); });
      if (bytes.empty()) GTEST_SKIP() << "FFmpeg has no libx264";
      const std::vector<ChosenFrame> all = Take(bytes, ByRate(10)), few = Take(bytes, ByRate(0.4));
      ASSERT_EQ(all.size(), 100u);
      ASSERT_EQ(few.size(), 4u);
      for (size_t i = 0; i < few.size(); ++i) {
        EXPECT_EQ(few[i].time_us, all[25 * i].time_us);
        EXPECT_EQ(few[i].pixels, all[25 * i].pixels) << i;
      }
      // Less than half of the frames are decoded for four of them. Key frames that begin no group of their own are passed by.
      if (b_frames) continue;
      EXPECT_NO_THROW({
        VideoFrames frames(OpenClip(bytes, 1, kPixels, uint64_t{64} * 48 * 50), ByRate(0.4));
        while (frames.Next()) {
        }
      });
    }
  }
}

TEST_F(Video, ThreadsChangeNoPixel) {
  const Spec spec = {.width = 160, .height = 128, .b_frames = true};
  const std::string bytes = Made(spec, Circle(spec));
  if (bytes.empty()) GTEST_SKIP() << "FFmpeg has no libx264";
  const std::vector<ChosenFrame> one = Take(bytes, ByRate(5), 1), four = Take(bytes, ByRate(5), 4);
  ASSERT_EQ(one.size(), 15u);
  ASSERT_EQ(four.size(), 15u);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].pixels, four[i].pixels) << i;
}

TEST_F(Video, AClipWithoutADurationOrAnIndexIsMeasured) {
  for (const char* container : {"mp4", "matroska", "webm"}) {
    SCOPED_TRACE(container);
    const Spec spec = {
        .container = container, .encoder = std::string(container) == "webm" ? "libvpx" : "libx264", .frames = 40, .live = true};
    const std::string bytes = Made(spec, Circle(spec));
    if (bytes.empty()) continue;
    VideoFrames frames(OpenClip(bytes), ByRate(1));
    EXPECT_NEAR(static_cast<double>(frames.file().header().duration_us), 4e6, 1.1e5);
    std::vector<int64_t> times;
    while (const auto frame = frames.Next()) times.push_back(frame->time_us);
    EXPECT_EQ(times, (std::vector<int64_t>{0, 1000000, 2000000, 3000000}));
  }
}

TEST_F(Video, ColoursAreTheClipsWhateverItsMatrixAndRange) {
  // As the tests' writer converts them: AVCOL_SPC_BT709 is 1, _SMPTE170M 6.
  const clips::Rgb colours[] = {{220, 30, 30}, {40, 160, 60}, {40, 70, 225}, {250, 222, 40}, {16, 16, 16}, {244, 244, 244}};
  for (const int matrix : {1, 6}) {
    for (const bool full : {false, true}) {
      SCOPED_TRACE(std::string(matrix == 1 ? "BT.709" : "BT.601") + (full ? ", full" : ", limited"));
      for (const clips::Rgb& colour : colours) {
        const Spec spec = {.frames = 1, .matrix = matrix, .full_range = full};
        const std::string bytes = Made(spec, [&](int) { return clips::Plain(64, 48, colour); });
        if (bytes.empty()) GTEST_SKIP() << "FFmpeg has no libx264";
        const std::vector<ChosenFrame> taken = Take(bytes, ByRate(1));
        ASSERT_EQ(taken.size(), 1u);
        // A level of luma is up to 1.2 of RGB, of chroma up to 2.1, and both were rounded once by the writer.
        for (size_t c = 0; c < 3; ++c) {
          const int want = c == 0 ? colour.red : c == 1 ? colour.green : colour.blue;
          EXPECT_NEAR(taken[0].pixels[3 * (24 * 64 + 32) + c], want, 5) << c;
        }
      }
    }
  }
}

TEST_F(Video, TurnsAndShapesOfPixelsAreTold) {
  const auto header = [](const Spec& spec) {
    const std::string bytes = Made(spec, [&](int f) { return clips::CircleGoesRight(spec.width, spec.height, f); });
    return bytes.empty() ? VideoHeader{} : OpenClip(bytes)->header();
  };
  const uint32_t exif[] = {1, 6, 3, 8};
  for (int turns = 0; turns < 4; ++turns)
    EXPECT_EQ(header({.container = "mov", .encoder = "mjpeg", .frames = 1, .quarter_turns = turns}).orientation, exif[turns])
        << turns;
  const VideoHeader wide = header({.container = "mov", .encoder = "mjpeg", .frames = 1, .shape_num = 3, .shape_den = 2});
  EXPECT_EQ(wide.width, 96u);
  EXPECT_EQ(wide.height, 48u);
}

TEST_F(Video, ScenesThatStayAreTakenOnce) {
  const Spec spec = {.container = "matroska", .encoder = "mjpeg", .width = 96, .height = 96};
  const std::string bytes = Made(spec, [](int frame) {
    return frame < 12 ? clips::Plain(96, 96, {20, 20, 20}) : clips::Plain(96, 96, {200, 90, 20});
  });
  VideoChoice choice = ByRate(5);
  choice.scene_percent = 10;
  EXPECT_EQ(TimesOf(Take(bytes, choice)), (std::vector<int64_t>{0, 1200000}));
  choice.scene_percent = 90;
  EXPECT_EQ(TimesOf(Take(bytes, choice)), (std::vector<int64_t>{0}));
}

TEST_F(Video, LimitsAreSaidWithTheirNames) {
  const Spec spec = {.container = "mov", .encoder = "mjpeg"};
  const std::string bytes = Made(spec, Circle(spec));
  const auto says = [](auto&& call, ErrorCode code, std::vector<std::string> parts) {
    try {
      call();
      ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      for (const std::string& part : parts) EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  says([&] { OpenClip(bytes, 1, 64 * 48 - 1); }, ErrorCode::kLimit, {"64 x 48 = 3072 pixels, at most 3071", "max_pixels"});
  says(
      [&] {
        VideoFrames frames(OpenClip(bytes, 1, kPixels, 10 * 64 * 48), ByRate(10));
        while (frames.Next()) {
        }
      },
      ErrorCode::kLimit, {"33792 pixels were decoded", "at most 30720", "max_work"});
  VideoChoice choice = ByRate(1);
  choice.max_duration_us = 2999000;
  says([&] { VideoFrames(OpenClip(bytes), choice); }, ErrorCode::kLimit, {"3000 ms", "2999", "max_duration_us"});
  choice = ByRate(1000);
  says([&] { VideoFrames(OpenClip(bytes), choice); }, ErrorCode::kLimit, {"3000 frames", "at most 1000", "max_frames"});
  choice = ByRate(1);
  choice.start_us = 3000000;
  says([&] { VideoFrames(OpenClip(bytes), choice); }, ErrorCode::kArgument, {"start_us is 3000000", "ends at 3000000"});
}

TEST_F(Video, CancellingEndsWhatFollows) {
  const Spec spec = {.container = "mov", .encoder = "mjpeg"};
  const std::string bytes = Made(spec, Circle(spec));
  VideoFrames frames(OpenClip(bytes), ByRate(10));
  EXPECT_TRUE(frames.Next());
  frames.Cancel();
  try {
    frames.Next();
    ADD_FAILURE() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kCancelled);
  }
}

TEST_F(Video, FFmpegsLogIsOurs) {
  const Spec spec = {.container = "matroska", .encoder = "mjpeg", .frames = 5};
  std::string bytes = Made(spec, Circle(spec));
  const size_t scan = bytes.rfind("\xff\xda");
  ASSERT_NE(scan, std::string::npos);
  bytes.replace(scan, 2, "\xff\xc3");
  static std::string lines;
  lines.clear();
  SetLogSink(
      +[](void*, int32_t, const char* text, uint64_t size) { lines += std::string(text, size) + "\n"; }, nullptr,
      static_cast<int32_t>(LogLevel::kDebug));
  testing::internal::CaptureStderr();
  EXPECT_THROW(Take(bytes, ByRate(10)), Error);
  SetLogSink(nullptr, nullptr, 0);
  EXPECT_THROW(Take(bytes, ByRate(10)), Error);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_NE(lines.find("FFmpeg: [mjpeg"), std::string::npos) << lines;
}

TEST(VideoChoices, DifferencesAreAPercentageOfTheMost) {
  const std::vector<uint8_t> black(3 * 40 * 20, 0), white(3 * 40 * 20, 255);
  EXPECT_EQ(DifferenceOf(black, black, 40, 20), 0);
  EXPECT_NEAR(DifferenceOf(black, white, 40, 20), 100, 1e-9);
  std::vector<uint8_t> half = black;
  std::fill(half.begin() + 3 * 40 * 10, half.end(), 255);
  EXPECT_NEAR(DifferenceOf(black, half, 40, 20), 50, 5);
  EXPECT_NEAR(DifferenceOf(std::vector<uint8_t>(3, 0), std::vector<uint8_t>(3, 51), 1, 1), 20, 1e-9);
}

}  // namespace
}  // namespace scout::media

// Clips through the public header: opened, taken frame by frame, and put into chats of a model with random weights that sees.
#include <scout/video.h>

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "seeing.h"
#include "support/clip_writer.h"

namespace {

using user::Video;

// 96 x 96 pixels, three seconds, in Motion JPEG, which every FFmpeg writes and reads.
const std::string& Clip() {
  static const std::string bytes = clips::Make({.container = "mov", .encoder = "mjpeg", .width = 96, .height = 96}, [](int frame) {
                                     return clips::CircleGoesRight(96, 96, frame);
                                   }).value_or("");
  return bytes;
}

class VideoApi : public testing::Test {
 protected:
  void SetUp() override {
    if (Clip().empty()) GTEST_SKIP() << "this build has no FFmpeg: it reads no video and makes no clips";
  }
};

scout_video_options Options() {
  scout_video_options options;
  EXPECT_EQ(scout_video_options_init(&options, sizeof options), SCOUT_OK);
  return options;
}

Video Open(const std::string& bytes, const scout_video_options* options = nullptr) {
  scout_video* video = nullptr;
  EXPECT_EQ(scout_video_from_bytes(bytes.data(), bytes.size(), options, &video), SCOUT_OK) << scout_last_error();
  return Video(video);
}

void ExpectSays(std::initializer_list<const char*> parts) {
  const std::string said = scout_last_error();
  for (const char* part : parts) EXPECT_NE(said.find(part), std::string::npos) << "\"" << said << "\" lacks " << part;
}

std::vector<char> TileOf(const user::Image& image, int32_t side) {
  scout_tile_options options;
  EXPECT_EQ(scout_tile_options_init(&options, sizeof options), SCOUT_OK);
  options.tile_side = side;
  options.max_tiles = 1;
  std::vector<char> tile(size_t{3} * static_cast<size_t>(side * side));
  uint64_t needed = 0;
  EXPECT_EQ(scout_image_tile(image.get(), &options, 0, tile.data(), tile.size(), &needed), SCOUT_OK) << scout_last_error();
  return tile;
}

TEST_F(VideoApi, AClipIsDescribedAndGivesItsFramesWithTheirTimes) {
  const Video video = Open(Clip());
  scout_video_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(scout_video_get_info(video.get(), &info), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(info.width, 96u);
  EXPECT_EQ(info.height, 96u);
  EXPECT_EQ(info.duration_us, 3000000);
  EXPECT_NEAR(info.frame_rate, 10, 0.01);
  EXPECT_EQ(info.frames, 3u);
  EXPECT_EQ(info.orientation, 1);
  EXPECT_STREQ(info.container, "QuickTime");
  EXPECT_STREQ(info.codec, "MJPEG");
  EXPECT_STREQ(info.decoder, "mjpeg");
  EXPECT_NE(std::string(info.library).find("licence: "), std::string::npos) << info.library;
  for (int second = 0; second < 3; ++second) {
    scout_image* made = nullptr;
    int64_t time = -1;
    ASSERT_EQ(scout_video_next(video.get(), &made, &time), SCOUT_OK) << scout_last_error();
    const user::Image image(made);
    EXPECT_EQ(time, second * 1000000);
    scout_image_info image_info = {};
    image_info.struct_size = sizeof image_info;
    ASSERT_EQ(scout_image_get_info(made, &image_info), SCOUT_OK);
    EXPECT_STREQ(image_info.format, "video");
    // The circle's cell is red and the other two of its row are the ground.
    const std::vector<char> tile = TileOf(image, 96);
    for (int cell = 0; cell < 3; ++cell) {
      const auto* const pixel = reinterpret_cast<const unsigned char*>(tile.data()) + 3 * (16 * 96 + 32 * cell + 16);
      EXPECT_NEAR(pixel[0], cell == second ? 220 : 244, 25) << second << " " << cell;
      EXPECT_NEAR(pixel[1], cell == second ? 30 : 244, 25) << second << " " << cell;
    }
  }
  scout_image* none = nullptr;
  int64_t time = 77;
  for (int i = 0; i < 2; ++i) EXPECT_EQ(scout_video_next(video.get(), &none, &time), SCOUT_DONE);
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(time, 77);
}

TEST_F(VideoApi, AFileIsAClipWhateverItsName) {
  const scout::test::TempDir folder;
  const std::string path = folder / "clip.txt";
  scout::test::WriteFile(path, Clip());
  scout_video_options options = Options();
  options.count = 2;
  options.orientation = 6;
  scout_video* made = nullptr;
  ASSERT_EQ(scout_video_open(path.c_str(), &options, &made), SCOUT_OK) << scout_last_error();
  const Video video(made);
  scout_video_info info = {};
  info.struct_size = sizeof info;
  ASSERT_EQ(scout_video_get_info(made, &info), SCOUT_OK);
  EXPECT_EQ(info.frames, 2u);
  EXPECT_EQ(info.orientation, 6);
  scout_image* image = nullptr;
  int64_t time = 0;
  ASSERT_EQ(scout_video_next(made, &image, &time), SCOUT_OK);
  scout_image_free(image);
  ASSERT_EQ(scout_video_next(made, &image, &time), SCOUT_OK);
  scout_image_free(image);
  EXPECT_EQ(time, 1500000);
}

TEST(VideoApiRefusals, ArgumentsAndLimitsAreNamed) {
  scout_video* video = nullptr;
  const std::string bytes(100, 'x');
  const auto refuse = [&](auto&& change, scout_status status, std::initializer_list<const char*> parts) {
    scout_video_options options = Options();
    change(options);
    EXPECT_EQ(scout_video_from_bytes(bytes.data(), bytes.size(), &options, &video), status);
    EXPECT_EQ(video, nullptr);
    ExpectSays(parts);
  };
  // V02: rates that are none.
  refuse([](auto& o) { o.fps = std::nan(""); }, SCOUT_ERR_ARGUMENT, {"fps is nan", "0 to 1000"});
  refuse([](auto& o) { o.fps = -1; }, SCOUT_ERR_ARGUMENT, {"fps is -1"});
  refuse([](auto& o) { o.fps = std::numeric_limits<double>::infinity(); }, SCOUT_ERR_ARGUMENT, {"fps is inf"});
  refuse([](auto& o) { o.fps = 1, o.count = 1; }, SCOUT_ERR_ARGUMENT, {"count is 1", "fps is 1"});
  refuse([](auto& o) { o.count = -1; }, SCOUT_ERR_ARGUMENT, {"count is -1"});
  refuse([](auto& o) { o.scene_change = 101; }, SCOUT_ERR_ARGUMENT, {"scene_change is 101", "100"});
  refuse([](auto& o) { o.start_us = 5, o.end_us = 5; }, SCOUT_ERR_ARGUMENT, {"end_us is 5"});
  refuse([](auto& o) { o.max_tiles = 257; }, SCOUT_ERR_ARGUMENT, {"max_tiles is 257", "256"});
  refuse([](auto& o) { o.orientation = 9; }, SCOUT_ERR_ARGUMENT, {"orientation is 9"});
  refuse([](auto& o) { o.threads = 65; }, SCOUT_ERR_ARGUMENT, {"threads is 65", "64"});
  refuse([](auto& o) { o.max_frames = -1; }, SCOUT_ERR_ARGUMENT, {"max_frames is -1"});
  refuse([](auto& o) { o.max_pixels = UINT64_MAX; }, SCOUT_ERR_ARGUMENT, {"max_pixels is 18446744073709551615"});
  refuse([](auto& o) { o.max_bytes = 99; }, SCOUT_ERR_LIMIT, {"100 bytes", "at most 99", "max_bytes"});
  refuse([](auto&) {}, SCOUT_ERR_UNSUPPORTED, {"no video that is read", "MP4, QuickTime, Matroska and WebM"});
  EXPECT_EQ(scout_video_from_bytes(bytes.data(), SCOUT_NUL, nullptr, &video), SCOUT_ERR_ARGUMENT);
  EXPECT_EQ(scout_video_open("", nullptr, &video), SCOUT_ERR_ARGUMENT);
  EXPECT_EQ(scout_video_open("/no/such/clip.mp4", nullptr, &video), SCOUT_ERR_IO);
  // V04: the network is never asked.
  for (const char* address : {"http://127.0.0.1:9/a.mp4", "rtsp://127.0.0.1/a", "file:///etc/passwd", "concat://a|b"}) {
    EXPECT_EQ(scout_video_open(address, nullptr, &video), SCOUT_ERR_UNSUPPORTED) << address;
    ExpectSays({address, "never over a network"});
  }
}

TEST_F(VideoApi, WithoutThePluginASentenceSaysSo) {
  scout_video_options options = Options();
  options.plugin_dir = "/no/such/folder";
  scout_video* video = nullptr;
  EXPECT_EQ(scout_video_from_bytes(Clip().data(), Clip().size(), &options, &video), SCOUT_ERR_UNSUPPORTED);
  ExpectSays({"reading video needs the plug-in video", "/no/such/folder/libscout-video.so"});
}

TEST_F(VideoApi, AFailureStaysAndACancelEnds) {
  scout_video_options options = Options();
  options.fps = 10;
  options.max_work = 5 * 96 * 96;
  const Video video = Open(Clip(), &options);
  scout_image* image = nullptr;
  int64_t time = 0;
  scout_status status = SCOUT_OK;
  while ((status = scout_video_next(video.get(), &image, &time)) == SCOUT_OK) scout_image_free(image);
  EXPECT_EQ(status, SCOUT_ERR_LIMIT);
  ExpectSays({"max_work", "46080"});
  EXPECT_EQ(scout_video_next(video.get(), &image, &time), SCOUT_ERR_LIMIT);
  const Video other = Open(Clip());
  EXPECT_EQ(scout_video_cancel(other.get()), SCOUT_OK);
  EXPECT_EQ(scout_video_next(other.get(), &image, &time), SCOUT_ERR_CANCELLED);
  EXPECT_EQ(image, nullptr);
  const Video ended = Open(Clip());
  while ((status = scout_video_next(ended.get(), &image, &time)) == SCOUT_OK) scout_image_free(image);
  EXPECT_EQ(status, SCOUT_DONE);
  EXPECT_EQ(scout_video_cancel(ended.get()), SCOUT_OK);
  EXPECT_EQ(scout_video_next(ended.get(), &image, &time), SCOUT_ERR_CANCELLED);
}

TEST_F(VideoApi, CancellingFromAnotherThreadEndsTheCall) {
  scout_video_options options = Options();
  options.fps = 10;
  for (int round = 0; round < 20; ++round) {
    const Video video = Open(Clip(), &options);
    std::thread canceller([&] { EXPECT_EQ(scout_video_cancel(video.get()), SCOUT_OK); });
    scout_image* image = nullptr;
    int64_t time = 0;
    scout_status status = SCOUT_OK;
    while ((status = scout_video_next(video.get(), &image, &time)) == SCOUT_OK) scout_image_free(image);
    EXPECT_TRUE(status == SCOUT_ERR_CANCELLED || status == SCOUT_DONE) << scout_last_error();
    canceller.join();
  }
}

// A message has begun.
user::Chat Begun(const user::Model& model) {
  user::Chat chat = seeing::NewChat(model);
  EXPECT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
  return chat;
}

std::vector<int32_t> Answered(const user::Model& model, const user::Chat& chat) {
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 4;
  scout_request* made = nullptr;
  EXPECT_EQ(scout_submit(engine.get(), chat.get(), &options, &made), SCOUT_OK) << scout_last_error();
  const user::Request request(made);
  return user::Read(request.get()).ids;
}

TEST_F(VideoApi, AClipInAChatIsTimesAndPicturesInOneTileEach) {
  const user::Model model = seeing::LoadSeeing();
  const Video video = Open(Clip());
  const user::Chat chat = Begun(model);
  uint64_t frames = 0;
  ASSERT_EQ(scout_chat_add_video(chat.get(), video.get(), &frames), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(frames, 3u);
  ASSERT_EQ(scout_chat_add_text(chat.get(), "What moved?", SCOUT_NUL), SCOUT_OK);

  // The same by hand: the text, directly behind it the picture.
  const Video again = Open(Clip());
  const user::Chat by_hand = Begun(model), by_frame = Begun(model);
  for (const char* text : {"[0.0 s]", "[1.0 s]", "[2.0 s]"}) {
    scout_image* made = nullptr;
    int64_t time = 0;
    ASSERT_EQ(scout_video_next(again.get(), &made, &time), SCOUT_OK);
    const user::Image image(made);
    ASSERT_EQ(scout_chat_add_text(by_hand.get(), text, SCOUT_NUL), SCOUT_OK);
    ASSERT_EQ(scout_chat_add_image(by_hand.get(), made), SCOUT_OK) << scout_last_error();
    ASSERT_EQ(scout_chat_add_frame(by_frame.get(), made, time, 0), SCOUT_OK) << scout_last_error();
  }
  for (const user::Chat* other : {&by_hand, &by_frame}) {
    ASSERT_EQ(scout_chat_add_text(other->get(), "What moved?", SCOUT_NUL), SCOUT_OK);
    EXPECT_EQ(seeing::Ids(*other), seeing::Ids(chat));
    EXPECT_EQ(Answered(model, *other), Answered(model, chat));
  }

  // Two tiles beside each other and the whole, when asked: more tokens.
  scout_video_options options = Options();
  options.max_tiles = 4;
  const Video large = Open(Clip(), &options);
  const user::Chat tiled = Begun(model);
  ASSERT_EQ(scout_chat_add_video(tiled.get(), large.get(), &frames), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_text(tiled.get(), "What moved?", SCOUT_NUL), SCOUT_OK);
  EXPECT_GT(seeing::Ids(tiled).size(), seeing::Ids(chat).size());
}

TEST_F(VideoApi, TimesAreWrittenInTenths) {
  const user::Model model = seeing::LoadSeeing();
  scout_image* made = nullptr;
  ASSERT_EQ(scout_image_from_pixels("abc", 3, 1, 1, 0, 3, nullptr, &made), SCOUT_OK);
  const user::Image image(made);
  const std::pair<int64_t, const char*> times[] = {
      {0, "[0.0 s]"}, {40000, "[0.0 s]"}, {60000, "[0.1 s]"}, {1960000, "[2.0 s]"}, {3600000000, "[3600.0 s]"}};
  for (const auto& [time, text] : times) {
    const user::Chat frame = Begun(model), by_hand = Begun(model);
    ASSERT_EQ(scout_chat_add_frame(frame.get(), made, time, 1), SCOUT_OK) << scout_last_error();
    ASSERT_EQ(scout_chat_add_text(by_hand.get(), text, SCOUT_NUL), SCOUT_OK);
    ASSERT_EQ(scout_chat_add_image(by_hand.get(), made), SCOUT_OK);
    EXPECT_EQ(seeing::Ids(frame), seeing::Ids(by_hand)) << text;
  }
  const user::Chat chat = Begun(model);
  EXPECT_EQ(scout_chat_add_frame(chat.get(), made, -1, 1), SCOUT_ERR_ARGUMENT);
  EXPECT_EQ(scout_chat_add_frame(chat.get(), made, 0, 257), SCOUT_ERR_ARGUMENT);
}

TEST_F(VideoApi, AFailedClipLeavesTheMessageAsItWas) {
  const user::Model model = seeing::LoadSeeing();
  scout_video_options options = Options();
  options.fps = 10;
  options.max_work = 5 * 96 * 96;
  const Video video = Open(Clip(), &options);
  const user::Chat chat = Begun(model);
  ASSERT_EQ(scout_chat_add_text(chat.get(), "so", SCOUT_NUL), SCOUT_OK);
  const std::vector<int32_t> before = seeing::Ids(chat);
  uint64_t frames = 0;
  EXPECT_EQ(scout_chat_add_video(chat.get(), video.get(), &frames), SCOUT_ERR_LIMIT);
  EXPECT_EQ(seeing::Ids(chat), before);
  scout_chat* made = nullptr;
  ASSERT_EQ(scout_chat_new(model.get(), &made), SCOUT_OK);
  const user::Chat empty(made);
  const Video other = Open(Clip());
  EXPECT_EQ(scout_chat_add_video(empty.get(), other.get(), &frames), SCOUT_ERR_STATE);
}

}  // namespace

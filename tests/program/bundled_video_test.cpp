// What the bundled model says of a clip: three seconds, made here in every container that is read, in which one thing moves.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/clip_writer.h"
#include "support/user.h"

namespace {

const char kModel[] = SCOUT_SOURCE_DIR "/examples/models/scout-tiny.gguf";

struct Move {
  const char* ends;
  int row, column, row_step, column_step;
};
constexpr Move kMoves[] = {{"from the top left to the top right", 0, 0, 0, 1},
                           {"from the top right to the top left", 0, 2, 0, -1},
                           {"from the top left to the bottom left", 0, 0, 1, 0},
                           {"from the bottom left to the top left", 2, 0, -1, 0}};

TEST(BundledVideo, TheModelSaysWhatMovedWhere) {
  if (!clips::CanMake()) GTEST_SKIP() << "this build has no FFmpeg: it reads no video and makes no clips";
  scout_load_options options;
  ASSERT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.vision = 1;
  options.threads = 2;
  scout_model* loaded = nullptr;
  const scout_status status = scout_load(kModel, &options, &loaded);
  const user::Model model(loaded);
  scout_tile_options tiles = {};
  tiles.struct_size = sizeof tiles;
  if (status < 0 || scout_model_get_tile_options(model.get(), &tiles) < 0)
    GTEST_SKIP() << "the bundled model has no vision tower: " << scout_last_error();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  ASSERT_NE(engine, nullptr);

  const int side = tiles.tile_side;
  const std::pair<const char*, const char*> formats[] = {{"mp4", "libx264"}, {"webm", "libvpx-vp9"}, {"matroska", "libx264"}};
  int made = 0;
  for (const auto& [container, encoder] : formats) {
    for (const Move& move : kMoves) {
      SCOPED_TRACE(std::string(container) + " " + move.ends);
      const auto bytes = clips::Make({.container = container, .encoder = encoder, .width = side, .height = side}, [&](int frame) {
        const int second = frame / 10;
        return clips::Grid(
            side, side, 3, 3, {244, 244, 244},
            {{clips::Thing::kCircle, move.row + second * move.row_step, move.column + second * move.column_step, {220, 30, 30}}});
      });
      if (!bytes) continue;
      ++made;
      scout_video* opened = nullptr;
      ASSERT_EQ(scout_video_from_bytes(bytes->data(), bytes->size(), nullptr, &opened), SCOUT_OK) << scout_last_error();
      const user::Video video(opened);
      scout_chat* begun = nullptr;
      ASSERT_EQ(scout_chat_new(model.get(), &begun), SCOUT_OK) << scout_last_error();
      const user::Chat chat(begun);
      uint64_t frames = 0;
      ASSERT_EQ(scout_chat_begin(begun, SCOUT_ROLE_USER), SCOUT_OK);
      ASSERT_EQ(scout_chat_add_video(begun, opened, &frames), SCOUT_OK) << scout_last_error();
      EXPECT_EQ(frames, 3u);
      ASSERT_EQ(scout_chat_add_text(begun, "What moved?", SCOUT_NUL), SCOUT_OK);
      scout_request* asked = nullptr;
      ASSERT_EQ(scout_submit(engine.get(), begun, nullptr, &asked), SCOUT_OK) << scout_last_error();
      const user::Request request(asked);
      EXPECT_EQ(user::Read(asked).text, std::string("The red circle moved ") + move.ends + ".");
    }
  }
  EXPECT_GT(made, 0);
}

}  // namespace

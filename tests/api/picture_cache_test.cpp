// What an engine keeps of pictures: as much as it may, and never what an answer depends on.
#include "seeing.h"

namespace {

using namespace seeing;

// Features of a tile of the fixture's tower: 4 rows of 24 values.
constexpr uint64_t kTileBytes = 4 * 24 * sizeof(float);

struct Seer {
  user::Model model = LoadSeeing();
  user::Engine engine;
  explicit Seer(uint64_t bytes, int32_t none = 0) {
    scout_engine_options options = user::EngineOptions();
    options.no_prefix_cache = 1;  // which would answer for the pictures too
    options.picture_cache_bytes = bytes;
    options.no_picture_cache = none;
    engine = user::NewEngine(model, options);
  }
  user::Answer Ask(const std::vector<uint32_t>& seeds, const char* question = "what?") const {
    return user::Read(Submit(engine, Asking(model, seeds, question)).get());
  }
  scout_engine_stats Stats() const {
    scout_engine_stats stats = {};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
    return stats;
  }
};

TEST(PictureCache, ASecondQuestionAboutAPictureEncodesNothing) {
  const Seer seer(0);
  seer.Ask({1, 2});
  scout_engine_stats stats = seer.Stats();
  EXPECT_EQ(stats.pictures_encoded, 2);
  EXPECT_EQ(stats.picture_cache_misses, 2);
  EXPECT_EQ(stats.picture_cache_hits, 0);
  EXPECT_EQ(stats.picture_cache_entries, 2);
  EXPECT_EQ(stats.picture_cache_bytes, 4 * kTileBytes);
  EXPECT_EQ(stats.picture_cache_limit_bytes, 268435456u);
  seer.Ask({2, 1}, "and?");
  stats = seer.Stats();
  EXPECT_EQ(stats.pictures_encoded, 2);
  EXPECT_EQ(stats.picture_cache_misses, 2);
  EXPECT_EQ(stats.picture_cache_hits, 2);
}

TEST(PictureCache, NoneIsKeptWhereNoneIsWanted) {
  const Seer seer(0, 1);
  const user::Answer first = seer.Ask({1});
  ExpectSame(seer.Ask({1}), first, "encoded again");
  const scout_engine_stats stats = seer.Stats();
  EXPECT_EQ(stats.pictures_encoded, 2);
  EXPECT_EQ(stats.picture_cache_misses, 2);
  EXPECT_EQ(stats.picture_cache_hits, 0);
  EXPECT_EQ(stats.picture_cache_entries, 0);
  EXPECT_EQ(stats.picture_cache_bytes, 0u);
  EXPECT_EQ(stats.picture_cache_limit_bytes, 0u);
  scout_engine_options options = user::EngineOptions();
  options.no_picture_cache = 1;
  options.picture_cache_bytes = 5;
  scout_engine* engine = nullptr;
  EXPECT_EQ(scout_engine_new(seer.model.get(), &options, &engine), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(scout_last_error(), "picture_cache_bytes is 5 but no_picture_cache is 1: one of them must be 0");
}

TEST(PictureCache, TheLeastRecentlyUsedGoWhenTheBudgetIsReached) {
  const Seer wide(0);
  const Seer seer(2 * kTileBytes);
  const auto encoded = [&](uint32_t seed) {
    const int64_t before = seer.Stats().pictures_encoded;
    ExpectSame(seer.Ask({seed}), wide.Ask({seed}), "picture " + std::to_string(seed));
    const scout_engine_stats stats = seer.Stats();
    EXPECT_LE(stats.picture_cache_bytes, 2 * kTileBytes);
    EXPECT_EQ(stats.picture_cache_limit_bytes, 2 * kTileBytes);
    return stats.pictures_encoded - before;
  };
  EXPECT_EQ(encoded(1), 1);
  EXPECT_EQ(encoded(3), 1);
  EXPECT_EQ(encoded(1), 0);
  EXPECT_EQ(encoded(5), 1) << "3 goes";
  EXPECT_EQ(encoded(1), 0);
  EXPECT_EQ(encoded(3), 1);
  EXPECT_EQ(encoded(2), 1) << "of three tiles, more than there is room for";
  EXPECT_EQ(encoded(2), 1);
  EXPECT_EQ(encoded(3), 0) << "nothing went for it";
}

TEST(PictureCache, ARoomSmallerThanAPictureStillAnswers) {
  const Seer wide(0), seer(1);
  ExpectSame(seer.Ask({1, 2, 3}), wide.Ask({1, 2, 3}), "with a byte");
  EXPECT_EQ(seer.Stats().picture_cache_bytes, 0u);
  EXPECT_EQ(seer.Stats().pictures_encoded, 3);
}

}  // namespace

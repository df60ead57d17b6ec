// The rule about struct_size, on a struct that has already grown once.
#include "api/options.h"

#include <gtest/gtest.h>

#include "api/boundary.h"

namespace scout::api {
namespace {

// Release 1 had the first two members.
struct Options {
  uint32_t struct_size;
  int32_t depth;
  int64_t width;
};
constexpr size_t kFirst = 8;
constexpr Options kDefaults = {sizeof(Options), 3, 7};

template <typename Given>
scout_status Read(const Given& given, Options& out) {
  return Boundary([&] {
    out = ReadOptions(reinterpret_cast<const Options*>(&given), kDefaults, kFirst, "options");
    return SCOUT_OK;
  });
}

TEST(Options, NullMeansTheDefaults) {
  const Options options = ReadOptions<Options>(nullptr, kDefaults, kFirst, "options");
  EXPECT_EQ(options.depth, 3);
  EXPECT_EQ(options.width, 7);
}

TEST(Options, AnOlderProgramGetsTheDefaultsOfWhatItDoesNotKnow) {
  const struct {
    uint32_t struct_size;
    int32_t depth;
  } old = {8, 5};
  Options out = {};
  EXPECT_EQ(Read(old, out), SCOUT_OK);
  EXPECT_EQ(out.depth, 5);
  EXPECT_EQ(out.width, 7);
}

TEST(Options, ANewerProgramIsServedUnlessItAsksForWhatWeDoNotKnow) {
  struct {
    uint32_t struct_size;
    int32_t depth;
    int64_t width;
    int64_t future;
  } next = {24, 5, 6, 0};
  Options out = {};
  EXPECT_EQ(Read(next, out), SCOUT_OK);
  EXPECT_EQ(out.width, 6);
  next.future = 1;
  EXPECT_EQ(Read(next, out), SCOUT_ERR_UNSUPPORTED);
  EXPECT_NE(std::string_view(LastError()).find("byte 16 of 24"), std::string_view::npos) << LastError();
}

TEST(Options, SizesThatNoReleaseHadAreRefused) {
  Options out = {};
  for (const uint32_t size : {0u, 1u, 4u, 7u, 4097u, 0x80000000u, 0xffffffffu}) {
    Options given = kDefaults;
    given.struct_size = size;
    EXPECT_EQ(Read(given, out), SCOUT_ERR_ARGUMENT) << size;
  }
}

TEST(Options, InitWritesNothingPastTheCallersSize) {
  unsigned char memory[64];
  for (const size_t size : {size_t{8}, sizeof(Options), size_t{40}}) {
    std::memset(memory, 0xee, sizeof memory);
    EXPECT_EQ(Boundary([&] {
                InitOptions(reinterpret_cast<Options*>(memory), size, kDefaults, kFirst, "options");
                return SCOUT_OK;
              }),
              SCOUT_OK);
    uint32_t written = 0;
    std::memcpy(&written, memory, 4);
    EXPECT_EQ(written, size);
    EXPECT_EQ(memory[4], 3);
    for (size_t i = sizeof(Options); i < size; ++i) EXPECT_EQ(memory[i], 0);
    for (size_t i = size; i < sizeof memory; ++i) ASSERT_EQ(memory[i], 0xee) << i;
  }
  EXPECT_EQ(Boundary([&] {
              InitOptions<Options>(nullptr, 16, kDefaults, kFirst, "options");
              return SCOUT_OK;
            }),
            SCOUT_ERR_ARGUMENT);
}

TEST(Options, ADescriptionFillsWhatTheCallerHasRoomFor) {
  const Options value = {0, 5, 6};
  unsigned char memory[64];
  for (const uint32_t size : {8u, 12u, 16u, 32u}) {
    std::memset(memory, 0xee, sizeof memory);
    std::memcpy(memory, &size, 4);
    EXPECT_EQ(Boundary([&] {
                WriteInfo(reinterpret_cast<Options*>(memory), value, "info");
                return SCOUT_OK;
              }),
              SCOUT_OK);
    EXPECT_EQ(memory[0], size);
    EXPECT_EQ(memory[4], 5);
    EXPECT_EQ(memory[8], size >= 16 ? 6 : memory[8]);
    for (size_t i = 16; i < size; ++i) EXPECT_EQ(memory[i], 0);
    for (size_t i = size; i < sizeof memory; ++i) ASSERT_EQ(memory[i], 0xee) << i;
  }
  Options small = {7, 0, 0};
  EXPECT_EQ(Boundary([&] {
              WriteInfo(&small, value, "info");
              return SCOUT_OK;
            }),
            SCOUT_ERR_ARGUMENT);
}

}  // namespace
}  // namespace scout::api

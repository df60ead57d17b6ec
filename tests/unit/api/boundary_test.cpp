#include "api/boundary.h"

#include <gtest/gtest.h>

#include <cfenv>
#include <string>
#include <system_error>
#include <thread>

#include "base/error.h"
#include "base/log.h"

namespace scout::api {
namespace {

TEST(Boundary, AnErrorKeepsItsCodeAndMessage) {
  EXPECT_EQ(Boundary([]() -> scout_status { Fail(ErrorCode::kLimit, "rank is ", 5, ", at most 4"); }), SCOUT_ERR_LIMIT);
  EXPECT_STREQ(LastError(), "rank is 5, at most 4");
}

TEST(Boundary, ForeignExceptionsHaveAStatus) {
  EXPECT_EQ(Boundary([]() -> scout_status { throw std::bad_alloc(); }), SCOUT_ERR_NO_MEMORY);
  EXPECT_EQ(Boundary([]() -> scout_status { throw std::length_error("vector"); }), SCOUT_ERR_NO_MEMORY);
  EXPECT_EQ(
      Boundary([]() -> scout_status { throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)); }),
      SCOUT_ERR_NO_MEMORY);
  EXPECT_EQ(Boundary([]() -> scout_status { throw std::logic_error("x"); }), SCOUT_ERR_INTERNAL);
  EXPECT_STREQ(LastError(), "internal error: x");
  EXPECT_EQ(Boundary([]() -> scout_status { throw 7; }), SCOUT_ERR_INTERNAL);
}

TEST(Boundary, MessagesAreOneLineOfBoundedSizeAndWholeCharacters) {
  SetLastError("a\nb\tc\x7f");
  EXPECT_STREQ(LastError(), "a b c ");
  // Two-byte characters from an odd offset: the cut at 1,023 bytes would halve one.
  std::string text;
  while (text.size() < 3000) text += "\xc3\xa9";
  SetLastError(text);
  EXPECT_EQ(std::string(LastError()).size(), 1022u);
  SetLastError("x" + text);
  EXPECT_EQ(std::string(LastError()).size(), 1023u);
  EXPECT_EQ(std::string(LastError()).substr(1), text.substr(0, 1022));
}

TEST(Boundary, EachThreadHasItsOwnMessage) {
  SetLastError("mine");
  std::thread([] {
    EXPECT_STREQ(LastError(), "");
    SetLastError("theirs");
  }).join();
  EXPECT_STREQ(LastError(), "mine");
}

TEST(Boundary, RunsInOurFloatingPointEnvironmentAndPutsTheHostsBack) {
  ASSERT_EQ(std::fesetround(FE_UPWARD), 0);
  volatile float one = 1, third = 3;
  float inside = 0;
  EXPECT_EQ(Boundary([&] {
              inside = one / third;
              return SCOUT_OK;
            }),
            SCOUT_OK);
  const float outside = one / third;
  EXPECT_EQ(std::fegetround(), FE_UPWARD);
  ASSERT_EQ(std::fesetround(FE_TONEAREST), 0);
  EXPECT_EQ(inside, one / third);
  EXPECT_GE(outside, inside);
}

TEST(Boundary, ACallFromInsideALogSinkIsRefused) {
  static scout_status status = SCOUT_OK;
  SetLogSink([](void*, int32_t, const char*, uint64_t) { status = Boundary([] { return SCOUT_OK; }); }, nullptr, 3);
  Log(LogLevel::kInfo, "line ", 1);
  SetLogSink(nullptr, nullptr, 3);
  EXPECT_EQ(status, SCOUT_ERR_STATE);
  EXPECT_EQ(Boundary([] { return SCOUT_OK; }), SCOUT_OK);
}

TEST(Log, LinesAboveTheLevelAreNotMade) {
  static std::string heard;
  SetLogSink(
      [](void* user, int32_t level, const char* text, size_t size) {
        EXPECT_EQ(user, &heard);
        EXPECT_EQ(text[size], 0);
        heard += std::to_string(level) + ":" + std::string(text, size) + ";";
      },
      &heard, static_cast<int32_t>(LogLevel::kWarning));
  Log(LogLevel::kError, "a", 1);
  Log(LogLevel::kWarning, "b");
  Log(LogLevel::kInfo, "c");
  SetLogSink(nullptr, nullptr, 3);
  Log(LogLevel::kError, "d");
  EXPECT_EQ(heard, "0:a1;1:b;");
}

TEST(Log, ASinkThatThrowsLosesItsLineOnly) {
  SetLogSink([](void*, int32_t, const char*, uint64_t) { throw 1; }, nullptr, 3);
  Log(LogLevel::kError, "x");
  Log(LogLevel::kError, "y");
  SetLogSink(nullptr, nullptr, 3);
  EXPECT_FALSE(InsideLogSink());
}

}  // namespace
}  // namespace scout::api

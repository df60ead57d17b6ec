// The log read without a callback.
#include <chrono>
#include <string>
#include <thread>

#include "tiny.h"

namespace {

struct Line {
  scout_status status = SCOUT_OK;
  int32_t level = -1;
  std::string text;
};

Line Next(int64_t timeout_ms = 0) {
  Line line;
  char text[512];
  uint64_t needed = 0;
  line.status = scout_log_next(timeout_ms, &line.level, text, sizeof text, &needed);
  if (line.status == SCOUT_OK) line.text.assign(text, needed);
  return line;
}

class Log : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(scout_log_open(SCOUT_LOG_INFO, 0), SCOUT_OK); }
};

TEST_F(Log, IsKeptUntilItIsTaken) {
  EXPECT_EQ(Next().status, SCOUT_DONE) << "not open";
  ASSERT_EQ(scout_log_open(SCOUT_LOG_INFO, 100), SCOUT_OK);
  EXPECT_EQ(Next().status, SCOUT_AGAIN);
  tiny::Load();
  const Line line = Next(SCOUT_WAIT);
  ASSERT_EQ(line.status, SCOUT_OK);
  EXPECT_EQ(line.level, SCOUT_LOG_INFO);
  EXPECT_NE(line.text.find("loaded"), std::string::npos) << line.text;
  EXPECT_EQ(Next(1).status, SCOUT_AGAIN);
}

TEST_F(Log, KeepsTheNewestAndCountsTheOthers) {
  ASSERT_EQ(scout_log_open(SCOUT_LOG_INFO, 1), SCOUT_OK);
  for (int i = 0; i < 3; ++i) tiny::Load();
  const Line lost = Next();
  EXPECT_EQ(lost.level, SCOUT_LOG_WARNING);
  EXPECT_NE(lost.text.find("2 lines were dropped"), std::string::npos) << lost.text;
  EXPECT_NE(Next().text.find("loaded"), std::string::npos);
  EXPECT_EQ(Next().status, SCOUT_AGAIN);
}

TEST_F(Log, ALineThatDoesNotFitStays) {
  ASSERT_EQ(scout_log_open(SCOUT_LOG_INFO, 10), SCOUT_OK);
  tiny::Load();
  char text[4] = "abc";
  uint64_t needed = 0;
  EXPECT_EQ(scout_log_next(0, nullptr, nullptr, 0, &needed), SCOUT_OK) << "only the size";
  EXPECT_GT(needed, 3u);
  EXPECT_EQ(scout_log_next(0, nullptr, text, 3, &needed), SCOUT_ERR_LIMIT);
  EXPECT_STREQ(text, "abc");
  EXPECT_EQ(Next().text.size(), needed);
}

TEST_F(Log, HasLevelsOfItsOwn) {
  int lines = 0;
  scout_log_set_sink([](void* user, int32_t, const char*, uint64_t) { ++*static_cast<int*>(user); }, &lines, SCOUT_LOG_INFO);
  ASSERT_EQ(scout_log_open(SCOUT_LOG_ERROR, 10), SCOUT_OK);
  tiny::Load();
  scout_log_set_sink(nullptr, nullptr, 0);
  EXPECT_GT(lines, 0);
  EXPECT_EQ(Next().status, SCOUT_AGAIN) << "errors only";
  ASSERT_EQ(scout_log_open(SCOUT_LOG_DEBUG, 10), SCOUT_OK);
  tiny::Load();
  EXPECT_EQ(Next().status, SCOUT_OK) << "the sink's end does not end the queue";
}

TEST_F(Log, ClosingEndsTheWait) {
  ASSERT_EQ(scout_log_open(SCOUT_LOG_ERROR, 10), SCOUT_OK);
  std::thread other([] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(scout_log_open(SCOUT_LOG_ERROR, 0), SCOUT_OK);
  });
  EXPECT_EQ(Next(SCOUT_WAIT).status, SCOUT_DONE);
  other.join();
}

TEST_F(Log, RefusesWhatItCannotKeep) {
  EXPECT_EQ(scout_log_open(SCOUT_LOG_DEBUG + 1, 1), SCOUT_ERR_ARGUMENT);
  EXPECT_EQ(scout_log_open(SCOUT_LOG_DEBUG, 65537), SCOUT_ERR_ARGUMENT);
  EXPECT_NE(std::string(scout_last_error()).find("65536"), std::string::npos) << scout_last_error();
}

}  // namespace

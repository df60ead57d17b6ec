#include "api/handles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "api/boundary.h"

namespace scout::api {
namespace {

struct Probe : Object {
  explicit Probe(int* closed, int* gone) : closed(closed), gone(gone) {}
  ~Probe() override { ++*gone; }
  void Close() noexcept override { ++*closed; }
  int* closed;
  int* gone;
};

scout_status Find(const void* handle, Kind kind) {
  return Boundary([&] {
    FindObject(handle, kind, "it");
    return SCOUT_OK;
  });
}

TEST(Handles, NullWrongKindAndFreedAreToldApart) {
  int closed = 0, gone = 0;
  void* handle = NewHandle(Kind::kChat, std::make_shared<Probe>(&closed, &gone));
  EXPECT_EQ(Find(handle, Kind::kChat), SCOUT_OK);
  EXPECT_EQ(Find(nullptr, Kind::kChat), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(LastError(), "it is NULL");
  EXPECT_EQ(Find(handle, Kind::kModel), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(LastError(), "it is a scout_chat, not a scout_model");
  FreeHandle(handle, Kind::kModel);  // the wrong _free does nothing
  EXPECT_EQ(Find(handle, Kind::kChat), SCOUT_OK);
  FreeHandle(handle, Kind::kChat);
  EXPECT_EQ(closed, 1);
  EXPECT_EQ(gone, 1);
  EXPECT_EQ(Find(handle, Kind::kChat), SCOUT_ERR_STATE);
  EXPECT_STREQ(LastError(), "it: this scout_chat was freed before");
  FreeHandle(handle, Kind::kChat);
  FreeHandle(nullptr, Kind::kChat);
  EXPECT_EQ(gone, 1);
}

TEST(Handles, AnObjectInUseOutlivesItsHandle) {
  int closed = 0, gone = 0;
  void* handle = NewHandle(Kind::kChat, std::make_shared<Probe>(&closed, &gone));
  {
    const std::shared_ptr<Object> used = FindObject(handle, Kind::kChat, "it");
    FreeHandle(handle, Kind::kChat);
    EXPECT_EQ(closed, 1);
    EXPECT_EQ(gone, 0);
  }
  EXPECT_EQ(gone, 1);
}

TEST(Handles, AFreedHandleRestsBeforeItsSlotIsUsedAgain) {
  int closed = 0, gone = 0;
  void* stale = NewHandle(Kind::kChat, std::make_shared<Probe>(&closed, &gone));
  FreeHandle(stale, Kind::kChat);
  int made = 0;
  for (int i = 0; i < 4000; ++i) {
    void* handle = NewHandle(Kind::kChat, std::make_shared<Probe>(&closed, &gone));
    EXPECT_NE(handle, stale);
    FreeHandle(handle, Kind::kChat);
    ++made;
  }
  EXPECT_EQ(gone, made + 1);
}

TEST(Handles, SlotsAreUsedAgain) {
  int closed = 0, gone = 0;
  std::vector<void*> seen;
  for (int i = 0; i < 10000; ++i) {
    void* handle = NewHandle(Kind::kChat, std::make_shared<Probe>(&closed, &gone));
    seen.push_back(handle);
    FreeHandle(handle, Kind::kChat);
  }
  std::sort(seen.begin(), seen.end());
  EXPECT_LT(std::unique(seen.begin(), seen.end()) - seen.begin(), 5000);
}

TEST(Exclusive, TheSecondCallerIsRefused) {
  std::atomic<bool> busy{false};
  {
    const Exclusive first(busy, "scout_engine_step");
    EXPECT_THROW(Exclusive(busy, "scout_engine_step"), Error);
  }
  EXPECT_NO_THROW(Exclusive(busy, "scout_engine_step"));
}

}  // namespace
}  // namespace scout::api

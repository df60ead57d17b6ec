// How panels are shared between threads.
#include "cpu/panel_tasks.h"

#include <gtest/gtest.h>

#include <vector>

namespace scout::cpu {
namespace {

std::vector<int64_t> Lengths(const PanelTasks& tasks) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < tasks.count(); ++i) lengths.push_back(tasks.Of(i).end - tasks.Of(i).first);
  return lengths;
}

TEST(PanelTasks, EveryPanelIsInOneTask) {
  for (const int64_t panels : {0, 1, 2, 3, 7, 16, 33, 64, 320, 511, 1024, 12'626})
    for (const int threads : {1, 2, 3, 8, 64, 200})
      for (const int64_t rows : {1, 8, 9, 512}) {
        SCOPED_TRACE(testing::Message() << panels << " panels, " << threads << " threads, " << rows << " rows");
        const PanelTasks tasks(panels, threads, rows);
        int64_t next = 0;
        for (int64_t i = 0; i < tasks.count(); ++i) {
          const auto [first, end] = tasks.Of(i);
          ASSERT_EQ(first, next) << "task " << i;
          ASSERT_GT(end, first) << "task " << i;
          EXPECT_TRUE((end - first) % 2 == 0 || i + 1 == tasks.count()) << "task " << i << " has half of a pair";
          next = end;
        }
        EXPECT_EQ(next, panels);
      }
}

TEST(PanelTasks, FewRowsTakeLongTasksThatEndTogether) {
  EXPECT_EQ(Lengths(PanelTasks(64, 2, 1)), (std::vector<int64_t>{16, 16, 8, 8, 4, 4, 2, 2, 2, 2}));
  EXPECT_EQ(Lengths(PanelTasks(41, 1, 8)), (std::vector<int64_t>{41}));
  EXPECT_LT(PanelTasks(12'626, 2, 1).count(), 32);
  // Whatever the number of panels, no task is longer than a thread's part of half of what is left when it begins.
  for (const int64_t panels : {100, 320, 12'626}) {
    const PanelTasks tasks(panels, 4, 4);
    for (int64_t i = 0; i < tasks.count(); ++i) {
      const auto [first, end] = tasks.Of(i);
      EXPECT_LE(end - first, std::max<int64_t>(2, (panels - first) / 4)) << panels << " panels, task " << i;
    }
  }
}

TEST(PanelTasks, ManyRowsTakeTasksThatAreAlike) {
  EXPECT_EQ(Lengths(PanelTasks(64, 2, 9)), (std::vector<int64_t>(16, 4)));
  EXPECT_EQ(PanelTasks(12'626, 2, 512).Of(1).first, 16);
  EXPECT_EQ(PanelTasks(12'626, 1, 512).Of(1).first, 16);
}

}  // namespace
}  // namespace scout::cpu

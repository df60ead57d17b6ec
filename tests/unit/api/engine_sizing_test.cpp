#include "api/engine_sizing.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace scout::api {
namespace {

// Llama 4 Scout in f16: 36 chunked and 12 other layers, 8 heads of 128, K and V.
PageCosts Scout() { return {64, 64 * 36 * 4096, 64 * 12 * 4096, 8192}; }

int64_t Need(const PageCosts& costs, const EngineSize& size, int32_t rows) {
  return costs.LocalPages(size.context, rows) <= size.local_pages && costs.GlobalPages(size.context) <= size.global_pages;
}

TEST(EngineSizing, NeverTakesMoreThanAskedAndOneRequestOfTheContextFits) {
  const PageCosts models[] = {Scout(), {8, 8 * 512, 8 * 256, 8}, {64, 0, 64 * 1000, 0}, {64, 64 * 300, 0, 128}, {1, 100, 50, 1}};
  for (const PageCosts& costs : models) {
    for (uint64_t kv = costs.BytesFor(1, 512); kv < uint64_t{1} << 40; kv = kv * 3 / 2 + 1) {
      for (const int32_t running : {1, 7, 64}) {
        const EngineSize size = SizeEngine(costs, 0, 10 << 20, kv, 512, running);
        EXPECT_LE(size.bytes, kv);
        EXPECT_GE(size.context, 1);
        EXPECT_TRUE(Need(costs, size, 512)) << kv << " " << running << " " << size.context;
      }
    }
  }
}

TEST(EngineSizing, AGivenContextIsKeptOrRefusedWithTheNumbers) {
  const PageCosts costs = Scout();
  const uint64_t need = costs.BytesFor(100000, 512);
  const EngineSize size = SizeEngine(costs, 100000, 10 << 20, need, 512, 64);
  EXPECT_EQ(size.context, 100000);
  EXPECT_EQ(size.bytes, need);
  try {
    SizeEngine(costs, 100000, 10 << 20, need - 1, 512, 64);
    ADD_FAILURE() << "one byte too few was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNoMemory);
    const std::string message = error.what();
    EXPECT_NE(message.find(std::to_string(need)), std::string::npos) << message;
    EXPECT_NE(message.find(std::to_string(need - 1)), std::string::npos) << message;
    // The context it names does fit, and the next does not.
    const int64_t named = std::stoll(message.substr(message.rfind(' ') + 1));
    EXPECT_EQ(SizeEngine(costs, named, 10 << 20, need - 1, 512, 64).context, named);
    EXPECT_THROW(SizeEngine(costs, named + 1, 10 << 20, need - 1, 512, 64), Error);
  }
}

TEST(EngineSizing, ShortRequestsFindAsManyLocalPagesAsTheHalfHolds) {
  const PageCosts costs = Scout();
  const uint64_t kv = uint64_t{4} << 30;
  const EngineSize size = SizeEngine(costs, 0, 10 << 20, kv, 512, 64);
  EXPECT_GE(static_cast<uint64_t>(size.local_pages) * costs.local_page_bytes, kv * 9 / 20);
  EXPECT_GT(size.context, 40000);  // of about 43,700 that the other half holds
  EXPECT_GT(static_cast<double>(size.bytes), 0.99 * static_cast<double>(kv));
}

TEST(EngineSizing, ASmallModelTakesNoMoreThanItsRequestsCanUse) {
  const PageCosts tiny = {64, 64 * 1024, 64 * 512, 128};
  const EngineSize size = SizeEngine(tiny, 0, 2048, uint64_t{4} << 30, 512, 64);
  EXPECT_EQ(size.context, 2048);
  EXPECT_EQ(size.global_pages, 64 * 32);
  EXPECT_EQ(size.local_pages, 64 * tiny.LocalPages(2048, 512));
}

TEST(EngineSizing, TheDefaultIsAQuarterOfWhatIsLeftUpToFourGiB) {
  EXPECT_EQ(DefaultKvBytes(uint64_t{64} << 30, uint64_t{8} << 30), uint64_t{2} << 30);
  EXPECT_EQ(DefaultKvBytes(uint64_t{64} << 30, uint64_t{60} << 30), uint64_t{4} << 30);
  EXPECT_EQ(DefaultKvBytes(0, 0), uint64_t{4} << 30);
}

}  // namespace
}  // namespace scout::api

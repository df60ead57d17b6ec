// Which unit lies where: the grammar of the option, what it refuses, and what is chosen where nothing is said.
#include <gtest/gtest.h>

#include "backend/placed_buffer.h"
#include "base/error.h"
#include "model/memory_plan.h"
#include "model/placement.h"

namespace scout::model {
namespace {

Config MakeConfig(int64_t layers = 8, int64_t experts = 4) {
  Config config;
  config.layers = layers;
  config.embedding = 64;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 16;
  config.vocabulary = 100;
  config.dense_hidden = config.expert_hidden = 32;
  config.experts = experts;
  config.experts_used = 1;
  config.attention_chunk = 64;
  for (int64_t i = 0; i < layers; ++i) config.layer.push_back({.moe = i != 2, .rope = true, .chunked = i % 4 != 3});
  return config;
}

std::string Read(std::string_view text, std::vector<std::string> devices = {"cpu"}) {
  const Placement placement = ParsePlacement(text, MakeConfig(), devices);
  return PlacementText(placement, devices, true);
}
std::string Refusal(std::string_view text, std::vector<std::string> devices = {"cpu"}) {
  try {
    ParsePlacement(text, MakeConfig(), devices);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kArgument);
    return error.what();
  }
  return "accepted";
}

TEST(PlacementGrammar, WhatNoItemNamesLiesOnTheFirstDevice) {
  EXPECT_EQ(Read(""), "embedding=cpu; layers 0-7=cpu; head=cpu; vision=cpu");
  EXPECT_EQ(Read("head=cuda"), "embedding=cpu; layers 0-7=cpu; head=cuda; vision=cpu");
}

TEST(PlacementGrammar, LaterItemsWin) {
  EXPECT_EQ(Read("all=cuda; experts=cpu; experts 6-7=cuda"),
            "embedding=cuda; layers 0-7=cuda; experts 0-1=cpu; experts 3-5=cpu; head=cuda; vision=cuda");
  EXPECT_EQ(Read(" layers 0-3 = cuda:0 ;layers 4-7=cuda:1;\n head=cuda:1; embedding=cuda:0; vision=cuda:0; "),
            "embedding=cuda:0; layers 0-3=cuda:0; layers 4-7=cuda:1; head=cuda:1; vision=cuda:0");
}

TEST(PlacementGrammar, PartsOfALayerMayLieApart) {
  EXPECT_EQ(Read("attention 1=cuda; feed 1-2=ref"),
            "embedding=cpu; attention 0=cpu; attention 1=cuda; attention 2-7=cpu; feed 0=cpu; feed 1-2=ref; feed 3-7=cpu; "
            "experts 0-1=cpu; experts 3-7=cpu; head=cpu; vision=cpu");
  EXPECT_EQ(Read("experts[1-2] 7=cuda; experts[0] 0=cuda"),
            "embedding=cpu; layers 0-7=cpu; experts[0-0] 0=cuda; experts[1-3] 0=cpu; experts[0-0] 7=cpu; experts[1-2] 7=cuda; "
            "experts[3-3] 7=cpu; head=cpu; vision=cpu");
}

TEST(PlacementGrammar, WhatItWritesItReadsAgain) {
  for (const char* text :
       {"", "experts=cuda", "layers 3=ref; attention 0-4=cuda:1; experts[2]=ref; experts[3] 5-6=cuda:1; vision=ref"}) {
    const std::string once = Read(text);
    EXPECT_EQ(Read(once, {"cpu"}), once) << text;
  }
}

TEST(PlacementGrammar, RefusalsNameItemValueAndWhatExists) {
  EXPECT_EQ(
      Refusal("head=cpu; expert=cpu"),
      "placement: item 2 \"expert=cpu\": there is no unit \"expert\"; there are: all, embedding, head, vision, layers, attention, "
      "feed, experts");
  EXPECT_EQ(Refusal("layers 8=cpu"), "placement: item 1 \"layers 8=cpu\": layer 8 is not there: the model has 8, 0-7");
  EXPECT_EQ(Refusal("experts[0-4]=cpu"), "placement: item 1 \"experts[0-4]=cpu\": expert 4 is not there: each layer has 4, 0-3");
  EXPECT_EQ(Refusal("layers 5-3=cpu"), "placement: item 1 \"layers 5-3=cpu\": the range 5-3 is empty");
  EXPECT_EQ(Refusal("layers 1-x=cpu"), "placement: item 1 \"layers 1-x=cpu\": \"x\" is no number: a range is 3 or 0-11");
  EXPECT_EQ(Refusal("layers -1=cpu"), "placement: item 1 \"layers -1=cpu\": \"\" is no number: a range is 3 or 0-11");
  EXPECT_EQ(Refusal("experts"), "placement: item 1 \"experts\": there is no \"=\": an item is UNIT=DEVICE");
  EXPECT_EQ(Refusal("experts="), "placement: item 1 \"experts=\": there is no device behind \"=\"");
  EXPECT_EQ(Refusal("head 3=cpu"), "placement: item 1 \"head 3=cpu\": \"head\" has no parts to choose");
  EXPECT_EQ(Refusal("feed[1]=cpu"), "placement: item 1 \"feed[1]=cpu\": only \"experts\" takes a range in brackets");
  EXPECT_EQ(Refusal("experts[1=cpu"), "placement: item 1 \"experts[1=cpu\": \"[\" without \"]\"");
  EXPECT_EQ(Refusal("head=cpu embedding=cpu"),
            "placement: item 1 \"head=cpu embedding=cpu\": \"cpu embedding=cpu\" is no device: items are separated by \";\"");
  EXPECT_EQ(Refusal("layers 99999999999999999999=cpu"),
            "placement: item 1 \"layers 99999999999999999999=cpu\": \"99999999999999999999\" is no number: a range is 3 or 0-11");
  std::string many;
  for (int i = 0; i < 40; ++i) many += StrCat("layers ", i % 8, "=cuda:", i, ";");
  EXPECT_EQ(Refusal(many), "placement: item 16 \"layers 7=cuda:15\": at most 16 devices serve one model");
}

TEST(DeviceList, IsNamesBetweenCommas) {
  EXPECT_EQ(SplitDevices(""), std::vector<std::string>{""});
  EXPECT_EQ(SplitDevices("cuda:0, cpu"), (std::vector<std::string>{"cuda:0", "cpu"}));
  for (const char* list : {"cpu,", ",", "cpu,cpu", "cpu,,ref"}) EXPECT_THROW(SplitDevices(list), Error) << list;
}

UnitBytes Units(const Config& config, uint64_t attention, uint64_t experts) {
  UnitBytes units;
  units.embedding = units.head = 100;
  for (const LayerKind& kind : config.layer) units.layer.push_back({attention, 10, kind.moe ? experts : 0});
  return units;
}
RunnerOptions Smallest() {
  RunnerOptions options;
  options.page_size = 1;
  options.max_rows = options.max_logit_rows = 1;
  options.page_count = {1, 1};
  return options;
}

TEST(PlacementPlan, NeedsOfDevicesAddUpToThoseOfOne) {
  const Config config = MakeConfig();
  const UnitBytes units = Units(config, 1000, 4000);
  RunnerOptions options = Smallest();
  options.page_count = {7, 11};
  std::vector<std::string> devices = {"a", "b", "c"};
  const auto one = NeedsOf(PlaceAll(config, 0), 3, config, units, options, 50)[0];
  EXPECT_EQ(one.kv, KvBytes(config, options));
  EXPECT_EQ(one.workspace, PlanWorkspace(config, options).bytes + 50);
  const auto needs =
      NeedsOf(ParsePlacement("layers 3-5=b; experts=c; experts[0]=a; head=b", config, devices), 3, config, units, options, 50);
  EXPECT_EQ(needs[0].weights + needs[1].weights + needs[2].weights, one.weights);
  EXPECT_EQ(needs[0].kv + needs[1].kv + needs[2].kv, one.kv);
  EXPECT_EQ(needs[2].kv, 0u);
  EXPECT_EQ(needs[2].weights, 7u * 3000);
  EXPECT_GT(needs[2].workspace, 0u);
  EXPECT_LT(needs[2].workspace, needs[1].workspace) << "who has experts only holds no activations";
}

TEST(PlacementPlan, WhatFitsStaysTogether) {
  const Config config = MakeConfig();
  const DeviceRoom rooms[] = {{1 << 20, true}, {}};
  EXPECT_EQ(DefaultPlacement(config, Units(config, 1000, 4000), rooms, 1, Smallest(), 0), PlaceAll(config, 0));
}

TEST(PlacementPlan, ExpertsOfTheLastLayersGoToTheHost) {
  const Config config = MakeConfig();
  const UnitBytes units = Units(config, 1000, 40000);
  const auto need = [&](const Placement& placement) { return NeedsOf(placement, 2, config, units, Smallest(), 0); };
  const uint64_t all = need(PlaceAll(config, 0))[0].total();
  int before = 0;
  for (const uint64_t left : {all, all - 1, all * 2 / 3, all / 2, all / 4}) {
    const DeviceRoom rooms[] = {{left, true}, {}};
    const Placement placement = DefaultPlacement(config, units, rooms, 1, Smallest(), 0);
    int moved = 0;
    for (size_t i = config.layer.size(); i-- > 0;) {
      const Placement::Layer& layer = placement.layer[i];
      EXPECT_EQ(layer.attention, 0);
      EXPECT_EQ(layer.feed, 0);
      if (layer.experts.empty()) continue;
      ASSERT_EQ(layer.experts.size(), 1u);
      if (layer.experts[0].owner == 1) {
        ++moved;
      } else {
        for (size_t j = 0; j < i; ++j) EXPECT_TRUE(placement.layer[j].experts.empty() || placement.layer[j].experts[0].owner == 0);
      }
    }
    EXPECT_LE(need(placement)[0].total(), left);
    if (left < all) {
      EXPECT_LE(need(placement)[0].total(), left - left / 8);
      EXPECT_GT(moved, before);
    } else {
      EXPECT_EQ(moved, 0);
    }
    before = moved;
  }
}

TEST(PlacementPlan, SeveralDevicesShareLayersByTheirRoom) {
  const Config config = MakeConfig();
  const UnitBytes units = Units(config, 1000, 4000);
  const DeviceRoom equal[] = {{1 << 20, true}, {1 << 20, true}}, uneven[] = {{3 << 20, true}, {1 << 20, true}}, host[] = {{}, {}};
  const auto on_first = [&](std::span<const DeviceRoom> rooms) {
    const Placement placement = DefaultPlacement(config, units, rooms, -1, Smallest(), 0);
    EXPECT_EQ(placement.embedding, 0);
    EXPECT_EQ(placement.head, 1);
    int count = 0;
    for (const Placement::Layer& layer : placement.layer) count += layer.attention == 0;
    for (int i = 0; i < count; ++i) EXPECT_EQ(placement.layer[static_cast<size_t>(i)].feed, 0) << "in one piece";
    return count;
  };
  EXPECT_EQ(on_first(equal), 4);
  EXPECT_EQ(on_first(uneven), 6);
  EXPECT_EQ(on_first(host), 4);
}

TEST(HolderMap, KnowsWhoHoldsEachByte) {
  // Beside a model of one mask per byte, over random writes and reads.
  uint64_t state = 1;
  const auto random = [&](uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
  };
  HolderMap map;
  std::vector<uint32_t> bytes(100);
  for (int round = 0; round < 3000; ++round) {
    const size_t begin = random(100), end = begin + random(101 - begin);
    const int instance = static_cast<int>(random(3));
    const uint32_t bit = 1u << instance;
    if (random(3) == 0) {
      map.Write(begin, end, instance);
      for (size_t i = begin; i < end; ++i) bytes[i] = bit;
    } else {
      std::vector<bool> copied(100);
      map.Read(begin, end, instance, [&](size_t first, size_t last, uint32_t holders) {
        for (size_t i = first; i < last; ++i) {
          EXPECT_EQ(holders, bytes[i]);
          copied[i] = true;
        }
      });
      for (size_t i = 0; i < 100; ++i) {
        const bool wanted = i >= begin && i < end && bytes[i] != 0 && (bytes[i] & bit) == 0;
        ASSERT_EQ(copied[i], wanted) << i;
        if (wanted) bytes[i] |= bit;
      }
    }
    std::vector<uint32_t> got(100);
    for (const HolderMap::Range& range : map.ranges())
      for (size_t i = range.begin; i < range.end; ++i) got[i] = range.holders;
    ASSERT_EQ(got, bytes);
    for (size_t i = 1; i < map.ranges().size(); ++i) {
      const auto &a = map.ranges()[i - 1], &b = map.ranges()[i];
      ASSERT_TRUE(a.end < b.begin || (a.end == b.begin && a.holders != b.holders)) << "neighbours are joined";
    }
  }
}

}  // namespace
}  // namespace scout::model

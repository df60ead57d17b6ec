// A model over several devices through the public header: what is asked for, what is told, what is refused.
#include <cstring>
#include <thread>

#include "tiny.h"

namespace {

struct Loaded {
  user::Model model;
  scout_status status = SCOUT_OK;
  std::string message;
};

Loaded Load(const char* device, const char* placement) {
  scout_load_options options;
  EXPECT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.device = device;
  options.placement = placement;
  options.threads = 2;
  options.kv_format = SCOUT_KV_F32;
  options.kv_bytes = 1 << 20;
  Loaded loaded;
  scout_model* model = nullptr;
  loaded.status = scout_load(tiny::Path().c_str(), &options, &model);
  loaded.model.reset(model);
  if (loaded.status != SCOUT_OK) loaded.message = scout_last_error();
  return loaded;
}

scout_model_info InfoOf(const user::Model& model) {
  scout_model_info info = {};
  info.struct_size = sizeof info;
  EXPECT_EQ(scout_model_get_info(model.get(), &info), SCOUT_OK);
  return info;
}

user::Answer Ask(const user::Model& model, int length = 40) {
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_request_options options = user::RequestOptions();
  options.max_tokens = 12;
  options.ignore_end = 1;
  options.logprobs = 1;
  options.temperature = 1;
  options.seed = 7;
  return user::Read(user::Submit(engine, tiny::Prompt(length), options).get());
}

TEST(Placement, IsToldByTheModel) {
  const Loaded loaded = Load("cpu", "experts 1-2=ref; head=ref");
  ASSERT_EQ(loaded.status, SCOUT_OK) << loaded.message;
  const scout_model_info info = InfoOf(loaded.model);
  EXPECT_STREQ(info.device, "cpu,ref");
  EXPECT_STREQ(info.placement, "embedding=cpu; layers 0-3=cpu; experts 1-2=ref; head=ref");
  ASSERT_EQ(info.device_count, 2u);
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < 2; ++i) {
    scout_model_device device = {};
    device.struct_size = sizeof device;
    ASSERT_EQ(scout_model_get_device(loaded.model.get(), i, &device), SCOUT_OK);
    EXPECT_STREQ(device.name, i == 0 ? "cpu" : "ref");
    EXPECT_NE(std::strlen(device.description), 0u);
    EXPECT_GT(device.weight_bytes, 0u);
    bytes += device.weight_bytes;
  }
  EXPECT_EQ(bytes, info.weight_bytes);
  scout_model_device device = {};
  device.struct_size = sizeof device;
  EXPECT_EQ(scout_model_get_device(loaded.model.get(), 2, &device), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(scout_last_error(), "device 2 of the model is not there: there are 2");
}

TEST(Placement, OfOneDeviceIsToldToo) {
  const Loaded loaded = Load(nullptr, nullptr);
  ASSERT_EQ(loaded.status, SCOUT_OK) << loaded.message;
  const scout_model_info info = InfoOf(loaded.model);
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_STREQ(info.placement, "embedding=cpu; layers 0-3=cpu; head=cpu");
  EXPECT_EQ(info.device_count, 1u);
}

TEST(Placement, ChangesNoAnswer) {
  const user::Answer want = Ask(Load("cpu", nullptr).model);
  ASSERT_EQ(want.ids.size(), 12u);
  const char* const spreads[][2] = {{"cpu,ref", nullptr},
                                    {"cpu", "experts=ref"},
                                    {"ref", "attention=cpu; experts[0-1]=cpu"},
                                    {"cpu,ref", "layers 2-3=ref; head=ref"}};
  for (const auto& [device, placement] : spreads) {
    SCOPED_TRACE(placement ? placement : device);
    const Loaded loaded = Load(device, placement);
    ASSERT_EQ(loaded.status, SCOUT_OK) << loaded.message;
    const user::Answer got = Ask(loaded.model);
    EXPECT_EQ(got.ids, want.ids);
    EXPECT_EQ(got.logprobs, want.logprobs);
  }
}

// Engines of one placed model at the same time, each on a thread of its own.
TEST(Placement, EnginesStepAtTheSameTime) {
  const Loaded loaded = Load("cpu", "experts=ref; experts[0]=cpu");
  ASSERT_EQ(loaded.status, SCOUT_OK) << loaded.message;
  const user::Answer want = Ask(Load("cpu", nullptr).model, 20);
  user::Answer got[3];
  {
    std::vector<std::thread> threads;
    for (user::Answer& answer : got) threads.emplace_back([&] { answer = Ask(loaded.model, 20); });
    for (std::thread& thread : threads) thread.join();
  }
  for (const user::Answer& answer : got) {
    EXPECT_EQ(answer.ids, want.ids);
    EXPECT_EQ(answer.logprobs, want.logprobs);
  }
}

TEST(Placement, RefusalsAreSentences) {
  const struct {
    const char *device, *placement, *words;
  } cases[] = {
      {"cpu,", nullptr, "device \"cpu,\": a name is missing between commas"},
      {"cpu,cpu", nullptr, "device \"cpu,cpu\": \"cpu\" is there twice"},
      {"cpu,abacus", nullptr, "device \"abacus\" is not known here; there are: "},
      {"cpu:1", nullptr, "device \"cpu:1\": there is one device \"cpu\", without a number"},
      {"cuda:x", nullptr, "device \"cuda:x\": \"x\" is not a number of 0 .. 15"},
      {"cuda:16", nullptr, "\"16\" is not a number of 0 .. 15"},
      {"cpu", "experts=abacus", "device \"abacus\" is not known here; there are: "},
      {"cpu", "tail=ref", "placement: item 1 \"tail=ref\": there is no unit \"tail\"; there are: all, embedding"},
      {"cpu", "head=ref; layers 2-4=ref", "placement: item 2 \"layers 2-4=ref\": layer 4 is not there: the model has 4, 0-3"},
  };
  for (const auto& c : cases) {
    const Loaded loaded = Load(c.device, c.placement);
    EXPECT_EQ(loaded.status, SCOUT_ERR_ARGUMENT);
    EXPECT_NE(loaded.message.find(c.words), std::string::npos) << loaded.message;
  }
  scout_load_options options;
  ASSERT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.placement = "head=ref";
  options.pack = SCOUT_PACK_USE;
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(tiny::Path().c_str(), &options, &model), SCOUT_ERR_ARGUMENT);
  EXPECT_NE(std::string(scout_last_error()).find("side-files are for models on one device"), std::string::npos)
      << scout_last_error();
}

TEST(Placement, WhatDoesNotFitIsRefusedWithNumbers) {
  scout_load_options options;
  ASSERT_EQ(scout_load_options_init(&options, sizeof options), SCOUT_OK);
  options.placement = "head=ref";
  options.memory_limit_bytes = 1000;
  scout_model* model = nullptr;
  EXPECT_EQ(scout_load(tiny::Path().c_str(), &options, &model), SCOUT_ERR_NO_MEMORY);
  EXPECT_NE(std::string(scout_last_error()).find("but only 1000 are left by the limit given by the caller"), std::string::npos)
      << scout_last_error();
}

}  // namespace

// Chats with pictures through the public header.
#include "seeing.h"

namespace {

using namespace seeing;

TEST(PictureApi, AMessageHoldsTextAndPicturesInTheirOrder) {
  const user::Model model = LoadSeeing();
  const user::Chat chat = NewChat(model);
  ASSERT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_text(chat.get(), "a", 1), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_image(chat.get(), Picture(32, 16, 1).get()), SCOUT_OK) << scout_last_error();
  ASSERT_EQ(scout_chat_add_image(chat.get(), Picture(16, 16, 2).get()), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_text(chat.get(), "<|image|>", SCOUT_NUL), SCOUT_OK);  // text stays text
  using M = TinyModel;
  std::vector<int32_t> want = {M::kBeginOfText, M::kHeaderStart, 'u', 's', 'e', 'r', M::kHeaderEnd, '\n', '\n', 'a'};
  const auto patches = [&] { want.insert(want.end(), 4, M::kPatch); };
  want.push_back(M::kImageStart);
  patches();
  want.push_back(M::kColumn);
  patches();
  want.push_back(M::kRow);
  want.push_back(M::kImage);
  patches();
  want.push_back(M::kImageEnd);
  want.push_back(M::kImageStart);
  want.push_back(M::kImage);
  patches();
  want.push_back(M::kImageEnd);
  for (const char c : std::string("<|image|>")) want.push_back(c);
  for (const int32_t id : {M::kEot, M::kHeaderStart}) want.push_back(id);
  for (const char c : std::string("assistant")) want.push_back(c);
  for (const int32_t id : {M::kHeaderEnd, int32_t{'\n'}, int32_t{'\n'}}) want.push_back(id);
  EXPECT_EQ(Ids(chat), want);
}

TEST(PictureApi, AnswersDependOnTheChatAlone) {
  const std::vector<std::vector<uint32_t>> cases = {{1}, {2}, {3, 4}, {1, 2, 3, 4, 5}, {}};
  std::vector<user::Answer> alone;
  for (const char* device : {"ref", "cpu"}) {
    const user::Model model = LoadSeeing(TheFiles().with, 1, device, 2);
    if (alone.empty()) {
      scout_engine_options options = user::EngineOptions();
      options.no_prefix_cache = 1;
      const user::Engine engine = user::NewEngine(model, options);
      for (const auto& seeds : cases) alone.push_back(user::Read(Submit(engine, Asking(model, seeds)).get()));
    }
    for (const int rows : {1, 7, 512}) {
      scout_engine_options options = user::EngineOptions();
      options.step_rows = options.decode_step_rows = rows;
      const user::Engine engine = user::NewEngine(model, options);
      for (const bool again : {false, true}) {
        std::vector<user::Request> requests;
        for (const auto& seeds : cases) requests.push_back(Submit(engine, Asking(model, seeds)));
        for (size_t i = 0; i < cases.size(); ++i)
          ExpectSame(user::Read(requests[i].get()), alone[i],
                     std::string(device) + ", case " + std::to_string(i) + ", " + std::to_string(rows) + (again ? ", again" : ""));
      }
    }
  }
  EXPECT_NE(alone[0].logprobs, alone[1].logprobs);
}

TEST(PictureApi, PagesAreSharedWithTheSamePictureOnly) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const user::Answer first = user::Read(Submit(engine, Asking(model, {1, 3, 5, 7, 9, 11})).get());
  const user::Answer other = user::Read(Submit(engine, Asking(model, {13, 3, 5, 7, 9, 11})).get());
  const user::Answer same = user::Read(Submit(engine, Asking(model, {1, 3, 5, 7, 9, 11})).get());
  EXPECT_EQ(first.prompt_tokens, other.prompt_tokens);
  EXPECT_EQ(other.cached_tokens, 0);
  EXPECT_GE(same.cached_tokens, 48);
  ExpectSame(same, first, "cached");
  EXPECT_NE(other.logprobs, first.logprobs);
}

TEST(PictureApi, ALaterTurnMayHoldAnother) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const user::Chat chat = Asking(model, {1});
  const user::Request request = Submit(engine, chat);
  user::Read(request.get());
  ASSERT_EQ(scout_chat_add_answer(chat.get(), request.get()), SCOUT_OK);
  ASSERT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_TOOL), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_image(chat.get(), Picture(16, 16, 2).get()), SCOUT_OK) << scout_last_error();
  EXPECT_EQ(user::Read(Submit(engine, chat).get()).generated_tokens, 8);
}

TEST(PictureApi, WhatCannotBeIsRefusedAtOnce) {
  const user::Image image = Picture(16, 16, 1);
  const auto refuses = [&](const user::Model& model, const char* why) {
    const user::Chat chat = NewChat(model);
    EXPECT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
    EXPECT_EQ(scout_chat_add_image(chat.get(), image.get()), SCOUT_ERR_UNSUPPORTED);
    EXPECT_NE(std::string(scout_last_error()).find(why), std::string::npos) << scout_last_error();
  };
  refuses(LoadSeeing(TheFiles().without), "its files hold no vision tower");
  const user::Model model = LoadSeeing();
  const user::Chat chat = NewChat(model);
  EXPECT_EQ(scout_chat_add_image(chat.get(), image.get()), SCOUT_ERR_STATE);
  EXPECT_NE(std::string(scout_last_error()).find("no message is begun"), std::string::npos) << scout_last_error();
  ASSERT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_SYSTEM), SCOUT_OK);
  EXPECT_EQ(scout_chat_add_image(chat.get(), image.get()), SCOUT_ERR_ARGUMENT);
  EXPECT_NE(std::string(scout_last_error()).find("system message"), std::string::npos) << scout_last_error();
}

TEST(PictureApi, TenThousandPicturesAreTooMany) {
  const user::Model model = LoadSeeing();
  const user::Chat chat = NewChat(model);
  const user::Image image = Picture(1, 1, 1);
  ASSERT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
  int taken = 0;
  for (int i = 0; i < 10000; ++i) {
    const scout_status status = scout_chat_add_image(chat.get(), image.get());
    if (status == SCOUT_OK) {
      ++taken;
      continue;
    }
    ASSERT_EQ(status, SCOUT_ERR_LIMIT) << i;
  }
  EXPECT_EQ(taken, 1024);
  EXPECT_STREQ(scout_last_error(), "the chat has 1024 pictures, at most 1024");
}

}  // namespace

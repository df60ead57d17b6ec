// Pictures of prompts that are no chats: of a text, of token ids, and of tokens to be scored. Row I11 of the catalogue of hostile
// input.
#include "seeing.h"

namespace {

using namespace seeing;
using M = TinyModel;

// Options with pictures of these seeds, which they own.
struct Pictures {
  std::vector<user::Image> owned;
  std::vector<const scout_image*> handles;
  explicit Pictures(const std::vector<uint32_t>& seeds) {
    for (const uint32_t seed : seeds) owned.push_back(Picture(seed % 2 == 0 ? 32 : 16, 16, seed));
    for (const user::Image& image : owned) handles.push_back(image.get());
  }
  template <typename Options>
  Options In(Options options) const {
    options.images = handles.data();
    options.image_count = handles.size();
    return options;
  }
};

scout_request_options Raw() {
  scout_request_options options = user::RequestOptions();
  options.raw = 1;
  options.max_tokens = 8;
  options.ignore_end = 1;
  options.logprobs = 1;
  return options;
}

scout_score_options ScoreOptions() {
  scout_score_options options;
  EXPECT_EQ(scout_score_options_init(&options, sizeof options), SCOUT_OK);
  return options;
}

// Of one tile and of two beside each other with the whole.
std::vector<int32_t> OneTile() { return {M::kImageStart, M::kImage, M::kPatch, M::kPatch, M::kPatch, M::kPatch, M::kImageEnd}; }
std::vector<int32_t> ThreeTiles() {
  std::vector<int32_t> ids = {M::kImageStart};
  ids.insert(ids.end(), 4, M::kPatch);
  ids.push_back(M::kColumn);
  ids.insert(ids.end(), 4, M::kPatch);
  ids.push_back(M::kRow);
  ids.push_back(M::kImage);
  ids.insert(ids.end(), 4, M::kPatch);
  ids.push_back(M::kImageEnd);
  return ids;
}
std::vector<int32_t> Joined(const std::vector<std::vector<int32_t>>& parts) {
  std::vector<int32_t> ids;
  for (const auto& part : parts) ids.insert(ids.end(), part.begin(), part.end());
  return ids;
}

std::vector<int32_t> PromptTokens(const user::Model& model, const std::string& text, const scout_request_options& options) {
  uint64_t needed = 0;
  EXPECT_EQ(scout_prompt_tokens(model.get(), text.data(), text.size(), &options, nullptr, 0, &needed), SCOUT_OK)
      << scout_last_error();
  std::vector<int32_t> ids(needed);
  EXPECT_EQ(scout_prompt_tokens(model.get(), text.data(), text.size(), &options, ids.data(), ids.size(), &needed), SCOUT_OK);
  return ids;
}

std::vector<int32_t> Expanded(const user::Model& model, const std::vector<int32_t>& ids, const scout_request_options& options) {
  uint64_t needed = 0;
  EXPECT_EQ(scout_prompt_expand(model.get(), ids.data(), ids.size(), &options, nullptr, 0, &needed), SCOUT_OK)
      << scout_last_error();
  std::vector<int32_t> expanded(needed);
  EXPECT_EQ(scout_prompt_expand(model.get(), ids.data(), ids.size(), &options, expanded.data(), expanded.size(), &needed),
            SCOUT_OK);
  return expanded;
}

user::Request SubmitText(const user::Engine& engine, const std::string& text, const scout_request_options& options) {
  scout_request* request = nullptr;
  EXPECT_EQ(scout_submit_text(engine.get(), text.data(), text.size(), &options, &request), SCOUT_OK) << scout_last_error();
  return user::Request(request);
}

user::Scores Score(const user::Engine& engine, const std::vector<int32_t>& ids, const scout_score_options& options) {
  scout_scores* scores = nullptr;
  EXPECT_EQ(scout_score(engine.get(), ids.data(), ids.size(), &options, &scores), SCOUT_OK) << scout_last_error();
  return user::Scores(scores);
}
// The first one is not a number, and 0 here.
std::vector<float> ReadScores(const user::Scores& scores, std::vector<float>* logits = nullptr) {
  std::vector<float> logprobs;
  const scout_score_block* block = nullptr;
  scout_status status;
  while ((status = scout_scores_next(scores.get(), 60000, &block)) == SCOUT_OK) {
    if (block->logprobs != nullptr) logprobs.insert(logprobs.end(), block->logprobs, block->logprobs + block->count);
    if (logits != nullptr) logits->insert(logits->end(), block->logits, block->logits + block->count * block->vocabulary);
  }
  EXPECT_EQ(status, SCOUT_DONE) << scout_last_error();
  if (!logprobs.empty()) logprobs[0] = 0;
  return logprobs;
}

TEST(PicturePrompts, PlaceholdersBecomePicturesInPlace) {
  const user::Model model = LoadSeeing();
  const Pictures pictures({2, 1});
  const std::vector<int32_t> want =
      Joined({{M::kBeginOfText, 'a'}, ThreeTiles(), {'b', '<', '|', 'e', 'o', 't', '|', '>'}, OneTile()});
  EXPECT_EQ(PromptTokens(model, "a<|image|>b<|eot|><|image|>", pictures.In(Raw())), want);
  EXPECT_EQ(
      Expanded(model, {M::kBeginOfText, 'a', M::kImage, 'b', '<', '|', 'e', 'o', 't', '|', '>', M::kImage}, pictures.In(Raw())),
      want);
  EXPECT_EQ(PromptTokens(model, "<|image|><|image|>", pictures.In(Raw())), Joined({{M::kBeginOfText}, ThreeTiles(), OneTile()}));
  // Without pictures it is text, and a token.
  EXPECT_EQ(PromptTokens(model, "<|image|>", Raw()).size(), 10u);
  EXPECT_EQ(Expanded(model, {'a', M::kImage}, Raw()), (std::vector<int32_t>{'a', M::kImage}));
}

TEST(PicturePrompts, AQuestionComesBehindItsPictures) {
  const user::Model model = LoadSeeing();
  const user::Chat chat = NewChat(model);
  ASSERT_EQ(scout_chat_begin(chat.get(), SCOUT_ROLE_USER), SCOUT_OK);
  const Pictures pictures({2, 1});
  for (const scout_image* image : pictures.handles) ASSERT_EQ(scout_chat_add_image(chat.get(), image), SCOUT_OK);
  ASSERT_EQ(scout_chat_add_text(chat.get(), "<|image|>?", SCOUT_NUL), SCOUT_OK);
  scout_request_options options = pictures.In(Raw());
  options.raw = 0;
  EXPECT_EQ(PromptTokens(model, "<|image|>?", options), Ids(chat));
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const user::Answer want = user::Read(Submit(engine, chat).get());
  ExpectSame(user::Read(SubmitText(engine, "<|image|>?", options).get()), want, "submitted");
  scout_request* made = nullptr;
  ASSERT_EQ(scout_generate(model.get(), "<|image|>?", &options, &made), SCOUT_OK) << scout_last_error();
  const user::Request request(made);
  ExpectSame(user::Read(made), want, "generated");
}

TEST(PicturePrompts, AnswersAreThoseOfTheSameChat) {
  const user::Model model = LoadSeeing();
  for (const int rows : {1, 7, 512}) {
    scout_engine_options engine_options = user::EngineOptions();
    engine_options.step_rows = engine_options.decode_step_rows = rows;
    const user::Engine engine = user::NewEngine(model, engine_options);
    const user::Chat chat = Asking(model, {1, 2, 4});
    const std::vector<int32_t> ids = Ids(chat);
    // The same ids with a placeholder where a picture begins and nothing of the rest of it.
    std::vector<int32_t> with_placeholders;
    bool inside = false;
    for (const int32_t id : ids) {
      if (id == M::kImageStart) with_placeholders.push_back(M::kImage);
      inside = (inside || id == M::kImageStart) && id != M::kImageEnd;
      if (!inside && id != M::kImageEnd) with_placeholders.push_back(id);
    }
    std::vector<user::Request> requests;
    {
      const Pictures pictures({1, 2, 4});  // freed before anything is read
      EXPECT_EQ(Expanded(model, with_placeholders, pictures.In(Raw())), ids);
      requests.push_back(user::Submit(engine, with_placeholders, pictures.In(Raw())));
      requests.push_back(user::Submit(engine, with_placeholders, pictures.In(Raw())));
      const Pictures others({3, 2, 4});
      requests.push_back(user::Submit(engine, with_placeholders, others.In(Raw())));
    }
    requests.push_back(Submit(engine, chat));
    const user::Answer want = user::Read(requests.back().get());
    EXPECT_EQ(want.prompt_tokens, static_cast<int64_t>(ids.size()));
    ExpectSame(user::Read(requests[0].get()), want, "first, rows " + std::to_string(rows));
    ExpectSame(user::Read(requests[1].get()), want, "second, rows " + std::to_string(rows));
    EXPECT_NE(user::Read(requests[2].get()).logprobs, want.logprobs);
  }
}

TEST(PicturePrompts, TilesLookedAtByOtherRulesChangeNoAnswer) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const Pictures pictures({2});
  const std::vector<int32_t> ids = {'a', M::kImage, 'b'};
  const user::Answer first = user::Read(user::Submit(engine, ids, pictures.In(Raw())).get());
  scout_tile_options other;
  ASSERT_EQ(scout_tile_options_init(&other, sizeof other), SCOUT_OK);
  other.tile_side = 8;
  std::string pixels(3 * 8 * 8, 0);
  uint64_t needed = 0;
  ASSERT_EQ(scout_image_tile(pictures.handles[0], &other, 0, pixels.data(), pixels.size(), &needed), SCOUT_OK)
      << scout_last_error();
  ExpectSame(user::Read(user::Submit(engine, ids, pictures.In(Raw())).get()), first, "again");
  scout_engine_stats stats = {};
  stats.struct_size = sizeof stats;
  ASSERT_EQ(scout_engine_get_stats(engine.get(), &stats), SCOUT_OK);
  EXPECT_EQ(stats.pictures_encoded, 1);
}

TEST(PicturePrompts, TokensAfterAPictureScoreTheSameAloneAndTogether) {
  const user::Model model = LoadSeeing();
  const std::vector<int32_t> text = {'a', M::kImage, 'b', 'c', M::kImage, 'd', 'e', 'f'};
  std::vector<float> alone;
  for (const int rows : {512, 1, 7}) {
    scout_engine_options options = user::EngineOptions();
    options.step_rows = options.decode_step_rows = rows;
    options.no_prefix_cache = 1;
    const user::Engine engine = user::NewEngine(model, options);
    if (alone.empty()) {
      alone = ReadScores(Score(engine, text, Pictures({1, 2}).In(ScoreOptions())));
      EXPECT_EQ(alone.size(), 6 + OneTile().size() + ThreeTiles().size());
    }
    std::vector<user::Scores> together;
    for (int i = 0; i < 4; ++i) {
      const Pictures pictures(i == 2 ? std::vector<uint32_t>{3, 2} : std::vector<uint32_t>{1, 2});
      together.push_back(Score(engine, text, pictures.In(ScoreOptions())));
    }
    const user::Request other = user::Submit(engine, {'x', M::kImage, 'y'}, Pictures({5}).In(Raw()));
    for (size_t i = 0; i < together.size(); ++i) {
      const std::vector<float> got = ReadScores(together[i]);
      ASSERT_EQ(got.size(), alone.size());
      EXPECT_EQ(std::memcmp(got.data(), alone.data(), got.size() * sizeof(float)) == 0, i != 2) << i << ", " << rows << " rows";
    }
  }
}

TEST(PicturePrompts, AnAnswersTokensScoreAsTheyWereGenerated) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const Pictures pictures({2, 1});
  std::vector<int32_t> ids = {'a', M::kImage, 'b', M::kImage, 'c'};
  const user::Answer answer = user::Read(user::Submit(engine, ids, pictures.In(Raw())).get());
  const size_t prompt = Expanded(model, ids, pictures.In(Raw())).size();
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  const std::vector<float> scores = ReadScores(Score(engine, ids, pictures.In(ScoreOptions())));
  ASSERT_EQ(scores.size(), prompt + answer.ids.size());
  ASSERT_EQ(answer.logprobs.size(), answer.ids.size());
  EXPECT_EQ(std::memcmp(scores.data() + prompt, answer.logprobs.data(), answer.logprobs.size() * sizeof(float)), 0);
  // Positions are those of the ids with the pictures' tokens.
  scout_score_options options = pictures.In(ScoreOptions());
  options.logits = 1;
  std::vector<float> all, last;
  ReadScores(Score(engine, ids, options), &all);
  const auto position = static_cast<int64_t>(prompt + answer.ids.size()) - 1;
  options.positions = &position;
  options.position_count = 1;
  ReadScores(Score(engine, ids, options), &last);
  ASSERT_FALSE(last.empty());
  ASSERT_EQ(all.size(), scores.size() * last.size());
  EXPECT_EQ(std::memcmp(last.data(), all.data() + all.size() - last.size(), last.size() * sizeof(float)), 0);
}

TEST(PicturePrompts, AsManyPlaceholdersAsPicturesOrASentence) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  const auto refused = [&](const std::string& text, const std::vector<int32_t>& ids, const std::vector<uint32_t>& seeds,
                           const std::string& why) {
    const Pictures pictures(seeds);
    const scout_request_options options = pictures.In(Raw());
    const scout_score_options score = pictures.In(ScoreOptions());
    scout_request* request = nullptr;
    scout_scores* scores = nullptr;
    uint64_t needed = 0;
    const auto check = [&](scout_status status, const char* call) {
      EXPECT_EQ(status, SCOUT_ERR_ARGUMENT) << call;
      EXPECT_EQ(scout_last_error(), why) << call;
      EXPECT_EQ(request, nullptr);
      EXPECT_EQ(scores, nullptr);
    };
    check(scout_generate(model.get(), text.c_str(), &options, &request), "scout_generate");
    check(scout_submit_text(engine.get(), text.data(), text.size(), &options, &request), "scout_submit_text");
    check(scout_prompt_tokens(model.get(), text.data(), text.size(), &options, nullptr, 0, &needed), "scout_prompt_tokens");
    check(scout_submit_tokens(engine.get(), ids.data(), ids.size(), &options, &request), "scout_submit_tokens");
    check(scout_prompt_expand(model.get(), ids.data(), ids.size(), &options, nullptr, 0, &needed), "scout_prompt_expand");
    check(scout_score(engine.get(), ids.data(), ids.size(), &score, &scores), "scout_score");
  };
  refused("a", {'a'}, {1}, "the prompt has 0 <|image|> and 1 picture is given; each <|image|> becomes one of them");
  refused("<|image|>", {M::kImage}, {1, 2},
          "the prompt has 1 <|image|> and 2 pictures are given; each <|image|> becomes one of them");
  refused("<|image|>a<|image|><|image|>", {M::kImage, 'a', M::kImage, M::kImage}, {1, 2},
          "the prompt has 3 <|image|> and 2 pictures are given; each <|image|> becomes one of them");
}

TEST(PicturePrompts, WhatCannotBeIsRefusedAtOnce) {
  const user::Model model = LoadSeeing();
  const user::Engine engine = user::NewEngine(model, user::EngineOptions());
  scout_request* request = nullptr;
  const std::vector<int32_t> ids = {M::kImage};
  const auto submit = [&](const scout_request_options& options) {
    return scout_submit_tokens(engine.get(), ids.data(), ids.size(), &options, &request);
  };
  const Pictures pictures({1});
  scout_request_options options = pictures.In(Raw());
  options.images = nullptr;
  EXPECT_EQ(submit(options), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(scout_last_error(), "images is NULL with a count of 1");
  const std::vector<const scout_image*> many(10000, pictures.handles[0]);
  options.images = many.data();
  options.image_count = many.size();
  EXPECT_EQ(submit(options), SCOUT_ERR_LIMIT);
  EXPECT_STREQ(scout_last_error(), "image_count is 10000, at most 1024");
  options.image_count = UINT64_MAX;
  EXPECT_EQ(submit(options), SCOUT_ERR_LIMIT);
  const scout_image* none = nullptr;
  options.images = &none;
  options.image_count = 1;
  EXPECT_EQ(submit(options), SCOUT_ERR_ARGUMENT);
  EXPECT_NE(std::string(scout_last_error()).find("images[0]"), std::string::npos) << scout_last_error();
  scout_image* freed = Picture(16, 16, 9).release();
  scout_image_free(freed);
  none = freed;
  EXPECT_EQ(submit(options), SCOUT_ERR_STATE);
  EXPECT_NE(std::string(scout_last_error()).find("images[0]"), std::string::npos) << scout_last_error();

  options = pictures.In(Raw());
  const user::Chat chat = Asking(model, {1});
  EXPECT_EQ(scout_submit(engine.get(), chat.get(), &options, &request), SCOUT_ERR_ARGUMENT);
  EXPECT_STREQ(scout_last_error(), "image_count is 1, must be 0 with a chat: scout_chat_add_image adds its pictures");

  const user::Model blind = LoadSeeing(TheFiles().without);
  EXPECT_EQ(scout_generate(blind.get(), "<|image|>", &options, &request), SCOUT_ERR_UNSUPPORTED);
  EXPECT_STREQ(scout_last_error(), "the model sees no pictures: its files hold no vision tower");
  const user::Model not_loaded = LoadSeeing(TheFiles().with, 0);
  EXPECT_EQ(scout_generate(not_loaded.get(), "<|image|>", &options, &request), SCOUT_ERR_UNSUPPORTED);
  EXPECT_NE(std::string(scout_last_error()).find("vision of scout_load_options"), std::string::npos) << scout_last_error();
  EXPECT_EQ(request, nullptr);
}

}  // namespace

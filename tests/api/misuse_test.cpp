// Calls that break the header's rules: a status and a message, never a crash. Row A of the catalogue of hostile input.
#include <cstring>
#include <fstream>
#include <functional>
#include <set>

#include "tiny.h"

namespace {

// One of everything, alive.
struct World {
  World() : model(tiny::Load()), engine(user::NewEngine(model, user::EngineOptions())) {
    scout_chat* new_chat = nullptr;
    EXPECT_EQ(scout_chat_new(model.get(), &new_chat), SCOUT_OK);
    chat.reset(new_chat);
    EXPECT_EQ(scout_chat_add(new_chat, SCOUT_ROLE_USER, "x", 1), SCOUT_OK);
    scout_request_options options = user::RequestOptions();
    options.max_tokens = 3;
    request = user::Submit(engine, tiny::Prompt(4), options);
    user::Read(request.get());
    scout_scores* new_scores = nullptr;
    EXPECT_EQ(scout_score(engine.get(), ids, 2, nullptr, &new_scores), SCOUT_OK);
    scores.reset(new_scores);
    scout_operation* new_operation = nullptr;
    EXPECT_EQ(scout_load_start(tiny::Path().c_str(), nullptr, &new_operation), SCOUT_OK);
    operation.reset(new_operation);
    load.struct_size = sizeof load;
    scout_image* new_picture = nullptr;
    EXPECT_EQ(scout_image_from_pixels("abc", 3, 1, 1, 0, 3, nullptr, &new_picture), SCOUT_OK);
    image.reset(new_picture);
    tiling.struct_size = sizeof tiling;
    tiles.struct_size = sizeof tiles;
    info.struct_size = sizeof info;
    video_info.struct_size = sizeof video_info;
  }
  user::Model model;
  user::Engine engine;
  user::Chat chat;
  user::Request request;
  user::Scores scores;
  user::Operation operation;
  user::Image image;
  scout_load_options load = {};
  scout_image_info info = {};
  scout_tiling tiling = {};
  scout_tile_options tiles = {};
  int32_t ids[4] = {1, 2, 3, 4};
  int32_t id = 0;
  char text[16] = {};
  uint64_t size = 0;
  uint64_t bytes = 0;
  const char* found = nullptr;
  scout_model* new_model = nullptr;
  scout_operation* new_operation = nullptr;
  scout_engine* new_engine = nullptr;
  scout_request* new_request = nullptr;
  scout_chat* new_chat = nullptr;
  scout_scores* new_scores = nullptr;
  scout_image* new_image = nullptr;
  scout_video* new_video = nullptr;
  scout_video_info video_info = {};
  int64_t time = 0;
  const scout_event* event = nullptr;
  const scout_score_block* block = nullptr;
};

// The functions of the header, each with one pointer after the other NULL. Those that cannot fail are called too, and must come
// back.
std::vector<std::pair<const char*, std::function<scout_status(World&)>>> NullCalls() {
  const char* path = tiny::Path().c_str();
  const scout_status refused = SCOUT_ERR_ARGUMENT;
  return {
      {"scout_load_options_init", [](World&) { return scout_load_options_init(nullptr, sizeof(scout_load_options)); }},
      {"scout_engine_options_init", [](World&) { return scout_engine_options_init(nullptr, sizeof(scout_engine_options)); }},
      {"scout_request_options_init", [](World&) { return scout_request_options_init(nullptr, sizeof(scout_request_options)); }},
      {"scout_score_options_init", [](World&) { return scout_score_options_init(nullptr, sizeof(scout_score_options)); }},
      {"scout_device_get", [](World&) { return scout_device_get(0, nullptr); }},
      {"scout_load", [](World& w) { return scout_load(nullptr, nullptr, &w.new_model); }},
      {"scout_load", [path](World&) { return scout_load(path, nullptr, nullptr); }},
      {"scout_load_start", [](World& w) { return scout_load_start(nullptr, nullptr, &w.new_operation); }},
      {"scout_load_start", [path](World&) { return scout_load_start(path, nullptr, nullptr); }},
      {"scout_operation_wait", [](World& w) { return scout_operation_wait(nullptr, 0, &w.new_model); }},
      {"scout_operation_wait", [](World& w) { return scout_operation_wait(w.operation.get(), 0, nullptr); }},
      {"scout_operation_progress", [](World& w) { return scout_operation_progress(nullptr, &w.bytes, &w.bytes); }},
      {"scout_operation_cancel", [](World&) { return scout_operation_cancel(nullptr); }},
      {"scout_operation_free",
       [=](World&) {
         scout_operation_free(nullptr);
         return refused;
       }},
      {"scout_free",
       [=](World&) {
         scout_free(nullptr);
         return refused;
       }},
      {"scout_model_get_info",
       [](World&) {
         scout_model_info i = {};
         i.struct_size = sizeof i;
         return scout_model_get_info(nullptr, &i);
       }},
      {"scout_model_get_info", [](World& w) { return scout_model_get_info(w.model.get(), nullptr); }},
      {"scout_model_get_layer", [](World& w) { return scout_model_get_layer(nullptr, 0, &w.id, &w.id, &w.id); }},
      {"scout_model_tensor_count", [](World& w) { return scout_model_tensor_count(nullptr, &w.size); }},
      {"scout_model_tensor_count", [](World& w) { return scout_model_tensor_count(w.model.get(), nullptr); }},
      {"scout_model_get_tensor",
       [](World&) {
         scout_tensor_info i = {};
         i.struct_size = sizeof i;
         return scout_model_get_tensor(nullptr, 0, &i);
       }},
      {"scout_model_get_tensor", [](World& w) { return scout_model_get_tensor(w.model.get(), 0, nullptr); }},
      {"scout_model_get_device",
       [](World&) {
         scout_model_device d = {};
         d.struct_size = sizeof d;
         return scout_model_get_device(nullptr, 0, &d);
       }},
      {"scout_model_get_device", [](World& w) { return scout_model_get_device(w.model.get(), 0, nullptr); }},
      {"scout_model_kv_bytes", [](World& w) { return scout_model_kv_bytes(nullptr, 1, 0, &w.bytes); }},
      {"scout_model_kv_bytes", [](World& w) { return scout_model_kv_bytes(w.model.get(), 1, 0, nullptr); }},
      {"scout_encode", [](World& w) { return scout_encode(nullptr, "x", 1, 0, w.ids, 4, &w.size); }},
      {"scout_encode", [](World& w) { return scout_encode(w.model.get(), nullptr, 1, 0, w.ids, 4, &w.size); }},
      {"scout_encode", [](World& w) { return scout_encode(w.model.get(), nullptr, SCOUT_NUL, 0, w.ids, 4, &w.size); }},
      {"scout_encode", [](World& w) { return scout_encode(w.model.get(), "x", 1, 0, nullptr, 4, &w.size); }},
      {"scout_encode", [](World& w) { return scout_encode(w.model.get(), "x", 1, 0, w.ids, 4, nullptr); }},
      {"scout_count_tokens", [](World& w) { return scout_count_tokens(nullptr, "x", 1, 0, &w.size); }},
      {"scout_count_tokens", [](World& w) { return scout_count_tokens(w.model.get(), nullptr, 1, 0, &w.size); }},
      {"scout_count_tokens", [](World& w) { return scout_count_tokens(w.model.get(), "x", 1, 0, nullptr); }},
      {"scout_decode", [](World& w) { return scout_decode(nullptr, w.ids, 4, 0, w.text, 16, &w.size); }},
      {"scout_decode", [](World& w) { return scout_decode(w.model.get(), nullptr, 4, 0, w.text, 16, &w.size); }},
      {"scout_decode", [](World& w) { return scout_decode(w.model.get(), w.ids, 4, 0, nullptr, 16, &w.size); }},
      {"scout_decode", [](World& w) { return scout_decode(w.model.get(), w.ids, 4, 0, w.text, 16, nullptr); }},
      {"scout_decode", [](World& w) { return scout_decode(w.model.get(), w.ids, SIZE_MAX, 0, w.text, 16, &w.size); }},
      {"scout_token_bytes", [](World& w) { return scout_token_bytes(nullptr, 1, &w.found, &w.size, nullptr); }},
      {"scout_token_bytes", [](World& w) { return scout_token_bytes(w.model.get(), 1, nullptr, &w.size, nullptr); }},
      {"scout_token_bytes", [](World& w) { return scout_token_bytes(w.model.get(), 1, &w.found, nullptr, nullptr); }},
      {"scout_token_find", [](World& w) { return scout_token_find(nullptr, "<|eot|>", SCOUT_NUL, &w.id); }},
      {"scout_token_find", [](World& w) { return scout_token_find(w.model.get(), nullptr, SCOUT_NUL, &w.id); }},
      {"scout_token_find", [](World& w) { return scout_token_find(w.model.get(), "<|eot|>", SCOUT_NUL, nullptr); }},
      {"scout_stop_tokens", [](World& w) { return scout_stop_tokens(nullptr, w.ids, 4, &w.size); }},
      {"scout_stop_tokens", [](World& w) { return scout_stop_tokens(w.model.get(), w.ids, 4, nullptr); }},
      {"scout_stop_tokens", [](World& w) { return scout_stop_tokens(w.model.get(), nullptr, 4, &w.size); }},
      {"scout_chat_new", [](World& w) { return scout_chat_new(nullptr, &w.new_chat); }},
      {"scout_chat_new", [](World& w) { return scout_chat_new(w.model.get(), nullptr); }},
      {"scout_chat_add", [](World&) { return scout_chat_add(nullptr, SCOUT_ROLE_USER, "x", 1); }},
      {"scout_chat_add", [](World& w) { return scout_chat_add(w.chat.get(), SCOUT_ROLE_USER, nullptr, 1); }},
      {"scout_chat_add", [](World& w) { return scout_chat_add(w.chat.get(), SCOUT_ROLE_USER, "x", SIZE_MAX / 2 + 1); }},
      {"scout_chat_begin", [](World&) { return scout_chat_begin(nullptr, SCOUT_ROLE_USER); }},
      {"scout_chat_add_image", [](World&) { return scout_chat_add_image(nullptr, nullptr); }},
      {"scout_chat_add_image", [](World& w) { return scout_chat_add_image(w.chat.get(), nullptr); }},
      {"scout_chat_add_text", [](World&) { return scout_chat_add_text(nullptr, "x", 1); }},
      {"scout_chat_add_text", [](World& w) { return scout_chat_add_text(w.chat.get(), nullptr, 1); }},
      {"scout_chat_add_answer", [](World& w) { return scout_chat_add_answer(nullptr, w.request.get()); }},
      {"scout_chat_add_answer", [](World& w) { return scout_chat_add_answer(w.chat.get(), nullptr); }},
      {"scout_chat_tokens", [](World& w) { return scout_chat_tokens(nullptr, w.ids, 4, &w.size); }},
      {"scout_chat_tokens", [](World& w) { return scout_chat_tokens(w.chat.get(), nullptr, 4, &w.size); }},
      {"scout_chat_tokens", [](World& w) { return scout_chat_tokens(w.chat.get(), w.ids, 4, nullptr); }},
      {"scout_chat_count", [](World& w) { return scout_chat_count(nullptr, &w.size); }},
      {"scout_chat_count", [](World& w) { return scout_chat_count(w.chat.get(), nullptr); }},
      {"scout_chat_free",
       [=](World&) {
         scout_chat_free(nullptr);
         return refused;
       }},
      {"scout_engine_new", [](World& w) { return scout_engine_new(nullptr, nullptr, &w.new_engine); }},
      {"scout_engine_new", [](World& w) { return scout_engine_new(w.model.get(), nullptr, nullptr); }},
      {"scout_engine_free",
       [=](World&) {
         scout_engine_free(nullptr);
         return refused;
       }},
      {"scout_submit", [](World& w) { return scout_submit(nullptr, w.chat.get(), nullptr, &w.new_request); }},
      {"scout_submit", [](World& w) { return scout_submit(w.engine.get(), nullptr, nullptr, &w.new_request); }},
      {"scout_submit", [](World& w) { return scout_submit(w.engine.get(), w.chat.get(), nullptr, nullptr); }},
      {"scout_submit_tokens", [](World& w) { return scout_submit_tokens(nullptr, w.ids, 4, nullptr, &w.new_request); }},
      {"scout_submit_tokens", [](World& w) { return scout_submit_tokens(w.engine.get(), nullptr, 4, nullptr, &w.new_request); }},
      {"scout_submit_tokens", [](World& w) { return scout_submit_tokens(w.engine.get(), nullptr, 0, nullptr, &w.new_request); }},
      {"scout_submit_tokens", [](World& w) { return scout_submit_tokens(w.engine.get(), w.ids, 4, nullptr, nullptr); }},
      {"scout_engine_next", [](World& w) { return scout_engine_next(nullptr, 0, &w.event); }},
      {"scout_engine_next", [](World& w) { return scout_engine_next(w.engine.get(), 0, nullptr); }},
      {"scout_engine_descriptor", [=](World&) { return scout_engine_descriptor(nullptr) == -1 ? refused : SCOUT_OK; }},
      {"scout_engine_step", [](World&) { return scout_engine_step(nullptr, 0); }},
      {"scout_engine_get_stats",
       [](World&) {
         scout_engine_stats s = {};
         s.struct_size = sizeof s;
         return scout_engine_get_stats(nullptr, &s);
       }},
      {"scout_engine_get_stats", [](World& w) { return scout_engine_get_stats(w.engine.get(), nullptr); }},
      {"scout_generate", [](World& w) { return scout_generate(nullptr, "x", nullptr, &w.new_request); }},
      {"scout_generate", [](World& w) { return scout_generate(w.model.get(), nullptr, nullptr, &w.new_request); }},
      {"scout_generate", [](World& w) { return scout_generate(w.model.get(), "x", nullptr, nullptr); }},
      {"scout_prompt_tokens", [](World& w) { return scout_prompt_tokens(nullptr, "x", 1, nullptr, w.ids, 4, &w.size); }},
      {"scout_prompt_tokens", [](World& w) { return scout_prompt_tokens(w.model.get(), nullptr, 1, nullptr, w.ids, 4, &w.size); }},
      {"scout_prompt_tokens", [](World& w) { return scout_prompt_tokens(w.model.get(), "x", 1, nullptr, nullptr, 4, &w.size); }},
      {"scout_prompt_tokens", [](World& w) { return scout_prompt_tokens(w.model.get(), "x", 1, nullptr, w.ids, 4, nullptr); }},
      {"scout_prompt_expand", [](World& w) { return scout_prompt_expand(nullptr, w.ids, 4, nullptr, w.ids, 4, &w.size); }},
      {"scout_prompt_expand", [](World& w) { return scout_prompt_expand(w.model.get(), nullptr, 4, nullptr, w.ids, 4, &w.size); }},
      {"scout_prompt_expand", [](World& w) { return scout_prompt_expand(w.model.get(), w.ids, 4, nullptr, nullptr, 4, &w.size); }},
      {"scout_prompt_expand", [](World& w) { return scout_prompt_expand(w.model.get(), w.ids, 4, nullptr, w.ids, 4, nullptr); }},
      {"scout_request_next", [](World& w) { return scout_request_next(nullptr, 0, &w.event); }},
      {"scout_request_next", [](World& w) { return scout_request_next(w.request.get(), 0, nullptr); }},
      {"scout_request_cancel", [](World&) { return scout_request_cancel(nullptr); }},
      {"scout_request_ids", [](World& w) { return scout_request_ids(nullptr, w.ids, 4, &w.size); }},
      {"scout_request_ids", [](World& w) { return scout_request_ids(w.request.get(), nullptr, 4, &w.size); }},
      {"scout_request_ids", [](World& w) { return scout_request_ids(w.request.get(), w.ids, 4, nullptr); }},
      {"scout_request_free",
       [=](World&) {
         scout_request_free(nullptr);
         return refused;
       }},
      {"scout_score", [](World& w) { return scout_score(nullptr, w.ids, 4, nullptr, &w.new_scores); }},
      {"scout_score", [](World& w) { return scout_score(w.engine.get(), nullptr, 4, nullptr, &w.new_scores); }},
      {"scout_score", [](World& w) { return scout_score(w.engine.get(), w.ids, 4, nullptr, nullptr); }},
      {"scout_scores_next", [](World& w) { return scout_scores_next(nullptr, 0, &w.block); }},
      {"scout_scores_next", [](World& w) { return scout_scores_next(w.scores.get(), 0, nullptr); }},
      {"scout_scores_cancel", [](World&) { return scout_scores_cancel(nullptr); }},
      {"scout_scores_free",
       [=](World&) {
         scout_scores_free(nullptr);
         return refused;
       }},
      // No pointer to give: they must come back.
      {"scout_last_error", [=](World&) { return scout_last_error() != nullptr ? refused : SCOUT_OK; }},
      {"scout_clear_error",
       [=](World&) {
         scout_clear_error();
         return refused;
       }},
      {"scout_status_text", [=](World&) { return scout_status_text(12345) != nullptr ? refused : SCOUT_OK; }},
      {"scout_version", [=](World&) { return std::string(scout_version()) == "0.1.0" ? refused : SCOUT_OK; }},
      {"scout_version_number", [=](World&) { return scout_version_number() == 100 ? refused : SCOUT_OK; }},
      {"scout_build_info",
       [=](World&) { return std::string(scout_build_info()).find("0.1.0") != std::string::npos ? refused : SCOUT_OK; }},
      {"scout_log_set_sink",
       [=](World& w) {
         scout_log_set_sink(nullptr, &w, -5);
         return refused;
       }},
      {"scout_device_count", [](World&) { return scout_device_count(nullptr); }},
      {"scout_status_name", [=](World&) { return scout_status_name(12345) != nullptr ? refused : SCOUT_OK; }},
      {"scout_log_open", [](World&) { return scout_log_open(-1, 1); }},
      {"scout_log_next", [](World& w) { return scout_log_next(0, &w.id, w.text, 16, nullptr); }},
      {"scout_log_next", [](World& w) { return scout_log_next(0, &w.id, nullptr, 16, &w.size); }},
      {"scout_operation_descriptor", [=](World&) { return scout_operation_descriptor(nullptr) == -1 ? refused : SCOUT_OK; }},
      {"scout_request_descriptor", [=](World&) { return scout_request_descriptor(nullptr) == -1 ? refused : SCOUT_OK; }},
      {"scout_scores_descriptor", [=](World&) { return scout_scores_descriptor(nullptr) == -1 ? refused : SCOUT_OK; }},
      {"scout_model_engine", [](World& w) { return scout_model_engine(nullptr, &w.new_engine); }},
      {"scout_model_engine", [](World& w) { return scout_model_engine(w.model.get(), nullptr); }},
      {"scout_engine_wake", [](World&) { return scout_engine_wake(nullptr); }},
      {"scout_submit_text", [](World& w) { return scout_submit_text(nullptr, "x", 1, nullptr, &w.new_request); }},
      {"scout_submit_text", [](World& w) { return scout_submit_text(w.engine.get(), nullptr, 1, nullptr, &w.new_request); }},
      {"scout_submit_text", [](World& w) { return scout_submit_text(w.engine.get(), "x", 1, nullptr, nullptr); }},
      {"scout_image_options_init", [](World&) { return scout_image_options_init(nullptr, sizeof(scout_image_options)); }},
      {"scout_tile_options_init", [](World&) { return scout_tile_options_init(nullptr, sizeof(scout_tile_options)); }},
      {"scout_image_from_pixels", [](World& w) { return scout_image_from_pixels(nullptr, 3, 1, 1, 0, 3, nullptr, &w.new_image); }},
      {"scout_image_from_pixels", [](World&) { return scout_image_from_pixels("abc", 3, 1, 1, 0, 3, nullptr, nullptr); }},
      {"scout_image_from_bytes", [](World& w) { return scout_image_from_bytes(nullptr, 3, nullptr, &w.new_image); }},
      {"scout_image_from_bytes", [](World&) { return scout_image_from_bytes("GIF8", 4, nullptr, nullptr); }},
      {"scout_image_from_file", [](World& w) { return scout_image_from_file(nullptr, nullptr, &w.new_image); }},
      {"scout_image_from_file", [](World&) { return scout_image_from_file("x.png", nullptr, nullptr); }},
      {"scout_image_get_info", [](World& w) { return scout_image_get_info(nullptr, &w.info); }},
      {"scout_image_get_info", [](World& w) { return scout_image_get_info(w.image.get(), nullptr); }},
      {"scout_model_get_tile_options", [](World& w) { return scout_model_get_tile_options(nullptr, &w.tiles); }},
      {"scout_model_get_tile_options", [](World& w) { return scout_model_get_tile_options(w.model.get(), nullptr); }},
      {"scout_tiling_of_size", [](World&) { return scout_tiling_of_size(4, 4, nullptr, nullptr); }},
      {"scout_image_get_tiling", [](World& w) { return scout_image_get_tiling(nullptr, nullptr, &w.tiling); }},
      {"scout_image_get_tiling", [](World& w) { return scout_image_get_tiling(w.image.get(), nullptr, nullptr); }},
      {"scout_image_tile", [](World& w) { return scout_image_tile(nullptr, nullptr, 0, w.text, 16, &w.size); }},
      {"scout_image_tile", [](World& w) { return scout_image_tile(w.image.get(), nullptr, 0, nullptr, 16, &w.size); }},
      {"scout_image_tile", [](World& w) { return scout_image_tile(w.image.get(), nullptr, 0, w.text, 16, nullptr); }},
      {"scout_image_tokens", [](World& w) { return scout_image_tokens(nullptr, w.model.get(), nullptr, w.ids, 4, &w.size); }},
      {"scout_image_tokens", [](World& w) { return scout_image_tokens(w.image.get(), nullptr, nullptr, w.ids, 4, &w.size); }},
      {"scout_image_tokens", [](World& w) { return scout_image_tokens(w.image.get(), w.model.get(), nullptr, w.ids, 4, nullptr); }},
      {"scout_image_free",
       [=](World&) {
         scout_image_free(nullptr);
         return refused;
       }},
      {"scout_video_options_init", [](World&) { return scout_video_options_init(nullptr, sizeof(scout_video_options)); }},
      {"scout_video_open", [](World& w) { return scout_video_open(nullptr, nullptr, &w.new_video); }},
      {"scout_video_open", [](World&) { return scout_video_open("x.mp4", nullptr, nullptr); }},
      {"scout_video_from_bytes", [](World& w) { return scout_video_from_bytes(nullptr, 3, nullptr, &w.new_video); }},
      {"scout_video_from_bytes", [](World&) { return scout_video_from_bytes("GIF8", 4, nullptr, nullptr); }},
      {"scout_video_get_info", [](World& w) { return scout_video_get_info(nullptr, &w.video_info); }},
      {"scout_video_next", [](World& w) { return scout_video_next(nullptr, &w.new_image, &w.time); }},
      {"scout_video_next", [](World& w) { return scout_video_next(nullptr, nullptr, &w.time); }},
      {"scout_video_next", [](World& w) { return scout_video_next(nullptr, &w.new_image, nullptr); }},
      {"scout_video_cancel", [](World&) { return scout_video_cancel(nullptr); }},
      {"scout_video_free",
       [=](World&) {
         scout_video_free(nullptr);
         return refused;
       }},
      {"scout_chat_add_video", [](World& w) { return scout_chat_add_video(nullptr, nullptr, &w.size); }},
      {"scout_chat_add_video", [](World& w) { return scout_chat_add_video(w.chat.get(), nullptr, &w.size); }},
      {"scout_chat_add_video", [](World& w) { return scout_chat_add_video(w.chat.get(), nullptr, nullptr); }},
      {"scout_chat_add_frame", [](World& w) { return scout_chat_add_frame(nullptr, w.image.get(), 0, 0); }},
      {"scout_chat_add_frame", [](World& w) { return scout_chat_add_frame(w.chat.get(), nullptr, 0, 0); }},
  };
}

TEST(Misuse, EveryPointerMayBeNull) {
  World world;
  for (const auto& [name, call] : NullCalls()) {
    scout_clear_error();
    EXPECT_EQ(call(world), SCOUT_ERR_ARGUMENT) << name << ": " << scout_last_error();
  }
  // Nothing was made, and nothing broke.
  EXPECT_EQ(world.new_model, nullptr);
  EXPECT_EQ(world.new_engine, nullptr);
  EXPECT_EQ(world.new_request, nullptr);
  EXPECT_EQ(world.new_chat, nullptr);
  EXPECT_EQ(world.new_scores, nullptr);
  EXPECT_EQ(world.new_image, nullptr);
  EXPECT_EQ(world.new_video, nullptr);
  EXPECT_EQ(tiny::Count(world.chat.get()), 1u);
  EXPECT_EQ(tiny::Solo(world.model, tiny::Prompt(5), 3).ids.size(), 3u);
}

TEST(Misuse, TheTableOfNullsHasEveryFunctionOfTheHeader) {
  std::set<std::string> covered;
  for (const auto& [name, call] : NullCalls()) covered.insert(name);
  std::ifstream golden(SCOUT_SOURCE_DIR "/tests/abi/abi.golden");
  std::string line;
  int functions = 0;
  while (std::getline(golden, line)) {
    if (line.rfind("function ", 0) != 0) continue;
    const std::string before = line.substr(0, line.find('('));
    const std::string name = before.substr(before.find_last_of(" *") + 1);
    EXPECT_TRUE(covered.contains(name)) << name;
    ++functions;
  }
  EXPECT_EQ(static_cast<size_t>(functions), covered.size());
}

template <typename Options>
void TryInit(scout_status (*init)(Options*, uint64_t), size_t first_size = sizeof(Options)) {
  std::vector<unsigned char> memory(8192, 0xee);
  auto* options = reinterpret_cast<Options*>(memory.data());
  for (const size_t bad : {size_t{0}, size_t{1}, size_t{4}, first_size - 1, size_t{4097}, SIZE_MAX}) {
    EXPECT_EQ(init(options, bad), SCOUT_ERR_ARGUMENT) << bad;
    EXPECT_EQ(memory[0], 0xee);
  }
  EXPECT_EQ(init(options, first_size), SCOUT_OK);  // a program from the past
  EXPECT_EQ(memory[first_size], 0xee);
  EXPECT_EQ(init(options, sizeof(Options) + 64), SCOUT_OK);  // a program from the future
  EXPECT_EQ(memory[sizeof(Options) + 63], 0);
  EXPECT_EQ(memory[sizeof(Options) + 64], 0xee);
}

TEST(Misuse, StructSizesOfThePastAndTheFuture) {
  TryInit(scout_load_options_init, 64);
  TryInit(scout_engine_options_init, 56);
  TryInit(scout_request_options_init, 144);
  TryInit(scout_score_options_init, 24);
  TryInit(scout_image_options_init);
  TryInit(scout_tile_options_init);
  TryInit(scout_video_options_init);

  World world;
  struct Future {
    scout_engine_options known;
    uint64_t unknown[4];
  } future = {};
  ASSERT_EQ(scout_engine_options_init(&future.known, sizeof future), SCOUT_OK);
  scout_engine* engine = nullptr;
  ASSERT_EQ(scout_engine_new(world.model.get(), &future.known, &engine), SCOUT_OK) << scout_last_error();
  scout_engine_free(engine);
  future.unknown[3] = 1;
  EXPECT_EQ(scout_engine_new(world.model.get(), &future.known, &engine), SCOUT_ERR_UNSUPPORTED);
  for (const uint32_t bad : {0u, 1u, 55u, 4097u, 0xffffffffu}) {
    future.known.struct_size = bad;
    EXPECT_EQ(scout_engine_new(world.model.get(), &future.known, &engine), SCOUT_ERR_ARGUMENT) << bad;
  }

  // Descriptions: an old program gets the members it knows, a new one zeros behind what is known.
  unsigned char memory[512];
  for (const uint32_t size : {8u, 16u, 48u, 400u}) {
    std::memset(memory, 0xee, sizeof memory);
    std::memcpy(memory, &size, sizeof size);
    ASSERT_EQ(scout_model_get_info(world.model.get(), reinterpret_cast<scout_model_info*>(memory)), SCOUT_OK) << size;
    EXPECT_EQ(memory[4], 4);  // layers
    for (size_t i = sizeof(scout_model_info); i < size; ++i) ASSERT_EQ(memory[i], 0) << i;
    for (size_t i = size; i < sizeof memory; ++i) ASSERT_EQ(memory[i], 0xee) << i;
  }
  scout_model_info info = {};
  EXPECT_EQ(scout_model_get_info(world.model.get(), &info), SCOUT_ERR_ARGUMENT);  // struct_size was forgotten
}

TEST(Misuse, AHandleOfAnotherKindIsNoticed) {
  World world;
  EXPECT_EQ(scout_request_cancel(reinterpret_cast<scout_request*>(world.engine.get())), SCOUT_ERR_ARGUMENT);
  const std::string message = scout_last_error();
  EXPECT_NE(message.find("scout_engine"), std::string::npos) << message;
  scout_free(reinterpret_cast<scout_model*>(world.chat.get()));  // does nothing
  EXPECT_EQ(tiny::Count(world.chat.get()), 1u);
}

TEST(Misuse, AFreedHandleIsNoticed) {
  World world;
  scout_chat* chat = world.chat.release();
  scout_chat_free(chat);
  EXPECT_EQ(scout_chat_add(chat, SCOUT_ROLE_USER, "x", 1), SCOUT_ERR_STATE);
  scout_chat_free(chat);
  scout_engine* engine = world.engine.release();
  scout_engine_free(engine);
  scout_request* request = nullptr;
  EXPECT_EQ(scout_submit_tokens(engine, world.ids, 4, nullptr, &request), SCOUT_ERR_STATE);
  EXPECT_EQ(scout_engine_descriptor(engine), -1);
  scout_engine_free(engine);
  scout_model* model = world.model.release();
  scout_free(model);
  EXPECT_EQ(scout_chat_new(model, &chat), SCOUT_ERR_STATE);
  scout_free(model);
}

TEST(Misuse, TheLogSinkMayNotCallBack) {
  static scout_status inside = SCOUT_OK;
  static int lines = 0;
  scout_log_set_sink(
      [](void*, int32_t, const char* text, uint64_t size) {
        ++lines;
        EXPECT_EQ(std::strlen(text), size);
        scout_device_info info = {};
        info.struct_size = sizeof info;
        inside = scout_device_get(0, &info);
      },
      nullptr, SCOUT_LOG_DEBUG);
  tiny::Load();
  scout_log_set_sink(nullptr, nullptr, 0);
  EXPECT_GT(lines, 0);
  EXPECT_EQ(inside, SCOUT_ERR_STATE);
  const int heard = lines;
  tiny::Load();
  EXPECT_EQ(lines, heard);
}

}  // namespace

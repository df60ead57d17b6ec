// Owners for the C header's handles: all that C++ needs beside it. Take it, change it.
#pragma once

#include <scout/scout.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace scout_example {

// A failure as an exception, with the call's one-line message.
inline void Check(scout_status status) {
  if (status < 0 || status == SCOUT_AGAIN) throw std::runtime_error(scout_last_error());
}

template <auto free>
struct Freed {
  template <typename T>
  void operator()(T* handle) const {
    free(handle);
  }
};
using Model = std::unique_ptr<scout_model, Freed<scout_free>>;
using Engine = std::unique_ptr<scout_engine, Freed<scout_engine_free>>;
using Chat = std::unique_ptr<scout_chat, Freed<scout_chat_free>>;
using Image = std::unique_ptr<scout_image, Freed<scout_image_free>>;
using Request = std::unique_ptr<scout_request, Freed<scout_request_free>>;

inline Model Load(const char* path, const scout_load_options* options = nullptr) {
  scout_model* model = nullptr;
  Check(scout_load(path, options, &model));
  return Model(model);
}

// The model's default engine.
inline Engine EngineOf(const Model& model) {
  scout_engine* engine = nullptr;
  Check(scout_model_engine(model.get(), &engine));
  return Engine(engine);
}

inline scout_request_options Options() {
  scout_request_options options;
  Check(scout_request_options_init(&options, sizeof options));
  return options;
}

inline Request Ask(const Engine& engine, std::string_view question, const scout_request_options& options = Options()) {
  scout_request* request = nullptr;
  Check(scout_submit_text(engine.get(), question.data(), question.size(), &options, &request));
  return Request(request);
}

inline std::string_view TextOf(const scout_event& event) { return {event.text, static_cast<size_t>(event.text_size)}; }

}  // namespace scout_example

// What hangs on the handles. Each object holds what it stands on by a shared_ptr, so handles may be freed in any order.
#pragma once

#include <scout/engine.h>
#include <scout/model.h>
#include <scout/score.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/handles.h"
#include "base/own_thread.h"
#include "base/process.h"
#include "engine/engine.h"
#include "model/model.h"
#include "prompt/chat_format.h"
#include "prompt/image_tiles.h"
#include "prompt/tokenizer.h"

namespace scout::api {

// What a load's options say about engines that do not say themselves.
struct EngineDefaults {
  DType kv_format = DType::kF16;
  int64_t context = 0;    // 0 = as many as kv_bytes holds
  uint64_t kv_bytes = 0;  // 0 = kDefaultKvShare of what is left
};

class EngineObject;
struct LoadFiles;

class ModelObject final : public Object {
 public:
  std::shared_ptr<const model::Model> model;
  std::shared_ptr<const prompt::Tokenizer> tokenizer;     // null for a checkpoint without one
  std::shared_ptr<const prompt::ChatFormat> chat_format;  // null where the tokenizer lacks what it needs
  std::string no_chat;                                    // then: why
  EngineDefaults defaults;
  DeviceInfo device;
  std::string placement;
  std::vector<model::Model::DevicePart> device_parts;
  std::vector<bool> tensor_used;  // [tensors of the checkpoint], false: not needed by the text model

  // Throws kState with a sentence.
  const prompt::Tokenizer& NeedTokenizer() const;
  const std::shared_ptr<const prompt::ChatFormat>& NeedChatFormat() const;

  // Made on first use; a failure to make it is not remembered. Its own `model` is only lent.
  std::shared_ptr<EngineObject> DefaultEngine();

 private:
  std::mutex mutex_;
  std::shared_ptr<EngineObject> default_engine_;  // the engine in it outlives its requests: each holds that too
};

class OperationObject final : public Object {
 public:
  // Starts loading on a thread of its own. Throws what is wrong with the arguments.
  OperationObject(std::string path, const scout_load_options& options);
  ~OperationObject() override { OperationObject::Close(); }
  void Close() noexcept override;

  // Null when the time is up. Throws what the load threw; kState when the model was taken before.
  std::shared_ptr<ModelObject> Wait(int64_t timeout_ms);
  void Cancel() noexcept { progress_.cancel.store(true, std::memory_order_relaxed); }
  const model::LoadProgress& progress() const { return progress_; }
  int Descriptor();

 private:
  void Run(const std::string& path, const model::LoadOptions& options, const EngineDefaults& defaults,
           const LoadFiles& files) noexcept;

  model::LoadProgress progress_;
  std::mutex mutex_;  // of what follows
  std::condition_variable ended_;
  bool done_ = false;
  bool taken_ = false;
  std::optional<Error> error_;
  std::shared_ptr<ModelObject> model_;
  std::unique_ptr<WakeDescriptor> descriptor_;  // where one was asked for
  std::mutex joining_;
  OwnThread thread_;
};

// An event in both vocabularies: the engine's, whose memory the public one borrows.
struct EventBuffer {
  engine::Event event;
  scout_event view = {};
  const scout_event* Fill();
};

class EngineObject final : public Object {
 public:
  void Close() noexcept override;

  std::shared_ptr<ModelObject> model;
  std::shared_ptr<engine::Engine> engine;
  bool shared = false;  // the model's default engine, which a handle's end leaves alone
  bool stepped = false;
  int32_t page_positions = 0;
  int64_t context = 0;
  uint64_t kv_bytes = 0, workspace_bytes = 0;
  std::atomic<bool> in_next{false};
  EventBuffer buffer;
};

class RequestObject final : public Object {
 public:
  void Close() noexcept override { request->Cancel(); }

  std::shared_ptr<ModelObject> model;
  std::shared_ptr<engine::Engine> engine;
  std::shared_ptr<engine::Request> request;
  std::atomic<bool> in_next{false};
  EventBuffer buffer;
};

class ScoresObject final : public Object {
 public:
  void Close() noexcept override { request->Cancel(); }

  std::shared_ptr<ModelObject> model;
  std::shared_ptr<engine::Engine> engine;
  std::shared_ptr<engine::Request> request;
  int64_t vocabulary = 0;
  std::atomic<bool> in_next{false};
  engine::ScoreBlock block;
  scout_score_block view = {};
};

// A picture cut into the tiles that its chat's model takes.
struct PreparedPicture {
  std::shared_ptr<const prompt::ImageTiles> tiles;
  prompt::ImagePart part;
  engine::PictureKey key{};
};

// What is submitted.
struct Prompt {
  std::vector<int32_t> ids;
  std::vector<engine::Picture> pictures;
};

class ChatObject final : public Object {
 public:
  explicit ChatObject(const std::shared_ptr<const prompt::ChatFormat>& format) : chat(format) {}

  std::shared_ptr<const ModelObject> model;
  prompt::Chat chat;
  std::optional<prompt::Message> open;    // begun and not ended yet
  std::vector<PreparedPicture> pictures;  // in the order of the messages, the open one's last
  mutable std::atomic<bool> busy{false};
};

template <>
struct HandleOf<scout_model> {
  using Class = ModelObject;
  static constexpr Kind kKind = Kind::kModel;
};
template <>
struct HandleOf<scout_operation> {
  using Class = OperationObject;
  static constexpr Kind kKind = Kind::kOperation;
};
template <>
struct HandleOf<scout_engine> {
  using Class = EngineObject;
  static constexpr Kind kKind = Kind::kEngine;
};
template <>
struct HandleOf<scout_request> {
  using Class = RequestObject;
  static constexpr Kind kKind = Kind::kRequest;
};
template <>
struct HandleOf<scout_chat> {
  using Class = ChatObject;
  static constexpr Kind kKind = Kind::kChat;
};
template <>
struct HandleOf<scout_scores> {
  using Class = ScoresObject;
  static constexpr Kind kKind = Kind::kScores;
};

// The conversation's ids with the answer's header, an open message included as it stands.
Prompt PromptOf(const ChatObject& chat);

// What a request has generated, as far as its events were taken; without the prompt.
std::vector<int32_t> AnswerOf(const RequestObject& object);
// Token ids given by a caller, copied. Throws for none, or NULL.
std::vector<int32_t> TokensOf(const int32_t* ids, uint64_t count);

// Options over their defaults, checked as far as no engine is needed for it.
void InitEngineOptions(scout_engine_options* options, uint64_t struct_size);
scout_engine_options ReadEngineOptions(const scout_engine_options* options);

// Makes the engine of a model: sizes its pages, makes its runner and its thread. Everything in `options` may be 0.
std::shared_ptr<EngineObject> MakeEngine(const std::shared_ptr<ModelObject>& model, const scout_engine_options& options);
scout_engine_options DefaultEngineOptions();

// SCOUT_AGAIN, with a message for scout_last_error.
scout_status WaitingListFull(const engine::Engine& engine) noexcept;
// SCOUT_OK and a new handle in *request, or SCOUT_AGAIN.
scout_status SubmitRequest(std::shared_ptr<ModelObject> model, std::shared_ptr<engine::Engine> engine, Prompt prompt,
                           const engine::RequestOptions& options, scout_request** request);

// SCOUT_KV_* -> a format; throws kArgument.
DType KvFormat(int32_t kv_format, DType otherwise, std::string_view name);
int32_t KvFormatCode(DType format);

}  // namespace scout::api

#include <histedit.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "common.h"
#include "question.h"

namespace cli {
namespace {

struct RunOptions {
  ModelOptions model;
  std::string prompt;
  std::vector<std::string> images, videos;
  Frames frames;
  std::string system;
  float temperature = 0;
  int top_k = 0;
  float top_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  uint64_t seed = 0;
  int64_t max_tokens = 0;
  std::vector<std::string> stop;
  bool raw = false;
  bool no_vision = false;
  bool json = false;
  bool stats = false;
};

scout_request_options RequestOptions(const RunOptions& options, std::vector<const char*>& stop, std::vector<uint64_t>& sizes) {
  scout_request_options request;
  Check(scout_request_options_init(&request, sizeof request));
  request.temperature = options.temperature;
  request.top_k = options.top_k;
  request.top_p = options.top_p;
  request.min_p = options.min_p;
  request.repetition_penalty = options.repetition_penalty;
  request.seed = options.seed;
  request.max_tokens = options.max_tokens;
  request.raw = options.raw ? 1 : 0;
  for (const std::string& text : options.stop) {
    stop.push_back(text.data());
    sizes.push_back(text.size());
  }
  request.stop = stop.data();
  request.stop_sizes = sizes.data();
  request.stop_count = stop.size();
  return request;
}

void Write(const char* bytes, size_t size) {
  if (std::fwrite(bytes, 1, size, stdout) != size || std::fflush(stdout) != 0) throw Failure("stdout cannot be written");
}

// Prints an answer as it comes; Ctrl-C cancels it. Returns false when it was cancelled. With --json one object a line and event.
bool Stream(scout_request* request, const RunOptions& options) {
  const scout_event* event = nullptr;
  while (true) {
    const scout_status status = Check(scout_request_next(request, 100, &event));
    if (Interrupted()) scout_request_cancel(request);
    if (status == SCOUT_DONE) return true;
    if (status == SCOUT_AGAIN) continue;
    if (options.json) {
      nlohmann::ordered_json line = {{"text", std::string(event->text, static_cast<size_t>(event->text_size))},
                                     {"ids", std::vector<int32_t>(event->ids, event->ids + event->id_count)}};
      if (event->stop != SCOUT_STOP_NONE) {
        static constexpr const char* kStops[] = {"", "end", "string", "length", "cancelled", "error"};
        line["stop"] = kStops[event->stop];
        line["message"] = event->message;
        line["prompt_tokens"] = event->prompt_tokens;
        line["cached_tokens"] = event->cached_tokens;
        line["generated_tokens"] = event->generated_tokens;
        line["queue_ms"] = event->queue_ms;
        line["prefill_ms"] = event->prefill_ms;
        line["decode_ms"] = event->decode_ms;
      }
      const std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
      Write(text.data(), text.size());
    } else {
      Write(event->text, static_cast<size_t>(event->text_size));
    }
    if (event->stop == SCOUT_STOP_NONE) continue;
    if (!options.json) Write("\n", 1);
    if (event->stop == SCOUT_STOP_ERROR) throw Failure(event->message);
    if (event->stop == SCOUT_STOP_LENGTH) std::fprintf(stderr, "scout: the answer was cut: %s\n", event->message);
    if (options.stats)
      std::fprintf(stderr, "%lld prompt tokens (%lld cached) in %.0f ms, %lld generated in %.0f ms, %.0f ms in the queue\n",
                   static_cast<long long>(event->prompt_tokens), static_cast<long long>(event->cached_tokens), event->prefill_ms,
                   static_cast<long long>(event->generated_tokens), event->decode_ms, event->queue_ms);
    return event->stop != SCOUT_STOP_CANCELLED;
  }
}

void CheckSubmitted(scout_status status) {
  if (Check(status) == SCOUT_AGAIN) throw Failure("the engine takes no more requests");
}

Chat NewChat(const scout_model* model, const RunOptions& options) {
  scout_chat* chat = nullptr;
  Check(scout_chat_new(model, &chat));
  Chat owned(chat);
  if (!options.system.empty()) Check(scout_chat_add(chat, SCOUT_ROLE_SYSTEM, options.system.data(), options.system.size()));
  return owned;
}

void Once(const RunOptions& options, const std::vector<Image>& images, const std::vector<Video>& videos, scout_model* model,
          scout_engine* engine) {
  std::vector<const char*> stop;
  std::vector<uint64_t> sizes;
  scout_request_options request_options = RequestOptions(options, stop, sizes);
  const std::string prompt = options.prompt == "-" ? ReadFile("-") : options.prompt;
  scout_request* made = nullptr;
  if (options.raw || InfoOf(model).has_chat == 0) {
    if (!videos.empty()) throw Failure("--video needs a chat, and the model's tokenizer has no chat format");
    std::vector<const scout_image*> handles;
    for (const Image& image : images) handles.push_back(image.get());
    request_options.images = handles.data();
    request_options.image_count = handles.size();
    CheckSubmitted(scout_submit_text(engine, prompt.data(), prompt.size(), &request_options, &made));
  } else {
    const Chat chat = NewChat(model, options);
    AddQuestion(chat.get(), images, videos, prompt);
    CheckSubmitted(scout_submit(engine, chat.get(), &request_options, &made));
  }
  const Request request(made);
  if (!Stream(request.get(), options)) throw Failure("interrupted", kInterrupted);
}

// A line editor with history, from libedit.
class LineEditor {
 public:
  LineEditor() : history_(history_init()), edit_(el_init("scout", stdin, stdout, stderr)) {
    if (history_ == nullptr || edit_ == nullptr) throw Failure("the line editor does not start on this terminal");
    HistEvent event;
    history(history_, &event, H_SETSIZE, 1000);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(
        edit_, EL_PROMPT, +[](EditLine*) { return const_cast<char*>("> "); });
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_HIST, history, history_);
    el_source(edit_, nullptr);
  }
  ~LineEditor() {
    el_end(edit_);
    history_end(history_);
  }
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // False at the end of input.
  bool Read(std::string& line) {
    int count = 0;
    const char* text = el_gets(edit_, &count);
    if (text == nullptr || count <= 0) {
      if (!Interrupted()) return false;
      ClearInterrupt();  // Ctrl-C at the prompt drops the line, not the program
      el_reset(edit_);
      std::fputs("\n", stdout);
      line.clear();
      return true;
    }
    line.assign(text, static_cast<size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    HistEvent event;
    if (!line.empty()) history(history_, &event, H_ENTER, line.c_str());
    return true;
  }

 private:
  History* history_;
  EditLine* edit_;
};

void Converse(const RunOptions& options, std::vector<Image> images, std::vector<Video> videos, scout_model* model,
              scout_engine* engine) {
  const bool sees = !options.no_vision && SeesPictures(model);
  if ((!images.empty() || !videos.empty()) && !sees)
    throw Failure((images.empty() ? "--video: " : "--image: ") + options.model.model + " sees no pictures");
  std::fprintf(stderr, "Chatting with %s. %sCtrl-C stops an answer, Ctrl-D ends, /new begins afresh.\n",
               options.model.model.c_str(), sees ? "Paste the path of a picture or a clip to show it. " : "");
  std::vector<const char*> stop;
  std::vector<uint64_t> sizes;
  const scout_request_options request_options = RequestOptions(options, stop, sizes);
  LineEditor editor;
  Chat chat = NewChat(model, options);
  std::string line;
  while (editor.Read(line)) {
    if (line.empty()) continue;
    if (line == "/new") {
      chat = NewChat(model, options);
      continue;
    }
    try {
      std::vector<Piece> pieces = CutLine(line, sees, options.frames);
      std::vector<Piece> given;
      for (Image& image : images) given.push_back({{}, std::move(image), nullptr});
      for (Video& video : videos) given.push_back({{}, nullptr, std::move(video)});
      images.clear();
      videos.clear();
      pieces.insert(pieces.begin(), std::make_move_iterator(given.begin()), std::make_move_iterator(given.end()));
      AddPieces(chat.get(), pieces);
    } catch (const Failure& failure) {
      std::fprintf(stderr, "scout: %s\n", failure.what());
      continue;
    }
    scout_request* made = nullptr;
    const scout_status status = scout_submit(engine, chat.get(), &request_options, &made);
    if (status == SCOUT_ERR_LIMIT) {
      std::fprintf(stderr, "scout: %s; /new begins afresh\n", scout_last_error());
      continue;
    }
    CheckSubmitted(status);
    const Request request(made);
    Stream(request.get(), options);
    ClearInterrupt();
    Check(scout_chat_add_answer(chat.get(), request.get()));
  }
  std::fputs("\n", stdout);
}

void RunCommand(RunOptions options) {
  const bool interactive = options.prompt.empty() && isatty(STDIN_FILENO);
  if (options.prompt.empty() && !interactive) options.prompt = "-";
  if (options.no_vision && !options.images.empty()) throw Failure("--image does not go with --no-vision", kUsage);
  if (options.no_vision && !options.videos.empty()) throw Failure("--video does not go with --no-vision", kUsage);
  if (options.raw && !options.videos.empty()) throw Failure("--video does not go with --raw", kUsage);
  std::vector<Image> images;  // before the model, which takes longer
  for (const std::string& path : options.images) images.push_back(ReadImage(path));
  std::vector<Video> videos;
  for (const std::string& path : options.videos) videos.push_back(OpenVideo(path, options.frames));
  options.model.vision = (interactive && !options.no_vision) || !images.empty() || !videos.empty();
  const Model model = Load(options.model);
  const Engine engine = NewEngine(options.model, model.get());
  if (interactive) {
    Converse(options, std::move(images), std::move(videos), model.get(), engine.get());
  } else {
    Once(options, images, videos, model.get(), engine.get());
  }
}

}  // namespace

void AddRun(CLI::App& app) {
  Command command(app, "run", "answer a prompt, or chat when there is none and stdin is a terminal");
  auto options = std::make_shared<RunOptions>();
  AddModelOptions(command, options->model);
  command.Add("PROMPT", options->prompt, "the question; - reads it from stdin");
  command
      .Add("--image", options->images,
           "a picture that the question is about: PNG, JPEG or WebP; may be given several times. With --raw each <|image|> of the "
           "prompt becomes the next of them")
      .OneEach();
  command
      .Add("--video", options->videos,
           "a clip that the question is about: MP4, QuickTime, Matroska or WebM; may be given several times")
      .OneEach();
  const Option fps = command.Add("--fps", options->frames.fps, "frames of a clip to look at, a second; 0 = 1").ShowsDefault();
  command.Add("--frames", options->frames.count, "frames of a clip to look at in all, instead of --fps; 0 = by --fps")
      .ShowsDefault()
      .Excludes(fps);
  command
      .Add("--scene-change", options->frames.scene,
           "of these, only frames that differ from the last one by so many percent; 0 = all")
      .ShowsDefault();
  command.Flag("--no-vision", options->no_vision,
               "chat without pictures: the vision tower, which a chat loads so that one can be pasted, stays on the disk (with the "
               "released models 1.7 GB of memory)");
  command
      .Add("--picture-cache-mb", options->model.picture_cache_mb,
           "memory for what a chat has seen of its pictures, so that a further question does not look again; 0 = none")
      .ShowsDefault();
  command.Add("--system", options->system, "a system message");
  command.Add("--temperature", options->temperature, "0 = always the most likely token").ShowsDefault();
  command.Add("--top-k", options->top_k, "sample among the k most likely; 0 = all").ShowsDefault();
  command.Add("--top-p", options->top_p, "nucleus; 1 = off").ShowsDefault();
  command.Add("--min-p", options->min_p, "0 = off").ShowsDefault();
  command.Add("--repetition-penalty", options->repetition_penalty, "1 = off").ShowsDefault();
  command.Add("--seed", options->seed, "of the random choices").ShowsDefault();
  command.Add("-n,--max-tokens", options->max_tokens, "0 = as many as fit").ShowsDefault();
  command.Add("--stop", options->stop, "end the answer before this text; may be given several times");
  command.Flag("--raw", options->raw, "go on from the prompt instead of answering it");
  command.Flag("--json", options->json, "one JSON object a line and event");
  command.Flag("--stats", options->stats, "times and counts on stderr");
  command.OnRun([options] { RunCommand(*options); });
}

}  // namespace cli

#include <scout/video.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "api/arguments.h"
#include "api/boundary.h"
#include "api/objects.h"
#include "api/options.h"
#include "api/picture.h"
#include "api/video_object.h"
#include "base/cpu_features.h"
#include "base/log.h"
#include "io/file_reader.h"

namespace scout::api {
namespace {

constexpr size_t kFirstVideoOptions = 96;  // size of the struct in 0.1
constexpr int32_t kMostThreads = 64, kDefaultThreads = 8;
constexpr int32_t kDefaultFrames = 256;
constexpr double kMostFps = 1000, kMostPercent = 100;
constexpr int64_t kDefaultDuration = int64_t{4} * 3600 * 1000000;
constexpr uint64_t kDefaultBytes = uint64_t{1} << 32, kDefaultPixels = uint64_t{8192} * 4320, kDefaultWork = uint64_t{1} << 38;

scout_video_options DefaultVideoOptions() {
  scout_video_options options = {};
  options.struct_size = sizeof options;
  return options;
}

// A NaN is outside every range.
void NeedReal(double value, double high, std::string_view name) {
  if (!(value >= 0 && value <= high)) Fail(ErrorCode::kArgument, name, " is ", value, ", must be 0 to ", high);
}

// Options, checked, with every default filled in.
scout_video_options ReadVideoOptions(const scout_video_options* options) {
  scout_video_options given = ReadOptions(options, DefaultVideoOptions(), kFirstVideoOptions, "scout_video_options");
  NeedRange(given.count, 0, INT32_MAX, "count");
  NeedReal(given.fps, kMostFps, "fps");
  if (given.count != 0 && given.fps != 0)
    Fail(ErrorCode::kArgument, "count is ", given.count, " and fps is ", given.fps, ", one must be 0");
  NeedReal(given.scene_change, kMostPercent, "scene_change");
  NeedRange(given.start_us, 0, INT64_MAX, "start_us");
  NeedRange(given.end_us, 0, INT64_MAX, "end_us");
  if (given.end_us != 0 && given.end_us <= given.start_us)
    Fail(ErrorCode::kArgument, "end_us is ", given.end_us, ", start_us is ", given.start_us, ": nothing lies between");
  NeedRange(given.max_tiles, 0, prompt::kMaxGridTiles, "max_tiles");
  NeedRange(given.orientation, 0, 8, "orientation");
  NeedRange(given.threads, 0, kMostThreads, "threads");
  NeedRange(given.max_frames, 0, INT32_MAX, "max_frames");
  NeedRange(given.max_duration_us, 0, INT64_MAX, "max_duration_us");
  if (given.max_pixels > static_cast<uint64_t>(prompt::kHighestMaxPixels))
    Fail(ErrorCode::kArgument, "max_pixels is ", given.max_pixels, ", at most ", prompt::kHighestMaxPixels);
  if (given.fps == 0) given.fps = 1;
  if (given.max_tiles == 0) given.max_tiles = 1;
  if (given.threads == 0) given.threads = std::min<int32_t>(UsableThreads(), kDefaultThreads);
  if (given.max_frames == 0) given.max_frames = kDefaultFrames;
  if (given.max_duration_us == 0) given.max_duration_us = kDefaultDuration;
  if (given.max_bytes == 0) given.max_bytes = kDefaultBytes;
  if (given.max_pixels == 0) given.max_pixels = kDefaultPixels;
  if (given.max_work == 0) given.max_work = kDefaultWork;
  if (given.plugin_dir == nullptr) given.plugin_dir = "";
  return given;
}

class FileBytes final : public media::VideoBytes {
 public:
  explicit FileBytes(const std::string& path) : file_(path) {}
  uint64_t size() const override { return file_.size(); }
  void Read(uint64_t offset, std::span<uint8_t> out) override { file_.ReadAt(offset, std::as_writable_bytes(out)); }

 private:
  io::FileReader file_;
};

class MemoryBytes final : public media::VideoBytes {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  void Read(uint64_t offset, std::span<uint8_t> out) override {
    bytes_.copy(reinterpret_cast<char*>(out.data()), out.size(), offset);
  }

 private:
  std::string bytes_;
};

void CheckBytes(uint64_t size, uint64_t most) {
  if (size > most) Fail(ErrorCode::kLimit, "the clip has ", size, " bytes, at most ", most, " (max_bytes)");
}

scout_video* OpenVideo(std::unique_ptr<media::VideoBytes> bytes, const scout_video_options& options) {
  auto file = std::make_unique<media::VideoFile>(std::move(bytes), media::VideoRequest{.max_pixels = options.max_pixels,
                                                                                       .max_work = options.max_work,
                                                                                       .threads = options.threads,
                                                                                       .folder = options.plugin_dir});
  Log(LogLevel::kInfo, "video: ", file->container(), ", ", file->header().codec, " by ", file->library());
  auto made = std::make_shared<VideoObject>();
  made->orientation = options.orientation != 0 ? options.orientation : static_cast<int>(file->header().orientation);
  made->max_tiles = options.max_tiles;
  made->frames =
      std::make_unique<media::VideoFrames>(std::move(file), media::VideoChoice{.fps = options.fps,
                                                                               .count = options.count,
                                                                               .start_us = options.start_us,
                                                                               .end_us = options.end_us,
                                                                               .scene_percent = options.scene_change,
                                                                               .max_frames = options.max_frames,
                                                                               .max_duration_us = options.max_duration_us});
  return Make<scout_video>(std::move(made));
}

// "http://..." and its like: a scheme of letters.
bool IsAddress(std::string_view path) {
  const size_t colon = path.find("://");
  return colon != std::string_view::npos && colon > 0 &&
         std::all_of(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(colon),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+'; });
}

// "[1.0 s]": what a model is told before a frame.
std::string TimeText(int64_t time_us) {
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<double>(time_us) / 1e6, std::chars_format::fixed, 1);
  return StrCat("[", std::string_view(digits, static_cast<size_t>(end.ptr - digits)), " s]");
}

// What a frame adds to a message.
struct FrameParts {
  std::vector<prompt::Part> parts;
  std::vector<PreparedPicture> pictures;

  void Add(const ModelObject& model, const ImageObject& image, int64_t time_us, int64_t max_tiles) {
    PreparedPicture prepared = Prepare(model, image, max_tiles);
    parts.push_back({prompt::Part::Kind::kText, TimeText(time_us), {}});
    parts.push_back({prompt::Part::Kind::kImage, {}, prepared.part});
    pictures.push_back(std::move(prepared));
  }
  void MoveTo(ChatObject& chat) {
    chat.open->parts.reserve(chat.open->parts.size() + parts.size());
    chat.pictures.reserve(chat.pictures.size() + pictures.size());
    std::move(parts.begin(), parts.end(), std::back_inserter(chat.open->parts));
    std::move(pictures.begin(), pictures.end(), std::back_inserter(chat.pictures));
  }
};

}  // namespace

std::optional<VideoObject::Frame> VideoObject::Next() {
  if (failure_) throw Error(*failure_);
  try {
    const auto chosen = frames->Next();
    if (!chosen) return std::nullopt;
    const media::VideoHeader& header = frames->file().header();
    const prompt::RawPixels raw = {.data = chosen->pixels.data(),
                                   .size = chosen->pixels.size(),
                                   .width = header.width,
                                   .height = header.height,
                                   .stride = 0,
                                   .channels = 3};
    auto image = std::make_shared<ImageObject>();
    image->image = prompt::MakeRgbImage(raw, {.orientation = orientation, .max_pixels = prompt::kHighestMaxPixels});
    image->orientation = orientation;
    image->format = "video";
    image->max_tiles = max_tiles;
    return Frame{std::move(image), chosen->time_us};
  } catch (const Error& error) {
    failure_ = error;
    throw;
  } catch (...) {
    failure_ = Error(ErrorCode::kState, "the video failed before");
    throw;
  }
}

}  // namespace scout::api

using namespace scout::api;
using scout::ErrorCode;
using scout::Fail;

scout_status scout_video_options_init(scout_video_options* options, uint64_t struct_size) {
  return Boundary([&] {
    InitOptions(options, struct_size, DefaultVideoOptions(), kFirstVideoOptions, "scout_video_options");
    return SCOUT_OK;
  });
}

scout_status scout_video_open(const char* path, const scout_video_options* options, scout_video** video) {
  return Boundary([&] {
    NeedOut(video, "video");
    *video = nullptr;
    NeedOut(path, "path");
    if (*path == 0) Fail(ErrorCode::kArgument, "path is empty");
    const scout_video_options request = ReadVideoOptions(options);
    if (IsAddress(path))
      Fail(ErrorCode::kUnsupported, scout::Escape(path, 256),
           " is an address: clips are read from files and memory, never over a network");
    auto bytes = std::make_unique<FileBytes>(path);
    try {
      CheckBytes(bytes->size(), request.max_bytes);
      *video = OpenVideo(std::move(bytes), request);
    } catch (const scout::Error& error) {
      Fail(error.code(), scout::Escape(path, 256), ": ", error.what());
    }
    return SCOUT_OK;
  });
}

scout_status scout_video_from_bytes(const char* bytes, uint64_t bytes_size, const scout_video_options* options,
                                    scout_video** video) {
  return Boundary([&] {
    NeedOut(video, "video");
    *video = nullptr;
    NeedOut(bytes, "bytes");
    if (bytes_size == SCOUT_NUL) Fail(ErrorCode::kArgument, "bytes_size is SCOUT_NUL: bytes that may be 0 have no end mark");
    const std::string_view given = TextOf(bytes, bytes_size, "bytes");
    const scout_video_options request = ReadVideoOptions(options);
    CheckBytes(given.size(), request.max_bytes);
    *video = OpenVideo(std::make_unique<MemoryBytes>(given), request);
    return SCOUT_OK;
  });
}

scout_status scout_video_get_info(const scout_video* video, scout_video_info* info) {
  return Boundary([&] {
    const auto object = Get(video, "video");
    const scout::media::VideoFile& file = object->frames->file();
    const bool turned = object->orientation > 4;  // EXIF's 5 to 8 swap the sides
    scout_video_info filled = {};
    filled.orientation = object->orientation;
    filled.width = turned ? file.header().height : file.header().width;
    filled.height = turned ? file.header().width : file.header().height;
    filled.duration_us = file.header().duration_us;
    filled.frame_rate = file.header().frame_rate;
    filled.frames = static_cast<uint64_t>(object->frames->chosen());
    filled.container = file.container();
    filled.codec = file.header().codec;
    filled.decoder = file.header().decoder;
    filled.library = file.library();
    WriteInfo(info, filled, "info");
    return SCOUT_OK;
  });
}

scout_status scout_video_next(scout_video* video, scout_image** image, int64_t* time_us) {
  return Boundary([&] {
    NeedOut(image, "image");
    *image = nullptr;
    NeedOut(time_us, "time_us");
    const auto object = Get(video, "video");
    const Exclusive alone(object->busy, "a call on this video");
    auto frame = object->Next();
    if (!frame) return static_cast<scout_status>(SCOUT_DONE);
    *image = Make<scout_image>(std::move(frame->image));
    *time_us = frame->time_us;
    return static_cast<scout_status>(SCOUT_OK);
  });
}

scout_status scout_video_cancel(scout_video* video) {
  return Boundary([&] {
    Get(video, "video")->frames->Cancel();
    return SCOUT_OK;
  });
}

void scout_video_free(scout_video* video) { Free(video); }

scout_status scout_chat_add_video(scout_chat* chat, scout_video* video, uint64_t* frames) {
  return Boundary([&] {
    NeedOut(frames, "frames");
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const auto clip = Get(video, "video");
    const Exclusive clip_alone(clip->busy, "a call on this video");
    CheckTakesPictures(*object);
    FrameParts added;
    while (auto frame = clip->Next()) {
      CheckTakesPictures(*object, added.pictures.size());
      added.Add(*object->model, *frame->image, frame->time_us, 0);
    }
    const uint64_t count = added.pictures.size();
    added.MoveTo(*object);
    *frames = count;
    return SCOUT_OK;
  });
}

scout_status scout_chat_add_frame(scout_chat* chat, const scout_image* image, int64_t time_us, int32_t max_tiles) {
  return Boundary([&] {
    const auto object = Get(chat, "chat");
    const Exclusive alone(object->busy, "a call on this chat");
    const auto picture = Get(image, "image");
    NeedRange(time_us, 0, INT64_MAX, "time_us");
    NeedRange(max_tiles, 0, scout::prompt::kMaxGridTiles, "max_tiles");
    CheckTakesPictures(*object);
    FrameParts added;
    added.Add(*object->model, *picture, time_us, max_tiles == 0 ? 1 : max_tiles);
    added.MoveTo(*object);
    return SCOUT_OK;
  });
}

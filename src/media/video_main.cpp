// What libscout-video.so gives away, and FFmpeg's log.
#include <atomic>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>

#include "base/plugin_entry.h"
#include "media/video_decoder.h"

extern "C" __attribute__((visibility("default"))) const scout::PluginEntry* scout_plugin_entry() noexcept;

namespace scout::media {
namespace {

std::atomic<int32_t (*)(int32_t) noexcept> g_log_wanted{nullptr};
std::atomic<void (*)(int32_t, const char*, uint64_t) noexcept> g_log_line{nullptr};

// A line of FFmpeg's, which speaks of errors where a clip is at fault: a warning here, as our own error says what was refused.
void LogOf(void* of, int level, const char* format, va_list arguments) {
  const auto wanted = g_log_wanted.load(std::memory_order_acquire);
  const auto line = g_log_line.load(std::memory_order_acquire);
  const int32_t ours = level <= AV_LOG_ERROR ? 1 : level <= AV_LOG_WARNING ? 2 : 3;
  if (level > AV_LOG_INFO || wanted == nullptr || line == nullptr || wanted(ours) == 0) return;
  char text[512];
  int prefix = 1;
  av_log_format_line2(of, level, format, arguments, text, sizeof text, &prefix);
  size_t size = strnlen(text, sizeof text);
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r')) --size;
  for (size_t i = 0; i < size; ++i)
    if (static_cast<unsigned char>(text[i]) < 0x20 || static_cast<unsigned char>(text[i]) > 0x7e) text[i] = '?';
  if (size > 0) line(ours, text, size);
}

// One line of printable characters, whatever a file put into it.
VideoStatus Fails(ErrorCode code, const char* text, VideoMessage* message) noexcept {
  std::snprintf(message->text, sizeof message->text, "%s", text);
  for (char* c = message->text; *c != 0; ++c)
    if (static_cast<unsigned char>(*c) < 0x20 || static_cast<unsigned char>(*c) > 0x7e) *c = '?';
  return static_cast<VideoStatus>(code);
}

template <typename Body>
VideoStatus Guarded(VideoMessage* message, Body&& body) noexcept {
  try {
    body();
    return 0;
  } catch (const VideoFailure& failure) {
    return Fails(failure.code, failure.text, message);
  } catch (const std::bad_alloc&) {
    return Fails(ErrorCode::kNoMemory, "no memory for the video", message);
  } catch (...) {
    return Fails(ErrorCode::kInternal, "internal error: the plug-in video threw something unknown", message);
  }
}

VideoStatus Open(const VideoHost* host, const VideoLimits* limits, VideoContainer container, VideoDecoder** decoder,
                 VideoHeader* header, VideoMessage* message) noexcept {
  return Guarded(message, [&] {
    TakeLog(*host);
    auto made = std::make_unique<VideoDecoder>(*host, *limits, container);
    *header = made->header();
    *decoder = made.release();
  });
}

VideoStatus Find(VideoDecoder* decoder, int64_t time_us, VideoFrame* frame, VideoMessage* message) noexcept {
  return Guarded(message, [&] { *frame = decoder->Find(time_us); });
}

VideoStatus Pixels(VideoDecoder* decoder, uint8_t* rgb, VideoMessage* message) noexcept {
  return Guarded(message, [&] { decoder->Pixels(rgb); });
}

void Close(VideoDecoder* decoder) noexcept { delete decoder; }

}  // namespace

void TakeLog(const VideoHost& host) {
  g_log_wanted.store(host.log_wanted, std::memory_order_release);
  g_log_line.store(host.log_line, std::memory_order_release);
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(&LogOf); });
}

}  // namespace scout::media

extern "C" const scout::PluginEntry* scout_plugin_entry() noexcept {
  using namespace scout::media;
  // Which FFmpeg is there now, not which was built with: a distribution may replace it, and its licence with it.
  static const auto library = [] {
    struct Text {
      char text[320];
    } made = {};
    const auto part = [](unsigned version, int shift) { return version >> shift & 0xff; };
    const unsigned format = avformat_version(), codec = avcodec_version(), scale = swscale_version();
    std::snprintf(made.text, sizeof made.text,
                  "FFmpeg %s (libavformat %u.%u.%u, libavcodec %u.%u.%u, libswscale %u.%u.%u), licence: %s", av_version_info(),
                  part(format, 16), part(format, 8), part(format, 0), part(codec, 16), part(codec, 8), part(codec, 0),
                  part(scale, 16), part(scale, 8), part(scale, 0), avformat_license());
    return made;
  }();
  static const VideoTable kTable = {library.text, &Open, &Find, &Pixels, &Close};
  static const scout::PluginEntry kEntry = {scout::kPluginMagic,   sizeof(scout::PluginEntry), "video",
                                            SCOUT_PLUGIN_CONTRACT, SCOUT_PLUGIN_VERSION,       &kTable};
  return &kEntry;
}

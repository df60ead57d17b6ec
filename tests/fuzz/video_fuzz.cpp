// Any bytes as a clip, through the checks of its container and then FFmpeg's demuxers and decoders, as the plug-in uses them.
#include <cstring>
#include <vector>

#include "media/video_decoder.h"
#include "media/video_file.h"
#include "prompt_fuzz.h"

namespace fuzz = scout::prompt::fuzz;

namespace {

class Bytes final : public scout::media::VideoBytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint64_t size() const override { return size_; }
  void Read(uint64_t offset, std::span<uint8_t> out) override {
    fuzz::Expect(offset <= size_ && out.size() <= size_ - offset, "reads stay inside");
    std::memcpy(out.data(), data_ + offset, out.size());
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::media;
  av_log_set_level(AV_LOG_QUIET);
  Bytes bytes(data, size);
  try {
    const VideoKind kind = RecogniseVideo(bytes);
    if (kind.container == kVideoMov) CheckBoxes(bytes);
    if (kind.container == kVideoMatroska) CheckSegment(bytes);
    const VideoHost host = {.context = &bytes,
                            .size = size,
                            .read = +[](void* context, uint64_t offset, uint8_t* to, uint64_t count) noexcept -> VideoStatus {
                              static_cast<Bytes*>(context)->Read(offset, {to, count});
                              return 0;
                            },
                            .cancelled = +[](void*) noexcept -> int32_t { return 0; },
                            .log_wanted = nullptr,
                            .log_line = nullptr};
    const VideoLimits limits = {
        .max_pixels = 1 << 16, .max_work = 1 << 20, .max_read_bytes = (uint64_t{1} << 20) + 8 * size, .threads = 1, .reserved = 0};
    VideoDecoder decoder(host, limits, kind.container);
    const VideoHeader header = decoder.header();
    fuzz::Expect(header.width >= 1 && header.height >= 1 && uint64_t{header.width} * header.height <= limits.max_pixels,
                 "a header");
    fuzz::Expect(header.orientation >= 1 && header.orientation <= 8 && header.duration_us >= 0, "a header");
    std::vector<uint8_t> pixels(size_t{3} * header.width * header.height);
    int64_t last = -1;
    for (int64_t i = 0; i < 8; ++i) {
      const VideoFrame frame = decoder.Find(header.duration_us / 8 * i);
      fuzz::Expect(frame.time_us >= 0, "a time");
      if (frame.time_us == last) continue;
      last = frame.time_us;
      decoder.Pixels(pixels.data());
    }
    (void)decoder.Find(0);  // back
  } catch (const VideoFailure& failure) {
    fuzz::Expect(std::memchr(failure.text, 0, sizeof failure.text) != nullptr && failure.text[0] != 0, "a refusal has a sentence");
  } catch (const scout::Error& error) {
    fuzz::Expect(error.what()[0] != 0, "a refusal has a sentence");
  }
  return 0;
}

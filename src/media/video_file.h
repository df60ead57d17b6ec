// A video clip: MP4 and QuickTime, Matroska and WebM, told apart by how it begins. Its structure is checked here, where FFmpeg
// would make room for what a table announces; the demuxers and decoders are in the plug-in "video", which is opened when the first
// clip comes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "media/video_table.h"

namespace scout::media {

// Where a clip's bytes come from.
class VideoBytes {
 public:
  virtual ~VideoBytes() = default;
  virtual uint64_t size() const = 0;
  // Fills `out`; offset + out.size() is at most size(). Throws.
  virtual void Read(uint64_t offset, std::span<uint8_t> out) = 0;
};

struct VideoKind {
  VideoContainer container;
  const char* name;  // "MP4", "QuickTime", "Matroska", "WebM"
};

// Throws kUnsupported for what is none of the four, by its name where it is known; kTruncated for too few bytes.
VideoKind RecogniseVideo(VideoBytes& bytes);

// Walks the boxes of an MP4 or QuickTime file: their sizes and depth, tables that announce more than they hold, samples beyond
// kMaxVideoSamples, pictures kept in other files. Throws kFormat, kTruncated, kLimit, kUnsupported.
void CheckBoxes(VideoBytes& bytes);

// That a Matroska file's one segment is there to its end. Throws kTruncated.
void CheckSegment(VideoBytes& bytes);

inline constexpr uint64_t kMaxVideoSamples = uint64_t{1} << 24;  // of a track: 38 hours at 120 a second
inline constexpr uint64_t kMaxBoxes = uint64_t{1} << 20;
inline constexpr int kMaxBoxDepth = 16;

struct VideoRequest {
  uint64_t max_pixels = 0, max_work = 0;
  int threads = 1;
  std::string_view folder;  // where the plug-in lies; empty: beside the library
};

class VideoFile {
 public:
  // Reads the header and opens the decoder; on threads of the library's own, as all that follows.
  VideoFile(std::unique_ptr<VideoBytes> bytes, const VideoRequest& request);
  ~VideoFile();
  VideoFile(const VideoFile&) = delete;
  VideoFile& operator=(const VideoFile&) = delete;

  const VideoHeader& header() const { return header_; }
  const char* container() const { return kind_.name; }
  const char* library() const { return table_->library; }  // with the licence it is under

  // See VideoTable. Throws; after that only the destructor may be called.
  VideoFrame Find(int64_t time_us);
  std::vector<uint8_t> Pixels();  // [height, width, 3] of the header's size

  // Any thread: the call under way and those that follow throw kCancelled.
  void Cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const noexcept { return cancelled_.load(std::memory_order_relaxed); }

 private:
  void Check(VideoStatus status, const VideoMessage& message);
  static VideoStatus Read(void* context, uint64_t offset, uint8_t* to, uint64_t size) noexcept;

  std::unique_ptr<VideoBytes> bytes_;
  std::atomic<bool> cancelled_{false};
  std::optional<Error> read_error_;
  VideoKind kind_;
  const VideoTable* table_ = nullptr;
  VideoHost host_ = {};
  VideoHeader header_ = {};
  VideoDecoder* decoder_ = nullptr;
};

}  // namespace scout::media

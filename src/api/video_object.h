// What hangs on a scout_video.
#pragma once

#include <scout/video.h>

#include <atomic>
#include <memory>
#include <optional>

#include "api/handles.h"
#include "api/image_object.h"
#include "media/video_choice.h"

namespace scout::api {

class VideoObject final : public Object {
 public:
  struct Frame {
    std::shared_ptr<ImageObject> image;
    int64_t time_us;
  };

  void Close() noexcept override { frames->Cancel(); }

  // Null at the end. After a failure every call throws it again. For one thread at a time: `busy`.
  std::optional<Frame> Next();

  std::unique_ptr<media::VideoFrames> frames;
  int orientation = 1;  // EXIF's number by which frames are turned
  int64_t max_tiles = 1;
  std::atomic<bool> busy{false};

 private:
  std::optional<Error> failure_;
};

template <>
struct HandleOf<scout_video> {
  using Class = VideoObject;
  static constexpr Kind kKind = Kind::kVideo;
};

}  // namespace scout::api

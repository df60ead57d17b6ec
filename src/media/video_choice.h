// Which frames of a clip are taken: so many a second or so many in all, evenly, and of those, when asked, only the ones that differ
// from the last taken. Each frame is taken once, however often it is chosen.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "media/video_file.h"

namespace scout::media {

struct VideoChoice {
  double fps = 1;        // frames a second, above 0; not with count
  int64_t count = 0;     // frames in all; 0 = by fps
  int64_t start_us = 0;  // the part of the clip
  int64_t end_us = 0;    // 0 = to its end
  double scene_percent =
      0;  // 0 = every one; else how much a frame must differ from the last taken, in percent of the most it could
  int64_t max_frames = 0;
  int64_t max_duration_us = 0;
};

struct ChosenFrame {
  int64_t time_us;              // when the frame is shown, from the clip's start
  std::vector<uint8_t> pixels;  // [height, width, 3] of the file's header
};

// How two pictures of one size differ: the mean difference of the levels of 16 x 16 fields, 0 to 100.
double DifferenceOf(const std::vector<uint8_t>& one, const std::vector<uint8_t>& other, uint32_t width, uint32_t height);

class VideoFrames {
 public:
  // Throws kLimit for a clip that is longer, or a choice that has more frames, than allowed.
  VideoFrames(std::unique_ptr<VideoFile> file, const VideoChoice& choice);

  const VideoFile& file() const { return *file_; }
  int64_t chosen() const { return chosen_; }  // frames that will be looked at; as many will be taken, or fewer

  // Nothing at the end. After it threw, only the destructor and Cancel may be called.
  std::optional<ChosenFrame> Next();
  void Cancel() noexcept { file_->Cancel(); }

 private:
  int64_t TimeOf(int64_t index) const;

  std::unique_ptr<VideoFile> file_;
  VideoChoice choice_;
  int64_t end_us_ = 0, chosen_ = 0, next_ = 0, last_us_ = -1;
  std::vector<uint8_t> last_taken_;  // kept for the next scene only
};

}  // namespace scout::media

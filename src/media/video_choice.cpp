#include "media/video_choice.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace scout::media {
namespace {

constexpr double kSecond = 1e6;
constexpr size_t kFields = 16;  // a side

std::array<double, kFields * kFields * 3> FieldsOf(const std::vector<uint8_t>& pixels, size_t width, size_t height) {
  std::array<double, kFields* kFields* 3> fields = {};
  for (size_t row = 0; row < kFields; ++row) {
    const size_t top = height * row / kFields, bottom = std::max(top + 1, height * (row + 1) / kFields);
    for (size_t column = 0; column < kFields; ++column) {
      const size_t left = width * column / kFields, right = std::max(left + 1, width * (column + 1) / kFields);
      std::array<uint64_t, 3> sums = {};
      for (size_t y = top; y < bottom; ++y)
        for (size_t x = left; x < right; ++x)
          for (size_t c = 0; c < 3; ++c) sums[c] += pixels[3 * (y * width + x) + c];
      for (size_t c = 0; c < 3; ++c)
        fields[3 * (row * kFields + column) + c] =
            static_cast<double>(sums[c]) / static_cast<double>((bottom - top) * (right - left));
    }
  }
  return fields;
}

}  // namespace

double DifferenceOf(const std::vector<uint8_t>& one, const std::vector<uint8_t>& other, uint32_t width, uint32_t height) {
  const auto a = FieldsOf(one, width, height), b = FieldsOf(other, width, height);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size()) / 255 * 100;
}

VideoFrames::VideoFrames(std::unique_ptr<VideoFile> file, const VideoChoice& choice) : file_(std::move(file)), choice_(choice) {
  const int64_t duration = file_->header().duration_us;
  if (duration > choice_.max_duration_us)
    Fail(ErrorCode::kLimit, "the clip is ", duration / 1000, " ms long, at most ", choice_.max_duration_us / 1000,
         " (max_duration_us)");
  if (choice_.start_us > 0 && choice_.start_us >= duration)
    Fail(ErrorCode::kArgument, "start_us is ", choice_.start_us, ", the clip ends at ", duration);
  end_us_ = choice_.end_us > 0 ? std::min(choice_.end_us, duration) : duration;
  const int64_t part = std::max<int64_t>(end_us_ - choice_.start_us, 0);
  const double wanted = static_cast<double>(part) * choice_.fps / kSecond;
  // A frame is taken even of a clip whose duration is 0. What is not a frame more than that is rounding.
  chosen_ = choice_.count > 0                                ? choice_.count
            : wanted > static_cast<double>(INT64_MAX / 1024) ? INT64_MAX / 1024
                                                             : std::max<int64_t>(1, static_cast<int64_t>(std::ceil(wanted - 1e-3)));
  if (chosen_ > choice_.max_frames)
    Fail(ErrorCode::kLimit, chosen_, " frames are chosen of ", part / 1000, " ms, at most ", choice_.max_frames,
         " (max_frames): take fewer a second, or a count");
}

int64_t VideoFrames::TimeOf(int64_t index) const {
  const auto i = static_cast<double>(index);
  const double step = choice_.count > 0 ? static_cast<double>(end_us_ - choice_.start_us) / static_cast<double>(choice_.count)
                                        : kSecond / choice_.fps;
  return choice_.start_us + static_cast<int64_t>(std::floor(i * step + 0.5));
}

std::optional<ChosenFrame> VideoFrames::Next() {
  if (file_->cancelled()) Fail(ErrorCode::kCancelled, "the video was cancelled");  // also at the end, where nothing is decoded
  while (next_ < chosen_) {
    const VideoFrame found = file_->Find(TimeOf(next_++));
    if (found.time_us <= last_us_) continue;
    last_us_ = found.time_us;
    ChosenFrame frame = {found.time_us, file_->Pixels()};
    if (choice_.scene_percent > 0) {
      if (!last_taken_.empty() &&
          DifferenceOf(frame.pixels, last_taken_, file_->header().width, file_->header().height) < choice_.scene_percent)
        continue;
      last_taken_ = frame.pixels;
    }
    return frame;
  }
  return std::nullopt;
}

}  // namespace scout::media

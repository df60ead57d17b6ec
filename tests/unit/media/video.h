// What the tests of video share: clips made on the spot, opened as the library opens them.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "media/video_choice.h"
#include "support/clip_writer.h"

namespace scout::media {

class TextBytes final : public VideoBytes {
 public:
  explicit TextBytes(std::string text) : text_(std::move(text)) {}
  uint64_t size() const override { return text_.size(); }
  void Read(uint64_t offset, std::span<uint8_t> out) override {
    SCOUT_CHECK(offset <= text_.size() && out.size() <= text_.size() - offset, "read past the end");
    std::memcpy(out.data(), text_.data() + offset, out.size());
    read += out.size();
  }
  uint64_t read = 0;

 private:
  std::string text_;
};

constexpr uint64_t kPixels = uint64_t{1} << 20, kWork = uint64_t{1} << 30;

inline std::unique_ptr<VideoFile> OpenClip(const std::string& bytes, int threads = 1, uint64_t max_pixels = kPixels,
                                           uint64_t max_work = kWork) {
  return std::make_unique<VideoFile>(
      std::make_unique<TextBytes>(bytes),
      VideoRequest{.max_pixels = max_pixels, .max_work = max_work, .threads = threads, .folder = TEST_PLUGINS});
}

inline VideoChoice ByRate(double fps) { return {.fps = fps, .max_frames = 1000, .max_duration_us = int64_t{3600} * 1000000}; }
inline VideoChoice ByCount(int64_t count) {
  return {.fps = 1, .count = count, .max_frames = 1000, .max_duration_us = int64_t{3600} * 1000000};
}

inline std::vector<ChosenFrame> Take(const std::string& bytes, const VideoChoice& choice, int threads = 1) {
  VideoFrames frames(OpenClip(bytes, threads), choice);
  std::vector<ChosenFrame> taken;
  while (auto frame = frames.Next()) taken.push_back(std::move(*frame));
  return taken;
}

inline std::vector<int64_t> TimesOf(const std::vector<ChosenFrame>& frames) {
  std::vector<int64_t> times;
  for (const ChosenFrame& frame : frames) times.push_back(frame.time_us);
  return times;
}

inline double MeanDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  double sum = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) sum += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
  return a.empty() ? 0 : sum / static_cast<double>(a.size());
}

}  // namespace scout::media

// Writes the seeds of video_fuzz: a clip of a few small frames for each container and codec that this FFmpeg can write.
// Usage: write_video_seeds FOLDER
#include <cstdio>
#include <fstream>
#include <string>

#include "support/clip_writer.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_video_seeds FOLDER\n", stderr);
    return 2;
  }
  const struct {
    const char* name;
    clips::Spec spec;
  } seeds[] = {
      {"h264.mp4", {.container = "mp4", .encoder = "libx264"}},
      {"h264-fragments.mp4", {.container = "mp4", .encoder = "libx264", .live = true}},
      {"h264-b-frames.mkv", {.container = "matroska", .encoder = "libx264", .key_every = 4, .b_frames = true}},
      {"hevc.mp4", {.container = "mp4", .encoder = "libx265"}},
      {"vp8.webm", {.container = "webm", .encoder = "libvpx"}},
      {"vp9-live.webm", {.container = "webm", .encoder = "libvpx-vp9", .live = true}},
      {"av1.webm", {.container = "webm", .encoder = "libaom-av1"}},
      {"mjpeg.mov", {.container = "mov", .encoder = "mjpeg", .quarter_turns = 1}},
  };
  for (auto [name, spec] : seeds) {
    spec.width = spec.height = 32;
    spec.frames = spec.b_frames ? 8 : 3;
    const auto bytes = clips::Make(spec, [](int frame) { return clips::CircleGoesRight(32, 32, 10 * (frame % 3)); });
    if (bytes) std::ofstream(std::string(argv[1]) + "/" + name, std::ios::binary) << *bytes;
    std::printf("%s: %s\n", name, bytes ? "written" : "no encoder");
  }
}

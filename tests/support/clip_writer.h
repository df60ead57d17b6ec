// Clips for tests, written by FFmpeg's own encoders and muxers when the test runs: nothing encoded lies in the tree.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace clips {

struct Rgb {
  uint8_t red, green, blue;
};

struct Spec {
  std::string container = "mp4";    // FFmpeg's name of the muxer: mp4, mov, matroska, webm
  std::string encoder = "libx264";  // FFmpeg's name
  int width = 64, height = 48;
  int fps = 10, frames = 30;
  int key_every = 10;                // frames
  int matrix = 0;                    // AVCOL_SPC_*; 0 = BT.601 (SMPTE 170M)
  bool full_range = false;           // levels 0 to 255
  int quarter_turns = 0;             // clockwise, for display
  int shape_num = 1, shape_den = 1;  // width to height of a pixel
  bool b_frames = false;             // frames that refer to later ones, groups that refer to each other
  bool live = false;                 // fragments, or no index and no duration
  std::string options = {};          // of the encoder: "key=value:key=value"
};

// [height, width, 3] of a frame.
using Draw = std::function<std::vector<uint8_t>(int frame)>;

// False where this build of the tests has no FFmpeg: nothing can be made then.
bool CanMake();

// The clip's bytes; nothing where FFmpeg lacks the encoder, or there is no FFmpeg.
std::optional<std::string> Make(const Spec& spec, const Draw& draw);

// Things on a grid, as examples/models draws them.
struct Thing {
  enum Kind { kCircle, kSquare } kind;
  int row, column;
  Rgb colour;
};
std::vector<uint8_t> Grid(int width, int height, int rows, int columns, Rgb ground, const std::vector<Thing>& things);

// One colour.
std::vector<uint8_t> Plain(int width, int height, Rgb colour);

// Three seconds, ten frames a second: a red circle that goes a cell to the right each second over a white ground, a blue square
// below that stays.
std::vector<uint8_t> CircleGoesRight(int width, int height, int frame);

}  // namespace clips

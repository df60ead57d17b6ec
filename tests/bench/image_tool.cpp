// Cuts a drawn photo into tiles again and again and prints the milliseconds of each time: image_tool WIDTH HEIGHT ROUNDS [pil]
// [jpeg FILE]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "prompt/image_tiles.h"

int main(int argc, char** argv) {
  using namespace scout::prompt;
  if (argc < 4) {
    std::fprintf(stderr, "usage: image_tool WIDTH HEIGHT ROUNDS [pil]\n");
    return 2;
  }
  const int64_t width = std::atoll(argv[1]), height = std::atoll(argv[2]);
  const int rounds = std::atoi(argv[3]);
  const ResizeRule rule = argc > 4 && std::strcmp(argv[4], "pil") == 0 ? ResizeRule::kPil : ResizeRule::kTorchvision;
  std::vector<uint8_t> pixels(static_cast<size_t>(width * height * 3));
  uint32_t state = 1;
  for (uint8_t& sample : pixels) sample = static_cast<uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  const RgbImage image = MakeRgbImage({.data = pixels.data(), .width = width, .height = height, .channels = 3});
  uint32_t kept = 0;  // so that nothing is left out
  for (int round = 0; round < rounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    const ImageTiles tiles = MakeTiles(image, {}, rule);
    const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - begin;
    kept += tiles.planes[tiles.planes.size() / 2];
    std::printf("%.3f\n", ms.count());
  }
  return kept == 0xffffffffu;
}

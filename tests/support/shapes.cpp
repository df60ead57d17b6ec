#include "support/shapes.h"

#include <cstdlib>

namespace scout::testing_shapes {

namespace {

constexpr uint8_t kGlyphs[10][7] = {{14, 17, 19, 21, 25, 17, 14}, {4, 12, 4, 4, 4, 4, 14},  {14, 17, 1, 2, 4, 8, 31},
                                    {31, 2, 4, 2, 1, 17, 14},     {2, 6, 10, 18, 31, 2, 2}, {31, 16, 30, 1, 1, 17, 14},
                                    {6, 8, 16, 30, 17, 17, 14},   {31, 1, 2, 4, 8, 8, 8},   {14, 17, 17, 14, 17, 17, 14},
                                    {14, 17, 17, 15, 1, 2, 12}};

// Whether a thing of side n covers its pixel (x, y).
bool Covers(const std::string& kind, int n, int x, int y) {
  const int u = 2 * x + 1 - n, v = 2 * y + 1 - n;
  const int r = u * u + v * v;
  if (kind == "circle") return r <= n * n;
  if (kind == "square") return true;
  if (kind == "triangle") return 2 * std::abs(u) <= v + n;
  if (kind == "cross") return 3 * std::abs(u) <= n || 3 * std::abs(v) <= n;
  if (kind == "ring") return n * n <= 4 * r && r <= n * n;
  if (kind == "moon") return r <= n * n && 4 * ((u - n / 2) * (u - n / 2) + v * v) > 3 * n * n;
  if (kind.size() != 1 || kind[0] < '0' || kind[0] > '9') return false;
  return (kGlyphs[kind[0] - '0'][7 * y / n] >> (4 - 5 * x / n) & 1) != 0;
}

}  // namespace

std::vector<uint8_t> Draw(int width, int height, const Rgb& ground, const std::vector<Thing>& things) {
  std::vector<uint8_t> pixels(static_cast<size_t>(width) * static_cast<size_t>(height) * 3);
  const auto put = [&](int x, int y, const Rgb& rgb) {
    for (size_t c = 0; c < 3; ++c)
      pixels[(static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) * 3 + c] = rgb[c];
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) put(x, y, ground);
  for (const Thing& thing : things)
    for (int y = 0; y < thing.side; ++y)
      for (int x = 0; x < thing.side; ++x)
        if (Covers(thing.kind, thing.side, x, y) && thing.x + x >= 0 && thing.x + x < width && thing.y + y >= 0 &&
            thing.y + y < height)
          put(thing.x + x, thing.y + y, thing.rgb);
  return pixels;
}

}  // namespace scout::testing_shapes

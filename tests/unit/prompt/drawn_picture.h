// The pictures of tests/fixtures/images, drawn by the recipe that generate.py there has too.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

namespace scout::test {

inline uint32_t Scramble(uint32_t x, uint32_t y, uint32_t c, uint32_t seed) {
  uint32_t v = (x * 0x9E3779B1u) ^ (y * 0x85EBCA77u) ^ (c * 0xC2B2AE3Du) ^ (seed * 0x27D4EB2Fu);
  v ^= v >> 15;
  v *= 0x2C1B3C6Du;
  v ^= v >> 12;
  v *= 0x297A2D39u;
  return v ^ (v >> 15);
}

enum class Recipe { kNoise, kGradient, kText, kSmooth, kStripes, kFlat };

inline Recipe RecipeOf(std::string_view name) {
  constexpr std::string_view kNames[] = {"noise", "gradient", "text", "smooth", "stripes"};
  return static_cast<Recipe>(std::find(std::begin(kNames), std::end(kNames), name) - std::begin(kNames));
}

inline uint8_t Drawn(Recipe recipe, uint32_t seed, uint32_t width, uint32_t height, uint32_t x, uint32_t y, uint32_t c) {
  switch (recipe) {
    case Recipe::kNoise:
      return static_cast<uint8_t>(Scramble(x, y, c, seed) >> 24);
    case Recipe::kGradient: {
      const uint32_t across = x * 255 / std::max(width - 1, 1u), down = y * 255 / std::max(height - 1, 1u);
      return static_cast<uint8_t>(c == 0 ? across : c == 1 ? down : (across + down) / 2);
    }
    case Recipe::kText: {
      const uint32_t ink = Scramble(x / 6, y / 8, 0, seed) >> ((x % 6 + y % 8 * 5) % 32) & 1;
      return static_cast<uint8_t>(ink == 1 && x % 6 < 5 && y % 8 < 7 ? 20 + c * 30 : 255);
    }
    case Recipe::kSmooth:
      return static_cast<uint8_t>(((Scramble(x / 17, y / 17, c, seed) >> 24) * 3 + (Scramble(x, y, c, seed) >> 24)) / 4);
    case Recipe::kStripes:
      return static_cast<uint8_t>(x * (seed % 7 + 1) + y * (seed % 5 + 2) + c * 40);
    case Recipe::kFlat:
      break;
  }
  return static_cast<uint8_t>(Scramble(0, 0, c, seed) >> 24);
}

// [height, width, channels]
inline std::vector<uint8_t> Draw(std::string_view name, uint32_t seed, int64_t width, int64_t height, int channels = 3) {
  const Recipe recipe = RecipeOf(name);
  std::vector<uint8_t> out(static_cast<size_t>(width * height * channels));
  uint8_t* to = out.data();
  for (uint32_t y = 0; y < height; ++y) {
    for (uint32_t x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c)
        *to++ = Drawn(recipe, seed, static_cast<uint32_t>(width), static_cast<uint32_t>(height), x, y, static_cast<uint32_t>(c));
    }
  }
  return out;
}

}  // namespace scout::test

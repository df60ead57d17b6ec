// What the tests of this room share: the fixture files, and which formats this build reads.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "media/media_file.h"

namespace scout::media {

inline std::string ReadFixture(const std::string& name) {
  std::ifstream file(std::string(SCOUT_SOURCE_DIR) + "/tests/fixtures/images/files/" + name, std::ios::binary);
  EXPECT_TRUE(file) << name;
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

inline std::span<const uint8_t> BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// The formats of the plug-in as CMake found them: "PNG, JPEG, WEBP".
inline bool Reads(std::string format) {
  if (format == "WebP") format = "WEBP";
  return std::string_view(TEST_MEDIA_FORMATS).find(format) != std::string_view::npos;
}

inline MediaFile Open(const std::string& bytes) { return MediaFile(BytesOf(bytes), TEST_PLUGINS); }

}  // namespace scout::media

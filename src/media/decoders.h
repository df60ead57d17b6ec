// The plug-in's side: one decoder for each library that it was built with.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "media/media_table.h"

namespace scout::media {

// Memory that a decoder may have: its tables and the picture twice.
MediaDecoder PngDecoder();
MediaDecoder JpegDecoder();
MediaDecoder WebpDecoder();

inline MediaStatus Fails(ErrorCode code, std::string_view text, MediaMessage* message) noexcept {
  const size_t size = std::min(text.size(), sizeof message->text - 1);
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    message->text[i] = byte < 0x20 || byte > 0x7e ? '?' : text[i];
  }
  message->text[size] = 0;
  return static_cast<MediaStatus>(code);
}

}  // namespace scout::media

// WebP through libwebp: lossy and lossless, with alpha. Animations are refused; ICC profiles are ignored.
#include <webp/decode.h>

#include "media/decoders.h"
#include "media/exif.h"

namespace scout::media {
namespace {

MediaStatus FailsWith(VP8StatusCode code, MediaMessage* message) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return Fails(ErrorCode::kTruncated, "WebP: the file ends before its picture", message);
    case VP8_STATUS_OUT_OF_MEMORY:
      return Fails(ErrorCode::kNoMemory, "WebP: libwebp gets no memory", message);
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return Fails(ErrorCode::kUnsupported, "WebP: a feature that libwebp does not know", message);
    default:
      return Fails(ErrorCode::kFormat, "WebP: the file breaks the rules of its format", message);
  }
}

// In the chunk EXIF of the container: "RIFF", size, "WEBP", then chunks of a name, a size and as many bytes, padded to an even
// number.
uint32_t Orientation(const uint8_t* bytes, uint64_t size) {
  const auto read32 = [bytes](uint64_t at) {
    return bytes[at] | uint32_t{bytes[at + 1]} << 8 | uint32_t{bytes[at + 2]} << 16 | uint32_t{bytes[at + 3]} << 24;
  };
  for (uint64_t at = 12; at + 8 <= size;) {
    const uint64_t length = read32(at + 4), begin = at + 8;
    if (length > size - begin) return 1;
    if (std::memcmp(bytes + at, "EXIF", 4) == 0) {
      const uint64_t name = length >= 6 && std::memcmp(bytes + begin, "Exif\0\0", 6) == 0 ? 6 : 0;
      return OrientationOf(bytes + begin + name, length - name);
    }
    at = begin + length + (length & 1);
  }
  return 1;
}

MediaStatus ReadHeader(const uint8_t* bytes, uint64_t size, MediaHeader* header, MediaMessage* message) noexcept {
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(bytes, size, &features);
  if (code != VP8_STATUS_OK) return FailsWith(code, message);
  if (features.has_animation != 0)
    return Fails(ErrorCode::kUnsupported, "WebP: the file is an animation; give one of its frames as a picture", message);
  header->width = static_cast<uint32_t>(features.width);
  header->height = static_cast<uint32_t>(features.height);
  header->channels = features.has_alpha != 0 ? 4 : 3;
  header->orientation = Orientation(bytes, size);
  header->least_bytes = 0;  // a lossless picture of one colour has no bits per pixel
  return 0;
}

MediaStatus Decode(const uint8_t* bytes, uint64_t size, const MediaHeader* header, uint64_t, uint8_t* pixels,
                   MediaMessage* message) noexcept {
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0)
    return Fails(ErrorCode::kUnsupported, "WebP: libwebp is another one than was built with", message);
  config.output.colorspace = header->channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = static_cast<int>(header->width * header->channels);
  config.output.u.RGBA.size = uint64_t{header->width} * header->channels * header->height;
  const VP8StatusCode code = WebPDecode(bytes, size, &config);
  WebPFreeDecBuffer(&config.output);
  return code == VP8_STATUS_OK ? 0 : FailsWith(code, message);
}

}  // namespace

MediaDecoder WebpDecoder() { return {"libwebp", &ReadHeader, &Decode}; }

}  // namespace scout::media

// Any bytes as a picture file, through the decoders themselves: what is accepted becomes tiles.
#include <cstdint>
#include <cstring>
#include <vector>

#include "media/decoders.h"
#include "prompt/image_tiles.h"
#include "prompt_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::media;
  using namespace scout::prompt;
  static const MediaDecoder decoders[] = {
#if defined(SCOUT_MEDIA_PNG)
    PngDecoder(),
#endif
#if defined(SCOUT_MEDIA_JPEG)
    JpegDecoder(),
#endif
#if defined(SCOUT_MEDIA_WEBP)
    WebpDecoder(),
#endif
  };
  for (const MediaDecoder& decoder : decoders) {
    MediaHeader header = {};
    MediaMessage message = {};
    if (decoder.read_header(data, size, &header, &message) != 0) {
      fuzz::Expect(std::memchr(message.text, 0, sizeof message.text) != nullptr && message.text[0] != 0,
                   "a refusal has a sentence");
      continue;
    }
    fuzz::Expect(header.channels >= 1 && header.channels <= 4 && header.orientation >= 1 && header.orientation <= 8, "a header");
    if (uint64_t{header.width} * header.height > uint64_t{1} << 18 || header.width == 0 || header.height == 0 ||
        header.width > 65535 || header.height > 65535 || size < header.least_bytes)
      continue;
    std::vector<uint8_t> pixels(uint64_t{header.width} * header.height * header.channels);
    if (decoder.decode(data, size, &header, uint64_t{64} << 20, pixels.data(), &message) != 0) {
      fuzz::Expect(message.text[0] != 0, "a refusal has a sentence");
      continue;
    }
    const RgbImage image = MakeRgbImage(
        {.data = pixels.data(), .width = header.width, .height = header.height, .channels = static_cast<int32_t>(header.channels)},
        {.orientation = static_cast<int>(header.orientation)});
    fuzz::Expect(MakeTiles(image, {.tile_side = 28, .patch_tokens = 4}).count <= 17, "tiles are counted");
  }
  return 0;
}

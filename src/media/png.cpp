// PNG through libpng. libpng reports an error by a call that must not return: it jumps back to the setjmp of the function below
// that called it. Between the two there is libpng's own C code only, and those functions hold nothing with a destructor.
//
// What is decoded: every kind of PNG, to 8 bits. Of 16-bit samples the high byte stays, as PIL does with colour; ICC profiles and
// gamma are ignored; a transparent colour becomes alpha. Warnings are ignored, errors and wrong checksums of critical chunks are
// refused.
#include <png.h>

#include <csetjmp>
#include <cstdlib>

#include "media/decoders.h"
#include "media/exif.h"

namespace scout::media {
namespace {

constexpr uint32_t kMostChunks = 1000;          // kept beside the picture: zTXt, iCCP and the like are not read at all
constexpr uint64_t kMostChunkBytes = 8u << 20;  // of one of them, unpacked
constexpr uint64_t kDeflateRatio = 1032;        // a byte of deflate cannot become more

struct Reader {
  const uint8_t* bytes;
  uint64_t size, at;
  bool ended;  // more was wanted than there is
  std::jmp_buf jump;
  MediaMessage* message;
};

[[noreturn]] void OnError(png_structp png, png_const_charp text) {
  auto* const reader = static_cast<Reader*>(png_get_error_ptr(png));
  char line[200] = "PNG: ";
  std::strncat(line, text, sizeof line - 6);
  (void)Fails(reader->ended ? ErrorCode::kTruncated : ErrorCode::kFormat, line, reader->message);
  std::longjmp(reader->jump, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void Read(png_structp png, png_bytep to, size_t count) {
  auto* const reader = static_cast<Reader*>(png_get_io_ptr(png));
  if (count > reader->size - reader->at) {
    reader->ended = true;
    png_error(png, "the file ends before its picture");
  }
  std::memcpy(to, reader->bytes + reader->at, count);
  reader->at += count;
}

struct Png {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Reader reader = {};
};

bool Open(Png& p, const uint8_t* bytes, uint64_t size, MediaMessage* message) noexcept {
  p.reader.bytes = bytes;
  p.reader.size = size;
  p.reader.message = message;
  p.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &p.reader, &OnError, &OnWarning);
  if (p.png != nullptr) p.info = png_create_info_struct(p.png);
  if (p.info == nullptr) {
    png_destroy_read_struct(&p.png, nullptr, nullptr);
    (void)Fails(ErrorCode::kNoMemory, "PNG: libpng gets no memory", message);
    return false;
  }
  return true;
}

// Limits, and what is skipped without being unpacked. Called with the jump set.
void Prepare(png_structp png) {
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // libscout's own are checked with the header
  png_set_chunk_cache_max(png, kMostChunks);
  png_set_chunk_malloc_max(png, kMostChunkBytes);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  static const png_byte kSkipped[] =
      "eXIf\0iCCP\0tEXt\0zTXt\0iTXt\0sPLT\0hIST\0bKGD\0cHRM\0gAMA\0sRGB\0sBIT\0pHYs\0oFFs\0pCAL\0sCAL\0tIME";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, kSkipped, static_cast<int>(sizeof kSkipped / 5));
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_WARN_DISCARD);
}

// Everything to 8 bits of grey or RGB, with alpha where there is any. Palettes stay: libpng does not check every index.
void Transform(png_structp png, png_infop info) {
  if (png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE)
    png_set_packing(png);
  else
    png_set_expand(png);  // 1, 2 and 4 bits to 8, a transparent colour to alpha
  png_set_strip_16(png);
  png_read_update_info(png, info);
}

// A row whose first `width` bytes are indices becomes colours, from its end.
void ExpandPalette(png_structp png, png_infop info, uint32_t width, uint32_t channels, uint8_t* row) {
  png_colorp colors = nullptr;
  png_bytep alpha = nullptr;
  int count = 0, alphas = 0;
  (void)png_get_PLTE(png, info, &colors, &count);
  (void)png_get_tRNS(png, info, &alpha, &alphas, nullptr);
  for (uint32_t x = width; x-- > 0;) {
    const int index = row[x];
    if (index >= count) png_error(png, "a pixel's index is beyond the palette");
    uint8_t* const to = row + size_t{x} * channels;
    to[0] = colors[index].red;
    to[1] = colors[index].green;
    to[2] = colors[index].blue;
    if (channels == 4) to[3] = index < alphas ? alpha[index] : 255;
  }
}

// Of the chunk eXIf before the pixels. libpng would make room for as many bytes as the chunk announces.
uint32_t Orientation(const uint8_t* bytes, uint64_t size) {
  constexpr uint64_t kFrame = 12;  // length, name and checksum of a chunk
  for (uint64_t at = 8; size - at >= kFrame;) {
    const uint64_t length =
        uint64_t{bytes[at]} << 24 | uint64_t{bytes[at + 1]} << 16 | uint64_t{bytes[at + 2]} << 8 | bytes[at + 3];
    const auto is = [&](const char* name) { return std::memcmp(bytes + at + 4, name, 4) == 0; };
    if (length > size - at - kFrame || is("IDAT")) return 1;
    if (is("eXIf")) return OrientationOf(bytes + at + 8, length);
    at += kFrame + length;
  }
  return 1;
}

MediaStatus ReadHeader(const uint8_t* bytes, uint64_t size, MediaHeader* header, MediaMessage* message) noexcept {
  Png p;
  if (!Open(p, bytes, size, message)) return static_cast<MediaStatus>(ErrorCode::kNoMemory);
  if (setjmp(p.reader.jump) != 0) {
    png_destroy_read_struct(&p.png, &p.info, nullptr);
    return static_cast<MediaStatus>(p.reader.ended ? ErrorCode::kTruncated : ErrorCode::kFormat);
  }
  Prepare(p.png);
  png_set_read_fn(p.png, &p.reader, &Read);
  png_read_info(p.png, p.info);
  const uint32_t width = png_get_image_width(p.png, p.info), height = png_get_image_height(p.png, p.info);
  const uint32_t bits = png_get_bit_depth(p.png, p.info) * png_get_channels(p.png, p.info);
  header->width = width;
  header->height = height;
  header->least_bytes = (uint64_t{width} * bits + 7) / 8 * height / kDeflateRatio;
  header->orientation = Orientation(bytes, size);
  const int color = png_get_color_type(p.png, p.info);
  const bool alpha = (color & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(p.png, p.info, PNG_INFO_tRNS) != 0;
  header->channels = ((color & PNG_COLOR_MASK_COLOR) != 0 ? 3u : 1u) + (alpha ? 1u : 0u);
  png_destroy_read_struct(&p.png, &p.info, nullptr);
  return 0;
}

MediaStatus Decode(const uint8_t* bytes, uint64_t size, const MediaHeader* header, uint64_t, uint8_t* pixels,
                   MediaMessage* message) noexcept {
  Png p;
  if (!Open(p, bytes, size, message)) return static_cast<MediaStatus>(ErrorCode::kNoMemory);
  if (setjmp(p.reader.jump) != 0) {
    png_destroy_read_struct(&p.png, &p.info, nullptr);
    return static_cast<MediaStatus>(p.reader.ended ? ErrorCode::kTruncated : ErrorCode::kFormat);
  }
  Prepare(p.png);
  png_set_read_fn(p.png, &p.reader, &Read);
  png_read_info(p.png, p.info);
  const int passes = png_set_interlace_handling(p.png);
  Transform(p.png, p.info);
  const uint64_t row = uint64_t{header->width} * header->channels;
  const bool palette = png_get_color_type(p.png, p.info) == PNG_COLOR_TYPE_PALETTE;
  if (png_get_rowbytes(p.png, p.info) != (palette ? header->width : row)) png_error(p.png, "its header changed while it was read");
  for (int pass = 0; pass < passes; ++pass) {
    for (uint32_t y = 0; y < header->height; ++y) png_read_row(p.png, pixels + y * row, nullptr);
  }
  png_read_end(p.png, nullptr);
  for (uint32_t y = 0; palette && y < header->height; ++y)
    ExpandPalette(p.png, p.info, header->width, header->channels, pixels + y * row);
  png_destroy_read_struct(&p.png, &p.info, nullptr);
  return 0;
}

}  // namespace

MediaDecoder PngDecoder() { return {"libpng " PNG_LIBPNG_VER_STRING, &ReadHeader, &Decode}; }

}  // namespace scout::media

// JPEG through libjpeg (libjpeg-turbo). As with PNG, an error jumps back to the setjmp of the function below that called the
// library.
//
// What is decoded: baseline and progressive files of 8 bits, grey, YCbCr, RGB, and CMYK or YCCK in Adobe's convention (inverted),
// which become RGB as PIL makes it. ICC profiles are ignored. A file that ends early or whose data is damaged is refused rather
// than shown damaged; warnings that leave the picture whole are ignored.
#include <cstdio>  // jpeglib.h wants FILE

#include <jpeglib.h>

#include <jerror.h>

#include <csetjmp>

#include "media/decoders.h"
#include "media/exif.h"

namespace scout::media {
namespace {

constexpr int kMostScans = 100;            // of a progressive file, which usually has ten: each passes over the whole picture
constexpr uint64_t kPixelsOfAByte = 2048;  // a block of 64 brightness samples takes a bit at least; chroma may be coarser still

struct Handler {
  jpeg_error_mgr base;  // first: libjpeg hands out a pointer to it
  std::jmp_buf jump;
  MediaMessage* message;
  MediaStatus status;
  bool ended;  // libjpeg wanted more than there is
  jpeg_progress_mgr progress;
};

Handler* HandlerOf(j_common_ptr info) { return reinterpret_cast<Handler*>(info->err); }

[[noreturn]] void Leave(j_common_ptr info, ErrorCode code) {
  Handler* const handler = HandlerOf(info);
  char text[JMSG_LENGTH_MAX] = {};
  handler->base.format_message(info, text);
  char line[JMSG_LENGTH_MAX + 8] = "JPEG: ";
  std::strncat(line, text, JMSG_LENGTH_MAX);
  handler->status = Fails(code, line, handler->message);
  std::longjmp(handler->jump, 1);
}

void OnError(j_common_ptr info) {
  ErrorCode code = ErrorCode::kFormat;
  switch (info->err->msg_code) {
    case JERR_BAD_PRECISION:    // 12 bits
    case JERR_EMPTY_IMAGE:      // a height that a DNL marker would bring
    case JERR_SOF_UNSUPPORTED:  // lossless, hierarchical
    case JERR_ARITH_NOTIMPL:
    case JERR_CONVERSION_NOTIMPL:
      code = ErrorCode::kUnsupported;
      break;
    case JERR_IMAGE_TOO_BIG:
    case JERR_COMPONENT_COUNT:
      code = ErrorCode::kLimit;
      break;
    case JERR_OUT_OF_MEMORY:
    case JERR_NO_BACKING_STORE:
      code = ErrorCode::kNoMemory;
      break;
    case JERR_INPUT_EMPTY:
    case JERR_INPUT_EOF:
      code = ErrorCode::kTruncated;
      break;
    default:
      if (HandlerOf(info)->ended) code = ErrorCode::kTruncated;
  }
  Leave(info, code);
}

void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:  // the end marker may be missing: only data that is missed counts
      HandlerOf(info)->ended = true;
      return;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION:
      Leave(info, HandlerOf(info)->ended ? ErrorCode::kTruncated : ErrorCode::kCorrupt);
    default:
      return;
  }
}

void OnOutput(j_common_ptr) {}

void OnProgress(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  Handler* const handler = HandlerOf(info);
  char line[80];
  std::snprintf(line, sizeof line, "JPEG: more than %d scans", kMostScans);
  handler->status = Fails(ErrorCode::kLimit, line, handler->message);
  std::longjmp(handler->jump, 1);
}

// Between this and jpeg_destroy_decompress lies what may jump.
void Prepare(jpeg_decompress_struct& info, Handler& handler, MediaMessage* message) {
  handler.message = message;
  info.err = jpeg_std_error(&handler.base);
  handler.base.error_exit = &OnError;
  handler.base.emit_message = &OnMessage;
  handler.base.output_message = &OnOutput;
  handler.progress.progress_monitor = &OnProgress;
}

void Begin(jpeg_decompress_struct& info, Handler& handler, const uint8_t* bytes, uint64_t size) {
  jpeg_create_decompress(&info);
  info.progress = &handler.progress;
  jpeg_mem_src(&info, bytes, static_cast<unsigned long>(size));  // NOLINT(google-runtime-int): libjpeg's
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
  (void)jpeg_read_header(&info, TRUE);
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
      info.out_color_space = JCS_GRAYSCALE;
      break;
    case JCS_CMYK:
    case JCS_YCCK:
      info.out_color_space = JCS_CMYK;
      break;
    default:
      info.out_color_space = JCS_RGB;
  }
}

uint32_t Orientation(const jpeg_decompress_struct& info) {
  constexpr size_t kName = 6;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->data_length >= kName && std::memcmp(marker->data, "Exif\0\0", kName) == 0)
      return OrientationOf(marker->data + kName, marker->data_length - kName);
  }
  return 1;
}

uint8_t Scaled(uint32_t a, uint32_t b) {  // a * b / 255, to nearest
  const uint32_t product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

// In place, from the front: three bytes for four. Adobe stores 255 minus the ink.
void CmykToRgb(uint8_t* row, uint32_t width) {
  const uint8_t* from = row;
  for (uint32_t x = 0; x < width; ++x, from += 4, row += 3) {
    const uint8_t black = from[3];
    const uint8_t rgb[3] = {Scaled(255u - from[0], black), Scaled(255u - from[1], black), Scaled(255u - from[2], black)};
    for (int c = 0; c < 3; ++c) row[c] = static_cast<uint8_t>(black - rgb[c]);
  }
}

MediaStatus ReadHeader(const uint8_t* bytes, uint64_t size, MediaHeader* header, MediaMessage* message) noexcept {
  jpeg_decompress_struct info = {};
  Handler handler = {};
  Prepare(info, handler, message);
  if (setjmp(handler.jump) != 0) {
    jpeg_destroy_decompress(&info);
    return handler.status;
  }
  Begin(info, handler, bytes, size);
  header->width = info.image_width;
  header->height = info.image_height;
  header->channels = info.out_color_space == JCS_GRAYSCALE ? 1 : 3;
  header->orientation = Orientation(info);
  header->least_bytes = uint64_t{info.image_width} * info.image_height / kPixelsOfAByte;
  jpeg_destroy_decompress(&info);
  return 0;
}

MediaStatus Decode(const uint8_t* bytes, uint64_t size, const MediaHeader* header, uint64_t memory_bytes, uint8_t* pixels,
                   MediaMessage* message) noexcept {
  jpeg_decompress_struct info = {};
  Handler handler = {};
  Prepare(info, handler, message);
  if (setjmp(handler.jump) != 0) {
    jpeg_destroy_decompress(&info);
    return handler.status;
  }
  Begin(info, handler, bytes, size);
  info.mem->max_memory_to_use = static_cast<long>(std::min<uint64_t>(memory_bytes, 0x7fffffff));  // NOLINT(google-runtime-int)
  (void)jpeg_start_decompress(&info);
  const uint64_t row = uint64_t{header->width} * header->channels;
  if (info.output_width != header->width || info.output_height != header->height) ERREXIT(&info, JERR_BAD_STATE);
  JSAMPARRAY wide = nullptr;
  if (info.out_color_space == JCS_CMYK)
    wide = (*info.mem->alloc_sarray)(reinterpret_cast<j_common_ptr>(&info), JPOOL_IMAGE, header->width * 4, 1);
  while (info.output_scanline < info.output_height) {
    uint8_t* const to = pixels + info.output_scanline * row;
    JSAMPROW line = wide != nullptr ? wide[0] : to;
    if (jpeg_read_scanlines(&info, &line, 1) != 1) ERREXIT(&info, JERR_INPUT_EOF);
    if (wide == nullptr) continue;
    CmykToRgb(line, header->width);
    std::memcpy(to, line, row);
  }
  // All scans have been read; had there been more to come, the picture would be coarser than it should.
  if (handler.ended && jpeg_has_multiple_scans(&info) != FALSE) ERREXIT(&info, JERR_INPUT_EOF);
  jpeg_destroy_decompress(&info);
  return 0;
}

#define SCOUT_TEXT_OF(x) #x
#define SCOUT_TEXT(x) SCOUT_TEXT_OF(x)
#if defined(LIBJPEG_TURBO_VERSION)
constexpr char kLibrary[] = "libjpeg-turbo " SCOUT_TEXT(LIBJPEG_TURBO_VERSION);
#else
constexpr char kLibrary[] = "libjpeg " SCOUT_TEXT(JPEG_LIB_VERSION);
#endif

}  // namespace

MediaDecoder JpegDecoder() { return {kLibrary, &ReadHeader, &Decode}; }

}  // namespace scout::media

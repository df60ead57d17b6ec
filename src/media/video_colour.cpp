// A decoded frame as pixels that a picture has: full-range RGB, square, whatever the clip's matrix, range and depth. Always by the
// same arithmetic (SWS_BITEXACT), so that a clip's frames are the same on every processor. Wide gamuts and HDR curves are not
// mapped: what the clip says of its primaries and its transfer is ignored.
#include <cstring>

#include "media/video_decoder.h"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
}

namespace scout::media {
namespace {

// The formats that say "full range" by their name are deprecated names of others.
AVPixelFormat PlainFormat(int format, bool& full) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      full = true;
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      full = true;
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      full = true;
      return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
      full = true;
      return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
      full = true;
      return AV_PIX_FMT_YUV411P;
    default:
      return static_cast<AVPixelFormat>(format);
  }
}

// What a stream says is passed on unchecked, so a frame's field may hold a number that its enumeration has no name for, and may not
// be read as one.
template <typename Field>
int NumberIn(const Field& field) {
  static_assert(sizeof(Field) == sizeof(int));
  int number;
  std::memcpy(&number, &field, sizeof(number));
  return number;
}

int MatrixOf(const AVFrame& frame) {
  switch (NumberIn(frame.colorspace)) {
    case AVCOL_SPC_BT709:
      return SWS_CS_ITU709;
    case AVCOL_SPC_FCC:
      return SWS_CS_FCC;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      return SWS_CS_ITU601;
    case AVCOL_SPC_SMPTE240M:
      return SWS_CS_SMPTE240M;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      return SWS_CS_BT2020;
    default:  // as players do: what is larger than a standard-definition picture is high definition's
      return frame.width >= 1280 || frame.height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
  }
}

}  // namespace

void FrameToRgb(const AVFrame& frame, uint32_t width, uint32_t height, uint8_t* rgb) {
  bool full = NumberIn(frame.color_range) == AVCOL_RANGE_JPEG;
  const AVPixelFormat format = PlainFormat(frame.format, full);
  const AVPixFmtDescriptor* const described = av_pix_fmt_desc_get(format);
  if (described == nullptr || sws_isSupportedInput(format) == 0)
    VideoFail(ErrorCode::kUnsupported, "frames of the pixel format %s are not read", described == nullptr ? "?" : described->name);
  const int flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP;
  const std::unique_ptr<SwsContext, FreeScaler> scaler(sws_getContext(frame.width, frame.height, format, static_cast<int>(width),
                                                                      static_cast<int>(height), AV_PIX_FMT_RGB24, flags, nullptr,
                                                                      nullptr, nullptr));
  if (scaler == nullptr) VideoFail(ErrorCode::kNoMemory, "no memory for a frame's pixels");
  constexpr int kUnit = 1 << 16;  // contrast and saturation as they are
  // It fails for formats without a matrix, which need none.
  (void)sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(MatrixOf(frame)), full ? 1 : 0,
                                 sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, kUnit, kUnit);
  // Rows of its own alignment: vectors may write past a row's end.
  const FramePtr drawn(av_frame_alloc());
  if (drawn == nullptr) VideoFail(ErrorCode::kNoMemory, "no memory for a frame's pixels");
  drawn->format = AV_PIX_FMT_RGB24;
  drawn->width = static_cast<int>(width);
  drawn->height = static_cast<int>(height);
  if (av_frame_get_buffer(drawn.get(), 0) < 0) VideoFail(ErrorCode::kNoMemory, "no memory for a frame's pixels");
  if (sws_scale(scaler.get(), frame.data, frame.linesize, 0, frame.height, drawn->data, drawn->linesize) != drawn->height)
    VideoFail(ErrorCode::kInternal, "a frame of the pixel format %s is not converted", described->name);
  for (uint32_t row = 0; row < height; ++row)
    std::memcpy(rgb + size_t{3} * width * row, drawn->data[0] + static_cast<ptrdiff_t>(row) * drawn->linesize[0],
                size_t{3} * width);
}

// The matrix takes a pixel (x, y) to (a x + c y, b x + d y), y down; of a turn by quarters each is -1, 0 or 1 in 16.16.
uint32_t OrientationOf(const int32_t matrix[9]) {
  const auto sign = [](int32_t value) { return value > 32768 ? 1 : value < -32768 ? -1 : 0; };
  const int a = sign(matrix[0]), b = sign(matrix[1]), c = sign(matrix[3]), d = sign(matrix[4]);
  struct Turn {
    int a, b, c, d;
    uint32_t exif;
  };
  static constexpr Turn kTurns[] = {{1, 0, 0, 1, 1}, {-1, 0, 0, 1, 2}, {-1, 0, 0, -1, 3}, {1, 0, 0, -1, 4},
                                    {0, 1, 1, 0, 5}, {0, 1, -1, 0, 6}, {0, -1, -1, 0, 7}, {0, -1, 1, 0, 8}};
  for (const Turn& turn : kTurns)
    if (turn.a == a && turn.b == b && turn.c == c && turn.d == d) return turn.exif;
  return 1;
}

}  // namespace scout::media

#include "support/clip_writer.h"

#include <memory>
#include <stdexcept>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libswscale/swscale.h>
}

// An encoder's business: x265 keeps some of its tables and options.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libx265"; }

namespace clips {
namespace {

// A test that cannot make its clip is wrong, not unlucky.
void Need(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(std::string("no clip can be made: ") + what);
}

struct Free {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
  void operator()(AVFormatContext* p) const { avformat_free_context(p); }
  void operator()(AVFrame* p) const { av_frame_free(&p); }
  void operator()(AVPacket* p) const { av_packet_free(&p); }
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};

class Writer {
 public:
  Writer(const Spec& spec, const AVCodec& codec) : spec_(spec) {
    AVFormatContext* format = nullptr;
    Need(avformat_alloc_output_context2(&format, nullptr, spec.container.c_str(), nullptr) >= 0, "the container");
    format_.reset(format);
    format->flags |= AVFMT_FLAG_BITEXACT;
    OpenCodec(codec);
    stream_ = avformat_new_stream(format, nullptr);
    Need(stream_ != nullptr && avcodec_parameters_from_context(stream_->codecpar, codec_.get()) >= 0, "the track");
    stream_->time_base = codec_->time_base;
    stream_->avg_frame_rate = codec_->framerate;
    stream_->sample_aspect_ratio = codec_->sample_aspect_ratio;
    if (spec.quarter_turns != 0) {
      uint8_t* const matrix = av_stream_new_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, 9 * sizeof(int32_t));
      Need(matrix != nullptr, "the matrix");
      av_display_rotation_set(reinterpret_cast<int32_t*>(matrix), 90.0 * spec.quarter_turns);
    }
    Need(avio_open_dyn_buf(&format->pb) >= 0, "memory");
    AVDictionary* options = nullptr;
    if (spec.live && spec.container == "mp4") av_dict_set(&options, "movflags", "frag_keyframe+empty_moov", 0);
    if (spec.live && spec.container != "mp4") av_dict_set(&options, "live", "1", 0);
    Need(avformat_write_header(format, &options) >= 0, "the header");
    av_dict_free(&options);
  }

  std::string Write(const Draw& draw) {
    for (int i = 0; i < spec_.frames; ++i) Encode(Frame(draw(i), i).get());
    Encode(nullptr);
    Need(av_write_trailer(format_.get()) >= 0, "the trailer");
    uint8_t* bytes = nullptr;
    const int size = avio_close_dyn_buf(format_->pb, &bytes);
    format_->pb = nullptr;
    std::string made(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
    av_free(bytes);
    return made;
  }

 private:
  AVColorSpace Matrix() const { return spec_.matrix == 0 ? AVCOL_SPC_SMPTE170M : static_cast<AVColorSpace>(spec_.matrix); }

  void OpenCodec(const AVCodec& codec) {
    codec_.reset(avcodec_alloc_context3(&codec));
    codec_->width = spec_.width;
    codec_->height = spec_.height;
    codec_->time_base = {1, spec_.fps};
    codec_->framerate = {spec_.fps, 1};
    codec_->sample_aspect_ratio = {spec_.shape_num, spec_.shape_den};
    codec_->gop_size = spec_.key_every;
    codec_->max_b_frames = spec_.b_frames ? 2 : 0;
    codec_->thread_count = 1;
    codec_->pix_fmt = codec.id == AV_CODEC_ID_MJPEG ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    codec_->color_range = spec_.full_range || codec.id == AV_CODEC_ID_MJPEG ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    codec_->colorspace = Matrix();
    codec_->flags |= AV_CODEC_FLAG_BITEXACT;
    if ((format_->oformat->flags & AVFMT_GLOBALHEADER) != 0) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    AVDictionary* options = nullptr;
    const std::string name = codec.name;
    if (name == "libx264") av_dict_parse_string(&options, "crf=3:preset=ultrafast", "=", ":", 0);
    if (name == "libx264" && spec_.b_frames) av_dict_set(&options, "preset", "veryfast", 0);
    if (name == "libx265")
      av_dict_parse_string(&options, "crf=4,preset=ultrafast,x265-params=log-level=none:pools=none", "=", ",", 0);
    if (name == "libvpx" || name == "libvpx-vp9") av_dict_parse_string(&options, "crf=4:cpu-used=8:deadline=realtime", "=", ":", 0);
    if (name == "libvpx" || name == "libvpx-vp9") codec_->bit_rate = 4000000;
    if (name == "libaom-av1") av_dict_parse_string(&options, "crf=8:cpu-used=8:usage=realtime", "=", ":", 0);
    if (name == "libsvtav1") av_dict_parse_string(&options, "crf=8:preset=12", "=", ":", 0);
    if (name == "mjpeg") {
      codec_->flags |= AV_CODEC_FLAG_QSCALE;
      codec_->global_quality = 2 * FF_QP2LAMBDA;
    }
    if (!spec_.options.empty()) av_dict_parse_string(&options, spec_.options.c_str(), "=", ":", 0);
    Need(avcodec_open2(codec_.get(), &codec, &options) >= 0, "the encoder");
    av_dict_free(&options);
  }

  std::unique_ptr<AVFrame, Free> Frame(const std::vector<uint8_t>& rgb, int index) {
    std::unique_ptr<AVFrame, Free> frame(av_frame_alloc());
    frame->format = codec_->pix_fmt == AV_PIX_FMT_YUVJ420P ? AV_PIX_FMT_YUV420P : codec_->pix_fmt;
    frame->width = spec_.width;
    frame->height = spec_.height;
    Need(av_frame_get_buffer(frame.get(), 0) >= 0, "memory");
    const std::unique_ptr<SwsContext, Free> scaler(sws_getContext(
        spec_.width, spec_.height, AV_PIX_FMT_RGB24, spec_.width, spec_.height, static_cast<AVPixelFormat>(frame->format),
        SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, nullptr, nullptr, nullptr));
    Need(scaler != nullptr, "the scaler");
    const int full = codec_->color_range == AVCOL_RANGE_JPEG ? 1 : 0;
    sws_setColorspaceDetails(scaler.get(), sws_getCoefficients(SWS_CS_DEFAULT), 1, sws_getCoefficients(Matrix()), full, 0, 1 << 16,
                             1 << 16);
    const uint8_t* const rows[] = {rgb.data()};
    const int strides[] = {3 * spec_.width};
    sws_scale(scaler.get(), rows, strides, 0, spec_.height, frame->data, frame->linesize);
    frame->format = codec_->pix_fmt;
    frame->color_range = codec_->color_range;
    frame->colorspace = codec_->colorspace;
    frame->sample_aspect_ratio = codec_->sample_aspect_ratio;
    if (codec_->global_quality != 0) frame->quality = codec_->global_quality;
    frame->pts = index;
    return frame;
  }

  void Encode(const AVFrame* frame) {
    Need(avcodec_send_frame(codec_.get(), frame) >= 0, "a frame");
    const std::unique_ptr<AVPacket, Free> packet(av_packet_alloc());
    while (avcodec_receive_packet(codec_.get(), packet.get()) >= 0) {
      packet->stream_index = stream_->index;
      if (packet->duration == 0) packet->duration = 1;
      av_packet_rescale_ts(packet.get(), codec_->time_base, stream_->time_base);
      Need(av_interleaved_write_frame(format_.get(), packet.get()) >= 0, "a packet");
    }
  }

  const Spec spec_;
  std::unique_ptr<AVFormatContext, Free> format_;
  std::unique_ptr<AVCodecContext, Free> codec_;
  AVStream* stream_ = nullptr;
};

}  // namespace

bool CanMake() { return true; }

std::optional<std::string> Make(const Spec& spec, const Draw& draw) {
  av_log_set_level(AV_LOG_ERROR);
  const AVCodec* const codec = avcodec_find_encoder_by_name(spec.encoder.c_str());
  if (codec == nullptr) return std::nullopt;
  return Writer(spec, *codec).Write(draw);
}

}  // namespace clips

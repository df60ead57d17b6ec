// The plug-in's side: a demuxer and a decoder of FFmpeg's over the clip's bytes, and nothing else of FFmpeg's: no protocols, no
// probing, no parsing of other formats.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <memory>

#include "base/error.h"
#include "media/video_table.h"

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>
}

namespace scout::media {

// Thrown inside the plug-in and turned into a status at its edge.
struct VideoFailure {
  ErrorCode code;
  char text[sizeof VideoMessage::text];
};

[[noreturn]] void VideoFail(ErrorCode code, const char* format, ...) __attribute__((format(printf, 2, 3)));

struct FreeFormat {
  void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
};
struct FreeIo {
  void operator()(AVIOContext* p) const {
    av_freep(&p->buffer);
    avio_context_free(&p);
  }
};
struct FreeCodec {
  void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
};
struct FreePacket {
  void operator()(AVPacket* p) const { av_packet_free(&p); }
};
struct FreeFrame {
  void operator()(AVFrame* p) const { av_frame_free(&p); }
};
struct FreeScaler {
  void operator()(SwsContext* p) const { sws_freeContext(p); }
};
using FramePtr = std::unique_ptr<AVFrame, FreeFrame>;

// A frame as pixels: the clip's matrix and range to full-range RGB, stretched to width x height where its pixels are not square.
void FrameToRgb(const AVFrame& frame, uint32_t width, uint32_t height, uint8_t* rgb);

// EXIF's number for a stream's display matrix; 1 for one that is no turn by quarters.
uint32_t OrientationOf(const int32_t matrix[9]);

// FFmpeg's log of this process goes to the host's from now on.
void TakeLog(const VideoHost& host);

struct VideoDecoder {
 public:
  VideoDecoder(const VideoHost& host, const VideoLimits& limits, VideoContainer container);

  VideoHeader header() const { return header_; }
  VideoFrame Find(int64_t time_us);
  void Pixels(uint8_t* rgb);

 private:
  static int ReadPacket(void* opaque, uint8_t* to, int size);
  static int64_t Seek(void* opaque, int64_t offset, int whence);

  void OpenContainer();
  void ChooseStream();
  void Restart();
  void OpenDecoder(const AVCodec& codec);
  void MeasureDuration();
  void Forget();
  void SeekTo(int64_t time);
  void DecodeTo(int64_t target);
  bool ReadPacketOfStream();  // false at the end
  bool DecodeNext();          // into ahead_; false at the end
  void CheckFrame(const AVFrame& frame);
  void CheckSize(int64_t width, int64_t height) const;
  [[noreturn]] void FailRead(int error);
  [[noreturn]] void FailFrame(int error, int64_t time);
  int64_t Microseconds(int64_t time) const;

  VideoHost host_;
  VideoContainer container_;
  VideoLimits limits_;
  VideoHeader header_ = {};
  VideoStatus read_status_ = 0;
  uint64_t position_ = 0, read_bytes_ = 0, work_ = 0;
  bool read_limit_ = false;

  std::unique_ptr<AVIOContext, FreeIo> io_;
  std::unique_ptr<AVFormatContext, FreeFormat> format_;
  std::unique_ptr<AVCodecContext, FreeCodec> codec_;
  std::unique_ptr<AVPacket, FreePacket> packet_;
  FramePtr held_, ahead_;  // the frame that is shown now, and the one after it
  bool have_held_ = false, have_ahead_ = false;
  AVStream* stream_ = nullptr;
  int codec_width_ = 0, codec_height_ = 0;  // of the first frame, as stored
  int64_t start_ = 0;                       // the first frame's time
  int64_t fed_ = AV_NOPTS_VALUE;            // the time up to which packets were read since the last seek
  int64_t drop_before_ = AV_NOPTS_VALUE;    // packets of earlier frames refer to what was sought past
  bool may_seek_ = true, at_start_ = true, after_seek_ = false, packets_ended_ = false, drained_ = false;
};

}  // namespace scout::media

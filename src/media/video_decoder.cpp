#include "media/video_decoder.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>

extern "C" {
#include <libavutil/common.h>
#include <libavutil/display.h>
#include <libavutil/mathematics.h>
}

namespace scout::media {
namespace {

constexpr int kIoBytes = 1 << 16;
constexpr int kMaxStreams = 128;
constexpr AVRational kMicroseconds = {1, 1000000};
constexpr const char* kFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm";
constexpr const char* kDecoders = "h264,hevc,vp8,vp9,libdav1d,libaom-av1,mjpeg";

// The white list. A codec's decoders in order of preference.
struct Codec {
  AVCodecID id;
  const char* name;
  const char* decoders[2];
};
constexpr Codec kCodecs[] = {
    {AV_CODEC_ID_H264, "H.264", {"h264", nullptr}},       {AV_CODEC_ID_HEVC, "HEVC", {"hevc", nullptr}},
    {AV_CODEC_ID_VP8, "VP8", {"vp8", nullptr}},           {AV_CODEC_ID_VP9, "VP9", {"vp9", nullptr}},
    {AV_CODEC_ID_AV1, "AV1", {"libdav1d", "libaom-av1"}}, {AV_CODEC_ID_MJPEG, "MJPEG", {"mjpeg", nullptr}},
};

// "1.250": seconds without a locale's comma.
struct Seconds {
  char text[32];
  explicit Seconds(int64_t us) {
    const char* const sign = us < 0 ? "-" : "";
    const uint64_t size = us < 0 ? uint64_t{0} - static_cast<uint64_t>(us) : static_cast<uint64_t>(us);
    std::snprintf(text, sizeof text, "%s%" PRIu64 ".%03u", sign, size / 1000000, static_cast<unsigned>(size % 1000000 / 1000));
  }
};

// What FFmpeg says of an error.
struct Words {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  explicit Words(int error) { av_strerror(error, text, sizeof text); }
};

// No demuxer of ours opens anything beside the clip.
int RefuseToOpen(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) { return AVERROR(EPERM); }

const int32_t* DisplayMatrix(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
  const AVPacketSideData* const data =
      av_packet_side_data_get(stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  return data != nullptr && data->size >= 9 * sizeof(int32_t) ? reinterpret_cast<const int32_t*>(data->data) : nullptr;
#else
  size_t size = 0;
  const uint8_t* const data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  return data != nullptr && size >= 9 * sizeof(int32_t) ? reinterpret_cast<const int32_t*>(data) : nullptr;
#endif
}

}  // namespace

void VideoFail(ErrorCode code, const char* format, ...) {
  VideoFailure failure = {code, {}};
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(failure.text, sizeof failure.text, format, arguments);
  va_end(arguments);
  throw failure;
}

int VideoDecoder::ReadPacket(void* opaque, uint8_t* to, int size) {
  auto* const self = static_cast<VideoDecoder*>(opaque);
  if (self->host_.cancelled(self->host_.context) != 0) return AVERROR_EXIT;
  if (self->read_status_ != 0) return AVERROR(EIO);
  if (self->position_ >= self->host_.size) return AVERROR_EOF;
  const uint64_t count = std::min<uint64_t>(static_cast<uint64_t>(size), self->host_.size - self->position_);
  if (count > self->limits_.max_read_bytes - self->read_bytes_) {
    self->read_limit_ = true;
    return AVERROR_EXIT;
  }
  self->read_status_ = self->host_.read(self->host_.context, self->position_, to, count);
  if (self->read_status_ != 0) return AVERROR(EIO);
  self->position_ += count;
  self->read_bytes_ += count;
  return static_cast<int>(count);
}

int64_t VideoDecoder::Seek(void* opaque, int64_t offset, int whence) {
  auto* const self = static_cast<VideoDecoder*>(opaque);
  const auto size = static_cast<int64_t>(self->host_.size);
  switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
      return size;
    case SEEK_SET:
      break;
    case SEEK_CUR:
      offset += static_cast<int64_t>(self->position_);
      break;
    case SEEK_END:
      offset += size;
      break;
    default:
      return AVERROR(EINVAL);
  }
  if (offset < 0) return AVERROR(EINVAL);
  self->position_ = static_cast<uint64_t>(offset);
  return offset;
}

VideoDecoder::VideoDecoder(const VideoHost& host, const VideoLimits& limits, VideoContainer container)
    : host_(host), container_(container), limits_(limits) {
  packet_.reset(av_packet_alloc());
  held_.reset(av_frame_alloc());
  ahead_.reset(av_frame_alloc());
  if (packet_ == nullptr || held_ == nullptr || ahead_ == nullptr) VideoFail(ErrorCode::kNoMemory, "no memory for a frame");
  OpenContainer();
  ChooseStream();
  // Matroska reads its table of key frames when it first seeks; where it has none it has lost its place by then.
  if (container == kVideoMatroska && av_seek_frame(format_.get(), stream_->index, 0, AVSEEK_FLAG_BACKWARD) < 0) Restart();
  // The first frame's time is the clip's start, whatever the container says.
  if (!DecodeNext()) VideoFail(ErrorCode::kFormat, "%s: the clip has no frames", header_.codec);
  start_ = ahead_->best_effort_timestamp;
  CheckFrame(*ahead_);
  MeasureDuration();
}

void VideoDecoder::OpenContainer() {
  const VideoContainer container = container_;
  const AVInputFormat* const input = av_find_input_format(container == kVideoMov ? "mov" : "matroska");
  if (input == nullptr)
    VideoFail(ErrorCode::kUnsupported, "FFmpeg was built without %s", container == kVideoMov ? "MP4" : "Matroska");
  auto* buffer = static_cast<uint8_t*>(av_malloc(kIoBytes));
  if (buffer == nullptr) VideoFail(ErrorCode::kNoMemory, "no memory for reading");
  io_.reset(avio_alloc_context(buffer, kIoBytes, 0, this, &VideoDecoder::ReadPacket, nullptr, &VideoDecoder::Seek));
  if (io_ == nullptr) {
    av_free(buffer);
    VideoFail(ErrorCode::kNoMemory, "no memory for reading");
  }
  AVFormatContext* format = avformat_alloc_context();
  if (format == nullptr) VideoFail(ErrorCode::kNoMemory, "no memory for reading");
  format->pb = io_.get();
  format->flags |= AVFMT_FLAG_CUSTOM_IO;
  format->io_open = &RefuseToOpen;
  format->max_streams = kMaxStreams;
  format->interrupt_callback = {+[](void* opaque) {
                                  const auto* const self = static_cast<const VideoDecoder*>(opaque);
                                  return static_cast<int>(self->host_.cancelled(self->host_.context));
                                },
                                this};
  format->format_whitelist = av_strdup(kFormats);
  format->codec_whitelist = av_strdup(kDecoders);
  format->protocol_whitelist = av_strdup("");
  AVDictionary* options = nullptr;
  if (container == kVideoMov) {  // their defaults, said again
    av_dict_set(&options, "enable_drefs", "0", 0);
    av_dict_set(&options, "use_absolute_path", "0", 0);
  }
  const int error = avformat_open_input(&format, "", input, &options);
  av_dict_free(&options);
  if (error < 0) FailRead(error);
  format_.reset(format);
}

void VideoDecoder::ChooseStream() {
  const char* other = nullptr;
  for (unsigned i = 0; i < format_->nb_streams; ++i) {
    AVStream* const stream = format_->streams[i];
    stream->discard = AVDISCARD_ALL;
    if (stream_ != nullptr || stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO ||
        (stream->disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_STILL_IMAGE)) != 0)
      continue;
    const AVCodecID id = stream->codecpar->codec_id;
    const auto codec = std::find_if(std::begin(kCodecs), std::end(kCodecs), [&](const Codec& c) { return c.id == id; });
    if (codec == std::end(kCodecs)) {
      other = avcodec_get_name(id);
      continue;
    }
    stream_ = stream;
    header_.codec = codec->name;
  }
  if (stream_ == nullptr && other != nullptr)
    VideoFail(ErrorCode::kUnsupported, "the clip's codec is %s; H.264, HEVC, VP8, VP9, AV1 and MJPEG are read", other);
  if (stream_ == nullptr) VideoFail(ErrorCode::kFormat, "the file has no video among its %u tracks", format_->nb_streams);
  stream_->discard = AVDISCARD_DEFAULT;
  if (stream_->time_base.num <= 0 || stream_->time_base.den <= 0)
    VideoFail(ErrorCode::kFormat, "%s: the unit of time is %d/%d s", header_.codec, stream_->time_base.num, stream_->time_base.den);
  if (stream_->codecpar->width != 0 || stream_->codecpar->height != 0)
    CheckSize(stream_->codecpar->width, stream_->codecpar->height);

  const auto entry = std::find_if(std::begin(kCodecs), std::end(kCodecs), [&](const Codec& c) { return c.name == header_.codec; });
  const AVCodec* found = nullptr;
  for (const char* const name : entry->decoders)
    if (found == nullptr && name != nullptr) found = avcodec_find_decoder_by_name(name);
  if (found == nullptr) VideoFail(ErrorCode::kUnsupported, "FFmpeg was built without a decoder of %s", header_.codec);
  OpenDecoder(*found);
}

void VideoDecoder::OpenDecoder(const AVCodec& codec) {
  codec_.reset(avcodec_alloc_context3(&codec));
  if (codec_ == nullptr || avcodec_parameters_to_context(codec_.get(), stream_->codecpar) < 0)
    VideoFail(ErrorCode::kNoMemory, "no memory for a decoder");
  codec_->pkt_timebase = stream_->time_base;
  codec_->thread_count = limits_.threads;
  codec_->max_pixels = static_cast<int64_t>(limits_.max_pixels);
  // A damaged frame is refused rather than shown damaged.
  codec_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER | AV_EF_EXPLODE;
  const int error = avcodec_open2(codec_.get(), &codec, nullptr);
  if (error == AVERROR(ENOMEM)) VideoFail(ErrorCode::kNoMemory, "%s: no memory for the decoder", header_.codec);
  if (error < 0)
    VideoFail(ErrorCode::kFormat, "%s: the decoder refuses the track's description: %s", header_.codec, Words(error).text);
  header_.decoder = codec.name;
}

void VideoDecoder::CheckSize(int64_t width, int64_t height) const {
  constexpr int64_t kMaxSide = 65535;
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide)
    VideoFail(width < 1 || height < 1 ? ErrorCode::kFormat : ErrorCode::kLimit,
              "%s: a frame is %" PRId64 " x %" PRId64 " pixels, a side must be 1 to %" PRId64, header_.codec, width, height,
              kMaxSide);
  if (static_cast<uint64_t>(width * height) > limits_.max_pixels)
    VideoFail(ErrorCode::kLimit, "%s: a frame is %" PRId64 " x %" PRId64 " = %" PRId64 " pixels, at most %" PRIu64 " (max_pixels)",
              header_.codec, width, height, width * height, limits_.max_pixels);
}

// The first frame says what the clip's frames are; the others must be as it is.
void VideoDecoder::CheckFrame(const AVFrame& frame) {
  AVRational shape = frame.sample_aspect_ratio;
  if (shape.num <= 0 || shape.den <= 0) shape = stream_->sample_aspect_ratio;
  // Beyond 1:8 it is a mistake, not a shape.
  if (shape.num <= 0 || shape.den <= 0 || shape.num / shape.den >= 8 || shape.den / shape.num >= 8) shape = {1, 1};
  const int64_t width = std::max<int64_t>(1, av_rescale(frame.width, shape.num, shape.den));
  CheckSize(width, frame.height);
  header_.width = static_cast<uint32_t>(width);
  header_.height = static_cast<uint32_t>(frame.height);
  const int32_t* const matrix = DisplayMatrix(*stream_);
  header_.orientation = matrix == nullptr ? 1 : OrientationOf(matrix);
  const AVRational rate = stream_->avg_frame_rate;
  header_.frame_rate = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
  codec_width_ = frame.width;
  codec_height_ = frame.height;
}

int64_t VideoDecoder::Microseconds(int64_t time) const {
  return av_sat_sub64(av_rescale_q(time, stream_->time_base, kMicroseconds),
                      av_rescale_q(start_, stream_->time_base, kMicroseconds));
}

// From the track, else from the file, else by reading all packets without decoding one.
void VideoDecoder::MeasureDuration() {
  if (stream_->duration > 0) {
    header_.duration_us = av_rescale_q(stream_->duration, stream_->time_base, kMicroseconds);
  } else if (format_->duration > 0) {
    header_.duration_us = format_->duration;
  } else {
    int64_t end = start_;
    while (ReadPacketOfStream()) {
      const int64_t time = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
      if (time != AV_NOPTS_VALUE) end = std::max(end, av_sat_add64(time, std::clamp<int64_t>(packet_->duration, 0, INT32_MAX)));
      av_packet_unref(packet_.get());
    }
    header_.duration_us = Microseconds(end);
    Restart();
  }
  if (header_.duration_us == INT64_MIN || header_.duration_us < 0) header_.duration_us = INT64_MAX;  // beyond what can be said
}

// What was decoded, and where in the clip.
void VideoDecoder::Forget() {
  avcodec_flush_buffers(codec_.get());
  av_frame_unref(held_.get());
  av_frame_unref(ahead_.get());
  have_held_ = have_ahead_ = packets_ended_ = drained_ = false;
  fed_ = drop_before_ = AV_NOPTS_VALUE;
}

// From the beginning, by opening the container again: that works for those without an index too.
void VideoDecoder::Restart() {
  const int index = stream_->index;
  stream_ = nullptr;
  format_.reset();
  io_.reset();
  position_ = 0;
  OpenContainer();
  if (format_->nb_streams <= static_cast<unsigned>(index)) VideoFail(ErrorCode::kFormat, "%s: the track is gone", header_.codec);
  for (unsigned i = 0; i < format_->nb_streams; ++i)
    format_->streams[i]->discard = i == static_cast<unsigned>(index) ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  stream_ = format_->streams[index];
  Forget();
  at_start_ = true;
  after_seek_ = false;
}

void VideoDecoder::SeekTo(int64_t time) {
  const int error = av_seek_frame(format_.get(), stream_->index, time, AVSEEK_FLAG_BACKWARD);
  if (host_.cancelled(host_.context) != 0 || read_limit_ || read_status_ != 0) FailRead(error);
  if (error < 0) {
    may_seek_ = false;
    return Restart();
  }
  Forget();
  at_start_ = false;
  after_seek_ = true;
}

void VideoDecoder::FailRead(int error) {
  if (host_.cancelled(host_.context) != 0) VideoFail(ErrorCode::kCancelled, "the video was cancelled");
  if (read_limit_)
    VideoFail(ErrorCode::kLimit,
              "%" PRIu64 " bytes of the clip were read, more would pass %" PRIu64 ", the limit of a clip of %" PRIu64, read_bytes_,
              limits_.max_read_bytes, host_.size);
  if (read_status_ != 0) VideoFail(static_cast<ErrorCode>(read_status_), "the clip cannot be read");
  if (error == AVERROR(ENOMEM)) VideoFail(ErrorCode::kNoMemory, "no memory for reading the clip");
  if (error == AVERROR_EOF) VideoFail(ErrorCode::kTruncated, "the clip ends before its index");
  if (error == AVERROR_PATCHWELCOME)
    VideoFail(ErrorCode::kUnsupported, "the clip uses a feature of its container that FFmpeg does not know");
  VideoFail(ErrorCode::kFormat, "the clip breaks the rules of its container: %s", Words(error).text);
}

void VideoDecoder::FailFrame(int error, int64_t time) {
  if (error == AVERROR(ENOMEM)) VideoFail(ErrorCode::kNoMemory, "%s: no memory for a frame", header_.codec);
  if (error == AVERROR_EXIT) FailRead(error);
  const ErrorCode code = error == AVERROR_PATCHWELCOME ? ErrorCode::kUnsupported : ErrorCode::kFormat;
  if (time == AV_NOPTS_VALUE) VideoFail(code, "%s: a frame cannot be decoded: %s", header_.codec, Words(error).text);
  VideoFail(code, "%s: the frame at %s s cannot be decoded: %s", header_.codec, Seconds(Microseconds(time)).text,
            Words(error).text);
}

bool VideoDecoder::ReadPacketOfStream() {
  while (true) {
    const int error = av_read_frame(format_.get(), packet_.get());
    if (host_.cancelled(host_.context) != 0 || read_limit_ || read_status_ != 0) FailRead(AVERROR_EXIT);
    if (error == AVERROR_EOF) return false;
    if (error < 0) FailRead(error);
    if (packet_->stream_index == stream_->index) return true;
    av_packet_unref(packet_.get());
  }
}

bool VideoDecoder::DecodeNext() {
  while (true) {
    if (host_.cancelled(host_.context) != 0) FailRead(AVERROR_EXIT);
    const int received = avcodec_receive_frame(codec_.get(), ahead_.get());
    if (received == 0) {
      AVFrame& frame = *ahead_;
      const int64_t time = frame.best_effort_timestamp;
      work_ += static_cast<uint64_t>(frame.width) * static_cast<uint64_t>(frame.height);
      if (work_ > limits_.max_work)
        VideoFail(ErrorCode::kLimit, "%s: %" PRIu64 " pixels were decoded by the frame at %s s, at most %" PRIu64 " (max_work)",
                  header_.codec, work_, Seconds(time == AV_NOPTS_VALUE ? 0 : Microseconds(time)).text, limits_.max_work);
      if (time == AV_NOPTS_VALUE) VideoFail(ErrorCode::kFormat, "%s: a frame has no time", header_.codec);
      if ((frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0) FailFrame(AVERROR_INVALIDDATA, time);
      if (header_.height != 0 && (frame.width != codec_width_ || frame.height != codec_height_))
        VideoFail(ErrorCode::kFormat, "%s: the frame at %s s is %d x %d pixels, the first is %d x %d", header_.codec,
                  Seconds(Microseconds(time)).text, frame.width, frame.height, codec_width_, codec_height_);
      have_ahead_ = true;
      return true;
    }
    if (received == AVERROR_EOF) return false;
    if (received != AVERROR(EAGAIN)) FailFrame(received, fed_);
    if (packets_ended_) {
      if (drained_) return false;
      drained_ = true;
      (void)avcodec_send_packet(codec_.get(), nullptr);
      continue;
    }
    if (!ReadPacketOfStream()) {
      packets_ended_ = true;
      continue;
    }
    const int64_t time = packet_->pts != AV_NOPTS_VALUE ? packet_->pts : packet_->dts;
    const int64_t order = packet_->dts != AV_NOPTS_VALUE ? packet_->dts : packet_->pts;
    const bool key = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
    if (order != AV_NOPTS_VALUE) fed_ = std::max(fed_, order);
    // What comes behind the key frame and is shown before it refers to frames that were not read.
    bool drop = false;
    if (after_seek_ && time != AV_NOPTS_VALUE) {
      if (drop_before_ == AV_NOPTS_VALUE && key) drop_before_ = time;
      drop = drop_before_ != AV_NOPTS_VALUE ? time < drop_before_ : !key;
    }
    int sent = 0;
    if (!drop) {
      if (packet_->size == 0)
        VideoFail(ErrorCode::kFormat, "%s: the frame at %s s has 0 bytes", header_.codec,
                  Seconds(time == AV_NOPTS_VALUE ? 0 : Microseconds(time)).text);
      if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0)
        VideoFail(ErrorCode::kTruncated, "%s: the frame at %s s is cut off", header_.codec,
                  Seconds(time == AV_NOPTS_VALUE ? 0 : Microseconds(time)).text);
      sent = avcodec_send_packet(codec_.get(), packet_.get());
    }
    av_packet_unref(packet_.get());
    if (sent < 0) FailFrame(sent, time);
  }
}

VideoFrame VideoDecoder::Find(int64_t time_us) {
  // Matroska rounds times to milliseconds, so a frame that is a millisecond late is not late.
  constexpr int64_t kTolerance = 1000;
  const int64_t target = av_sat_add64(start_, av_rescale_q_rnd(av_sat_add64(std::max<int64_t>(time_us, 0), kTolerance),
                                                               kMicroseconds, stream_->time_base, AV_ROUND_DOWN));
  if (have_held_ && held_->best_effort_timestamp > target) Restart();
  try {
    DecodeTo(target);
  } catch (const VideoFailure& failure) {
    // A key frame of H.264 need not be one: what follows it may name frames before it, and the decoder misses them.
    if (failure.code != ErrorCode::kFormat || at_start_) throw;
    may_seek_ = false;
    Restart();
    DecodeTo(target);
  }
  return {std::max<int64_t>(0, Microseconds(held_->best_effort_timestamp))};
}

// Until held_ is the frame of that time.
void VideoDecoder::DecodeTo(int64_t target) {
  const auto late = [&](const FramePtr& frame) { return frame->best_effort_timestamp > target; };
  int64_t seek_time = target;
  // Forward past what is decoded, when a key frame lies there; not for a few frames.
  if (may_seek_ && fed_ != AV_NOPTS_VALUE && (!have_ahead_ || !late(ahead_))) {
    const AVRational rate = stream_->avg_frame_rate;
    const int64_t frame = rate.num > 0 && rate.den > 0 ? av_rescale_q(1, {rate.den, rate.num}, stream_->time_base)
                                                       : av_rescale_q(50000, kMicroseconds, stream_->time_base);
    const AVIndexEntry* const entry = avformat_index_get_entry_from_timestamp(stream_, target, AVSEEK_FLAG_BACKWARD);
    if (entry != nullptr && av_sat_sub64(entry->timestamp, fed_) / 4 > frame) {
      seek_time = entry->timestamp;
      SeekTo(seek_time);
    }
  }
  while (true) {
    if (have_ahead_ && !late(ahead_)) {
      av_frame_unref(held_.get());
      av_frame_move_ref(held_.get(), ahead_.get());
      have_held_ = true;
      have_ahead_ = false;
    }
    if (!have_ahead_ && DecodeNext()) continue;
    if (have_held_) return;
    if (at_start_) {
      if (!have_ahead_) VideoFail(ErrorCode::kFormat, "%s: the clip has no frames", header_.codec);
      av_frame_move_ref(held_.get(), ahead_.get());  // the first is later than what is asked for
      have_held_ = true;
      have_ahead_ = false;
      return;
    }
    // The key frame is shown after the time asked for, or nothing came: the one before it.
    const AVIndexEntry* const entry =
        avformat_index_get_entry_from_timestamp(stream_, av_sat_sub64(seek_time, 1), AVSEEK_FLAG_BACKWARD);
    if (entry == nullptr || entry->timestamp >= seek_time) {
      Restart();
    } else {
      seek_time = entry->timestamp;
      SeekTo(seek_time);
    }
  }
}

void VideoDecoder::Pixels(uint8_t* rgb) {
  if (!have_held_) VideoFail(ErrorCode::kState, "no frame was found");
  FrameToRgb(*held_, header_.width, header_.height, rgb);
}

}  // namespace scout::media

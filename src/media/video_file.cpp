#include "media/video_file.h"

#include <algorithm>
#include <exception>
#include <string>

#include "base/log.h"
#include "base/own_thread.h"
#include "base/plugin.h"
#include "media/magic.h"

namespace scout::media {
namespace {

// Seeks read parts of a clip again, and a clip may be a small one.
constexpr uint64_t kReadFactor = 8, kReadExtra = uint64_t{64} << 20;

// FFmpeg takes more stack than a host's thread may have, and its threads inherit the signals of the one that makes them.
template <typename Body>
void OnOwnThread(Body&& body) {
  std::exception_ptr thrown;
  OwnThread thread("scout-video", [&] {
    try {
      body();
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  thread.Join();
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

int32_t LogWanted(int32_t level) noexcept { return level <= log_detail::g_max_level.load(std::memory_order_relaxed) ? 1 : 0; }

void LogLine(int32_t level, const char* text, uint64_t text_size) noexcept {
  Log(static_cast<LogLevel>(level), "FFmpeg: ", std::string_view(text, text_size));
}

// What people have and we do not read.
constexpr Magic kOthers[] = {
    {8, Bytes("AVI "), "an AVI"},
    {0, Bytes("RIFF"), "a RIFF file"},
    {0, Bytes("FLV"), "a Flash video"},
    {0, Bytes("\x30\x26\xb2\x75\x8e\x66\xcf\x11"), "a Windows Media video"},
    {0, Bytes("OggS"), "an Ogg file"},
    {0, Bytes("\0\0\1\xba"), "an MPEG program stream"},
    {0, Bytes("\0\0\1\xb3"), "an MPEG video stream without a container"},
    {0, Bytes("\0\0\0\1"), "a video stream without a container"},
    {0, Bytes("DKIF"), "an IVF file"},
    {0, Bytes("YUV4MPEG2"), "a Y4M file"},
    {0, Bytes("\x06\x0e\x2b\x34"), "an MXF file"},
    {0, Bytes("GIF8"), "a GIF"},
    {0, Bytes("\x89PNG"), "a PNG picture"},
    {0, Bytes("\xff\xd8\xff"), "a JPEG picture, or several without a container"},
    {0, Bytes("\0\0\0\x0cjP  "), "a JPEG 2000 file"},
    {0, Bytes("\xff\x4f\xff\x51"), "a JPEG 2000 picture"},
    {0, Bytes("#EXTM3U"), "a playlist"},
    {0, Bytes("[playlist]"), "a playlist"},
    {0, Bytes("ffconcat"), "a list of files for FFmpeg"},
    {0, Bytes("file "), "a list of files for FFmpeg"},
    {0, Bytes(";FFMETADATA"), "FFmpeg's metadata"},
    {0, Bytes("<?xml"), "XML, perhaps a manifest"},
    {0, Bytes("<MPD"), "a manifest"},
    {0, Bytes("v=0"), "a session description"},
    {0, Bytes("\x47\x40"), "an MPEG transport stream"},
};
constexpr const char* kRead = "MP4, QuickTime, Matroska and WebM are read";

// An EBML number of 1 to 8 bytes; its marker bit is kept for an id. False where it does not end.
bool EbmlNumber(std::string_view bytes, size_t& at, bool id, uint64_t& value) {
  if (at >= bytes.size()) return false;
  const auto first = static_cast<uint8_t>(bytes[at]);
  size_t length = 1;
  while (length <= 8 && (first & (0x100u >> length)) == 0) ++length;
  if (length > 8 || bytes.size() - at < length) return false;
  value = id ? first : first & (0xffu >> length);
  for (size_t i = 1; i < length; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  at += length;
  return true;
}

VideoKind RecogniseEbml(std::string_view bytes) {
  constexpr uint64_t kDocType = 0x4282;
  size_t at = 4;
  uint64_t size = 0;
  if (!EbmlNumber(bytes, at, false, size) || size > bytes.size() - at)
    Fail(ErrorCode::kFormat, "Matroska: the EBML header is longer than ", bytes.size(), " bytes");
  for (const std::string_view header = bytes.substr(0, at + size); at < header.size();) {
    uint64_t id = 0, length = 0;
    if (!EbmlNumber(header, at, true, id) || !EbmlNumber(header, at, false, length) || length > header.size() - at)
      Fail(ErrorCode::kFormat, "Matroska: the EBML header breaks off at byte ", at);
    std::string_view text = header.substr(at, length);
    text = text.substr(0, text.find('\0'));
    at += length;
    if (id != kDocType) continue;
    if (text == "webm") return {kVideoMatroska, "WebM"};
    if (text == "matroska") return {kVideoMatroska, "Matroska"};
    Fail(ErrorCode::kUnsupported, "the bytes are an EBML document of the type ", Escape(text, 32), "; ", kRead);
  }
  Fail(ErrorCode::kFormat, "Matroska: the EBML header names no document type");
}

std::string Head(VideoBytes& bytes) {
  std::string head(std::min<uint64_t>(bytes.size(), 4096), '\0');
  bytes.Read(0, {reinterpret_cast<uint8_t*>(head.data()), head.size()});
  return head;
}

}  // namespace

VideoKind RecogniseVideo(VideoBytes& source) {
  if (source.size() < 12) Fail(ErrorCode::kTruncated, "the clip has ", source.size(), " bytes");
  const std::string head = Head(source);
  const std::string_view bytes = head;
  if (Begins(bytes, 4, Bytes("ftyp"))) {
    const std::string_view brand = bytes.substr(8, 4);
    for (const char* picture : {"heic", "heix", "heim", "heis", "hevc", "mif1", "msf1", "avif", "avis", "crx "})
      if (brand == picture) Fail(ErrorCode::kUnsupported, "the bytes are a picture file (brand ", brand, "), no video; ", kRead);
    if (brand == "jp2 " || brand == "mjp2") Fail(ErrorCode::kUnsupported, "the bytes are a JPEG 2000 file; ", kRead);
    return {kVideoMov, brand == "qt  " ? "QuickTime" : "MP4"};
  }
  for (const char* box : {"moov", "mdat", "wide", "free", "skip", "pnot"})
    if (Begins(bytes, 4, std::string_view(box, 4))) return {kVideoMov, "QuickTime"};
  if (Begins(bytes, 0, Bytes("\x1a\x45\xdf\xa3"))) return RecogniseEbml(bytes);
  for (const Magic& other : kOthers)
    if (Begins(bytes, other.at, other.bytes)) Fail(ErrorCode::kUnsupported, "the bytes are ", other.name, "; ", kRead);
  Fail(ErrorCode::kUnsupported, "the bytes are no video that is read: they begin with ", Escape(bytes.substr(0, 12), 12), "; ",
       kRead);
}

void CheckSegment(VideoBytes& bytes) {
  const std::string head = Head(bytes);
  size_t at = 4;
  uint64_t header = 0, id = 0, size = 0;
  if (!EbmlNumber(head, at, false, header) || header > head.size() - at) return;
  at += header;
  if (!EbmlNumber(head, at, true, id)) return;
  const size_t size_at = at;
  if (!EbmlNumber(head, at, false, size)) return;  // FFmpeg says what it thinks of it
  const uint64_t unknown = (uint64_t{1} << (7 * (at - size_at))) - 1;
  if (id == 0x18538067 && size != unknown && size > bytes.size() - at)
    Fail(ErrorCode::kTruncated, "Matroska: the segment has ", size, " bytes, ", bytes.size() - at, " are there");
}

VideoStatus VideoFile::Read(void* context, uint64_t offset, uint8_t* to, uint64_t size) noexcept {
  auto* const self = static_cast<VideoFile*>(context);
  try {
    self->bytes_->Read(offset, {to, size});
    return 0;
  } catch (const Error& error) {
    self->read_error_ = error;
    return static_cast<VideoStatus>(error.code());
  } catch (...) {
    return static_cast<VideoStatus>(ErrorCode::kInternal);
  }
}

VideoFile::VideoFile(std::unique_ptr<VideoBytes> bytes, const VideoRequest& request) : bytes_(std::move(bytes)) {
  const std::string folder(request.folder);
  OnOwnThread([&] {
    kind_ = RecogniseVideo(*bytes_);
    if (kind_.container == kVideoMov) {
      CheckBoxes(*bytes_);
    } else {
      CheckSegment(*bytes_);
    }
    const PluginEntry& entry =
        OpenPlugin({.name = "video", .contract = SCOUT_VIDEO_CONTRACT, .folder = folder, .purpose = "reading video"});
    table_ = static_cast<const VideoTable*>(entry.table);
    host_ = {.context = this,
             .size = bytes_->size(),
             .read = &VideoFile::Read,
             .cancelled = +[](void* context) noexcept -> int32_t {
               return static_cast<VideoFile*>(context)->cancelled_.load(std::memory_order_relaxed) ? 1 : 0;
             },
             .log_wanted = &LogWanted,
             .log_line = &LogLine};
    const VideoLimits limits = {.max_pixels = request.max_pixels,
                                .max_work = request.max_work,
                                .max_read_bytes = bytes_->size() > (UINT64_MAX - kReadExtra) / kReadFactor
                                                      ? UINT64_MAX
                                                      : kReadFactor * bytes_->size() + kReadExtra,
                                .threads = request.threads,
                                .reserved = 0};
    VideoMessage message = {};
    Check(table_->open(&host_, &limits, kind_.container, &decoder_, &header_, &message), message);
  });
}

VideoFile::~VideoFile() {
  if (decoder_ == nullptr) return;
  try {
    OnOwnThread([this] { table_->close(decoder_); });
  } catch (...) {  // no thread to be had: here then
    table_->close(decoder_);
  }
}

void VideoFile::Check(VideoStatus status, const VideoMessage& message) {
  if (status == 0) return;
  if (read_error_) throw Error(*read_error_);
  Fail(static_cast<ErrorCode>(status), message.text);
}

VideoFrame VideoFile::Find(int64_t time_us) {
  VideoFrame frame = {};
  OnOwnThread([&] {
    VideoMessage message = {};
    Check(table_->find(decoder_, time_us, &frame, &message), message);
  });
  return frame;
}

std::vector<uint8_t> VideoFile::Pixels() {
  std::vector<uint8_t> pixels(size_t{3} * header_.width * header_.height);
  OnOwnThread([&] {
    VideoMessage message = {};
    Check(table_->pixels(decoder_, pixels.data(), &message), message);
  });
  return pixels;
}

}  // namespace scout::media

#include "media/media_file.h"

#include <cstring>

#include "base/checked.h"
#include "base/error.h"
#include "base/plugin.h"
#include "media/magic.h"

namespace scout::media {
namespace {

constexpr const char* kNames[kMediaFormats] = {"PNG", "JPEG", "WebP"};
// For the decoder's own tables, whatever the size.
constexpr uint64_t kDecoderBytes = uint64_t{16} << 20;

// What people have and we do not read.
constexpr Magic kOthers[] = {
    {0, Bytes("GIF8"), "a GIF"},
    {0, Bytes("II*\0"), "a TIFF"},
    {0, Bytes("MM\0*"), "a TIFF"},
    {0, Bytes("BM"), "a BMP"},
    {4, Bytes("ftypheic"), "an HEIC picture"},
    {4, Bytes("ftypheix"), "an HEIC picture"},
    {4, Bytes("ftypmif1"), "an HEIF picture"},
    {4, Bytes("ftypavif"), "an AVIF picture"},
    {4, Bytes("ftyp"), "a video (MP4 or QuickTime)"},
    {0, Bytes("\x1a\x45\xdf\xa3"), "a video (Matroska or WebM)"},
    {0, Bytes("\0\0\0\x0cjP  "), "a JPEG 2000 picture"},
    {0, Bytes("\xff\x4f\xff\x51"), "a JPEG 2000 picture"},
    {0, Bytes("\xff\x0a"), "a JPEG XL picture"},
    {0, Bytes("\0\0\0\x0cJXL "), "a JPEG XL picture"},
    {0, Bytes("%PDF"), "a PDF"},
    {0, Bytes("PK\x03\x04"), "a ZIP archive"},
    {0, Bytes("<svg"), "an SVG"},
    {0, Bytes("<?xml"), "XML, perhaps an SVG"},
    {0, Bytes("#EXTM3U"), "a playlist"},
};

// Where a PNG's chunks end, as far as their lengths tell.
size_t EndOfPng(std::string_view bytes) {
  size_t at = 8;
  while (bytes.size() - at >= 12) {
    uint32_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[at + i]);
    if (length > bytes.size() - at - 12) break;
    const bool last = bytes.substr(at + 4, 4) == "IEND";
    at += 12 + size_t{length};
    if (last) return at;
  }
  return bytes.size();
}

MediaFormat Recognise(std::span<const uint8_t> span) {
  if (span.empty()) Fail(ErrorCode::kTruncated, "the picture has 0 bytes");
  const std::string_view bytes(reinterpret_cast<const char*>(span.data()), span.size());
  if (Begins(bytes, 0, Bytes("\x89PNG\r\n\x1a\n"))) {
    // One file that two programs read as two things is somebody's trick.
    if (Begins(bytes, EndOfPng(bytes), Bytes("PK\x03\x04")))
      Fail(ErrorCode::kUnsupported, "the bytes are a PNG with a ZIP archive behind it: a picture alone is read");
    return kMediaPng;
  }
  if (Begins(bytes, 0, Bytes("\xff\xd8\xff"))) return kMediaJpeg;
  if (Begins(bytes, 0, Bytes("RIFF")) && Begins(bytes, 8, Bytes("WEBP"))) return kMediaWebp;
  for (const Magic& other : kOthers)
    if (Begins(bytes, other.at, other.bytes))
      Fail(ErrorCode::kUnsupported, "the bytes are ", other.name, "; PNG, JPEG and WebP are read");
  for (const std::string_view whole : {Bytes("\x89PNG\r\n\x1a\n"), Bytes("\xff\xd8\xff")})
    if (bytes.size() < whole.size() && whole.starts_with(bytes))
      Fail(ErrorCode::kTruncated, "the picture has ", bytes.size(), " bytes");
  Fail(ErrorCode::kUnsupported, "the bytes are neither PNG, JPEG nor WebP: they begin with ", Escape(bytes, 12));
}

const MediaDecoder* FindDecoder(MediaFormat format, std::string_view folder) {
  const PluginEntry& entry =
      OpenPlugin({.name = "media", .contract = SCOUT_MEDIA_CONTRACT, .folder = folder, .purpose = "reading PNG, JPEG and WebP"});
  const auto* const table = static_cast<const MediaTable*>(entry.table);
  const MediaDecoder* const decoder = &table->decoders[format];
  if (decoder->library == nullptr)
    Fail(ErrorCode::kUnsupported, "the plug-in media was built without ", kNames[format], ": its library was not there");
  return decoder;
}

void Check(MediaStatus status, const MediaMessage& message) {
  if (status != 0) Fail(static_cast<ErrorCode>(status), message.text);
}

}  // namespace

MediaFile::MediaFile(std::span<const uint8_t> bytes, std::string_view folder)
    : bytes_(bytes), format_(Recognise(bytes)), decoder_(FindDecoder(format_, folder)) {
  MediaMessage message = {};
  Check(decoder_->read_header(bytes.data(), bytes.size(), &header_, &message), message);
}

const char* MediaFile::format() const { return kNames[format_]; }

Picture MediaFile::Decode() const {
  if (bytes_.size() < header_.least_bytes)
    Fail(ErrorCode::kTruncated, kNames[format_], ": ", header_.width, " x ", header_.height, " pixels take at least ",
         header_.least_bytes, " bytes, the picture has ", bytes_.size());
  Picture picture = {header_.width, header_.height, static_cast<int32_t>(header_.channels), nullptr};
  const uint64_t pixels = CheckedMul(header_.width, header_.height, "picture");
  const uint64_t size = CheckedMul(pixels, header_.channels, "picture");
  picture.pixels.reset(new uint8_t[CheckedAdd(size, kPictureTail, "picture")]);
  std::memset(picture.pixels.get() + size, 0, kPictureTail);
  MediaMessage message = {};
  Check(decoder_->decode(bytes_.data(), bytes_.size(), &header_,
                         CheckedAdd(kDecoderBytes, CheckedMul(pixels, 8, "picture"), "picture"), picture.pixels.get(), &message),
        message);
  return picture;
}

}  // namespace scout::media

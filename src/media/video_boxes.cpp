// The structure of MP4 and QuickTime, checked before FFmpeg reads it. Its demuxer makes an index entry for each sample that a table
// announces, and tables may announce four thousand million in twelve bytes.
#include <algorithm>
#include <array>
#include <string>

#include "media/video_file.h"

namespace scout::media {
namespace {

using Name = std::array<char, 4>;

// The clip through a window, so that boxes of a few bytes are not a read each.
class Window {
 public:
  explicit Window(VideoBytes& bytes) : bytes_(bytes) {}

  // Big-endian. The caller has made sure that they are there.
  uint64_t Number(uint64_t at, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | Byte(at + i);
    return value;
  }
  uint8_t Byte(uint64_t at) {
    if (at < begin_ || at - begin_ >= size_) {
      begin_ = at;
      size_ = std::min<uint64_t>(sizeof buffer_, bytes_.size() - at);
      bytes_.Read(begin_, {buffer_, size_});
    }
    return buffer_[at - begin_];
  }

 private:
  VideoBytes& bytes_;
  uint64_t begin_ = 0, size_ = 0;
  uint8_t buffer_[4096];
};

struct Box {
  std::string name;
  uint64_t begin, end;  // of what it holds
  std::string Said() const { return StrCat("box ", Escape(name, 4), " at byte ", begin); }
};

// What a track's tables announce.
struct Track {
  uint64_t samples = 0, chunks = 0, times = 0, time_entries = 0, first_delta = 0, offsets = 0, edits = 1, chunk_samples = 0,
           sample_bytes = 0;
  bool sound = false, pictures = false;  // of its handlers
};

class Walker {
 public:
  explicit Walker(VideoBytes& bytes) : bytes_(bytes), window_(bytes) {}

  void Walk() {
    Children(0, bytes_.size(), 0, nullptr);
    if (!movie_) Fail(ErrorCode::kTruncated, "MP4: there is no box moov: the file's index is missing");
  }

 private:
  void Children(uint64_t at, uint64_t end, int depth, Track* track) {
    if (depth > kMaxBoxDepth) Fail(ErrorCode::kLimit, "MP4: boxes are nested deeper than ", kMaxBoxDepth, " at byte ", at);
    while (end - at >= 8) {
      if (++boxes_ > kMaxBoxes) Fail(ErrorCode::kLimit, "MP4: there are more than ", kMaxBoxes, " boxes");
      uint64_t size = window_.Number(at, 4), header = 8;
      Box box;
      for (uint64_t i = 4; i < 8; ++i) box.name += static_cast<char>(window_.Byte(at + i));
      if (depth > 0 && size == 0 && window_.Number(at + 4, 4) == 0) return;  // QuickTime ends some lists with four zeros
      if (size == 1) {
        if (end - at < 16) Fail(ErrorCode::kFormat, "MP4: the size of a box at byte ", at, " does not fit its parent");
        size = window_.Number(at + 8, 8);
        header = 16;
      } else if (size == 0) {
        if (depth > 0) Fail(ErrorCode::kFormat, "MP4: the box at byte ", at, " has size 0 inside another");
        size = end - at;
      }
      if (size < header) Fail(ErrorCode::kFormat, "MP4: the box at byte ", at, " has size ", size, ", at least ", header);
      if (size > end - at)
        Fail(depth == 0 ? ErrorCode::kTruncated : ErrorCode::kFormat, "MP4: box ", Escape(box.name, 4), " at byte ", at,
             " has size ", size, ", ", end - at, " bytes are there");
      box.begin = at + header;
      box.end = at + size;
      Look(box, depth, track);
      at = box.end;
    }
  }

  void Look(const Box& box, int depth, Track* track) {
    const std::string& name = box.name;
    if (name == "moov") movie_ = true;
    if (name == "cmov") Fail(ErrorCode::kUnsupported, "MP4: ", box.Said(), " is a compressed index, which is not read");
    if (name == "rmra") Fail(ErrorCode::kUnsupported, "MP4: ", box.Said(), " refers to other files, which are not opened");
    if (name == "trak") {
      Track own;
      Children(box.begin, box.end, depth + 1, &own);
      CheckTrack(box, own);
      return;
    }
    for (const char* parent : {"moov", "mdia", "minf", "stbl", "dinf", "edts", "mvex", "moof", "traf"})
      if (name == parent) return Children(box.begin, box.end, depth + 1, track);
    if (name == "trun") return Run(box);
    if (track == nullptr) return;
    if (name == "stsz") {
      track->sample_bytes = Room(box, 12) ? window_.Number(box.begin + 4, 4) : 0;  // 0: each has its own
      track->samples = Entries(box, 8, track->sample_bytes != 0 ? 0 : 32);
    } else if (name == "stz2") {
      track->samples = Entries(box, 8, Room(box, 12) ? window_.Byte(box.begin + 7) : 8);
    } else if (name == "stco") {
      track->chunks = Entries(box, 4, 32);
    } else if (name == "co64") {
      track->chunks = Entries(box, 4, 64);
    } else if (name == "stss") {
      (void)Entries(box, 4, 32);
    } else if (name == "stts") {
      track->time_entries = Entries(box, 4, 64);
      track->times = Sum(box, track->time_entries);
      if (track->time_entries > 0) track->first_delta = window_.Number(box.begin + 12, 4);
    } else if (name == "ctts") {
      track->offsets = Sum(box, Entries(box, 4, 64));
    } else if (name == "stsc") {
      const uint64_t entries = Entries(box, 4, 96);
      for (uint64_t i = 0; i < entries; ++i)
        track->chunk_samples = std::max(track->chunk_samples, window_.Number(box.begin + 8 + 12 * i + 4, 4));
    } else if (name == "elst") {
      track->edits = Entries(box, 4, Room(box, 8) && window_.Byte(box.begin) == 1 ? 160 : 96);
    } else if (name == "hdlr" && Room(box, 12)) {
      const uint64_t kind = window_.Number(box.begin + 8, 4);
      track->sound = track->sound || kind == 0x736f756e;        // soun
      track->pictures = track->pictures || kind == 0x76696465;  // vide
    } else if (name == "dref") {
      References(box);
    }
  }

  bool Room(const Box& box, uint64_t bytes) const { return box.end - box.begin >= bytes; }

  // The 32-bit number of entries at byte `at` of what the box holds, which must have that many behind it.
  uint64_t Entries(const Box& box, uint64_t at, uint64_t entry_bits) {
    if (!Room(box, at + 4))
      Fail(ErrorCode::kFormat, "MP4: ", box.Said(), " holds ", box.end - box.begin, " bytes, at least ", at + 4);
    const uint64_t entries = window_.Number(box.begin + at, 4), room = box.end - box.begin - at - 4;
    if (entries * entry_bits > 8 * room)
      Fail(ErrorCode::kFormat, "MP4: ", box.Said(), " announces ", entries, " entries, it has ", room, " bytes for them");
    return entries;
  }

  // Of the counts of a table of (count, value).
  uint64_t Sum(const Box& box, uint64_t entries) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < entries; ++i) sum += window_.Number(box.begin + 8 + 8 * i, 4);
    return sum;
  }

  void References(const Box& box) {
    const uint64_t entries = Entries(box, 4, 96);
    uint64_t at = box.begin + 8;
    for (uint64_t i = 0; i < entries && box.end - at >= 12; ++i) {
      const uint64_t size = window_.Number(at, 4);
      if (size < 12 || size > box.end - at) Fail(ErrorCode::kFormat, "MP4: ", box.Said(), " has an entry of ", size, " bytes");
      if ((window_.Byte(at + 11) & 1) == 0)
        Fail(ErrorCode::kUnsupported, "MP4: ", box.Said(), " keeps its frames in another file, which is not opened");
      at += size;
    }
  }

  void Run(const Box& box) {
    if (!Room(box, 8)) Fail(ErrorCode::kFormat, "MP4: ", box.Said(), " holds ", box.end - box.begin, " bytes, at least 8");
    const uint64_t flags = window_.Number(box.begin, 4), entries = window_.Number(box.begin + 4, 4);
    uint64_t entry = 0, before = 8;
    for (const uint64_t flag : {uint64_t{0x100}, uint64_t{0x200}, uint64_t{0x400}, uint64_t{0x800}})
      entry += (flags & flag) != 0 ? 4 : 0;
    for (const uint64_t flag : {uint64_t{1}, uint64_t{4}}) before += (flags & flag) != 0 ? 4 : 0;
    if (!Room(box, before) || entries * entry > box.end - box.begin - before)
      Fail(ErrorCode::kFormat, "MP4: ", box.Said(), " announces ", entries, " entries, it holds ", box.end - box.begin, " bytes");
    run_samples_ += entries;
    if (run_samples_ > kMaxVideoSamples)
      Fail(ErrorCode::kLimit, "MP4: the fragments announce ", run_samples_, " samples, at most ", kMaxVideoSamples);
  }

  void CheckTrack(const Box& box, const Track& track) {
    // Sound without compression has a sample each 20 microseconds; FFmpeg indexes it by blocks of 1024 at most.
    const bool sound = track.sound && !track.pictures && track.time_entries == 1 && track.first_delta == 1 &&
                       track.sample_bytes != 0 && track.samples * track.sample_bytes <= bytes_.size();
    const uint64_t blocks = track.chunks * (track.chunk_samples / 1024 + 1);
    const uint64_t most = sound ? std::max(blocks, track.offsets) : std::max({track.samples, track.times, track.offsets});
    if (track.chunks > kMaxVideoSamples || most > kMaxVideoSamples)
      Fail(ErrorCode::kLimit, "MP4: ", box.Said(), " announces ", std::max(most, track.chunks), " samples, at most ",
           kMaxVideoSamples);
    // Each edit may show all of them again.
    if (track.edits > 1 && track.edits * most > kMaxVideoSamples)
      Fail(ErrorCode::kLimit, "MP4: ", box.Said(), " has ", track.edits, " edits of ", most, " samples, at most ", kMaxVideoSamples,
           " in all");
  }

  VideoBytes& bytes_;
  Window window_;
  bool movie_ = false;
  uint64_t boxes_ = 0, run_samples_ = 0;
};

}  // namespace

void CheckBoxes(VideoBytes& bytes) { Walker(bytes).Walk(); }

}  // namespace scout::media

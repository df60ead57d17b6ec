#include "question.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <initializer_list>
#include <system_error>

namespace cli {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// One word of a line: bytes [begin, end) of it, and what they mean without quotes and backslashes.
struct Word {
  size_t begin, end;
  std::string meaning;
};

Word NextWord(const std::string& line, size_t at) {
  while (at < line.size() && IsBlank(line[at])) ++at;
  Word word = {at, at, {}};
  char quote = 0;
  for (; at < line.size() && (quote != 0 || !IsBlank(line[at])); ++at) {
    const char c = line[at];
    if (quote == 0 && (c == '"' || (c == '\'' && at == word.begin))) {  // "don't" has no quotes in it
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && at + 1 < line.size()) {
      word.meaning += line[++at];
    } else {
      word.meaning += c;
    }
  }
  word.end = at;
  return word;
}

// What a path names by how it ends, if there is such a file.
enum class Named { kNothing, kPicture, kClip };

Named WhatIs(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto is = [&](std::initializer_list<const char*> names) {
    return std::find(names.begin(), names.end(), extension) != names.end();
  };
  const Named named = is({".png", ".jpg", ".jpeg", ".webp"})          ? Named::kPicture
                      : is({".mp4", ".m4v", ".mov", ".mkv", ".webm"}) ? Named::kClip
                                                                      : Named::kNothing;
  std::error_code error;
  return named != Named::kNothing && std::filesystem::is_regular_file(path, error) ? named : Named::kNothing;
}

}  // namespace

Image ReadImage(const std::string& path) {
  scout_image* image = nullptr;
  Check(scout_image_from_file(path.c_str(), nullptr, &image));
  return Image(image);
}

Video OpenVideo(const std::string& path, const Frames& frames) {
  scout_video_options options;
  Check(scout_video_options_init(&options, sizeof options));
  options.fps = frames.fps;
  options.count = frames.count;
  options.scene_change = frames.scene;
  scout_video* video = nullptr;
  Check(scout_video_open(path.c_str(), &options, &video));
  return Video(video);
}

void AddQuestion(scout_chat* chat, const std::vector<Image>& images, const std::vector<Video>& videos, std::string_view text) {
  uint64_t frames = 0;
  Check(scout_chat_begin(chat, SCOUT_ROLE_USER));
  for (const Image& image : images) Check(scout_chat_add_image(chat, image.get()));
  for (const Video& video : videos) Check(scout_chat_add_video(chat, video.get(), &frames));
  Check(scout_chat_add_text(chat, text.data(), text.size()));
}

std::vector<Piece> CutLine(const std::string& line, bool pictures, const Frames& frames) {
  constexpr std::string_view kScheme = "file://";
  std::vector<Piece> pieces;
  size_t text_from = 0;
  const auto add_text = [&](size_t end) {
    if (end > text_from) pieces.push_back({line.substr(text_from, end - text_from), nullptr, nullptr});
  };
  for (size_t at = 0; pictures && at < line.size();) {
    const Word word = NextWord(line, at);
    at = word.end;
    std::string path = word.meaning;
    if (path.starts_with(kScheme)) path.erase(0, kScheme.size());
    const Named named = WhatIs(path);
    if (named == Named::kNothing) continue;
    add_text(word.begin);
    if (named == Named::kPicture) {
      pieces.push_back({path, ReadImage(path), nullptr});
    } else {
      pieces.push_back({path, nullptr, OpenVideo(path, frames)});
    }
    text_from = word.end;
  }
  add_text(line.size());
  return pieces;
}

void AddPieces(scout_chat* chat, const std::vector<Piece>& pieces) {
  Check(scout_chat_begin(chat, SCOUT_ROLE_USER));
  for (const Piece& piece : pieces) {
    if (piece.image != nullptr) {
      Check(scout_chat_add_image(chat, piece.image.get()));
    } else if (piece.video != nullptr) {
      uint64_t frames = 0;
      Check(scout_chat_add_video(chat, piece.video.get(), &frames));
    } else {
      Check(scout_chat_add_text(chat, piece.text.data(), piece.text.size()));
    }
  }
}

bool SeesPictures(const scout_model* model) {
  scout_tile_options options = {};
  options.struct_size = sizeof options;
  return scout_model_get_tile_options(model, &options) == SCOUT_OK;
}

}  // namespace cli

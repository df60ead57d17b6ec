#include "question.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
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

bool NamesPicture(const std::string& path) {
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  if (extension != ".png" && extension != ".jpg" && extension != ".jpeg" && extension != ".webp") return false;
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

}  // namespace

Image ReadImage(const std::string& path) {
  scout_image* image = nullptr;
  Check(scout_image_from_file(path.c_str(), nullptr, &image));
  return Image(image);
}

void AddQuestion(scout_chat* chat, const std::vector<Image>& images, std::string_view text) {
  Check(scout_chat_begin(chat, SCOUT_ROLE_USER));
  for (const Image& image : images) Check(scout_chat_add_image(chat, image.get()));
  Check(scout_chat_add_text(chat, text.data(), text.size()));
}

std::vector<Piece> CutLine(const std::string& line, bool pictures) {
  constexpr std::string_view kScheme = "file://";
  std::vector<Piece> pieces;
  size_t text_from = 0;
  const auto add_text = [&](size_t end) {
    if (end > text_from) pieces.push_back({line.substr(text_from, end - text_from), nullptr});
  };
  for (size_t at = 0; pictures && at < line.size();) {
    const Word word = NextWord(line, at);
    at = word.end;
    std::string path = word.meaning;
    if (path.starts_with(kScheme)) path.erase(0, kScheme.size());
    if (!NamesPicture(path)) continue;
    add_text(word.begin);
    pieces.push_back({path, ReadImage(path)});
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

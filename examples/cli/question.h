// What is said to a model: text, with pictures and clips in it.
#pragma once

#include "common.h"

namespace cli {

Image ReadImage(const std::string& path);

// Which frames of a clip are shown.
struct Frames {
  double fps = 0;    // 0 = 1
  int count = 0;     // 0 = by fps
  double scene = 0;  // percent; 0 = all
};
Video OpenVideo(const std::string& path, const Frames& frames);

// Adds the user's message: the pictures, the clips, then the text.
void AddQuestion(scout_chat* chat, const std::vector<Image>& images, const std::vector<Video>& videos, std::string_view text);

// A line as it was typed, cut where the path of a picture or a clip was pasted or dragged into it.
struct Piece {
  std::string text;  // or, where one of these is set, the path as it stood in the line
  Image image;
  Video video;
};

// A path is a word that ends in .png, .jpg, .jpeg or .webp, or in .mp4, .m4v, .mov, .mkv or .webm, and names a file: in quotes,
// with backslashes before its blanks, after "file://", as terminals paste them. With `pictures` false the whole line is one piece
// of text. Throws Failure when such a file cannot be read.
std::vector<Piece> CutLine(const std::string& line, bool pictures, const Frames& frames = {});

// Adds the user's message of these pieces, in their order.
void AddPieces(scout_chat* chat, const std::vector<Piece>& pieces);

// Whether the model was loaded with eyes.
bool SeesPictures(const scout_model* model);

}  // namespace cli

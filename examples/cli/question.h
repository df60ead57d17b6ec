// What is said to a model: text, with pictures in it.
#pragma once

#include "common.h"

namespace cli {

Image ReadImage(const std::string& path);

// Adds the user's message: the pictures, then the text.
void AddQuestion(scout_chat* chat, const std::vector<Image>& images, std::string_view text);

// A line as it was typed, cut where the path of a picture was pasted or dragged into it.
struct Piece {
  std::string text;  // or, where `image` is set, the path as it stood in the line
  Image image;
};

// A path is a word that ends in .png, .jpg, .jpeg or .webp and names a file: in quotes, with backslashes before its blanks, after
// "file://", as terminals paste them. With `pictures` false the whole line is one piece of text. Throws Failure when such a file
// cannot be read.
std::vector<Piece> CutLine(const std::string& line, bool pictures);

// Adds the user's message of these pieces, in their order.
void AddPieces(scout_chat* chat, const std::vector<Piece>& pieces);

// Whether the model was loaded with eyes.
bool SeesPictures(const scout_model* model);

}  // namespace cli

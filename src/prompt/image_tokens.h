// What a picture is in a prompt: control tokens between which its patches stand.
//
//   one tile:  <|image_start|> <|image|> <|patch|> x n <|image_end|>
//   more:      <|image_start|>
//              each row of the grid:  <|patch|> x n, <|tile_x_separator|> between columns; <|tile_y_separator|> after each row, the
//              last too
//              <|image|> <|patch|> x n                 the whole picture
//              <|image_end|>
//
// The i-th <|patch|> of the picture receives row i of what the vision tower made of its tiles, in the order of ImageTiles.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "prompt/image_canvas.h"
#include "prompt/tokenizer.h"

namespace scout::prompt {

enum class ImageToken : uint8_t { kStart, kEnd, kWhole, kPatch, kNextColumn, kNextRow };
inline constexpr size_t kImageTokenKinds = 6;

const char* NameOf(ImageToken token);  // "<|image_start|>"

// `count` tokens of a kind, one behind the other.
struct ImageTokenRun {
  ImageToken token;
  int64_t count;
};

std::vector<ImageTokenRun> ImageLayout(TileGrid grid, int64_t patch_tokens);

// Of ImageLayout, without making it.
int64_t ImageTokenCount(TileGrid grid, int64_t patch_tokens);

// The ids of the kinds in a vocabulary.
class ImageTokenIds {
 public:
  // Throws kState naming the token that the vocabulary lacks.
  explicit ImageTokenIds(const Tokenizer& tokenizer);
  TokenId operator[](ImageToken token) const { return ids_[static_cast<size_t>(token)]; }

 private:
  TokenId ids_[kImageTokenKinds];
};

// A picture in a prompt: what its tokens depend on.
struct ImagePart {
  TileGrid grid;
  int64_t patch_tokens = 0;  // of a tile
};

// Where a picture's tokens begin in a prompt.
struct ImagePlace {
  int64_t first = 0;
  ImagePart image;
};

void AppendImageTokens(TileGrid grid, int64_t patch_tokens, const ImageTokenIds& ids, std::vector<TokenId>& out);

// The i-th <|image|> of the text, which is otherwise plain, or of the ids, becomes images[i]: appended to `out`, and where it
// begins to `places`. Throws kArgument, with both counts, unless there are as many.
void AppendTextWithImages(std::string_view text, std::span<const ImagePart> images, const Tokenizer& tokenizer,
                          std::vector<TokenId>& out, std::vector<ImagePlace>& places);
void AppendIdsWithImages(std::span<const TokenId> ids, std::span<const ImagePart> images, const ImageTokenIds& kinds,
                         std::vector<TokenId>& out, std::vector<ImagePlace>& places);

}  // namespace scout::prompt

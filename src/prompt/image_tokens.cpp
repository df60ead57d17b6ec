#include "prompt/image_tokens.h"

#include <algorithm>

#include "base/error.h"

namespace scout::prompt {
namespace {

void CheckPlaceholders(size_t placeholders, size_t images) {
  if (placeholders != images)
    Fail(ErrorCode::kArgument, "the prompt has ", placeholders, " <|image|> and ", images,
         images == 1 ? " picture is" : " pictures are", " given; each <|image|> becomes one of them");
}

void AppendImage(const ImagePart& image, const ImageTokenIds& kinds, std::vector<TokenId>& out, std::vector<ImagePlace>& places) {
  places.push_back({static_cast<int64_t>(out.size()), image});
  AppendImageTokens(image.grid, image.patch_tokens, kinds, out);
}

}  // namespace

const char* NameOf(ImageToken token) {
  constexpr const char* kNames[kImageTokenKinds] = {"<|image_start|>", "<|image_end|>",        "<|image|>",
                                                    "<|patch|>",       "<|tile_x_separator|>", "<|tile_y_separator|>"};
  return kNames[static_cast<size_t>(token)];
}

std::vector<ImageTokenRun> ImageLayout(TileGrid grid, int64_t patch_tokens) {
  std::vector<ImageTokenRun> runs = {{ImageToken::kStart, 1}};
  if (grid.tiles() > 1) {
    for (int64_t row = 0; row < grid.rows; ++row) {
      for (int64_t column = 0; column < grid.columns; ++column) {
        if (column != 0) runs.push_back({ImageToken::kNextColumn, 1});
        runs.push_back({ImageToken::kPatch, patch_tokens});
      }
      runs.push_back({ImageToken::kNextRow, 1});
    }
  }
  runs.push_back({ImageToken::kWhole, 1});
  runs.push_back({ImageToken::kPatch, patch_tokens});
  runs.push_back({ImageToken::kEnd, 1});
  return runs;
}

int64_t ImageTokenCount(TileGrid grid, int64_t patch_tokens) {
  const int64_t separators = grid.tiles() > 1 ? grid.rows * grid.columns : 0;  // one behind each tile
  return grid.tiles() * patch_tokens + separators + 3;
}

ImageTokenIds::ImageTokenIds(const Tokenizer& tokenizer) {
  for (size_t i = 0; i < kImageTokenKinds; ++i) {
    const char* const name = NameOf(static_cast<ImageToken>(i));
    ids_[i] = tokenizer.Find(name);
    if (ids_[i] == kNoToken) Fail(ErrorCode::kState, "the vocabulary has no ", name, ", which images need");
  }
}

void AppendImageTokens(TileGrid grid, int64_t patch_tokens, const ImageTokenIds& ids, std::vector<TokenId>& out) {
  out.reserve(out.size() + static_cast<size_t>(ImageTokenCount(grid, patch_tokens)));
  for (const ImageTokenRun& run : ImageLayout(grid, patch_tokens))
    out.insert(out.end(), static_cast<size_t>(run.count), ids[run.token]);
}

void AppendTextWithImages(std::string_view text, std::span<const ImagePart> images, const Tokenizer& tokenizer,
                          std::vector<TokenId>& out, std::vector<ImagePlace>& places) {
  const std::string_view name = NameOf(ImageToken::kWhole);
  size_t placeholders = 0;
  for (size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + name.size())) ++placeholders;
  CheckPlaceholders(placeholders, images.size());
  const ImageTokenIds kinds(tokenizer);
  for (const ImagePart& image : images) {
    const size_t at = text.find(name);
    tokenizer.EncodeAppend(text.substr(0, at), {}, out);
    AppendImage(image, kinds, out, places);
    text.remove_prefix(at + name.size());
  }
  tokenizer.EncodeAppend(text, {}, out);
}

void AppendIdsWithImages(std::span<const TokenId> ids, std::span<const ImagePart> images, const ImageTokenIds& kinds,
                         std::vector<TokenId>& out, std::vector<ImagePlace>& places) {
  const TokenId placeholder = kinds[ImageToken::kWhole];
  CheckPlaceholders(static_cast<size_t>(std::count(ids.begin(), ids.end(), placeholder)), images.size());
  size_t next = 0;
  for (const TokenId id : ids) {
    if (id == placeholder)
      AppendImage(images[next++], kinds, out, places);
    else
      out.push_back(id);
  }
}

}  // namespace scout::prompt

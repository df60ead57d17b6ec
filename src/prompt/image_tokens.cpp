#include "prompt/image_tokens.h"

#include "base/error.h"

namespace scout::prompt {

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

}  // namespace scout::prompt

#include "prompt/llama4_tokens.h"

#include "base/text.h"

namespace scout::prompt {
namespace {

// Either one name, or a numbered family: name + (first + i) + "|>" for i in [0, count).
struct Names {
  size_t begin;  // index of the first
  size_t count;
  const char* name;
  size_t first;
  bool numbered;
};

constexpr Names kNames[] = {
    {0, 1, kBeginOfText, 0, false},
    {1, 1, kEndOfText, 0, false},
    {2, 1, "<|fim_prefix|>", 0, false},
    {3, 1, "<|fim_middle|>", 0, false},
    {4, 1, "<|fim_suffix|>", 0, false},
    {5, 1, kHeaderStart, 0, false},
    {6, 1, kHeaderEnd, 0, false},
    {7, 1, kEndOfMessage, 0, false},
    {8, 1, kEndOfTurn, 0, false},
    {9, 1, "<|step|>", 0, false},
    {10, 6, "<|text_post_train_reserved_special_token_", 0, true},
    {16, 1, "<|python_start|>", 0, false},
    {17, 1, "<|python_end|>", 0, false},
    {18, 1, "<|finetune_right_pad|>", 0, false},
    {19, 61, "<|text_post_train_reserved_special_token_", 8, true},
    {80, 1, "<|image_start|>", 0, false},
    {81, 1, "<|image_end|>", 0, false},
    {82, 2, "<|vision_reserved_special_token_", 0, true},
    {84, 1, "<|tile_x_separator|>", 0, false},
    {85, 1, "<|tile_y_separator|>", 0, false},
    {86, 4, "<|vision_reserved_special_token_", 2, true},
    {90, 1, "<|image|>", 0, false},
    {91, 1, "<|vision_reserved_special_token_", 6, true},
    {92, 1, "<|patch|>", 0, false},
    {93, 1041, "<|vision_reserved_special_token_", 7, true},
    {1134, 8, "<|reasoning_reserved_special_token_", 0, true},
    {1142, 1, "<|reasoning_thinking_start|>", 0, false},
    {1143, 1, "<|reasoning_thinking_end|>", 0, false},
    {1144, 904, "<|reserved_special_token_", 0, true},
};

constexpr bool Contiguous() {
  size_t next = 0;
  for (const Names& names : kNames) {
    if (names.begin != next) return false;
    next += names.count;
  }
  return next == kLlama4ControlTokens;
}
static_assert(Contiguous());

}  // namespace

std::string Llama4ControlName(size_t index) {
  for (const Names& names : kNames) {
    if (index >= names.begin + names.count) continue;
    if (!names.numbered) return names.name;
    return StrCat(names.name, names.first + (index - names.begin), "|>");
  }
  return {};
}

}  // namespace scout::prompt

// The names of Llama 4's 2,048 control tokens, in order: the first follows the last text token (id 200000 in the released
// vocabulary of 200,000 text tokens).
#pragma once

#include <cstddef>
#include <string>

namespace scout::prompt {

inline constexpr size_t kLlama4TextTokens = 200000;
inline constexpr size_t kLlama4ControlTokens = 2048;

inline constexpr char kBeginOfText[] = "<|begin_of_text|>";
inline constexpr char kEndOfText[] = "<|end_of_text|>";
inline constexpr char kHeaderStart[] = "<|header_start|>";
inline constexpr char kHeaderEnd[] = "<|header_end|>";
inline constexpr char kEndOfMessage[] = "<|eom|>";
inline constexpr char kEndOfTurn[] = "<|eot|>";

// The name of control token `index`, index < kLlama4ControlTokens.
std::string Llama4ControlName(size_t index);

}  // namespace scout::prompt

#include "prompt/chat_format.h"

#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "prompt/llama4_tokens.h"
#include "prompt/unicode_tables.h"

namespace scout::prompt {
namespace {

const char* NameOf(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
    case Role::kTool:
      return "ipython";
  }
  Fail(ErrorCode::kArgument, "the message's role is ", static_cast<int>(role), ", expected 0 (system) to 3 (tool)");
}

// What Python's str.strip removes, and with it the template's trim: White_Space and the four separators U+001C to U+001F.
bool IsTrimmed(const Utf8Char& c) {
  if (c.length == 0) return false;
  const CharClass kind = ClassOf(c.code_point);
  return kind == CharClass::kSpace || kind == CharClass::kNewline || (c.code_point >= 0x1c && c.code_point <= 0x1f);
}

std::string_view Trim(std::string_view text) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  const unsigned char* first = begin;
  const unsigned char* last = begin + text.size();
  while (first < last) {
    const Utf8Char c = DecodeUtf8(first, last);
    if (!IsTrimmed(c)) break;
    first += c.length;
  }
  // Backwards: a white-space character is one to three bytes.
  while (first < last) {
    const unsigned char* at = last - 1;
    while (at > first && last - at < 3 && (*at & 0xc0) == 0x80) --at;
    const Utf8Char c = DecodeUtf8(at, last);
    if (!IsTrimmed(c) || at + c.length != last) break;
    last = at;
  }
  return text.substr(static_cast<size_t>(first - begin), static_cast<size_t>(last - first));
}

}  // namespace

ChatFormat::ChatFormat(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {
  const auto control = [&](const char* name) {
    const TokenId id = tokenizer_->Find(name);
    return id != kNoToken && tokenizer_->Kind(id) == TokenKind::kControl ? id : kNoToken;
  };
  const auto needed = [&](const char* name) {
    const TokenId id = control(name);
    if (id == kNoToken)
      Fail(ErrorCode::kState, "the model's vocabulary has no control token ", name, ", which the chat format needs");
    return id;
  };
  begin_of_text_ = needed(kBeginOfText);
  header_start_ = needed(kHeaderStart);
  header_end_ = needed(kHeaderEnd);
  end_of_turn_ = needed(kEndOfTurn);
  end_of_message_ = control(kEndOfMessage);
}

void ChatFormat::AppendHeader(Role role, std::vector<Segment>& out) const {
  const char* name = NameOf(role);
  out.push_back({header_start_, {}, {}});
  out.push_back({kNoToken, name, {}});
  out.push_back({header_end_, {}, {}});
}

void ChatFormat::AppendMessage(const Message& message, bool first, std::vector<Segment>& out) const {
  if (message.role == Role::kSystem && !first)
    Fail(ErrorCode::kArgument, "a system message comes first in a conversation or not at all");
  AppendHeader(message.role, out);
  if (message.role == Role::kSystem) {
    std::string content;
    for (const Part& part : message.parts) {
      if (part.kind == Part::Kind::kImage) Fail(ErrorCode::kArgument, "a system message has text only, no pictures");
      content.append(part.text);
    }
    out.push_back({kNoToken, StrCat("\n\n", Trim(content)), {}});
  } else {
    out.push_back({kNoToken, "\n\n", {}});
    for (const Part& part : message.parts) {
      if (part.kind == Part::Kind::kImage) {
        out.push_back({kNoToken, {}, part.image});
      } else if (out.back().image) {
        out.push_back({kNoToken, part.text, {}});
      } else {
        out.back().text.append(part.text);
      }
    }
  }
  out.push_back({end_of_turn_, {}, {}});
}

void ChatFormat::AppendAnswerHeader(std::vector<Segment>& out) const {
  AppendHeader(Role::kAssistant, out);
  out.push_back({kNoToken, "\n\n", {}});
}

void ChatFormat::AppendSegments(std::span<const Segment> segments, std::vector<TokenId>& out,
                                std::vector<ImagePlace>* images) const {
  for (const Segment& segment : segments) {
    if (segment.image) {
      if (images != nullptr) images->push_back({static_cast<int64_t>(out.size()), *segment.image});
      AppendImageTokens(segment.image->grid, segment.image->patch_tokens, ImageTokenIds(*tokenizer_), out);
    } else if (segment.control != kNoToken)
      out.push_back(segment.control);
    else
      tokenizer_->EncodeAppend(segment.text, {}, out);
  }
}

std::vector<TokenId> ChatFormat::Render(std::span<const Message> messages, bool answer, bool add_bos) const {
  std::vector<Segment> segments;
  if (add_bos) segments.push_back({begin_of_text_, {}, {}});
  for (size_t i = 0; i < messages.size(); ++i) AppendMessage(messages[i], i == 0, segments);
  if (answer) AppendAnswerHeader(segments);
  std::vector<TokenId> ids;
  AppendSegments(segments, ids);
  return ids;
}

Chat::Chat(std::shared_ptr<const ChatFormat> format, bool add_bos) : format_(std::move(format)) {
  if (add_bos) ids_.push_back(format_->begin_of_text());
  std::vector<Segment> header;
  format_->AppendAnswerHeader(header);
  format_->AppendSegments(header, answer_header_);
}

void Chat::Add(const Message& message) {
  std::vector<Segment> segments;
  format_->AppendMessage(message, size_ == 0, segments);
  format_->AppendSegments(segments, ids_, &images_);
  ++size_;
}

void Chat::Add(Role role, std::string_view text) {
  Message message;
  message.role = role;
  message.parts.push_back({Part::Kind::kText, std::string(text), {}});
  Add(message);
}

void Chat::AddAnswer(std::span<const TokenId> generated) {
  const Tokenizer& tokenizer = format_->tokenizer();
  for (const TokenId id : generated) tokenizer.TokenBytes(id);  // throws for an id outside the vocabulary
  // <|end_of_text|> ends a text, not a message of a conversation that goes on.
  if (!generated.empty() && tokenizer.IsStop(generated.back()) && generated.back() != format_->end_of_message())
    generated = generated.first(generated.size() - 1);
  const bool ended = !generated.empty() && generated.back() == format_->end_of_message() && format_->end_of_message() != kNoToken;
  ids_.insert(ids_.end(), answer_header_.begin(), answer_header_.end());
  ids_.insert(ids_.end(), generated.begin(), generated.end());
  if (!ended) ids_.push_back(format_->end_of_turn());
  ++size_;
}

std::vector<TokenId> Chat::AnswerPrompt() const {
  std::vector<TokenId> prompt = ids_;
  prompt.insert(prompt.end(), answer_header_.begin(), answer_header_.end());
  return prompt;
}

}  // namespace scout::prompt

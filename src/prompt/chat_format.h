// Llama 4's chat format: messages -> token ids.
//
//   <|begin_of_text|>
//   <|header_start|>ROLE<|header_end|>\n\nCONTENT<|eot|>      for each message
//   <|header_start|>assistant<|header_end|>\n\n               to make the model answer
//
// ROLE is system, user, assistant or ipython (a tool's result). Control tokens come from this structure only: content is
// encoded as plain text, whatever it spells. "\n\n" and the content are encoded as one text, as Hugging Face does (it matters
// when the content begins with white space). The first message, if it is the system's, is trimmed of white space at both
// ends, as the Hugging Face template does; no other content is touched.
//
// Ids only ever grow: the ids of a conversation are a prefix of those of the same conversation with one more message, which
// is what lets a next turn find the pages of the turns before. An answer of the model is added as exactly the ids that it
// generated; encoding its text again could give other ids.
//
// A picture stands in a message as image_tokens.h says, and parts the text: what is before it and what is behind it are encoded
// each by itself, with nothing in between. A system message has none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "prompt/image_tokens.h"
#include "prompt/tokenizer.h"

namespace scout::prompt {

enum class Role : uint8_t { kSystem, kUser, kAssistant, kTool };

// A part of a message.
struct Part {
  enum class Kind : uint8_t { kText, kImage } kind = Kind::kText;
  std::string text;
  ImagePart image = {};
};

struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts;
};

// What a rendered conversation consists of before anything is encoded.
struct Segment {
  TokenId control = kNoToken;      // a control token, or kNoToken for text
  std::string text;                // to be encoded as one text, never parsed for special spellings
  std::optional<ImagePart> image;  // then neither of them
};

// The rules. Thread rule: const after construction.
class ChatFormat {
 public:
  // Throws kState, naming the control token that the vocabulary lacks. The tokenizer is shared.
  explicit ChatFormat(std::shared_ptr<const Tokenizer> tokenizer);

  // Appends the segments of a message. `first` says that it is the conversation's first: a system message is trimmed there,
  // and refused (kArgument) anywhere else.
  void AppendMessage(const Message& message, bool first, std::vector<Segment>& out) const;
  // Appends the header behind which the model writes the answer.
  void AppendAnswerHeader(std::vector<Segment>& out) const;
  // Throws kState where there is a picture and the vocabulary lacks one of its tokens. `images` may be null.
  void AppendSegments(std::span<const Segment> segments, std::vector<TokenId>& out,
                      std::vector<ImagePlace>* images = nullptr) const;

  // A whole conversation at once: begin-of-text (unless `add_bos` is false), the messages, and the answer's header when
  // `answer` is true.
  std::vector<TokenId> Render(std::span<const Message> messages, bool answer = true, bool add_bos = true) const;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  TokenId begin_of_text() const { return begin_of_text_; }
  TokenId end_of_turn() const { return end_of_turn_; }
  TokenId end_of_message() const { return end_of_message_; }  // kNoToken when the vocabulary has none

 private:
  void AppendHeader(Role role, std::vector<Segment>& out) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenId begin_of_text_, header_start_, header_end_, end_of_turn_, end_of_message_;
};

// A conversation that grows: its ids so far, never rendered twice. One thread at a time.
class Chat {
 public:
  explicit Chat(std::shared_ptr<const ChatFormat> format, bool add_bos = true);

  void Add(const Message& message);
  void Add(Role role, std::string_view text);
  // Adds an answer as the ids that were generated behind AnswerPrompt(), with or without the stop token they ended with. A
  // stop token that ends a message (<|eot|>, <|eom|>) is kept; else <|eot|> is added. Throws kArgument for ids outside the
  // vocabulary.
  void AddAnswer(std::span<const TokenId> generated);

  // The messages so far, each ended.
  std::span<const TokenId> ids() const { return ids_; }
  // ids(), and the header that asks for an answer.
  std::vector<TokenId> AnswerPrompt() const;
  // The pictures so far, in the order in which they were added.
  std::span<const ImagePlace> images() const { return images_; }
  size_t size() const { return size_; }  // messages

 private:
  std::shared_ptr<const ChatFormat> format_;
  std::vector<TokenId> ids_;
  std::vector<ImagePlace> images_;
  std::vector<TokenId> answer_header_;  // the ids of AppendAnswerHeader
  size_t size_ = 0;
};

}  // namespace scout::prompt

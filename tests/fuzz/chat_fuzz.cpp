// Any bytes as a conversation. The first byte of each message says who speaks; 0x1e ends a message. The number of control
// tokens in the result is known from the number of messages, whatever the texts spell, and ids only grow.
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "prompt/chat_format.h"
#include "prompt_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace scout::prompt;
  static const auto format = std::make_shared<const ChatFormat>(fuzz::SmallTokenizer());
  const Tokenizer& tokenizer = format->tokenizer();
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Chat chat(format);
  std::vector<TokenId> before(chat.ids().begin(), chat.ids().end());
  size_t messages = 0;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\x1e'), rest.size());
    const std::string_view message = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (message.empty()) continue;
    const unsigned speaker = static_cast<unsigned char>(message[0]) % 6;
    const std::string_view text = message.substr(1);
    try {
      if (speaker == 5)
        chat.AddAnswer(tokenizer.Encode(text));
      else
        chat.Add(static_cast<Role>(speaker), text);
      ++messages;
    } catch (const scout::Error& error) {
      fuzz::Expect(error.code() == scout::ErrorCode::kArgument, "only a role is refused");
      fuzz::Expect(speaker == 4 || (speaker == 0 && messages > 0), "the role of this message");
    }
    const auto ids = chat.ids();
    fuzz::Expect(ids.size() >= before.size() && std::equal(before.begin(), before.end(), ids.begin()), "ids only grow");
    before.assign(ids.begin(), ids.end());
    fuzz::Expect(chat.size() == messages, "messages are counted");
  }
  const auto special =
      static_cast<size_t>(std::count_if(before.begin(), before.end(), [&](TokenId id) { return tokenizer.IsSpecial(id); }));
  fuzz::Expect(special == 1 + 3 * messages, "control tokens come from structure only");
  return 0;
}

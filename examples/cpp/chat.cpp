// A conversation with memory: each turn finds the pages of the turns before it and computes only what is new.
// Usage: chat [MODEL [QUESTION...]]; without questions, one per line of stdin.
#include <iostream>
#include <vector>

#include "scout_owners.h"

namespace {

using namespace scout_example;

void Turn(const Engine& engine, const Chat& chat, std::string_view question) {
  // Text can never become control tokens.
  Check(scout_chat_add(chat.get(), SCOUT_ROLE_USER, question.data(), question.size()));
  scout_request* made = nullptr;
  Check(scout_submit(engine.get(), chat.get(), nullptr, &made));
  const Request answer(made);
  const scout_event* event = nullptr;
  while (scout_request_next(answer.get(), SCOUT_WAIT, &event) == SCOUT_OK) {
    std::cout << TextOf(*event) << std::flush;
    if (event->stop == SCOUT_STOP_ERROR) throw std::runtime_error(event->message);
    if (event->stop != SCOUT_STOP_NONE)
      std::cout << "\n(" << event->prompt_tokens << " tokens of the prompt, " << event->cached_tokens << " of them remembered)\n";
  }
  Check(scout_chat_add_answer(chat.get(), answer.get()));  // exactly the tokens that were generated
}

}  // namespace

int main(int argc, char** argv) try {
  const Model model = Load(argc > 1 ? argv[1] : "scout-tiny");
  const Engine engine = EngineOf(model);
  scout_chat* made = nullptr;
  Check(scout_chat_new(model.get(), &made));
  const Chat chat(made);
  for (int i = 2; i < argc; ++i) {
    std::cout << "> " << argv[i] << "\n";
    Turn(engine, chat, argv[i]);
  }
  for (std::string line; argc <= 2 && std::getline(std::cin, line);)
    if (!line.empty()) Turn(engine, chat, line);
} catch (const std::exception& error) {
  std::cerr << "chat: " << error.what() << "\n";
  return 1;
}

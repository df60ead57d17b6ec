// The shortest program. Usage: hello [MODEL]
#include <iostream>

#include "scout_owners.h"

int main(int argc, char** argv) try {
  using namespace scout_example;
  const Model model = Load(argc > 1 ? argv[1] : "scout-tiny");
  const Request answer = Ask(EngineOf(model), "Tell me a story about a fox.");
  const scout_event* event = nullptr;
  while (scout_request_next(answer.get(), SCOUT_WAIT, &event) == SCOUT_OK) std::cout << TextOf(*event) << std::flush;
  std::cout << "\n";
} catch (const std::exception& error) {
  std::cerr << "hello: " << error.what() << "\n";
  return 1;
}

// Streaming that is cancelled from another thread after a while: the last event says so. Usage: stream [MODEL [SECONDS]]
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "scout_owners.h"

int main(int argc, char** argv) try {
  using namespace scout_example;
  const Model model = Load(argc > 1 ? argv[1] : "scout-tiny");
  scout_request_options options = Options();
  options.ignore_end = 1;  // an answer without an end
  const Request answer = Ask(EngineOf(model), "Tell me a story about a fox.", options);
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::duration<double>(argc > 2 ? std::atof(argv[2]) : 0.5));
    scout_request_cancel(answer.get());
  });
  const scout_event* event = nullptr;
  while (scout_request_next(answer.get(), SCOUT_WAIT, &event) == SCOUT_OK) {
    std::cout << TextOf(*event) << std::flush;
    if (event->stop != SCOUT_STOP_NONE)
      std::cout << "\n(" << (event->stop == SCOUT_STOP_CANCELLED ? "cancelled" : "ended") << " after " << event->generated_tokens
                << " tokens)\n";
  }
  other.join();
} catch (const std::exception& error) {
  std::cerr << "stream: " << error.what() << "\n";
  return 1;
}

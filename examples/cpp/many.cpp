// Many requests at once: they share steps, and one thread reads the events of all. Usage: many [MODEL [QUESTION...]]
#include <algorithm>
#include <iostream>
#include <vector>

#include "scout_owners.h"

int main(int argc, char** argv) try {
  using namespace scout_example;
  std::vector<std::string> questions(argv + std::min(argc, 2), argv + argc);
  if (questions.empty()) questions = {"Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?", "Hello!"};
  const Model model = Load(argc > 1 ? argv[1] : "scout-tiny");
  const Engine engine = EngineOf(model);
  std::vector<Request> requests;
  std::vector<std::string> answers(questions.size());
  for (size_t i = 0; i < questions.size(); ++i) {
    scout_request_options options = Options();
    options.max_tokens = 200;
    options.tag = i;  // comes back in each event
    requests.push_back(Ask(engine, questions[i], options));
  }
  const scout_event* event = nullptr;
  for (size_t open = requests.size(); open > 0;) {
    Check(scout_engine_next(engine.get(), SCOUT_WAIT, &event));
    answers[event->tag] += TextOf(*event);
    if (event->stop == SCOUT_STOP_NONE) continue;
    --open;
    std::cout << questions[event->tag] << "\n  " << answers[event->tag] << "\n  (" << event->generated_tokens << " tokens, waited "
              << static_cast<int>(event->queue_ms) << " ms, answered in " << static_cast<int>(event->prefill_ms + event->decode_ms)
              << " ms)\n";
  }
} catch (const std::exception& error) {
  std::cerr << "many: " << error.what() << "\n";
  return 1;
}

// How long someone waits for the first token of a model that is not loaded yet.
//
//   first_token_bench MODEL [--pack none|use|check] [--pack-file FILE] [--threads N] [--rounds N] [--tokens N] [--text TEXT]
//
// A round loads the model, asks it TEXT and reads N tokens. Printed, of the fastest round and of the median: from the call that
// loads to the model, from there to the first token, and tokens a second after it. The page cache is as it was found: run it twice.
#include <scout/scout.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

double Seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

int Fail() {
  std::fprintf(stderr, "%s\n", scout_last_error());
  return 1;
}

void Print(const char* what, const char* unit, std::vector<double> values, bool more_is_better = false) {
  std::sort(values.begin(), values.end());
  if (more_is_better) std::reverse(values.begin(), values.end());
  std::printf("%s: %.1f %s at best, %.1f median\n", what, values.front(), unit, values[values.size() / 2]);
}

}  // namespace

int main(int argc, char** argv) {
  std::string path, text = "Tell me a story about a fox.";
  scout_load_options options;
  scout_load_options_init(&options, sizeof options);
  int rounds = 5;
  int64_t tokens = 16;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (argument == "--pack")
      options.pack = std::strcmp(value, "use") == 0     ? SCOUT_PACK_USE
                     : std::strcmp(value, "check") == 0 ? SCOUT_PACK_CHECK
                                                        : SCOUT_PACK_NONE,
      ++i;
    else if (argument == "--pack-file")
      options.pack_path = value, ++i;
    else if (argument == "--threads")
      options.threads = std::atoi(value), ++i;
    else if (argument == "--rounds")
      rounds = std::max(1, std::atoi(value)), ++i;
    else if (argument == "--tokens")
      tokens = std::max(1, std::atoi(value)), ++i;
    else if (argument == "--text")
      text = value, ++i;
    else
      path = argument;
  }
  if (path.empty()) {
    std::fprintf(stderr, "usage: first_token_bench MODEL [--pack none|use|check] [--rounds N] [--tokens N] [--text TEXT]\n");
    return 2;
  }
  std::vector<double> load_ms, first_ms, rate;
  for (int round = 0; round < rounds; ++round) {
    const double begin = Seconds();
    scout_model* model = nullptr;
    if (scout_load(path.c_str(), &options, &model) != SCOUT_OK) return Fail();
    const double ready = Seconds();
    scout_request_options ask;
    scout_request_options_init(&ask, sizeof ask);
    ask.max_tokens = tokens;
    ask.ignore_end = 1;
    scout_request* request = nullptr;
    if (scout_generate(model, text.c_str(), &ask, &request) != SCOUT_OK) return Fail();
    const scout_event* event = nullptr;
    double first = 0;
    uint64_t count = 0;
    scout_status status = SCOUT_OK;
    while ((status = scout_request_next(request, SCOUT_WAIT, &event)) == SCOUT_OK) {
      count += event->id_count;
      if (first == 0 && event->id_count > 0) first = Seconds();
    }
    if (status < 0) return Fail();
    const double end = Seconds();
    load_ms.push_back(1e3 * (ready - begin));
    first_ms.push_back(1e3 * (first - ready));
    if (count > 1) rate.push_back(static_cast<double>(count - 1) / (end - first));
    scout_request_free(request);
    scout_free(model);
  }
  Print("from open to ready", "ms", load_ms);
  Print("from ready to the first token", "ms", first_ms);
  if (!rate.empty()) Print("tokens after the first", "a second", rate, true);
  return 0;
}

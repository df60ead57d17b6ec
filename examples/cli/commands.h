// The commands: each adds itself to the program and runs when it was chosen. Behind these words is CLI11, which options.cpp alone
// includes: it takes longer to compile than a command.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cli {

// What is said of an option beyond its name and help. It belongs to its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}
  Option& Required();
  Option& ShowsDefault();  // its help tells the value that it has without being given
  Option& Between(int64_t least, int64_t most);
  Option& BetweenReals(double least, double most);
  Option& OneOf(const std::vector<std::string>& words);
  Option& WithCommas();  // several values in one argument
  Option& OneEach();     // one value each time that it is given
  Option& Excludes(const Option& other);

 private:
  CLI::Option* option_;
};

// A command of the program, which owns it.
class Command {
 public:
  Command(CLI::App& app, const std::string& name, const std::string& help);
  // Value: std::string, a vector of them or of int64_t, int32_t, uint32_t, int64_t, uint64_t, float or double. What it is now is
  // the default. Names as CLI11 takes them: "-t,--threads", or "MODEL" for a positional argument.
  template <typename Value>
  Option Add(const std::string& names, Value& value, const std::string& help);
  void Flag(const std::string& names, bool& value, const std::string& help);
  void Footer(const std::string& text);
  void OnRun(std::function<void()> run);

 private:
  CLI::App* app_;
};

struct ModelOptions;
void AddModelOptions(Command& command, ModelOptions& options);

// Everything that the program understands. The manual page and the shells' completions are written from it too (describe.cpp).
void AddCommands(CLI::App& app);

void AddRun(CLI::App& app);
void AddTokenize(CLI::App& app);
void AddTiles(CLI::App& app);
void AddInspect(CLI::App& app);
void AddLogits(CLI::App& app);
void AddPerplexity(CLI::App& app);
void AddBench(CLI::App& app);
void AddPack(CLI::App& app);
void AddDevices(CLI::App& app);
void AddSelftest(CLI::App& app);

// Reads a command line and runs the command that it names; returns the exit code of a wrong one. Exceptions of the command pass.
int RunCommandLine(int argc, char** argv);

}  // namespace cli

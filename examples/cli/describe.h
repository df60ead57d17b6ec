// What the scout program understands, as data: read from the description by which it parses, for the manual page and the
// completions.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// What an argument's value can be completed with.
enum class Kind { kText, kFile, kModel, kDevice, kWords };

struct Argument {
  std::vector<std::string> spellings;  // "-t", "--threads"; empty for a positional
  std::string name;                    // "MODEL", "--threads"
  std::string value;                   // "INT"; empty for a flag
  std::string about;                   // one line, with range and default
  Kind kind = Kind::kText;
  std::string words;  // of kWords
  bool required = false;
  bool positional() const { return spellings.empty(); }
  bool operator==(const Argument&) const = default;
};

struct CommandDescription {
  std::string name;
  std::string about;
  std::vector<Argument> arguments;
  bool has_model() const { return !arguments.empty() && Find("MODEL") != nullptr; }
  const Argument* Find(const std::string& name) const;
};

struct Program {
  std::string version;
  std::vector<Argument> arguments;  // of the program itself
  std::vector<CommandDescription> commands;
  std::vector<Argument> shared;  // options that every command with a model takes, in the order of the first
};

// Throws std::logic_error when the table of values names an argument that the program does not have.
Program Describe(const CLI::App& app);

std::string ManualPage(const Program& program);
std::string BashCompletion(const Program& program);
std::string ZshCompletion(const Program& program);
std::string FishCompletion(const Program& program);

}  // namespace cli

// Writes the scout program's manual page and completions while it is built: what it parses is what they say.
// Usage: scout_describe FOLDER        FOLDER/scout.1, scout.bash, _scout, scout.fish
#include "describe.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "commands.h"
#include "common.h"

namespace cli {
namespace {

// What the parser does not know of a value.
struct Row {
  const char* name;
  Kind kind;
  const char* words;
};
constexpr Row kValues[] = {
    {"MODEL", Kind::kModel, ""},
    {"FILE", Kind::kFile, ""},
    {"--file", Kind::kFile, ""},
    {"--tokens", Kind::kFile, ""},
    {"--positions", Kind::kFile, ""},
    {"--output", Kind::kFile, ""},
    {"--device", Kind::kDevice, ""},
    {"--kv", Kind::kWords, "f16 q8 bf16 f32"},
    {"--numerics", Kind::kWords, "invariant fast float32"},
};

Argument Read(const CLI::Option& option) {
  Argument argument;
  for (const std::string& name : option.get_snames()) argument.spellings.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) argument.spellings.push_back("--" + name);
  argument.name = argument.positional() ? option.get_name(true) : argument.spellings.back();
  argument.about = option.get_description();
  argument.required = option.get_required();
  if (option.get_type_size() != 0) {
    // "INT:INT in [0 - 4096]": the type, and what is asked of the value
    const std::string type = option.get_type_name();
    const size_t colon = type.find(':');
    argument.value = type.substr(0, colon);
    std::string asked = colon == std::string::npos ? "" : type.substr(colon + 1);
    const size_t in = asked.find(" in [");
    if (in != std::string::npos) asked = asked.substr(in + 4);
    if (!asked.empty() && asked[0] == '[') argument.about += " " + asked;
    if (!option.get_default_str().empty()) argument.about += " (default " + option.get_default_str() + ")";
  }
  for (const Row& row : kValues) {
    if (argument.name != row.name || argument.value.empty()) continue;
    argument.kind = row.kind;
    argument.words = row.words;
  }
  return argument;
}

std::vector<Argument> ReadAll(const CLI::App& app) {
  std::vector<Argument> arguments;
  for (const CLI::Option* option : app.get_options()) arguments.push_back(Read(*option));
  return arguments;
}

}  // namespace

const Argument* CommandDescription::Find(const std::string& wanted) const {
  const auto at = std::find_if(arguments.begin(), arguments.end(), [&](const Argument& a) { return a.name == wanted; });
  return at == arguments.end() ? nullptr : &*at;
}

Program Describe(const CLI::App& app) {
  Program program;
  program.version = scout_version();
  program.arguments = ReadAll(app);
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    program.commands.push_back({command->get_name(), command->get_description(), ReadAll(*command)});
  for (const Row& row : kValues) {
    const bool known = std::any_of(program.commands.begin(), program.commands.end(), [&](const CommandDescription& command) {
      const Argument* argument = command.Find(row.name);
      return argument != nullptr && argument->kind == row.kind;
    });
    if (!known) throw std::logic_error(std::string("the table of values names ") + row.name + ", which no command takes");
  }
  const auto first =
      std::find_if(program.commands.begin(), program.commands.end(), [](const CommandDescription& c) { return c.has_model(); });
  if (first == program.commands.end()) return program;
  for (const Argument& argument : first->arguments) {
    const bool everywhere = std::all_of(program.commands.begin(), program.commands.end(), [&](const CommandDescription& command) {
      const Argument* same = command.Find(argument.name);
      return !command.has_model() || (same != nullptr && *same == argument);
    });
    if (everywhere && !argument.positional()) program.shared.push_back(argument);
  }
  return program;
}

}  // namespace cli

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: scout_describe FOLDER\n");
    return cli::kUsage;
  }
  try {
    CLI::App app;
    cli::AddCommands(app);
    const cli::Program program = cli::Describe(app);
    const std::pair<const char*, std::string> files[] = {{"scout.1", cli::ManualPage(program)},
                                                         {"scout.bash", cli::BashCompletion(program)},
                                                         {"_scout", cli::ZshCompletion(program)},
                                                         {"scout.fish", cli::FishCompletion(program)}};
    for (const auto& [name, text] : files) {
      std::ofstream file(std::string(argv[1]) + "/" + name, std::ios::binary);
      if (!(file << text).flush()) throw cli::Failure(std::string(argv[1]) + "/" + name + " cannot be written");
    }
    return cli::kOk;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "scout_describe: %s\n", error.what());
    return cli::kFailed;
  }
}

// Completions for bash, zsh and fish. Values that only the machine knows are asked when they are wanted: files from the shell,
// devices from `scout devices`.
#include "describe.h"

namespace cli {
namespace {

constexpr const char* kDevices = "scout devices 2>/dev/null | sed 's/ .*//'";
constexpr const char* kModels = "scout-tiny";  // known by name everywhere; others are files

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) text.replace(at, what.size(), with);
  return text;
}

std::string Joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

std::vector<std::string> Spellings(const std::vector<Argument>& arguments) {
  std::vector<std::string> words;
  for (const Argument& argument : arguments) words.insert(words.end(), argument.spellings.begin(), argument.spellings.end());
  return words;
}

std::vector<std::string> CommandNames(const Program& program) {
  std::vector<std::string> names;
  for (const CommandDescription& command : program.commands) names.push_back(command.name);
  return names;
}

// bash: what follows an option, as words of compgen.
std::string BashValue(const Argument& argument) {
  switch (argument.kind) {
    case Kind::kText:
      return ":";
    case Kind::kFile:
      return "_scout_files";
    case Kind::kModel:
      return std::string("_scout_files; _scout_words \"") + kModels + "\"";
    case Kind::kDevice:
      return std::string("_scout_words \"$(") + kDevices + ")\"";
    case Kind::kWords:
      return "_scout_words \"" + argument.words + "\"";
  }
  return ":";
}

std::string ZshQuoted(const std::string& text) { return "'" + Replaced(text, "'", "'\\''") + "'"; }

std::string ZshAction(const Argument& argument) {
  switch (argument.kind) {
    case Kind::kText:
      return " ";
    case Kind::kFile:
      return "_files";
    case Kind::kModel:
      return "_scout_model";
    case Kind::kDevice:
      return "_scout_device";
    case Kind::kWords:
      return "(" + argument.words + ")";
  }
  return " ";
}

// One specification of zsh's _arguments.
std::string ZshSpecification(const Argument& argument) {
  std::string about = argument.about;
  for (const char* special : {"\\", "[", "]", ":"}) about = Replaced(about, special, std::string("\\") + special);
  if (argument.positional())
    return ZshQuoted(std::string(argument.required ? ":" : "::") + argument.name + ":" + ZshAction(argument));
  const std::string value = argument.value.empty() ? "" : ":" + argument.value + ":" + ZshAction(argument);
  if (argument.spellings.size() == 1) return ZshQuoted(argument.name + "[" + about + "]" + value);
  return ZshQuoted("(" + Joined(argument.spellings, " ") + ")") + "{" + Joined(argument.spellings, ",") + "}" +
         ZshQuoted("[" + about + "]" + value);
}

std::string FishQuoted(const std::string& text) { return "'" + Replaced(Replaced(text, "\\", "\\\\"), "'", "\\'") + "'"; }

std::string FishValue(const Argument& argument) {
  switch (argument.kind) {
    case Kind::kText:
      return " -x";
    case Kind::kFile:
      return argument.positional() ? " -F" : " -r -F";
    case Kind::kModel:
      return std::string(" -F -a ") + kModels;
    case Kind::kDevice:
      return std::string(" -x -a \"(") + kDevices + ")\"";
    case Kind::kWords:
      return " -x -a " + FishQuoted(argument.words);
  }
  return "";
}

std::string FishLine(const std::string& condition, const Argument& argument) {
  std::string line = "complete -c scout -n " + FishQuoted(condition);
  for (const std::string& spelling : argument.spellings)
    line += spelling.rfind("--", 0) == 0 ? " -l " + spelling.substr(2) : " -s " + spelling.substr(1);
  if (!argument.value.empty()) line += FishValue(argument);
  return line + (argument.positional() ? "" : " -d " + FishQuoted(argument.about)) + "\n";
}

}  // namespace

std::string BashCompletion(const Program& program) {
  std::string text = R"(# bash completion for scout(1), written by scout_describe from the program's own description
_scout_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }
_scout_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -- "$cur"))
}
_scout() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case "$command $prev" in
)";
  for (const CommandDescription& command : program.commands) {
    for (const Argument& argument : command.arguments) {
      if (argument.positional() || argument.value.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& spelling : argument.spellings) patterns.push_back("\"" + command.name + " " + spelling + "\"");
      text += "    " + Joined(patterns, " | ") + ") " + BashValue(argument) + "; return ;;\n";
    }
  }
  text += "  esac\n  case \"$command $cur\" in\n    \" \"*) _scout_words \"" + Joined(CommandNames(program), " ") + " " +
          Joined(Spellings(program.arguments), " ") + "\" ;;\n";
  for (const CommandDescription& command : program.commands) {
    text += "    \"" + command.name + " -\"*) _scout_words \"" + Joined(Spellings(command.arguments), " ") + "\" ;;\n";
    for (const Argument& argument : command.arguments) {
      if (!argument.positional() || argument.kind == Kind::kText) continue;
      text += "    \"" + command.name + " \"*) " + BashValue(argument) + " ;;\n";
      break;  // files serve the ones after it too
    }
  }
  return text + "  esac\n}\ncomplete -F _scout scout\n";
}

std::string ZshCompletion(const Program& program) {
  std::string text =
      "#compdef scout\n# zsh completion for scout(1), written by scout_describe from the program's own description\n";
  text += std::string("_scout_device() { local -a names; names=(${(f)\"$(") + kDevices + ")\"}); compadd -a names }\n";
  text += std::string("_scout_model() { compadd ") + kModels + "; _files }\n";
  text += "_scout() {\n  local state line\n  typeset -A opt_args\n  _arguments -C";
  for (const Argument& argument : program.arguments) text += " \\\n    " + ZshSpecification(argument);
  text += " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n      local -a commands=(";
  for (const CommandDescription& command : program.commands)
    text += "\n        " + ZshQuoted(command.name + ":" + Replaced(command.about, ":", "\\:"));
  text += ")\n      _describe command commands ;;\n    argument)\n      case $line[1] in\n";
  for (const CommandDescription& command : program.commands) {
    text += "        " + command.name + ") _arguments -s";
    for (const Argument& argument : command.arguments) text += " \\\n          " + ZshSpecification(argument);
    text += " ;;\n";
  }
  return text + "      esac ;;\n  esac\n}\n_scout \"$@\"\n";
}

std::string FishCompletion(const Program& program) {
  const std::string names = Joined(CommandNames(program), " ");
  std::string text =
      "# fish completion for scout(1), written by scout_describe from the program's own description\ncomplete -c scout -f\n";
  for (const Argument& argument : program.arguments) text += FishLine("not __fish_seen_subcommand_from " + names, argument);
  for (const CommandDescription& command : program.commands) {
    text += "complete -c scout -n " + FishQuoted("not __fish_seen_subcommand_from " + names) + " -a " + command.name + " -d " +
            FishQuoted(command.about) + "\n";
    for (const Argument& argument : command.arguments) {
      if (argument.positional() && argument.kind == Kind::kText) continue;
      text += FishLine("__fish_seen_subcommand_from " + command.name, argument);
    }
  }
  return text;
}

}  // namespace cli

// The manual page, scout(1), in the man macros.
#include <algorithm>

#include "describe.h"

namespace cli {
namespace {

// Text as it is: no character of it is roff's.
std::string Roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '\'') {
      out += "\\(aq";
    } else if (c == '`') {
      out += "\\(ga";
    } else {
      out += c;
    }
  }
  return !out.empty() && out.front() == '.' ? "\\&" + out : out;
}

std::string Bold(const std::string& text) { return "\\fB" + Roff(text) + "\\fR"; }
std::string Italic(const std::string& text) { return "\\fI" + Roff(text) + "\\fR"; }

// "-t, --threads INT" and what it is.
std::string Entry(const Argument& argument) {
  std::string head;
  if (argument.positional()) head = Italic(argument.name);
  for (const std::string& spelling : argument.spellings) head += (head.empty() ? "" : ", ") + Bold(spelling);
  if (!argument.positional() && !argument.value.empty()) head += " " + Italic(argument.value);
  return ".TP\n" + head + "\n" + Roff(argument.about) + (argument.required && !argument.positional() ? "; required" : "") + "\n";
}

bool Contains(const std::vector<Argument>& arguments, const Argument& argument) {
  return std::find(arguments.begin(), arguments.end(), argument) != arguments.end();
}

// The prose that no parser knows.
constexpr const char* kBeginning = R"(.SH NAME
scout \- Meta\(aqs Llama 4 on this machine, by libscout
.SH SYNOPSIS
.B scout
.I COMMAND
.RI [ OPTION ...]
.I ARGUMENT ...
.br
.BR scout " " \-\-help " | " \-\-version
.SH DESCRIPTION
.B scout
loads a model of the Llama 4 family and lets it answer, or tells about it.
Results go to standard output, everything else to standard error.
.I MODEL
is a GGUF file (the first of a split one), a Hugging Face directory, or the name of a model in a known folder; the bundled model is
.BR scout\-tiny .
)";

constexpr const char* kEnd = R"(.SH EXIT STATUS
.TP
0
Success.
.TP
1
The command failed; one line on standard error says why.
.TP
2
The command line is wrong.
.TP
130
Interrupted.
.SH ENVIRONMENT
.TP
.B SCOUT_MODELS
Folders, separated by colons, in which models are looked for by name, before the installation\(aqs own.
.SH FILES
.TP
.I share/scout/models
Models known by name, beside the library\(aqs folder; in a package
.IR /usr/share/scout/models .
.SH EXAMPLES
.EX
scout run scout\-tiny "Tell me a story about a fox."
scout inspect scout\-tiny \-\-at 4096,8192
scout bench scout\-tiny \-p 512 \-n 128 \-b 4
.EE
)";

}  // namespace

std::string ManualPage(const Program& program) {
  std::string page = ".\\\" Written by scout_describe from the program's own description.\n.TH SCOUT 1 \"\" \"libscout " +
                     program.version + "\" \"User Commands\"\n" + kBeginning;
  page += ".SH OPTIONS\n";
  for (const Argument& argument : program.arguments) page += Entry(argument);
  page += ".SH COMMANDS\n";
  for (const CommandDescription& command : program.commands) {
    page += ".SS \"scout " + Roff(command.name);
    for (const Argument& argument : command.arguments) {
      if (argument.positional()) page += argument.required ? " " + Roff(argument.name) : " [" + Roff(argument.name) + "]";
    }
    page += "\"\n" + Roff(command.about) + ".\n";
    if (command.has_model()) page += "It takes the options of commands with a model, below.\n";
    for (const Argument& argument : command.arguments) {
      if (!command.has_model() || !Contains(program.shared, argument)) page += Entry(argument);
    }
  }
  page += ".SH OPTIONS OF COMMANDS WITH A MODEL\n";
  for (const Argument& argument : program.shared) page += Entry(argument);
  return page + kEnd;
}

}  // namespace cli

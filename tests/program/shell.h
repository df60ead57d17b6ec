// Runs the scout program and keeps what it said.
#pragma once

#include <unistd.h>

#include <sys/wait.h>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/goldens.h"

namespace program {

struct Result {
  int exit_code = -1;  // -1: ended by a signal
  std::string out;
  std::string err;
};

// A folder of this process's own, removed at exit of the test program.
inline const goldens::fs::path& Scratch() {
  struct Folder {
    goldens::fs::path path;
    Folder() {
      std::string name = (goldens::fs::temp_directory_path() / "scout-program-XXXXXX").string();
      if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch folder");
      path = name;
    }
    ~Folder() {
      std::error_code ignored;
      goldens::fs::remove_all(path, ignored);
    }
  };
  static Folder folder;
  return folder.path;
}

inline std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// `arguments` is shell text; `input` becomes stdin.
inline Result Scout(const std::string& arguments, const std::string& input = "") {
  const auto in = Scratch() / "in", out = Scratch() / "out", err = Scratch() / "err";
  std::ofstream(in, std::ios::binary) << input;
  const std::string command = Quoted(SCOUT_PROGRAM) + " " + arguments + " <" + Quoted(in.string()) + " >" + Quoted(out.string()) +
                              " 2>" + Quoted(err.string());
  const int status = std::system(command.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, goldens::Slurp(out), goldens::Slurp(err)};
}

}  // namespace program

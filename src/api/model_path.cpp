#include "api/model_path.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/process.h"

namespace scout::api {
namespace {

bool Exists(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0;
}

// No folder in it: neither a path that was mistyped nor one that climbs out of a model folder.
bool IsPlainName(std::string_view name) {
  for (const char c : name) {
    const bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!fine) return false;
  }
  return !name.empty() && name.front() != '.' && name.size() <= 128;
}

}  // namespace

std::vector<std::string> ModelFolders() {
  std::vector<std::string> folders;
  if (const char* variable = std::getenv("SCOUT_MODELS"); variable != nullptr) {
    std::string_view rest = variable;
    while (!rest.empty()) {
      const size_t end = std::min(rest.find(':'), rest.size());
      if (end != 0) folders.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  if (const std::string own = OwnFolder(); !own.empty()) {
    // How the installation's folders lie to each other (lib may be lib/x86_64-linux-gnu), and how a build tree's do.
    folders.push_back(own + SCOUT_MODELS_FROM_LIBRARY);
    if (std::string_view(SCOUT_MODELS_FROM_LIBRARY) != "../share/scout/models") folders.push_back(own + "../share/scout/models");
  }
  return folders;
}

std::string ResolveModelPath(std::string_view path) {
  if (path.empty()) Fail(ErrorCode::kArgument, "path is empty");
  std::string given(path);
  if (Exists(given)) return given;
  const int why = errno;
  if (path.starts_with("ollama:")) return given;  // a name that the io room looks up
  if (why != ENOENT || !IsPlainName(path)) {
    if (why == ENOENT) Fail(ErrorCode::kIo, Escape(path, 256), ": no such file or directory");
    if (why == EACCES) Fail(ErrorCode::kIo, Escape(path, 256), ": permission denied");
    if (why == ENAMETOOLONG)
      Fail(ErrorCode::kIo, Escape(path, 256), ": a path of ", path.size(), " bytes is too long for this system");
    if (why == ELOOP) Fail(ErrorCode::kIo, Escape(path, 256), ": too many symbolic links");
    Fail(ErrorCode::kIo, Escape(path, 256), ": cannot be looked at (system error ", why, ")");
  }
  std::string looked;
  for (const std::string& folder : ModelFolders()) {
    for (const char* ending : {".gguf", ""}) {
      std::string candidate = StrCat(folder, "/", path, ending);
      if (Exists(candidate)) return candidate;
    }
    looked += StrCat(looked.empty() ? "" : ", ", Escape(folder, 200));
  }
  Fail(ErrorCode::kIo, Escape(path), ": no such file, and no model of that name in ", looked.empty() ? "any known folder" : looked,
       " (SCOUT_MODELS may name more folders)");
}

}  // namespace scout::api

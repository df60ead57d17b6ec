#include "io/paths.h"

#include <cerrno>

#include "base/error.h"
#include "base/io_ops.h"

namespace scout::io {

std::string DirectoryOf(std::string_view path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.find_last_of('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name[0] != '.' &&
         name.find_first_of(std::string_view("/\\:\0", 4)) == std::string_view::npos;
}

std::optional<std::string> ResolveBeside(const std::string& directory, std::string_view name) {
  if (!IsPlainFileName(name))
    Fail(ErrorCode::kDenied, Escape(directory, 256), ": the file name \"", Escape(name), "\" is not a plain name in this folder");
  const std::string path = StrCat(directory, "/", name);
  std::string real_directory, real_path;
  const auto resolve = [](const std::string& what, std::string* out) {
    if (Io().real_path(what.c_str(), out)) return true;
    const int error = errno;
    if (error == ENOENT) return false;
    Fail(ErrorCode::kIo, Escape(what, 256), ": cannot be resolved: ", ErrnoText(error));
  };
  if (!resolve(directory, &real_directory) || !resolve(path, &real_path)) return std::nullopt;
  const std::string home = DirectoryOf(real_path);
  if (home == real_directory) return real_path;
  const std::string snapshots = DirectoryOf(real_directory);
  if (BaseName(snapshots) == "snapshots" && home == DirectoryOf(snapshots) + "/blobs") return real_path;
  Fail(ErrorCode::kDenied, Escape(path, 256), ": is a link that leads out of its folder");
}

}  // namespace scout::io

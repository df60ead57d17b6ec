#include "io/projector.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/paths.h"

namespace scout::io {

std::optional<std::string> FindProjector(const std::string& path) {
  std::string real_path;
  if (!path.ends_with(".gguf") || !Io().real_path(path.c_str(), &real_path)) return std::nullopt;
  constexpr size_t kMostNames = 65536;
  const std::string directory = DirectoryOf(path);
  std::vector<std::string> names;
  if (!Io().list(directory.c_str(), kMostNames, &names)) return std::nullopt;
  const auto end = std::remove_if(names.begin(), names.end(), [&](const std::string& name) {
    return !name.starts_with("mmproj") || !name.ends_with(".gguf") || name == BaseName(path) || !IsPlainFileName(name);
  });
  names.erase(end, names.end());
  if (names.empty()) return std::nullopt;
  std::sort(names.begin(), names.end());
  if (names.size() > 1)
    Fail(ErrorCode::kArgument, Escape(directory, 256), ": there are ", names.size(), " projector files, \"", Escape(names[0]),
         "\" and \"", Escape(names[1]), "\" among them; say which");
  return ResolveBeside(directory, names[0]);
}

}  // namespace scout::io

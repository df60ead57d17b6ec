#include "io/checkpoint.h"

#include <cerrno>

#include "base/error.h"
#include "base/io_ops.h"
#include "io/gguf.h"
#include "io/hf_directory.h"

namespace scout::io {

static bool IsDirectory(const std::string& path) {
  int fd;
  do fd = Io().open_read(path.c_str());
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return false;  // the reader that is tried next says why
  FileStat stat;
  const bool directory = Io().stat(fd, &stat) == 0 && stat.kind == FileStat::Kind::kDirectory;
  Io().close(fd);
  return directory;
}

std::shared_ptr<const Checkpoint> OpenCheckpoint(const std::string& path, const OpenOptions& options) {
  if (IsDirectory(path)) return OpenHfDirectory(path, options);
  if (path.ends_with(".safetensors"))
    Fail(ErrorCode::kArgument, Escape(path, 256), ": give the folder that holds this file and its config.json");
  return OpenGguf(path, options);
}

}  // namespace scout::io

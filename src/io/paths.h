// Which files may be opened beside a given one, and how.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace scout::io {

// "a/b/c.gguf" -> "a/b"; "c.gguf" -> "."; "/c.gguf" -> "/".
std::string DirectoryOf(std::string_view path);

// "a/b/c.gguf" -> "c.gguf".
std::string_view BaseName(std::string_view path);

// Whether `name` names a file in its folder and nothing else: not empty, at most 255 bytes, not starting with a dot, no
// slash, backslash, colon or NUL.
bool IsPlainFileName(std::string_view name);

// The path under which `name` can be opened in `directory`, links resolved; nothing when there is no such file. A link that
// leads out of the directory is refused with kDenied, because names come from files of strangers. One way out is known and
// taken: the download cache of the Hugging Face hub keeps MODEL/snapshots/REVISION/name as links into MODEL/blobs.
std::optional<std::string> ResolveBeside(const std::string& directory, std::string_view name);

}  // namespace scout::io

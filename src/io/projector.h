// Projector files: a GGUF with a vision tower and nothing else, beside the GGUF of the text model.
#pragma once

#include <optional>
#include <string>

namespace scout::io {

// The one file mmproj*.gguf in the folder of the GGUF file at `path`, as a path to open; nothing where there is none, or `path` is
// no file's. Throws kArgument naming two where there are several, kDenied for a link out of the folder.
std::optional<std::string> FindProjector(const std::string& path);

}  // namespace scout::io

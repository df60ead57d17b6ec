// From what a caller names a model by to a path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scout::api {

// The folders in which models are known by name: those of the environment variable SCOUT_MODELS (separated by colons), then the
// ones that belong to this library, found from where the library itself lies.
std::vector<std::string> ModelFolders();

// A path that exists, and "ollama:NAME", are taken as they are. Else a plain name ("scout-tiny") becomes FOLDER/NAME.gguf of the
// first folder that has it. Throws kIo naming where was looked; kArgument for an empty name.
std::string ResolveModelPath(std::string_view path);

}  // namespace scout::api

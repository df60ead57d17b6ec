// Models in an Ollama store, by name.
//
// A store is a folder with manifests/HOST/NAMESPACE/MODEL/TAG, small JSON files that list layers by digest, and
// blobs/sha256-DIGEST. The layer of media type application/vnd.ollama.image.model is a GGUF file. The store is only read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace scout::io {

// The path of the GGUF file of `name`, [HOST/][NAMESPACE/]MODEL[:TAG] with Ollama's defaults (registry.ollama.ai, library,
// latest), in the store at `root`. Throws kArgument for a name that is none, kIo when the store has no such model, kFormat or
// kDenied for a manifest that is wrong.
std::string FindOllamaModel(std::string_view name, const std::string& root);

// Where stores are looked for, in order: $OLLAMA_MODELS alone when it is set, otherwise ~/.ollama/models and the folder of the
// Linux service.
std::vector<std::string> OllamaStores();

}  // namespace scout::io

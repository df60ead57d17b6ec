// Packed side-files: which one a load uses, and how one is made of a loaded model.
#pragma once

#include <memory>
#include <string>

#include "api/load.h"
#include "io/pack_file.h"

namespace scout::api {

// Opens the side-file where files.pack asks for one, and says so in both options. Throws as io::PackFile::Open does.
void UsePack(const LoadFiles& files, const std::string& model_path, model::LoadOptions& options, io::OpenOptions& open);

// Throws kUnsupported, before anything is loaded, for a checkpoint of which no side-file can be written where one is asked for.
void CheckPackable(const LoadFiles& files, const io::Checkpoint& checkpoint);

// Throws as prompt::ReadImage does, naming the file.
std::shared_ptr<const prompt::Tokenizer> PackedTokenizer(const std::shared_ptr<const io::PackFile>& pack);

// Writes the side-file of a model that was just loaded from its checkpoint. Throws kUnsupported for a device that has
// no such thing, kCancelled, and as io::WritePack does.
void WritePackOf(const ModelObject& object, const LoadFiles& files, const std::string& model_path, model::LoadProgress& progress);

}  // namespace scout::api

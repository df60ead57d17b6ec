// Loading a model: options and the work itself.
#pragma once

#include <scout/model.h>

#include <memory>
#include <string>

#include "api/objects.h"

namespace scout::api {

scout_load_options DefaultLoadOptions();
void InitLoadOptions(scout_load_options* options, size_t struct_size);
// Over the defaults, checked as far as the file is not needed for it.
scout_load_options ReadLoadOptions(const scout_load_options* given);

// Which files a load uses, and how.
struct LoadFiles {
  bool map = false;
  int32_t pack = SCOUT_PACK_NONE;
  std::string pack_path;  // "" = beside the model
};

// Opens, checks and loads; on the thread it is called on. Throws kCancelled soon after progress.cancel is set.
std::shared_ptr<ModelObject> LoadModel(const std::string& path, const model::LoadOptions& options, const EngineDefaults& defaults,
                                       const LoadFiles& files, model::LoadProgress& progress);

}  // namespace scout::api

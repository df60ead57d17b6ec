// Any bytes as a projector file beside a text model; where it is taken, a tile goes through its tower.
#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <vector>

#include "memory_files.h"
#include "model/vision_tower.h"
#include "use_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string text = [] {
    std::ifstream file(SCOUT_FUZZ_TEXT_MODEL, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  static const scout::ScopedIoOps scope(&scout::fuzz::MemoryIo());
  if (text.empty()) std::abort();
  scout::fuzz::Files() = {{"/m/model.gguf", text}, {"/m/tower.gguf", std::string(reinterpret_cast<const char*>(data), size)}};
  std::shared_ptr<const scout::model::Model> model;
  try {
    scout::model::LoadOptions options;
    options.device = "ref";
    options.vision = true;
    options.projector = "/m/tower.gguf";
    scout::model::LoadProgress progress;
    model = scout::model::Model::Load(scout::io::OpenCheckpoint("/m/model.gguf", {}), options, progress);
    if (model->vision() == nullptr) std::abort();  // a file that was named has a tower, or is refused
    const scout::model::VisionConfig& config = *model->vision();
    if (config.tile_bytes() > 1 << 16 || scout::model::VisionWorkspaceBytes(config, 1) > uint64_t{1} << 26) return 0;
    const auto tower = model->NewVision({});
    const std::vector<uint8_t> tile(static_cast<size_t>(config.tile_bytes()), 7);
    const std::vector<std::span<const uint8_t>> pictures = {tile};
    const std::vector<float> table(256, 0.5f);
    tower->Begin(pictures, table);
    while (!tower->Advance()) {
    }
    std::vector<std::shared_ptr<const scout::model::Features>> features;
    if (const auto error = tower->Finish(&features)) throw *error;
    if (features.size() != 1 || features[0]->rows() != config.feature_rows()) std::abort();
  } catch (const scout::Error&) {
  }
  return 0;
}

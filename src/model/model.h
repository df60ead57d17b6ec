// A loaded Llama 4 text model: configuration and prepared weights, shared by any number of runners.
//
// Thread rule: everything is const after Load; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/backend.h"
#include "io/checkpoint.h"
#include "io/pack_file.h"
#include "model/config.h"
#include "model/runner.h"
#include "model/vision.h"

namespace scout::model {

struct LoadOptions {
  std::string device;     // "" = the default; or several, "cuda:0,cuda:1"
  std::string placement;  // what lies on which of them, as in placement.h; "" = by default
  BackendOptions backend;
  bool check_weights = true;        // refuse NaN and infinite scales and norms (costs a pass over what is read)
  uint64_t memory_limit_bytes = 0;  // 0 = what the machine and its cgroup have left
  bool vision = false;              // load the vision tower too, where there is one; else its tensors are skipped
  // The GGUF file that holds the vision tower of a text model's GGUF; empty: the tower of the checkpoint itself, or the one
  // mmproj*.gguf beside it.
  std::string projector;
  // The text model's weights are taken from here instead of from the checkpoint, which it was made of.
  std::shared_ptr<const io::PackFile> pack;
  bool check_pack = false;  // compare the weights with their hashes, which reads all of them
};

// Shared with whoever watches or cancels a load.
struct LoadProgress {
  std::atomic<uint64_t> bytes_done{0};
  std::atomic<uint64_t> bytes_total{0};
  std::atomic<bool> cancel{false};  // Load throws kCancelled soon after it is set
};

class Model {
 public:
  virtual ~Model() = default;

  // Checks every tensor's presence, shape and format, compares the memory needed with what is left (a refusal names both), then
  // reads and prepares the weights.
  static std::shared_ptr<const Model> Load(std::shared_ptr<const io::Checkpoint> checkpoint, const LoadOptions& options,
                                           LoadProgress& progress);

  virtual const Config& config() const = 0;
  virtual const io::Checkpoint& checkpoint() const = 0;
  virtual DeviceInfo device() const = 0;
  // What lies where: the devices that hold something, and all of it in the grammar of placement.h.
  struct DevicePart {
    std::string name;
    std::string description;
    uint64_t weight_bytes = 0;
  };
  virtual std::vector<DevicePart> device_parts() const { return {{device().name, device().description, weight_bytes()}}; }
  virtual std::string placement() const { return {}; }
  virtual uint64_t weight_bytes() const = 0;  // resident, packed, the vision tower's too
  virtual uint64_t parameters() const = 0;    // of the text model
  // Names every K, V decides on: weights, configuration. Part of a cached prefix's key.
  virtual uint64_t fingerprint() const = 0;
  // Everything that a packed side-file holds of the model itself; its data lives as long as the model. Throws kUnsupported where
  // the device's weights cannot be kept.
  virtual io::PackContents Packed() const;
  // Tensors of the file that the text model does not need: the vision tower and its projector, and what nobody knows.
  virtual std::span<const std::string> skipped_tensors() const { return {}; }

  // Bytes that one position of context costs in a group (all its layers, K and V), page padding aside.
  virtual uint64_t BytesPerPosition(int group, DType k_format, DType v_format) const = 0;
  // Bytes of keys and values that what is left of the memory they would lie in has room for; UINT64_MAX where that is unknown.
  virtual uint64_t KvRoom() const { return UINT64_MAX; }
  // Bytes of workspace that a runner with these options needs.
  virtual uint64_t WorkspaceBytes(const RunnerOptions& options) const = 0;

  // Throws kNoMemory naming need and what is left.
  virtual std::unique_ptr<Runner> NewRunner(const RunnerOptions& options) const = 0;

  // Null where the model sees no pictures: the file has no vision tower, or it was not asked for.
  virtual const VisionConfig* vision() const { return nullptr; }
  // vision(), or what the checkpoint itself says of a tower that was not loaded. Null where it says nothing that is served.
  virtual const VisionConfig* known_vision() const { return vision(); }
  // Why a tower that is there is not served; "" otherwise.
  virtual std::string_view unserved_vision() const { return {}; }
  virtual uint64_t vision_parameters() const { return 0; }
  // Names everything that features depend on beside their tiles; 0 without a vision tower. Part of the key of a cached prefix that
  // holds pictures.
  virtual uint64_t vision_fingerprint() const { return 0; }
  // Throws kUnsupported where vision() is null, kNoMemory naming need and what is left.
  virtual std::unique_ptr<Vision> NewVision(const VisionOptions& options) const;
};

}  // namespace scout::model

// Inside the model room: reading hyper-parameters under one key prefix, with the same checks for both containers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "io/checkpoint.h"
#include "model/config.h"

namespace scout::model {

class KeyReader {
 public:
  KeyReader(const io::Metadata& metadata, std::string prefix) : metadata_(metadata), prefix_(std::move(prefix)) {}

  std::string Key(std::string_view name) const { return prefix_ + std::string(name); }
  bool Has(std::string_view name) const { return metadata_.Find(Key(name)) != nullptr; }
  bool IsNull(std::string_view name) const { return metadata_.IsNull(Key(name)); }
  bool IsArray(std::string_view name) const;
  // A boolean, or an integer of which anything but 0 is true (the first Scout files say `attn_temperature_tuning: 4`).
  std::optional<bool> FindTruth(std::string_view name) const;

  // Throw kFormat naming key, value and limits; the required ones also where the key is absent.
  int64_t Int(std::string_view name, int64_t min, int64_t max) const;
  std::optional<int64_t> FindInt(std::string_view name, int64_t min, int64_t max) const;
  std::optional<double> FindNumber(std::string_view name, double min, double max) const;  // finite, min <= value <= max
  std::optional<bool> FindBool(std::string_view name) const { return metadata_.FindBool(Key(name)); }
  std::optional<std::string_view> FindString(std::string_view name) const { return metadata_.FindString(Key(name)); }
  const io::MetaArray* FindArray(std::string_view name) const { return metadata_.FindArray(Key(name)); }
  // Entry i of an array of integers or booleans. Throws kFormat when it is not an integer in [min, max].
  int64_t At(std::string_view name, const io::MetaArray& array, size_t i, int64_t min, int64_t max) const;

 private:
  const io::Metadata& metadata_;
  std::string prefix_;
};

// Widths, counts and the norm's epsilon that both containers must keep; `heads_key` and so on name the keys in messages.
void CheckHeads(const Config& config, const KeyReader& keys, std::string_view heads, std::string_view kv_heads);
void CheckExperts(const Config& config, const KeyReader& keys, std::string_view experts, std::string_view used);

// The norm's epsilon: positive and sane.
double ReadNormEps(const KeyReader& keys, std::string_view name, std::optional<double> absent);
// The base of the rotation.
double CheckedRopeBase(const std::string& key, double base);

// Layer i of `interval` is position-free iff (i + 1) % interval == 0; the others rotate and are chunked.
void SetLayersByInterval(Config& config, int64_t interval);
// Layer i has experts iff (i + 1) % step == 0; no layer has where the model has none.
void SetExpertsByStep(Config& config);

void ReadGgufConfig(const io::Checkpoint& checkpoint, Config& config);
void ReadHuggingFaceConfig(const io::Checkpoint& checkpoint, Config& config);
// Refuses what a file says of a vision tower where it contradicts itself or the text model's width: when it is opened, and not when
// the first picture comes. In vision_config.cpp.
void CheckVision(const io::Checkpoint& checkpoint, const Config& config);

}  // namespace scout::model

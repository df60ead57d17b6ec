// Hyper-parameters of a Llama 4 text model, from the file and never from its name.
// Sources: the GGUF keys as llama.cpp's converter and Ollama write them, and config.json as transformers 4.5x and 5.x do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint.h"

namespace scout::model {

struct LayerKind {
  bool moe = true;      // mixture of experts, else one dense feed-forward block
  bool rope = true;     // rotates q and k (and applies the q/k norm where the model has one), else position-free
  bool chunked = true;  // attends inside its attention chunk, else to everything
};

struct Config {
  std::string architecture;  // "llama4"
  std::string name;          // as the file says, for display; may be empty
  std::string version;       // general.version, may be empty
  int64_t layers = 0;
  int64_t embedding = 0;        // D
  int64_t heads = 0;            // Hq
  int64_t kv_heads = 0;         // Hkv
  int64_t head_dim = 0;         // d
  int64_t vocabulary = 0;       // V: rows of the embedding
  int64_t dense_hidden = 0;     // F of dense layers
  int64_t expert_hidden = 0;    // F of an expert and of the shared expert
  int64_t experts = 0;          // E
  int64_t experts_used = 0;     // k
  int64_t moe_step = 1;         // as the file says it; `layer` is what counts
  int64_t context = 0;          // positions the model was made for
  int64_t attention_chunk = 0;  // C, 0 = none
  double rope_base = 0;
  std::vector<float> inv_freq;  // [d / 2] with the file's scaling applied
  std::string rope_scaling;     // for display: "none", "llama3 16/1/1 of 8192", "from rope_freqs.weight"
  bool qk_norm = true;
  double norm_eps = 1e-5;
  double temperature_length = 0;  // floor_scale, 0 = tuning off
  double temperature_scale = 0;   // attn_scale
  bool tied_head = false;         // the head is the embedding
  std::vector<LayerKind> layer;   // [layers]
};

// Throws kFormat / kUnsupported / kLimit naming key, value and limit. Reads metadata and tensor shapes, and the small
// rope_freqs.weight tensor where there is one.
Config ReadConfig(const io::Checkpoint& checkpoint);

// Hard limits that keep every later product in range; beyond any Llama 4.
constexpr int64_t kMaxLayers = 1024;
constexpr int64_t kMaxWidth = 1 << 20;
constexpr int64_t kMaxExperts = 4096;
constexpr int64_t kMaxVocabulary = 1 << 24;

}  // namespace scout::model

// Writes a Scout-shaped GGUF file with random weights: the real architecture at any size, depth and format, for benchmarks.
//
//   make_scout_gguf OUT.gguf [--layers 4] [--type q4_k_m] [--tokenizer tokenizer.model] [--seed 1]
//       [--dim 5120] [--heads 40] [--kv_heads 8] [--head_dim 128] [--ffn 16384] [--expert_ffn 8192] [--experts 16] [--used 1]
//       [--moe_step 1] [--vocab 202048] [--ctx 10485760]
//
// --type is a format (f32 f16 bf16 q4_0 q4_1 q5_0 q5_1 q8_0 q2_k q3_k q4_k q5_k q6_k) or a mix (q4_k_m, q5_k_m) laid out as
// llama.cpp's quantiser does for this architecture. Codes are random and scales are chosen so that every matrix has standard
// deviation 1/sqrt(inputs) and activations stay finite. A tensor repeats its first 16 Mi values. Without a tokenizer file the
// model serves token ids only.
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "io/file_reader.h"
#include "io/gguf_types.h"
#include "prompt/byte_text.h"
#include "prompt/llama4_tokens.h"
#include "prompt/vocabulary.h"
#include "quant/bf16.h"
#include "quant/f16.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "support/gguf_writer.h"

namespace scout {
namespace {

using test::GgufWriter;

// xorshift64*: fast, seeded, good enough for codes.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0xd1b54a32d192ed03u) {}
  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }
  void Fill(void* out, size_t bytes) {
    auto* at = static_cast<unsigned char*>(out);
    for (; bytes >= 8; bytes -= 8, at += 8) {
      const uint64_t word = Next();
      std::memcpy(at, &word, 8);
    }
    const uint64_t word = Next();
    std::memcpy(at, &word, bytes);
  }
  // Mean 0, deviation 1: the sum of four uniform 16-bit numbers.
  float Normal() {
    const uint64_t word = Next();
    const auto sum = static_cast<double>((word & 0xffff) + (word >> 16 & 0xffff) + (word >> 32 & 0xffff) + (word >> 48));
    return static_cast<float>((sum - 2 * 65535.0) / (65536.0 * 0.57735026919));
  }

 private:
  uint64_t state_;
};

// The deviation of `levels` equally likely whole numbers.
double Spread(double levels) { return std::sqrt((levels * levels - 1) / 12); }
uint16_t Half(double value) { return quant::F32ToF16(static_cast<float>(value)); }

// All sub-blocks of Q4_K and Q5_K get scale and minimum 31.
void PackEvenScales(uint8_t* packed) {
  std::memset(packed, 0, 12);
  for (int k = 0; k < 8; ++k) quant::PackScaleAndMin(packed, k, 31, 31);
}

// Scales such that uniformly random codes decode to mean 0 and deviation `std`.
void SetScales(quant::BlockQ4_0& b, double std, Random&) { b.d = Half(std / Spread(16)); }
void SetScales(quant::BlockQ4_1& b, double std, Random&) { b.d = Half(std / Spread(16)), b.m = Half(-7.5 * std / Spread(16)); }
void SetScales(quant::BlockQ5_0& b, double std, Random&) { b.d = Half(std / Spread(32)); }
void SetScales(quant::BlockQ5_1& b, double std, Random&) { b.d = Half(std / Spread(32)), b.m = Half(-15.5 * std / Spread(32)); }
void SetScales(quant::BlockQ8_0& b, double std, Random&) { b.d = Half(std / Spread(256)); }
void SetScales(quant::BlockQ2_K& b, double std, Random&) {
  std::memset(b.scales, 0x88, sizeof b.scales);
  b.d = Half(std / (8 * Spread(4))), b.dmin = Half(1.5 * std / (8 * Spread(4)));
}
void SetScales(quant::BlockQ3_K& b, double std, Random&) { b.d = Half(std / (Spread(64) * Spread(8))); }  // scales are random too
void SetScales(quant::BlockQ4_K& b, double std, Random&) {
  PackEvenScales(b.scales);
  b.d = Half(std / (31 * Spread(16))), b.dmin = Half(7.5 * std / (31 * Spread(16)));
}
void SetScales(quant::BlockQ5_K& b, double std, Random&) {
  PackEvenScales(b.scales);
  b.d = Half(std / (31 * Spread(32))), b.dmin = Half(15.5 * std / (31 * Spread(32)));
}
void SetScales(quant::BlockQ6_K& b, double std, Random& random) {
  const uint64_t signs = random.Next();
  for (int i = 0; i < 16; ++i) b.scales[i] = signs >> i & 1 ? 64 : -64;
  b.d = Half(std / (64 * Spread(64)));
}

template <typename Block>
std::string Blocks(size_t values, double std, Random& random) {
  std::string out(values / Block::kValues * sizeof(Block), '\0');
  random.Fill(out.data(), out.size());
  for (size_t at = 0; at < out.size(); at += sizeof(Block)) {
    Block block;
    std::memcpy(&block, out.data() + at, sizeof block);
    SetScales(block, std, random);
    std::memcpy(out.data() + at, &block, sizeof block);
  }
  return out;
}

template <typename Stored, typename Convert>
std::string Numbers(size_t values, double std, Random& random, Convert convert) {
  std::string out(values * sizeof(Stored), '\0');
  for (size_t i = 0; i < values; ++i) {
    const Stored value = convert(random.Normal() * static_cast<float>(std));
    std::memcpy(out.data() + i * sizeof(Stored), &value, sizeof value);
  }
  return out;
}

struct RandomFormat {
  std::string_view name;
  uint32_t id;         // in GGUF
  uint32_t file_type;  // of a file that is mostly this
  std::string (*make)(size_t values, double std, Random&);
};
constexpr RandomFormat kFormats[] = {
    {"f32", 0, 0, [](size_t n, double s, Random& r) { return Numbers<float>(n, s, r, [](float v) { return v; }); }},
    {"f16", 1, 1, [](size_t n, double s, Random& r) { return Numbers<uint16_t>(n, s, r, quant::F32ToF16); }},
    {"bf16", 30, 32, [](size_t n, double s, Random& r) { return Numbers<uint16_t>(n, s, r, quant::F32ToBf16); }},
    {"q4_0", 2, 2, Blocks<quant::BlockQ4_0>},
    {"q4_1", 3, 3, Blocks<quant::BlockQ4_1>},
    {"q5_0", 6, 8, Blocks<quant::BlockQ5_0>},
    {"q5_1", 7, 9, Blocks<quant::BlockQ5_1>},
    {"q8_0", 8, 7, Blocks<quant::BlockQ8_0>},
    {"q2_k", 10, 10, Blocks<quant::BlockQ2_K>},
    {"q3_k", 11, 11, Blocks<quant::BlockQ3_K>},
    {"q4_k", 12, 14, Blocks<quant::BlockQ4_K>},
    {"q5_k", 13, 16, Blocks<quant::BlockQ5_K>},
    {"q6_k", 14, 18, Blocks<quant::BlockQ6_K>},
};

const RandomFormat& FindFormat(std::string_view name) {
  for (const RandomFormat& format : kFormats)
    if (format.name == name) return format;
  Fail(ErrorCode::kArgument, "unknown --type ", name);
}

// One tensor to write: random in a format, or given as float32.
struct Planned {
  const RandomFormat* format = nullptr;  // null: `given`
  uint64_t values = 0;
  double std = 0;
  std::string given;
  uint64_t bytes = 0;
};

struct Shape {
  uint64_t layers = 4, dim = 5120, heads = 40, kv_heads = 8, head_dim = 128, ffn = 16384, expert_ffn = 8192, experts = 16, used = 1,
           moe_step = 1, vocab = 202048, ctx = 10485760, seed = 1;
};

class Maker {
 public:
  Maker(const Shape& shape, std::string_view type) : s_(shape) {
    if (type == "q4_k_m" || type == "q5_k_m") {
      base_ = &FindFormat(type.substr(0, 4));
      better_ = &FindFormat("q6_k");
      file_type_ = base_->file_type + 1;  // 15 and 17, after 14 and 16
    } else {
      base_ = better_ = &FindFormat(type);
      file_type_ = base_->file_type;
    }
  }

  void Plan() {
    const uint64_t q = s_.heads * s_.head_dim, kv = s_.kv_heads * s_.head_dim;
    Matrix("token_embd.weight", {s_.dim, s_.vocab}, *base_, 1.0);
    Ones("output_norm.weight", s_.dim);
    Matrix("output.weight", {s_.dim, s_.vocab}, *better_);
    RopeDivisors();
    for (uint64_t i = 0; i < s_.layers; ++i) {
      const std::string b = StrCat("blk.", i, ".");
      // The layers that mixes give more bits: the first and last eighth and every third between.
      const bool more = i < s_.layers / 8 || i >= 7 * s_.layers / 8 || (i - s_.layers / 8) % 3 == 2;
      const RandomFormat& down = more ? *better_ : *base_;
      Ones(b + "attn_norm.weight", s_.dim);
      Matrix(b + "attn_q.weight", {s_.dim, q}, *base_);
      Matrix(b + "attn_k.weight", {s_.dim, kv}, *base_);
      Matrix(b + "attn_v.weight", {s_.dim, kv}, down);
      Matrix(b + "attn_output.weight", {q, s_.dim}, *base_);
      Ones(b + "ffn_norm.weight", s_.dim);
      if ((i + 1) % s_.moe_step == 0) {
        Matrix(b + "ffn_gate_inp.weight", {s_.dim, s_.experts}, FindFormat("f32"));
        for (const char* kind : {"gate", "up"}) {
          Matrix(StrCat(b, "ffn_", kind, "_exps.weight"), {s_.dim, s_.expert_ffn, s_.experts}, *base_);
          Matrix(StrCat(b, "ffn_", kind, "_shexp.weight"), {s_.dim, s_.expert_ffn}, *base_);
        }
        Matrix(b + "ffn_down_exps.weight", {s_.expert_ffn, s_.dim, s_.experts}, down);
        Matrix(b + "ffn_down_shexp.weight", {s_.expert_ffn, s_.dim}, down);
      } else {
        for (const char* kind : {"gate", "up"}) Matrix(StrCat(b, "ffn_", kind, ".weight"), {s_.dim, s_.ffn}, *base_);
        Matrix(b + "ffn_down.weight", {s_.ffn, s_.dim}, down);
      }
    }
  }

  void Keys() {
    const auto u32 = [&](const char* key, uint64_t value) { file_.U32(StrCat("llama4.", key), static_cast<uint32_t>(value)); };
    file_.String("general.architecture", "llama4")
        .String("general.name", "Scout-shaped random")
        .U32("general.quantization_version", 2)
        .U32("general.file_type", file_type_);
    u32("block_count", s_.layers), u32("context_length", s_.ctx), u32("embedding_length", s_.dim),
        u32("feed_forward_length", s_.ffn);
    u32("attention.head_count", s_.heads), u32("attention.head_count_kv", s_.kv_heads);
    file_.F32("llama4.rope.freq_base", 500000.0f).F32("llama4.attention.layer_norm_rms_epsilon", 1e-5f);
    u32("expert_count", s_.experts), u32("expert_used_count", s_.used), u32("attention.key_length", s_.head_dim);
    u32("attention.value_length", s_.head_dim), u32("vocab_size", s_.vocab), u32("rope.dimension_count", s_.head_dim);
    u32("interleave_moe_layer_step", s_.moe_step), u32("expert_feed_forward_length", s_.expert_ffn);
  }

  void TokenizerKeys(const std::string& path);

  void Write(const std::string& path) {
    std::unique_ptr<FILE, int (*)(FILE*)> out(std::fopen(path.c_str(), "wb"), std::fclose);
    if (!out) Fail(ErrorCode::kIo, "cannot write ", path);
    const auto put = [&](std::string_view bytes) {
      if (std::fwrite(bytes.data(), 1, bytes.size(), out.get()) != bytes.size()) Fail(ErrorCode::kIo, "cannot write ", path);
      written_ += bytes.size();
    };
    put(file_.Header());
    Random random(s_.seed);
    for (const Planned& tensor : planned_) {
      if (!tensor.format) {
        put(tensor.given);
      } else {
        constexpr uint64_t kChunk = uint64_t{1} << 24;
        const std::string chunk = tensor.format->make(std::min(tensor.values, kChunk), tensor.std, random);
        for (uint64_t left = tensor.bytes; left > 0;) {
          const uint64_t n = std::min<uint64_t>(left, chunk.size());
          put(std::string_view(chunk).substr(0, n));
          left -= n;
        }
      }
      put(std::string((32 - written_ % 32) % 32, '\0'));
    }
    if (std::fflush(out.get()) != 0) Fail(ErrorCode::kIo, "cannot write ", path);
    std::printf("%s: %.3f GB, %zu tensors\n", path.c_str(), static_cast<double>(written_) / 1e9, planned_.size());
  }

 private:
  void Matrix(std::string_view name, std::vector<uint64_t> ne, const RandomFormat& format, double std = 0) {
    Planned p;
    p.format = &format;
    p.std = std > 0 ? std : 1 / std::sqrt(static_cast<double>(ne[0]));
    p.values = 1;
    for (const uint64_t n : ne) p.values *= n;
    const io::GgufType& type = *io::FindGgufType(format.id);
    if (ne[0] % type.values_per_block != 0)
      Fail(ErrorCode::kArgument, name, ": rows of ", ne[0], " are not whole ", type.name, " blocks");
    p.bytes = p.values / type.values_per_block * type.bytes_per_block;
    file_.TensorOfSize(name, std::move(ne), format.id, p.bytes);
    planned_.push_back(std::move(p));
  }

  void Given(std::string_view name, const std::vector<float>& values) {
    Planned p;
    p.given = test::RawAll(values);
    file_.TensorOfSize(name, {values.size()}, 0, p.given.size());
    planned_.push_back(std::move(p));
  }
  void Ones(std::string_view name, uint64_t n) { Given(name, std::vector<float>(n, 1.0f)); }

  // Scout's: pairs whose wavelength passes 8,192 positions turn 16 times slower.
  void RopeDivisors() {
    std::vector<float> divisors;
    for (uint64_t i = 0; i < s_.head_dim; i += 2) {
      const double wavelength =
          2 * 3.14159265358979 * std::pow(500000.0, static_cast<double>(i) / static_cast<double>(s_.head_dim));
      divisors.push_back(wavelength > 8192 ? 16.0f : 1.0f);
    }
    Given("rope_freqs.weight", divisors);
  }

  Shape s_;
  const RandomFormat *base_, *better_;
  uint32_t file_type_ = 0;
  GgufWriter file_;
  std::vector<Planned> planned_;
  uint64_t written_ = 0;
};

// Tokens in the order of their ids, and the merges that build each from the two tokens of lower rank that merge last: the form
// in which GGUF files carry a byte-pair vocabulary.
void Maker::TokenizerKeys(const std::string& path) {
  const std::string text = io::ReadWholeFile(path, uint64_t{1} << 28);
  const prompt::Vocabulary vocabulary = prompt::ReadTiktokenVocabulary(text, path);
  std::unordered_map<std::string_view, uint32_t> ranks;
  std::vector<std::string> tokens, merges;
  std::vector<int32_t> types;
  uint32_t bos = 0, eos = 0, pad = 0;
  for (uint32_t id = 0; id < vocabulary.tokens.size() && id < s_.vocab; ++id) {
    const std::string_view bytes = vocabulary.tokens.Bytes(static_cast<prompt::TokenId>(id));
    const bool ordinary = vocabulary.kinds[id] == prompt::TokenKind::kText;
    if (ordinary) ranks.emplace(bytes, id);
    tokens.push_back(ordinary ? prompt::EncodeByteText(bytes) : std::string(bytes));
    types.push_back(ordinary ? 1 : 3);
    if (ordinary) continue;
    if (bytes == prompt::kBeginOfText) bos = id;
    if (bytes == prompt::kEndOfText) pad = id;
    if (bytes == prompt::kEndOfTurn) eos = id;
  }
  std::vector<std::string_view> parts;
  for (uint32_t id = 0; id < tokens.size() && types[id] == 1; ++id) {
    const std::string_view bytes = vocabulary.tokens.Bytes(static_cast<prompt::TokenId>(id));
    parts.clear();
    for (size_t i = 0; i < bytes.size(); ++i) parts.push_back(bytes.substr(i, 1));
    while (parts.size() > 2) {
      uint32_t best = id;
      size_t at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto found = ranks.find(std::string_view(parts[i].data(), parts[i].size() + parts[i + 1].size()));
        if (found != ranks.end() && found->second < best) best = found->second, at = i;
      }
      if (best == id) break;
      parts[at] = std::string_view(parts[at].data(), parts[at].size() + parts[at + 1].size());
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    }
    if (parts.size() == 2) merges.push_back(prompt::EncodeByteText(parts[0]) + " " + prompt::EncodeByteText(parts[1]));
  }
  file_.String("tokenizer.ggml.model", "gpt2").String("tokenizer.ggml.pre", "llama4").Strings("tokenizer.ggml.tokens", tokens);
  file_.I32s("tokenizer.ggml.token_type", types).Strings("tokenizer.ggml.merges", merges);
  file_.U32("tokenizer.ggml.bos_token_id", bos).U32("tokenizer.ggml.eos_token_id", eos).U32("tokenizer.ggml.padding_token_id", pad);
  file_.Bool("tokenizer.ggml.add_bos_token", true);
}

int Run(int argc, char** argv) {
  Shape shape;
  std::string out, type = "q4_k_m", tokenizer;
  const std::map<std::string_view, uint64_t*> numbers = {{"--layers", &shape.layers},
                                                         {"--dim", &shape.dim},
                                                         {"--heads", &shape.heads},
                                                         {"--kv_heads", &shape.kv_heads},
                                                         {"--head_dim", &shape.head_dim},
                                                         {"--ffn", &shape.ffn},
                                                         {"--expert_ffn", &shape.expert_ffn},
                                                         {"--experts", &shape.experts},
                                                         {"--used", &shape.used},
                                                         {"--moe_step", &shape.moe_step},
                                                         {"--vocab", &shape.vocab},
                                                         {"--ctx", &shape.ctx},
                                                         {"--seed", &shape.seed}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) {
      out = argument;
      continue;
    }
    if (i + 1 == argc) Fail(ErrorCode::kArgument, argument, " needs a value");
    const std::string_view value = argv[++i];
    if (argument == "--type")
      type = value;
    else if (argument == "--tokenizer")
      tokenizer = value;
    else if (const auto found = numbers.find(argument); found == numbers.end())
      Fail(ErrorCode::kArgument, "unknown option ", argument);
    else if (std::from_chars(value.data(), value.data() + value.size(), *found->second).ptr != value.data() + value.size())
      Fail(ErrorCode::kArgument, argument, " needs a whole number, got ", value);
  }
  if (out.empty())
    Fail(ErrorCode::kArgument, "usage: make_scout_gguf OUT.gguf [--layers 4] [--type q4_k_m] [--tokenizer FILE] ...");
  if (shape.moe_step == 0) Fail(ErrorCode::kArgument, "--moe_step is at least 1");
  Maker maker(shape, type);
  maker.Keys();
  if (!tokenizer.empty()) maker.TokenizerKeys(tokenizer);
  maker.Plan();
  maker.Write(out);
  return 0;
}

}  // namespace
}  // namespace scout

int main(int argc, char** argv) {
  try {
    return scout::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "make_scout_gguf: %s\n", error.what());
    return 1;
  }
}

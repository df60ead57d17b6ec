// What operation tests share: backends to compare, random weights of any format, guarded buffers, a small step plan.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout {

inline std::unique_ptr<Backend> MakeRef(Numerics numerics) {
  BackendOptions options;
  options.numerics = numerics;
  return MakeBackend("ref", options);
}
// What is compared with `ref`: the cpu backend's instruction sets that this machine has, with any number of threads
// (cpu_variants.cpp); or the gpu backend's warp widths on the emulator, where one thread stands for its plain schedule and more for
// a random one (tests/simt/gpu_variants.cpp). The same tests are linked with either.
std::unique_ptr<Backend> MakeCpu(const std::string& isa, int threads);
std::vector<std::string> Isas();
// What backends keep keys and values as.
inline std::vector<DType> PageFormats() { return {DType::kF32, DType::kF16, DType::kBF16, DType::kQ8_0}; }
// A sweep's cases: all of them on a processor; on the emulator, which is a thousand times slower, the few unless the environment
// variable SCOUT_SIMT_FULL is set.
bool SweepsAll();
template <typename T>
std::vector<T> Sweep(std::vector<T> all, std::vector<T> few) {
  return SweepsAll() ? all : few;
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t Bits() { return engine_(); }
  int64_t Below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  float Uniform(float low, float high) { return low + (high - low) * static_cast<float>(engine_() >> 40) * 0x1p-24f; }
  // Roughly normal, now and then far out, like activations are.
  float Value() {
    const float x = Uniform(-1, 1) + Uniform(-1, 1) + Uniform(-1, 1);
    return engine_() % 97 == 0 ? 10 * x : x;
  }
  std::vector<float> Values(int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& value : values) value = Value();
    return values;
  }

 private:
  std::mt19937_64 engine_;
};

class MemorySource final : public WeightSource {
 public:
  MemorySource(std::vector<std::byte> bytes, bool mapped) : bytes_(std::move(bytes)), mapped_(mapped) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  void Read(uint64_t offset, std::span<std::byte> out) const override {
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }
  const std::byte* Mapped() const override { return mapped_ ? bytes_.data() : nullptr; }

 private:
  std::vector<std::byte> bytes_;
  bool mapped_;
};

constexpr DType kWeightFormats[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                                    DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,
                                    DType::kQ4_K, DType::kQ5_K, DType::kQ6_K};
inline bool IsBlocks(DType format) { return InfoOf(format).values_per_block > 1; }

// Random blocks: every bit pattern of codes and scales, with the float fields set so that values stay near [-1, 1].
inline std::vector<std::byte> RandomBlocks(DType format, int64_t values, Random& random) {
  std::vector<std::byte> bytes(RowBytes(format, static_cast<uint64_t>(values)));
  if (!IsBlocks(format)) {
    for (int64_t i = 0; i < values; ++i) {
      const float value = random.Uniform(-1, 1);
      const uint16_t half = format == DType::kF16 ? quant::F32ToF16(value) : quant::F32ToBf16(value);
      if (format == DType::kF32)
        std::memcpy(bytes.data() + 4 * i, &value, 4);
      else
        std::memcpy(bytes.data() + 2 * i, &half, 2);
    }
    return bytes;
  }
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.Bits() >> 30);
  struct Field {
    size_t offset;
    float size;
  };
  const auto fields = [&]() -> std::vector<Field> {
    switch (format) {
      case DType::kQ4_0:
        return {{0, 0.12f}};
      case DType::kQ4_1:
        return {{0, 0.12f}, {2, -1.0f}};
      case DType::kQ5_0:
        return {{0, 0.06f}};
      case DType::kQ5_1:
        return {{0, 0.06f}, {2, -1.0f}};
      case DType::kQ8_0:
        return {{0, 0.008f}};
      case DType::kQ2_K:
        return {{80, 0.03f}, {82, 0.06f}};
      case DType::kQ3_K:
        return {{108, 0.008f}};
      case DType::kQ4_K:
        return {{0, 0.001f}, {2, 0.01f}};
      case DType::kQ5_K:
        return {{0, 0.0005f}, {2, 0.01f}};
      default:
        return {{208, 0.0003f}};
    }
  }();
  const size_t block_bytes = InfoOf(format).bytes_per_block;
  for (size_t at = 0; at < bytes.size(); at += block_bytes) {
    for (const Field& field : fields) {
      const uint16_t half = quant::F32ToF16(field.size * random.Uniform(0.5f, 1.5f));
      std::memcpy(bytes.data() + at + field.offset, &half, 2);
    }
  }
  return bytes;
}

struct PartShape {
  DType format;
  int64_t rows;
};

// A weight's description with random contents; the same for every backend.
inline WeightDesc RandomWeight(WeightRole role, int64_t experts, const std::vector<PartShape>& parts, int64_t cols, uint64_t seed,
                               bool mapped = false) {
  Random random(seed);
  WeightDesc desc;
  desc.role = role;
  desc.name = "random";
  desc.experts = experts;
  for (const PartShape& shape : parts) {
    WeightPart part;
    part.format = shape.format;
    part.rows = shape.rows;
    part.cols = cols;
    part.row_values = cols;
    part.expert_bytes = RowBytes(shape.format, static_cast<uint64_t>(cols)) * static_cast<uint64_t>(shape.rows);
    part.sources.push_back(std::make_shared<MemorySource>(RandomBlocks(shape.format, experts * shape.rows * cols, random), mapped));
    desc.parts.push_back(std::move(part));
  }
  return desc;
}

// Rows of float32 (or int32) in a backend, between guard bytes that nobody may touch.
class Rows {
 public:
  Rows(Backend& backend, int64_t rows, int64_t cols, const std::vector<float>& values = {}) : backend_(backend) {
    const auto bytes = static_cast<size_t>(rows * cols) * 4;
    buffer_ = backend.Alloc(MemoryKind::kWorkspace, bytes + 2 * kGuard);
    const std::vector<std::byte> pattern(bytes + 2 * kGuard, std::byte{0xa5});
    backend.Upload(*buffer_, 0, pattern);
    act_ = {buffer_.get(), kGuard, rows, cols};
    if (!values.empty()) backend.Upload(*buffer_, kGuard, std::as_bytes(std::span(values)));
  }
  const Act& act() const { return act_; }
  template <typename T = float>
  std::vector<T> Read() const {
    std::vector<T> values(static_cast<size_t>(act_.rows * act_.cols));
    backend_.Download(*buffer_, kGuard, std::as_writable_bytes(std::span(values)));
    return values;
  }
  bool GuardsIntact() const {
    std::vector<std::byte> all(buffer_->size_bytes());
    backend_.Download(*buffer_, 0, all);
    for (size_t i = 0; i < kGuard; ++i)
      if (all[i] != std::byte{0xa5} || all[all.size() - 1 - i] != std::byte{0xa5}) return false;
    return true;
  }

 private:
  static constexpr size_t kGuard = 256;
  Backend& backend_;
  std::unique_ptr<Buffer> buffer_;
  Act act_;
};

// A plan of rows without sequences, for operations that only count them.
inline StepPlan PlainPlan(int64_t rows) {
  StepPlan plan;
  for (int64_t n = 0; n < rows; ++n) {
    plan.token.push_back(static_cast<int32_t>(n));
    plan.position.push_back(static_cast<int32_t>(n));
  }
  plan.sequence_begin = {0, static_cast<int32_t>(rows)};
  plan.sequence_length = {static_cast<int32_t>(rows)};
  for (StepPlan::Pages& pages : plan.pages) {
    pages.slot.assign(static_cast<size_t>(rows), -1);
    pages.begin = {0, 0};
    pages.first_position = {0};
  }
  return plan;
}

// Runs one step and throws its error.
template <typename Operations>
void RunStep(Backend& backend, const StepPlan& plan, const Operations& operations) {
  backend.BeginStep(plan);
  operations();
  if (const auto error = backend.EndStep()) throw *error;
}

// Equal bit for bit; two NaNs are equal whatever their bits, and so are the two zeros.
inline testing::AssertionResult SameBits(std::span<const float> want, std::span<const float> got) {
  if (want.size() != got.size()) return testing::AssertionFailure() << got.size() << " values for " << want.size();
  size_t wrong = 0, first = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i] == got[i] || (want[i] != want[i] && got[i] != got[i])) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << wrong << " of " << want.size() << " differ, the first at " << first << ": " << got[first]
                                     << " for " << want[first];
}

}  // namespace scout

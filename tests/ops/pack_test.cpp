// Weights that were exported and imported again: the same bytes come out of every operation that takes them, in every format, on
// every instruction set; and what does not fit a description is refused.
#include <functional>

#include "backend/packed_weights.h"
#include "base/hash.h"
#include "op_test.h"

namespace scout {
namespace {

constexpr int64_t kColumns = 512, kRows = 64;

// What ExportWeight gave, copied to other memory as a file would hold it.
struct Kept {
  struct Memory {
    explicit Memory(std::span<const std::byte> from) : bytes(new (std::align_val_t{64}) std::byte[from.size() + 1]) {
      std::copy(from.begin(), from.end(), bytes);
    }
    ~Memory() { ::operator delete[](bytes, std::align_val_t{64}); }
    std::byte* bytes;
  };
  std::vector<StoredPart> parts;
  std::vector<std::shared_ptr<Memory>> memory;
};

const PackedWeights& Packer(const Backend& backend) { return dynamic_cast<const PackedWeights&>(backend); }

Kept Keep(const Backend& backend, const Weight& weight) {
  Kept kept;
  for (StoredPart part : Packer(backend).ExportWeight(weight)) {
    kept.memory.push_back(std::make_shared<Kept::Memory>(part.bytes));
    part.bytes = {kept.memory.back()->bytes, part.bytes.size()};
    kept.parts.push_back(part);
  }
  return kept;
}

std::vector<float> Product(Backend& backend, const Weight& weight, int64_t rows) {
  const Rows in(backend, rows, kColumns, Random(3).Values(rows * kColumns)), out(backend, rows, weight.rows());
  RunStep(backend, PlainPlan(rows), [&] { backend.Linear({in.act(), &weight, Epilogue::kStore, out.act()}); });
  return out.Read();
}

std::vector<std::unique_ptr<Backend>> Backends() {
  std::vector<std::unique_ptr<Backend>> backends;
  for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
  backends.push_back(MakeRef(Numerics::kInvariant));
  return backends;
}

TEST(PackedWeight, GivesTheSameBytesInEveryFormat) {
  for (const auto& backend : Backends()) {
    for (const DType format : kWeightFormats) {
      const WeightDesc desc = RandomWeight(WeightRole::kLinear, 1, {{format, kRows}, {DType::kQ8_0, 32}}, kColumns, 5);
      const auto made = backend->PrepareWeight(desc);
      const Kept kept = Keep(*backend, *made);
      const auto read = Packer(*backend).ImportWeight(desc, kept.parts, nullptr);
      EXPECT_EQ(read->rows(), made->rows());
      EXPECT_EQ(read->size_bytes(), made->size_bytes());
      for (const int64_t rows : {1, 3, 40})
        EXPECT_TRUE(SameBits(Product(*backend, *made, rows), Product(*backend, *read, rows)))
            << InfoOf(format).name << " " << backend->Info().description << " " << rows;
    }
  }
}

TEST(PackedWeight, EveryRoleComesBackAsItWas) {
  for (const auto& backend : Backends()) {
    const struct {
      WeightRole role;
      int64_t experts;
      std::vector<PartShape> parts;
    } cases[] = {{WeightRole::kVector, 1, {{DType::kBF16, 1}}},
                 {WeightRole::kRouter, 1, {{DType::kF16, 8}, {DType::kF32, 8}}},
                 {WeightRole::kEmbedding, 1, {{DType::kQ6_K, 50}}},
                 {WeightRole::kLinear, 1, {{DType::kQ4_K, 20}}},
                 {WeightRole::kExperts, 3, {{DType::kQ4_K, 32}, {DType::kQ6_K, 32}}},
                 {WeightRole::kExperts, 2, {{DType::kF16, 24}}}};
    for (const auto& c : cases) {
      const WeightDesc desc = RandomWeight(c.role, c.experts, c.parts, kColumns, 6);
      const auto made = backend->PrepareWeight(desc);
      const Kept kept = Keep(*backend, *made);
      const auto read = Packer(*backend).ImportWeight(desc, kept.parts, nullptr);
      const auto again = Packer(*backend).ExportWeight(*read);
      ASSERT_EQ(again.size(), kept.parts.size());
      for (size_t i = 0; i < again.size(); ++i) {
        EXPECT_EQ(again[i].rows, kept.parts[i].rows);
        EXPECT_EQ(again[i].bytes.data(), kept.parts[i].bytes.data());
        EXPECT_EQ(again[i].bytes.size(), kept.parts[i].bytes.size());
      }
      EXPECT_EQ(read->experts(), c.experts);
    }
  }
}

TEST(PackedWeight, WhatDoesNotFitTheDescriptionIsRefused) {
  for (const auto& backend : Backends()) {
    const WeightDesc desc = RandomWeight(WeightRole::kExperts, 2, {{DType::kQ4_K, 32}, {DType::kQ6_K, 32}}, kColumns, 7);
    const auto made = backend->PrepareWeight(desc);
    const Kept kept = Keep(*backend, *made);
    const struct {
      const char* says;
      std::function<void(std::vector<StoredPart>&)> change;
    } lies[] = {
        {"the number of parts", [](auto& parts) { parts.pop_back(); }},
        {"the number of parts", [](auto& parts) { parts.push_back(parts[0]); }},
        {"the number of parts", [](auto& parts) { parts.clear(); }},
        {"the format is Q5_K, expected Q4_K", [](auto& parts) { parts[0].format = "Q5_K"; }},
        {"rows is 33, expected 32", [](auto& parts) { parts[1].rows = 33; }},
        {"columns", [](auto& parts) { parts[0].cols = ~uint64_t{0}; }},
        {"experts", [](auto& parts) { parts[0].experts = 1; }},
        {"bytes of a row", [](auto& parts) { parts[0].row_bytes = 0; }},
        {"bytes of a panel", [](auto& parts) { parts[0].panel_bytes += 64; }},
        {"bytes is", [](auto& parts) { parts[1].bytes = parts[1].bytes.first(parts[1].bytes.size() - 1); }},
        {"past a line of 64 bytes is 1",
         [](auto& parts) {
           parts[0].bytes = {parts[0].bytes.data() + 1, parts[0].bytes.size()};
         }},
    };
    for (const auto& lie : lies) {
      std::vector<StoredPart> parts = kept.parts;
      lie.change(parts);
      try {
        Packer(*backend).ImportWeight(desc, parts, nullptr);
        ADD_FAILURE() << lie.says;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kFormat) << error.what();
        EXPECT_NE(std::string(error.what()).find(lie.says), std::string::npos) << error.what();
      }
    }
  }
}

TEST(PackedWeight, MappedRowsAreNotExported) {
  const auto backend = MakeCpu(Isas().back(), 1);
  const auto weight = backend->PrepareWeight(RandomWeight(WeightRole::kExperts, 2, {{DType::kQ4_K, 32}}, kColumns, 8, true));
  // Experts that follow each other in their mapping lie as rows do; a backend that packs must not take them for panels.
  for (const StoredPart& part : Packer(*backend).ExportWeight(*weight)) EXPECT_EQ(part.panel_bytes, 0u);
}

TEST(PackedWeight, ALayoutThatChangesGetsAnotherNumber) {
  // The bytes of each format's panels. Whoever changes one changes the version in LayoutId too, or files would be misread.
  bool packs = false;
  for (const std::string& isa : Isas()) {
    const auto backend = MakeCpu(isa, 1);
    if (Packer(*backend).LayoutId() != "panels of 16 rows, version 3") continue;
    packs = true;
    std::vector<std::byte> all;
    for (const DType format : kWeightFormats) {
      const auto weight = backend->PrepareWeight(RandomWeight(WeightRole::kLinear, 1, {{format, 32}}, kColumns, 9));
      const auto parts = Packer(*backend).ExportWeight(*weight);
      all.insert(all.end(), parts.at(0).bytes.begin(), parts.at(0).bytes.end());
    }
    EXPECT_EQ(ToText(HashOf(all)), "ff16f7d1ec399ca0c1e8ab90086ed2fe");
  }
  if (!packs) GTEST_SKIP() << "this machine's kernels take rows";
}

}  // namespace
}  // namespace scout

// Weights large enough to be read in pieces by several threads: each piece arrives in its place, is looked at once, and what goes
// wrong in one of them is told.
#include <atomic>
#include <thread>

#include "op_test.h"

namespace scout {
namespace {

// Gives its bytes only through staging, and counts how often each row was read and looked at.
class StagedSource final : public WeightSource {
 public:
  StagedSource(std::vector<std::byte> bytes, size_t row_bytes)
      : bytes_(std::move(bytes)), row_bytes_(row_bytes), read_(bytes_.size() / row_bytes), checked_(read_.size()) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  void Read(uint64_t, std::span<std::byte>) const override { Fail(ErrorCode::kInternal, "a large weight was not staged"); }
  std::span<const std::byte> ReadStaged(uint64_t offset, size_t size, StagingBuffer& staging) const override {
    if (offset / row_bytes_ == fail_read_row) Fail(ErrorCode::kIo, "offset ", offset, ": cannot be read");
    Count(offset, size, read_);
    const std::span<std::byte> out(staging.Reserve(size), size);
    std::memcpy(out.data(), bytes_.data() + offset, size);
    return out;
  }
  void Check(uint64_t offset, std::span<const std::byte> bytes) const override {
    Count(offset, bytes.size(), checked_);
    if (std::memcmp(bytes.data(), bytes_.data() + offset, bytes.size()) != 0)
      Fail(ErrorCode::kInternal, "other bytes than were read at ", offset);
    if (fail_check_row >= offset / row_bytes_ && fail_check_row < (offset + bytes.size()) / row_bytes_)
      Fail(ErrorCode::kCorrupt, "row ", fail_check_row, " is NaN");
  }
  bool EachRowOnce() const {
    const auto once = [](const std::atomic<int>& count) { return count == 1; };
    return std::all_of(read_.begin(), read_.end(), once) && std::all_of(checked_.begin(), checked_.end(), once);
  }

  uint64_t fail_read_row = ~uint64_t{0}, fail_check_row = ~uint64_t{0};

 private:
  void Count(uint64_t offset, size_t size, std::vector<std::atomic<int>>& rows) const {
    if (offset % row_bytes_ != 0 || size % row_bytes_ != 0) Fail(ErrorCode::kInternal, "a row was cut");
    for (size_t row = offset / row_bytes_; row < (offset + size) / row_bytes_; ++row) ++rows[row];
  }

  std::vector<std::byte> bytes_;
  size_t row_bytes_;
  mutable std::vector<std::atomic<int>> read_, checked_;
};

constexpr int64_t kColumns = 2048, kExperts = 4, kRowsOfOne = 2080;

// About ten megabytes in Q4_K: more than two pieces for each expert's thousands of rows.
struct Large {
  WeightDesc desc;
  std::shared_ptr<StagedSource> source;
  std::vector<std::byte> bytes;
};

Large MakeLarge(DType format, int64_t experts, int64_t rows) {
  Large large;
  Random random(7);
  // One random row of blocks after another would take long to make: few, repeated at a stride that no piece has.
  const std::vector<std::byte> some = RandomBlocks(format, 97 * kColumns, random);
  const size_t row_bytes = RowBytes(format, kColumns);
  large.bytes.resize(static_cast<size_t>(experts * rows) * row_bytes);
  for (size_t i = 0; i < static_cast<size_t>(experts * rows); ++i)
    std::memcpy(large.bytes.data() + i * row_bytes, some.data() + i % 97 * row_bytes, row_bytes);
  large.source = std::make_shared<StagedSource>(large.bytes, row_bytes);
  large.desc.name = "large";
  large.desc.role = experts > 1 ? WeightRole::kExperts : WeightRole::kLinear;
  large.desc.experts = experts;
  large.desc.parts.push_back({format, rows, kColumns, false, kColumns, 0, {large.source}, static_cast<uint64_t>(rows) * row_bytes});
  return large;
}

std::vector<float> Product(Backend& backend, const Weight& weight) {
  const Rows in(backend, 1, kColumns, Random(3).Values(kColumns)), out(backend, 1, weight.rows());
  RunStep(backend, PlainPlan(1), [&] { backend.Linear({in.act(), &weight, Epilogue::kStore, out.act()}); });
  return out.Read();
}

TEST(LargeWeight, EachRowIsReadAndCheckedOnceAndArrives) {
  for (const DType format : {DType::kQ4_K, DType::kQ8_0, DType::kF16}) {
    const int64_t rows = kExperts * kRowsOfOne;
    Large large = MakeLarge(format, 1, rows);
    WeightDesc plain = large.desc;
    plain.parts[0].sources = {std::make_shared<MemorySource>(large.bytes, true)};
    for (const std::string& isa : Isas()) {
      for (const int threads : {1, 3}) {
        const auto cpu = MakeCpu(isa, threads);
        large.source = std::make_shared<StagedSource>(large.bytes, RowBytes(format, kColumns));
        large.desc.parts[0].sources = {large.source};
        const auto weight = cpu->PrepareWeight(large.desc);
        EXPECT_TRUE(large.source->EachRowOnce()) << InfoOf(format).name << " " << isa;
        // The mapped weight stays in the file's blocks and is read by nobody: another way to the same product.
        EXPECT_TRUE(SameBits(Product(*cpu, *cpu->PrepareWeight(plain)), Product(*cpu, *weight)))
            << InfoOf(format).name << " " << isa;
      }
    }
  }
}

TEST(LargeWeight, AnErrorInAnyPieceIsTold) {
  for (const DType format : {DType::kQ4_K, DType::kF16}) {
    const Large large = MakeLarge(format, kExperts, kRowsOfOne);
    for (const std::string& isa : Isas()) {
      const auto cpu = MakeCpu(isa, 2);
      for (const bool read : {true, false}) {
        // The first row of the third expert, whose piece begins there.
        const uint64_t row = 2 * kRowsOfOne;
        large.source->fail_read_row = read ? row : ~uint64_t{0};
        large.source->fail_check_row = read ? ~uint64_t{0} : row + 77;
        try {
          cpu->PrepareWeight(large.desc);
          FAIL() << InfoOf(format).name << " " << isa;
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), read ? ErrorCode::kIo : ErrorCode::kCorrupt) << error.what();
          const std::string expected = read ? "cannot be read" : "row " + std::to_string(row + 77) + " is NaN";
          EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
        }
      }
      large.source->fail_read_row = large.source->fail_check_row = ~uint64_t{0};
      EXPECT_NE(cpu->PrepareWeight(large.desc), nullptr);  // and afterwards all is well
    }
  }
}

TEST(LargeWeight, SeveralAtOnceShareTheCrew) {
  const auto cpu = MakeCpu("", 2);
  const Large large = MakeLarge(DType::kQ4_K, 1, kExperts * kRowsOfOne);
  const std::vector<float> want = Product(*cpu, *cpu->PrepareWeight(large.desc));
  std::vector<std::unique_ptr<Weight>> weights(3);
  {
    std::vector<std::thread> threads;
    for (auto& weight : weights) threads.emplace_back([&] { weight = cpu->PrepareWeight(large.desc); });
    for (std::thread& thread : threads) thread.join();
  }
  for (const auto& weight : weights) EXPECT_TRUE(SameBits(want, Product(*cpu, *weight)));
}

}  // namespace
}  // namespace scout

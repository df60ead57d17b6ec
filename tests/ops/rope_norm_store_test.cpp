#include <cmath>
#include <limits>

#include "paged.h"
#include "quant/formats.h"

namespace scout {
namespace {

struct Stored {
  std::vector<float> q;
  std::vector<std::byte> page;
};

// One row at `position`, page size and slot such that it lands in slot 1 of page 2.
Stored Store(Backend& backend, const PageSetup& setup, int32_t position, const std::vector<float>& qkv,
             const std::vector<float>& inv_freq, const RopeSetup& rope) {
  StepPlan plan = PlainPlan(1);
  plan.position[0] = position;
  plan.pages[kGlobalPages].slot[0] = 2 * setup.page_size + 1;
  const auto pages = backend.AllocPages(setup.spec());
  const std::vector<std::byte> before(backend.PageBytes(*pages), std::byte{0xa5});
  for (int64_t p = 0; p < setup.page_count; ++p) backend.WritePage(*pages, p, before);
  const Rows in(backend, 1, static_cast<int64_t>(qkv.size()), qkv), q(backend, 1, setup.heads * setup.head_dim);
  RunStep(backend, plan, [&] {
    backend.RopeNormStore({in.act(), q.act(), pages.get(), kGlobalPages, 1, setup.heads, rope.rope, inv_freq, rope.qk_norm, 1e-5f,
                           rope.temperature_length, rope.temperature_scale});
  });
  EXPECT_TRUE(q.GuardsIntact());
  EXPECT_TRUE(SameBits(qkv, in.Read())) << "the input is not the operation's to change";
  std::vector<std::byte> page(backend.PageBytes(*pages));
  backend.ReadPage(*pages, 2, page);
  return {q.Read(), page};
}

// Values of layer 1, slot 1: K then V.
std::vector<float> SlotOf(const PageSetup& setup, const std::vector<std::byte>& page) {
  const size_t values = static_cast<size_t>(setup.kv_heads * setup.head_dim), size = setup.k_format == DType::kF32 ? 4 : 2;
  const size_t k_at = (2 * static_cast<size_t>(setup.page_size) + 1) * values * size;  // layer 0 holds K and V pages before it
  std::vector<float> out;
  for (const size_t at : {k_at, k_at + static_cast<size_t>(setup.page_size) * values * size}) {
    for (size_t i = 0; i < values; ++i) {
      float value = 0;
      uint16_t half = 0;
      if (size == 4)
        std::memcpy(&value, page.data() + at + 4 * i, 4);
      else
        std::memcpy(&half, page.data() + at + 2 * i, 2);
      if (setup.k_format == DType::kF16) value = quant::F16ToF32(half);
      if (setup.k_format == DType::kBF16) value = quant::Bf16ToF32(half);
      out.push_back(value);
    }
  }
  return out;
}

PageSetup SmallSetup() {
  PageSetup setup;
  setup.head_dim = 32;
  setup.page_count = 3;
  return setup;
}
std::vector<float> Frequencies() {
  std::vector<float> inv_freq(16);
  for (size_t i = 0; i < 16; ++i) inv_freq[i] = static_cast<float>(std::pow(500000.0, -static_cast<double>(i) / 16));
  return inv_freq;
}

TEST(RopeNormStore, RotatesNeighbouringPairsThenNormalisesEachHead) {
  const PageSetup setup = SmallSetup();
  const auto inv_freq = Frequencies();
  const auto qkv = Random(1).Values((setup.heads + 2 * setup.kv_heads) * setup.head_dim);
  for (const int32_t position : {0, 1, 8191, 10485759}) {
    for (const bool qk_norm : {false, true}) {
      const Stored got = Store(*MakeRef(Numerics::kFloat32), setup, position, qkv, inv_freq, {true, qk_norm, 0, 0});
      const auto kv = SlotOf(setup, got.page);
      const int64_t d = setup.head_dim;
      for (int64_t h = 0; h < setup.heads + setup.kv_heads; ++h) {
        std::vector<double> head(static_cast<size_t>(d));
        double squares = 0;
        for (int64_t i = 0; i < d / 2; ++i) {
          const double angle = inv_freq[i] * static_cast<float>(position);  // rounded to float32, as the model does
          const double a = qkv[h * d + 2 * i], b = qkv[h * d + 2 * i + 1];
          head[2 * i] = a * std::cos(angle) - b * std::sin(angle);
          head[2 * i + 1] = a * std::sin(angle) + b * std::cos(angle);
          squares += a * a + b * b;
        }
        const double scale = qk_norm ? 1 / std::sqrt(squares / static_cast<double>(d) + 1e-5) : 1;
        for (int64_t i = 0; i < d; ++i) {
          const float value = h < setup.heads ? got.q[h * d + i] : kv[(h - setup.heads) * d + i];
          EXPECT_NEAR(value, head[i] * scale, 4e-6 * std::max(1.0, std::sqrt(squares))) << position << " " << h << " " << i;
        }
      }
      for (int64_t i = 0; i < setup.kv_heads * d; ++i)  // v is stored as it came
        EXPECT_EQ(kv[setup.kv_heads * d + i], qkv[(setup.heads + setup.kv_heads) * d + i]);
    }
  }
}

TEST(RopeNormStore, TheTemperatureGrowsAtMultiplesOfItsLength) {
  const PageSetup setup = SmallSetup();
  const std::vector<float> qkv((setup.heads + 2 * setup.kv_heads) * setup.head_dim, 1.0f);
  const struct {
    int32_t position;
    double scale;
  } cases[] = {{0, 1.0},           {8190, 1.0},         {8191, 1.0693147},    {16382, 1.0693147},
               {16383, 1.1098612}, {131071, 1.2833213}, {10485759, 1.7155396}};
  for (const auto& c : cases) {
    for (const char* device : {"ref", "cpu"}) {
      const Stored got = Store(*MakeBackend(device, {}), setup, c.position, qkv, {}, {false, false, 8192, 0.1});
      EXPECT_NEAR(got.q[0], c.scale, 2e-7) << c.position;
      EXPECT_EQ(SlotOf(setup, got.page)[0], 1.0f) << "keys have no temperature";
    }
  }
}

TEST(RopeNormStore, CpuRepeatsTheDefinedArithmeticBitForBit) {
  for (const DType format : PageFormats()) {
    for (const int32_t head_dim : {8, 24, 128}) {
      if (head_dim % static_cast<int32_t>(InfoOf(format).values_per_block) != 0) continue;
      PageSetup setup = SmallSetup();
      setup.k_format = setup.v_format = format;
      setup.head_dim = head_dim;
      std::vector<float> inv_freq(static_cast<size_t>(head_dim / 2));
      for (size_t i = 0; i < inv_freq.size(); ++i) inv_freq[i] = 1.0f / static_cast<float>(i + 1);
      for (const RopeSetup& rope : {RopeSetup{true, true, 0, 0}, RopeSetup{true, false, 0, 0}, RopeSetup{false, false, 16, 0.1}}) {
        const auto qkv = Random(static_cast<uint64_t>(head_dim)).Values((setup.heads + 2 * setup.kv_heads) * head_dim);
        const Stored want = Store(*MakeRef(Numerics::kInvariant), setup, 12345, qkv, inv_freq, rope);
        for (const std::string& isa : Isas()) {
          const Stored got = Store(*MakeCpu(isa, 2), setup, 12345, qkv, inv_freq, rope);
          EXPECT_TRUE(SameBits(want.q, got.q)) << isa;
          EXPECT_EQ(want.page, got.page) << isa;
        }
      }
    }
  }
}

// Blocks of 32 along each head, the file format's own; what is NaN or infinite stays no number, and ends nothing.
TEST(RopeNormStore, StoresBlocksOfBytes) {
  PageSetup setup = SmallSetup();
  setup.k_format = setup.v_format = DType::kQ8_0;
  setup.head_dim = 64;
  auto qkv = Random(5).Values((setup.heads + 2 * setup.kv_heads) * setup.head_dim);
  float* const k = qkv.data() + setup.heads * setup.head_dim;
  k[3] = std::numeric_limits<float>::quiet_NaN();
  k[40] = -std::numeric_limits<float>::infinity();
  std::fill(k + 64, k + 96, 0.0f);
  k[100] = 3.4e38f;
  const size_t values = static_cast<size_t>(setup.kv_heads * setup.head_dim), slot = values / 32 * 34;
  std::vector<std::byte> want(2 * slot);
  quant::EncodeRow(DType::kQ8_0, k, want.data(), values);
  quant::EncodeRow(DType::kQ8_0, k + values, want.data() + slot, values);
  std::vector<std::unique_ptr<Backend>> backends;
  backends.push_back(MakeRef(Numerics::kInvariant));
  for (const std::string& isa : Isas()) backends.push_back(MakeCpu(isa, 2));
  for (const auto& backend : backends) {
    const std::string device = backend->Info().description;
    const std::vector<std::byte> page = Store(*backend, setup, 0, qkv, {}, {}).page;
    const size_t first = (2 * static_cast<size_t>(setup.page_size) + 1) * slot;  // of layer 1, slot 1
    const auto at = [&](size_t byte) { return page.begin() + static_cast<std::ptrdiff_t>(byte); };
    EXPECT_TRUE(std::equal(want.begin(), want.begin() + static_cast<std::ptrdiff_t>(slot), at(first))) << device;
    EXPECT_TRUE(std::equal(want.begin() + static_cast<std::ptrdiff_t>(slot), want.end(),
                           at(first + static_cast<size_t>(setup.page_size) * slot)))
        << device;
  }
  std::vector<float> got(values);
  quant::DecodeRow(DType::kQ8_0, want.data(), got.data(), values);
  for (size_t i = 0; i < 64; ++i) EXPECT_TRUE(std::isnan(got[i])) << i;
  for (size_t i = 64; i < 96; ++i) EXPECT_EQ(got[i], 0.0f) << i;
  for (size_t i = 128; i < values; ++i) EXPECT_NEAR(got[i], k[i], 0.02) << i;

  setup.head_dim = 24;
  for (const auto& backend : backends) {
    try {
      backend->AllocPages(setup.spec());
      FAIL() << "heads of 24 are no blocks of 32";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kArgument);
      EXPECT_NE(std::string(error.what()).find("a head has 24 values"), std::string::npos) << error.what();
    }
  }
}

TEST(RopeNormStore, RoundsToThePagesFormatToNearestEven) {
  PageSetup setup = SmallSetup();
  for (const DType format : {DType::kF16, DType::kBF16}) {
    setup.k_format = setup.v_format = format;
    auto qkv = Random(5).Values((setup.heads + 2 * setup.kv_heads) * setup.head_dim);
    // Ties, the largest, subnormals and what overflows.
    const float special[] = {1.00048828125f, 1.00146484375f, 65504.0f, 65519.0f,    65520.0f,    6e-8f,
                             3e-8f,          1e-7f,          -0.0f,    1.00390625f, 1.01171875f, 3.4e38f};
    std::copy(std::begin(special), std::end(special), qkv.begin() + setup.heads * setup.head_dim);
    for (const std::string& isa : Isas()) {
      const auto kv = SlotOf(setup, Store(*MakeCpu(isa, 1), setup, 0, qkv, {}, {}).page);
      for (int64_t i = 0; i < setup.kv_heads * setup.head_dim; ++i) {
        const float from = qkv[setup.heads * setup.head_dim + i];
        const float want =
            format == DType::kF16 ? quant::F16ToF32(quant::F32ToF16(from)) : quant::Bf16ToF32(quant::F32ToBf16(from));
        EXPECT_EQ(kv[i], want) << isa << " " << from;
      }
    }
  }
}

}  // namespace
}  // namespace scout

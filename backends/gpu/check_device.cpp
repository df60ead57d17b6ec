// The host's half of check.h: the right answers, computed without a word of gpu.h.
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "base/fp_environment.h"
#include "base/log.h"
#include "base/math.h"
#include "gpu/arguments.h"
#include "gpu/device.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::gpu {
namespace {

constexpr int kTile = kCheckRows * kCheckRows;

int8_t ByteOf(int row, int i, int salt) { return static_cast<int8_t>((row * 37 + i * 101 + salt) % 255 - 127); }

struct Inputs {
  std::array<int8_t, kCheckRows * kCheckBytes> a, b;
  std::vector<float> floats;  // [lanes + 1]
};
Inputs MakeInputs(int lanes) {
  Inputs in;
  for (int row = 0; row < kCheckRows; ++row) {
    for (int i = 0; i < kCheckBytes; ++i) {
      in.a[static_cast<size_t>(row * kCheckBytes + i)] = ByteOf(row, i, 11);
      in.b[static_cast<size_t>(row * kCheckBytes + i)] = ByteOf(row, i, 200);
    }
  }
  // Lane 0's square needs a bit more than a float has; the others are spread so that every rounding happens.
  in.floats.push_back(1.0f + 0x1p-12f);
  for (int lane = 1; lane < lanes; ++lane) in.floats.push_back(0.05f + 0.35f * static_cast<float>(lane));
  in.floats.push_back(1.0f + 0x1p-11f);
  return in;
}

std::vector<int32_t> RightProduct(const Inputs& in, int k) {
  std::vector<int32_t> out;
  for (int row = 0; row < kCheckRows; ++row) {
    for (int col = 0; col < kCheckRows; ++col) {
      int32_t sum = 0;
      for (int i = 0; i < k; ++i)
        sum += in.a[static_cast<size_t>(row * kCheckBytes + i)] * in.b[static_cast<size_t>(col * kCheckBytes + i)];
      out.push_back(sum);
    }
  }
  return out;
}

struct Answer {
  const char* what;
  std::vector<int32_t> values;  // [lanes]
};
std::vector<Answer> RightAnswers(const Inputs& in, int lanes) {
  std::vector<Answer> answers;
  const auto each = [&](const char* what, const auto& of_lane) {
    std::vector<int32_t> values;
    for (int lane = 0; lane < lanes; ++lane) values.push_back(static_cast<int32_t>(of_lane(lane)));
    answers.push_back({what, std::move(values)});
  };
  const auto bits_of = [](float x) { return std::bit_cast<int32_t>(x); };
  uint64_t votes = 0;
  for (int lane = 0; lane < lanes; lane += 3) votes |= uint64_t{1} << lane;
  for (int bits = 1; bits < lanes; bits *= 2) each("a shuffle between neighbours", [&](int lane) { return 1000 + (lane ^ bits); });
  each("a shuffle", [&](int lane) { return 1000 + (5 * lane + 3) % lanes; });
  each("a vote", [&](int) { return votes; });
  each("a vote", [&](int) { return votes >> 32; });
  each("a count of votes", [&](int) { return std::popcount(votes); });
  const float last = in.floats.back();
  const auto x = [&](int lane) { return in.floats[static_cast<size_t>(lane)]; };
  each("a product that is rounded before it is added to", [&](int lane) {
    const volatile float square = x(lane) * x(lane);
    return bits_of(square - last);
  });
  each("a fused product and sum", [&](int lane) { return bits_of(Fma(x(lane), x(lane), -last)); });
  each("a division", [&](int lane) { return bits_of(1.0f / x(lane)); });
  each("a square root", [&](int lane) { return bits_of(std::sqrt(x(lane))); });
  each("rounding to whole numbers", [&](int lane) { return static_cast<int>(std::nearbyint(10 * x(lane))); });
  each("rounding to half precision", [&](int lane) { return bits_of(quant::F16ToF32(quant::F32ToF16(x(lane)))); });
  return answers;
}

}  // namespace

void CheckInstructions(const std::shared_ptr<Device>& device) {
  const FpEnvironment environment;
  const KernelTable& kernels = device->driver().Kernels();
  const int lanes = kernels.warp;
  const Inputs in = MakeInputs(lanes);
  const std::vector<Answer> answers = RightAnswers(in, lanes);
  const size_t out_values = 4 * kTile + answers.size() * static_cast<size_t>(lanes);
  const size_t tile_bytes = sizeof in.a, float_bytes = in.floats.size() * sizeof(float);
  const DeviceBlock block(device, 2 * tile_bytes + (float_bytes + 255) / 256 * 256 + out_values * 4, false, "a self-test");
  uint8_t* const floats = block.data() + 2 * tile_bytes;
  auto* const out = reinterpret_cast<int32_t*>(floats + (float_bytes + 255) / 256 * 256);
  device->Upload(block.data(), in.a.data(), tile_bytes);
  device->Upload(block.data() + tile_bytes, in.b.data(), tile_bytes);
  device->Upload(floats, in.floats.data(), float_bytes);
  std::vector<int32_t> got(out_values, -1);
  device->Upload(out, got.data(), got.size() * 4);
  const CheckArgs args{block.data(),
                       block.data() + tile_bytes,
                       reinterpret_cast<const float*>(floats),
                       out,
                       out + kTile,
                       out + 2 * kTile,
                       out + 3 * kTile,
                       out + 4 * kTile};
  device->Launch("a self-test", kernels.check, static_cast<unsigned>(lanes), 2 * kCheckRows * (2 * kCheckBytes + 16), &args,
                 sizeof args);
  device->Download(got.data(), out, got.size() * 4);

  const auto compare = [&](const char* what, const std::vector<int32_t>& right, size_t first, int columns) {
    for (size_t i = 0; i < right.size(); ++i) {
      if (got[first + i] == right[i]) continue;
      Fail(ErrorCode::kDevice, device->name(), ": the device fails its self-test: ", what, " gives ", got[first + i], " at ",
           i / static_cast<size_t>(columns), ", ", i % static_cast<size_t>(columns), ", where ", right[i], " is right");
    }
  };
  compare("the product of tiles 16 deep", RightProduct(in, 16), 0, kCheckRows);
  compare("the product of tiles 32 deep", RightProduct(in, 32), kTile, kCheckRows);
  compare("the product of tiles in F16", RightProduct(in, 32), 2 * kTile, kCheckRows);
  compare("the product of tiles in BF16", RightProduct(in, 32), 3 * kTile, kCheckRows);
  for (size_t i = 0; i < answers.size(); ++i)
    compare(answers[i].what, answers[i].values, 4 * kTile + i * static_cast<size_t>(lanes), lanes);
}

namespace {

// The products of four warps and in tensor memory: bytes of the tables above as halves, more rows of them.
struct WideInputs {
  std::vector<int8_t> a, b;         // [rows, kCheckDepth], [kWideRows[1], kCheckDepth]
  std::vector<uint16_t> halves[6];  // F16: a, b of either number of columns; the same in BF16
};
WideInputs MakeWideInputs(int rows) {
  WideInputs in;
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < kCheckDepth; ++i) in.a.push_back(ByteOf(row, i, 11));
  for (int row = 0; row < kWideRows[1]; ++row)
    for (int i = 0; i < kCheckDepth; ++i) in.b.push_back(ByteOf(row, i, 200));
  const auto half = [](int8_t value, bool bf16) {
    const auto x = static_cast<float>(value);
    return bf16 ? quant::F32ToBf16(x) : quant::F32ToF16(x);
  };
  for (size_t kind = 0; kind < 2; ++kind) {
    for (const int8_t value : in.a) in.halves[3 * kind].push_back(half(value, kind == 1));
    for (size_t size = 0; size < 2; ++size)
      for (int piece = 0; piece < kCheckDepth / 8; ++piece)
        for (int row = 0; row < kWideRows[size]; ++row)
          for (int i = 0; i < 8; ++i)
            in.halves[3 * kind + 1 + size].push_back(half(in.b[static_cast<size_t>(row * kCheckDepth + 8 * piece + i)], kind == 1));
  }
  return in;
}

struct Found {
  bool halves = false, wide = false;  // matrix instructions over halves, and what `kernel` checks
};
Found CheckOneKind(const std::shared_ptr<Device>& device, const char* name, const void* kernel, int rows) {
  const WideInputs in = MakeWideInputs(rows);
  const size_t products[] = {static_cast<size_t>(rows * kWideRows[0]), static_cast<size_t>(rows * kWideRows[1])};
  size_t input_bytes = 0;
  for (const auto& halves : in.halves) input_bytes += (2 * halves.size() + 255) / 256 * 256;
  std::vector<int32_t> got(2 + 2 * (products[0] + products[1]), 0);
  const DeviceBlock block(device, input_bytes + 4 * got.size(), false, "a self-test");
  auto* const out = reinterpret_cast<int32_t*>(block.data() + input_bytes);
  CheckFastArgs args{};
  uint8_t* at = block.data();
  std::vector<Device::Piece> pieces{{out, got.data(), 4 * got.size()}};
  int32_t* product = out + 2;
  for (size_t i = 0; i < 6; ++i) {
    const size_t kind = i / 3;
    const auto* const there = reinterpret_cast<const uint16_t*>(at);
    if (i % 3 == 0) {
      args.a[kind] = there;
    } else {
      args.b[kind][i % 3 - 1] = there;
      args.product[kind][i % 3 - 1] = product;
      product += products[i % 3 - 1];
    }
    pieces.push_back({at, in.halves[i].data(), 2 * in.halves[i].size()});
    at += (2 * in.halves[i].size() + 255) / 256 * 256;
  }
  args.has = out;
  device->Upload(pieces);
  device->Launch("a self-test", kernel, 128, 16 * (kCheckDepth / 8) * size_t{kWideRows[1]} + 32, &args, sizeof args);
  device->Download(got.data(), out, 4 * got.size());

  Found found;
  found.halves = got[0] == 1;
  found.wide = found.halves && got[1] == 1;
  size_t first = 2;
  for (size_t i = 0; found.wide && i < 4; ++i) {
    const auto columns = static_cast<size_t>(kWideRows[i % 2]);
    for (size_t v = 0; v < products[i % 2]; ++v) {
      int32_t right = 0;
      for (size_t k = 0; k < kCheckDepth; ++k) right += in.a[v / columns * kCheckDepth + k] * in.b[v % columns * kCheckDepth + k];
      if (got[first + v] == right) continue;
      Log(LogLevel::kWarning, device->name(), ": the device's products ", name, " fail their self-test: ", i < 2 ? "F16" : "BF16",
          " by ", columns, " columns gives ", got[first + v], " at ", v / columns, ", ", v % columns, ", where ", right,
          " is right; numerics fast goes without them");
      found.wide = false;
      break;
    }
    first += products[i % 2];
  }
  return found;
}

}  // namespace

Device::FastInstructions CheckFastInstructions(const std::shared_ptr<Device>& device) {
  const KernelTable& kernels = device->driver().Kernels();
  const Found wide = CheckOneKind(device, "of four warps", kernels.check_fast, kCheckWideRows[0]);
  return {wide.halves, wide.wide,
          wide.halves && CheckOneKind(device, "in tensor memory", kernels.check_tensor, kCheckWideRows[1]).wide};
}

}  // namespace scout::gpu

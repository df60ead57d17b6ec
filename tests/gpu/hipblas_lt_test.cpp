// hipBLASLt as the hip plug-in opens and asks it, with planted libraries of its names in the folder where this program looks first.
// No HIP runtime is needed; whether the real library takes the same words is not shown here.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "hip/hipblas_lt.h"
#include "quant/bf16.h"
#include "quant/f16.h"

namespace scout::gpu {

const char* const kPluginDevice = "hip";

namespace {

// A runtime of a version, with three devices, of which the thread's is 0.
struct AnyRuntime {
  using Stream = void*;
  static constexpr int kSuccess = 0;
  static int device, changes;
  static bool under;
  static int GetDevice(int* out) {
    *out = device;
    return kSuccess;
  }
  static int SetDevice(int index) {
    device = index;
    ++changes;
    return kSuccess;
  }
  static bool IsUnder(void* file) { return file != nullptr && under; }
};
int AnyRuntime::device = 0, AnyRuntime::changes = 0;
bool AnyRuntime::under = true;
template <int major>
struct RuntimeOf : AnyRuntime {
  static constexpr int kMajor = major;
};
using Words = HipblasLt<RuntimeOf<7>>;

class HipblasLtTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const int version : {0, 1}) {
      void* const file = dlopen(StrCat("libhipblaslt.so.", version).c_str(), RTLD_NOW | RTLD_LOCAL);
      for (const char* name : {"version", "create", "version_status", "find", "handles", "things"})
        if (!file || !dlsym(file, StrCat("planted_", name).c_str()))
          GTEST_SKIP() << "another libhipblaslt.so." << version << " is found first";
      files_[version] = file;
      Planted(version, "create") = Planted(version, "version_status") = Planted(version, "find") = 0;
      Planted(version, "version") = version == 1 ? 100100 : 1003;
    }
  }
  int& Planted(int version, const char* name) {
    return *static_cast<int*>(dlsym(files_[version], StrCat("planted_", name).c_str()));
  }
  OpenedLibrary Open() { return OpenHipblasLt<RuntimeOf<7>>(0); }
  OpenedLibrary OpenOlder() { return OpenHipblasLt<RuntimeOf<6>>(0); }

 private:
  void* files_[2] = {};
};

TEST_F(HipblasLtTest, TheRuntimesOwnIsTaken) {
  {
    const OpenedLibrary opened = Open();
    ASSERT_TRUE(opened.library) << opened.why;
    EXPECT_EQ(opened.name, "hipBLASLt 1.1.0");
    EXPECT_EQ(opened.why, "");
    EXPECT_EQ(Planted(1, "handles"), 1);
    EXPECT_EQ(Planted(0, "handles"), 0);
    const OpenedLibrary older = OpenOlder();
    ASSERT_TRUE(older.library) << older.why;
    EXPECT_EQ(older.name, "hipBLASLt 0.10.3");
    EXPECT_EQ(Planted(0, "handles"), 1);
  }
  for (const int version : {0, 1}) EXPECT_EQ(Planted(version, "handles"), 0);
  const OpenedLibrary none = OpenHipblasLt<RuntimeOf<5>>(0);
  EXPECT_FALSE(none.library);
  EXPECT_EQ(none.why, "this plug-in was built with HIP 5, and the hipBLASLt that it knows stands on 6 or 7");
}

TEST_F(HipblasLtTest, VersionsOfOtherCallsAreLeftAlone) {
  Planted(1, "version") = 200000;
  Planted(0, "version") = 300;
  EXPECT_EQ(Open().why, "hipBLASLt 2.0.0: only the calls of 0.6 to 1 are known");
  EXPECT_EQ(OpenOlder().why, "hipBLASLt 0.3.0: only the calls of 0.6 to 1 are known");
  EXPECT_FALSE(OpenOlder().library);
  for (const int version : {0, 1}) EXPECT_EQ(Planted(version, "handles"), 0);
  Planted(0, "version") = 600;
  EXPECT_EQ(OpenOlder().name, "hipBLASLt 0.6.0");
}

TEST_F(HipblasLtTest, WhatCannotBeUsedSaysWhy) {
  Planted(1, "create") = 8;
  Planted(0, "version_status") = 6;
  EXPECT_EQ(Open().why, "hipBLASLt: hipblasLtCreate: not for this architecture (8)");
  EXPECT_EQ(OpenOlder().why, "hipBLASLt: hipblasLtGetVersion: an error of its own (6)");
  for (const int version : {0, 1}) EXPECT_EQ(Planted(version, "handles"), 0);
  EXPECT_EQ(LtFile<Words>("libhipblaslt.so.none").why, "there is no libhipblaslt.so.none");
  EXPECT_EQ(LtFile<Words>("libhipblaslt.so.lame").why, "libhipblaslt.so.lame has no hipblasLtMatmul");
  AnyRuntime::under = false;
  EXPECT_EQ(LtFile<Words>("libhipblaslt.so.1").why, "libhipblaslt.so.1 stands on another HIP runtime than this plug-in");
  AnyRuntime::under = true;
}

// [rows, k] x [outputs, k], results at multiples of out_cols.
struct Product {
  static constexpr int64_t kOutputs = 24, kRows = 9, kDepth = 40, kOutCols = 32;
  alignas(16) uint16_t weight[kOutputs * kDepth];
  alignas(16) uint16_t x[kRows * kDepth];
  alignas(16) float out[kRows * kOutCols];
  alignas(256) unsigned char workspace[256];

  static float Value(int64_t i) { return static_cast<float>((i * 37 + 11) % 64 - 32) / 16; }  // exact as either half
  explicit Product(bool bf16) {
    const auto half = [&](float v) { return bf16 ? quant::F32ToBf16(v) : quant::F32ToF16(v); };
    for (int64_t i = 0; i < kOutputs * kDepth; ++i) weight[i] = half(Value(i));
    for (int64_t i = 0; i < kRows * kDepth; ++i) x[i] = half(Value(5 * i + 3));
    for (float& v : out) v = 7;
  }
  HalfProduct Asked(bool bf16, bool add) {
    HalfProduct product;
    product.bf16 = bf16;
    product.outputs = kOutputs;
    product.rows = kRows;
    product.k = kDepth;
    product.weight = weight;
    product.x = x;
    product.out = out;
    product.out_cols = kOutCols;
    product.add = add;
    return product;
  }
};

TEST_F(HipblasLtTest, MultipliesWhatItIsTold) {
  for (const bool bf16 : {false, true})
    for (const bool add : {false, true}) {
      {
        const OpenedLibrary opened = OpenHipblasLt<RuntimeOf<7>>(2);
        ASSERT_TRUE(opened.library) << opened.why;
        Product p(bf16);
        AnyRuntime::changes = 0;
        const LibraryStatus status = opened.library->Multiply(nullptr, p.Asked(bf16, add), p.workspace, sizeof p.workspace);
        ASSERT_TRUE(status.ok()) << status.call << ": " << status.status.text;
        EXPECT_EQ(AnyRuntime::changes, 2) << "to the library's device and back";
        EXPECT_EQ(AnyRuntime::device, 0);
        for (int64_t n = 0; n < Product::kRows; ++n)
          for (int64_t o = 0; o < Product::kOutCols; ++o) {
            float want = 7;
            if (o < Product::kOutputs) {
              want = add ? 7.0f : 0.0f;
              for (int64_t i = 0; i < Product::kDepth; ++i)
                want += Product::Value(o * Product::kDepth + i) * Product::Value(5 * (n * Product::kDepth + i) + 3);
            }
            ASSERT_EQ(p.out[n * Product::kOutCols + o], want)
                << n << ", " << o << (bf16 ? ", BF16" : ", F16") << (add ? ", added" : "");
          }
      }
      EXPECT_EQ(Planted(1, "things"), 0);
    }
}

TEST_F(HipblasLtTest, AShapeThatItDoesNotServeIsRefused) {
  const OpenedLibrary opened = Open();
  ASSERT_TRUE(opened.library) << opened.why;
  Product p(true);
  Planted(1, "find") = 7;
  LibraryStatus status = opened.library->Multiply(nullptr, p.Asked(true, false), p.workspace, sizeof p.workspace);
  EXPECT_STREQ(status.call, "hipblasLtMatmulAlgoGetHeuristic");
  EXPECT_STREQ(status.status.text, "not supported");
  EXPECT_TRUE(status.refused);
  // A want of memory is not a refusal, and anything else is an error.
  Planted(1, "find") = 2;
  status = opened.library->Multiply(nullptr, p.Asked(true, false), p.workspace, sizeof p.workspace);
  EXPECT_TRUE(status.status.no_memory);
  EXPECT_FALSE(status.refused);
  // Nor is it asked for matrices at odd places, of which it is not told.
  Planted(1, "find") = 0;
  HalfProduct odd = p.Asked(true, false);
  odd.rows = 8;
  odd.x = p.x + 4;
  status = opened.library->Multiply(nullptr, odd, p.workspace, sizeof p.workspace);
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(status.refused);
  for (const float v : p.out) ASSERT_EQ(v, 7);
  EXPECT_EQ(Planted(1, "things"), 0);
}

}  // namespace
}  // namespace scout::gpu
